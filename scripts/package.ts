import { join } from 'node:path';
import { buildPackage } from './package/build-package.ts';

const { thirdParty, metafile } = await buildPackage(join(import.meta.dirname, '..'));
const bytes = Object.values(metafile.outputs).reduce((sum, output) => sum + output.bytes, 0);
// Standard output is npm's, which prints what it packed.
process.stderr.write(
  `packages/cli/dist: ${(bytes / 1e6).toFixed(1)} MB, with ${String(thirdParty.length)} packages of others\n`,
);
