const lockNames = new Set([
  'package-lock.json',
  'npm-shrinkwrap.json',
  'yarn.lock',
  'pnpm-lock.yaml',
  'bun.lock',
  'bun.lockb',
  'deno.lock',
  'composer.lock',
  'gemfile.lock',
  'cargo.lock',
  'poetry.lock',
  'pdm.lock',
  'uv.lock',
  'pipfile.lock',
  'go.sum',
  'go.work.sum',
  'mix.lock',
  'pubspec.lock',
  'podfile.lock',
  'cartfile.resolved',
  'package.resolved',
  'packages.lock.json',
  'gradle.lockfile',
  'flake.lock',
  'chart.lock',
  '.terraform.lock.hcl',
]);

const vendoredFolder = /(?:^|\/)(?:node_modules|bower_components|jspm_packages|vendor|third_party|third-party|Pods)\//;

const minifiedName = /(?:[.-]min\.(?:js|mjs|cjs|css)|\.(?:js|mjs|cjs|css)\.map)$/i;

const generatedName =
  /(?:\.pb\.(?:go|cc|h|rb|swift)|_pb2(?:_grpc)?\.pyi?|_pb\.(?:js|d\.ts)|\.g\.(?:dart|cs)|\.freezed\.dart|\.designer\.(?:cs|vb)|_generated\.[a-z]+|\.generated\.[a-z]+|(?:^|\/)__generated__\/.*|(?:^|\/)zz_generated[^/]*\.go|\.snap)$/i;

/**
 * Why a file of this name is not worth a reviewer's time; null: it is. By its name alone: a file's content is the
 * author's word, and "@generated" on top of it would hide anything.
 */
export function whyKnown(path: string): string | null {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  if (lockNames.has(name)) return 'lock file';
  if (vendoredFolder.test(path)) return 'vendored';
  if (minifiedName.test(name)) return 'minified';
  return generatedName.test(path) ? 'generated' : null;
}
