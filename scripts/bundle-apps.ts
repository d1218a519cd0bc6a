import { resolve } from 'node:path';
import { bundleApp } from './images/bundle-app.ts';
import { root } from './run-command.ts';

// Runs while the images are built: node scripts/bundle-apps.ts <folder> <app>...
const [folder, ...apps] = process.argv.slice(2);
if (folder === undefined || apps.length === 0) {
  process.stderr.write('usage: node scripts/bundle-apps.ts <folder> <app>...\n');
  process.exit(2);
}
for (const app of apps) {
  const { bytes, thirdParty } = await bundleApp({ root, app, outDir: resolve(folder, app) });
  process.stdout.write(
    `${app}: ${(bytes / 1e6).toFixed(1)} MB, with ${String(thirdParty.length)} packages of others\n`,
  );
}
