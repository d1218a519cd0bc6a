// "Dependency direction" of docs/house-style.md, rule by rule. scripts/layers.test.ts shows that each one bites.

const apps = 'server|scheduler|gateway|agent|preflight';
/** A contract is the part of a test that several implementations share. */
const test = '[.](test|contract)[.]ts$';
/** Folders of what several tests share. */
const testRoom = '/(contract|faults|testing)/';
/** Code that no installation runs: it may reach further than the product does. */
const aside = '^(e2e|bench|scripts)/';

/** What a package gives to others. A review has a door of its own: behind the other one all of the demo is loaded. */
const doors = ['^packages/[^/]+/src/index[.]ts$', '^packages/standalone/src/review/index[.]ts$'];

/** A vendor's SDK is imported by the files named for the vendor, by `main.ts`, which builds the client, and by tests. */
const vendorRule = (name, sdk, rooms) => ({
  name: `vendor-${name}`,
  comment: `${name} is imported only in its own package or in files named for it; main.ts builds the client.`,
  severity: 'error',
  from: { path: '^packages/', pathNot: [test, '^packages/[^/]+/src/main[.]ts$', ...rooms] },
  to: { path: `(^|/)node_modules/${sdk}(/|$)|^${sdk}(/|$)` },
});

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'Two files that need each other are one file, or miss a third.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'not-unresolvable',
      comment: 'What is imported exists and is declared.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'apps-not-each-other',
      comment: 'Apps meet in Redis, HTTP and the Kubernetes API; what crosses is a schema in core.',
      severity: 'error',
      from: { path: `^packages/(${apps})/` },
      to: { path: `^packages/(${apps}|cli|standalone)/`, pathNot: '^packages/$1/' },
    },
    {
      name: 'cli-only-standalone',
      comment: 'The CLI speaks to processes over HTTP; of their code it may import only the composed whole.',
      severity: 'error',
      from: { path: '^packages/cli/' },
      to: { path: `^packages/(${apps})/` },
    },
    {
      name: 'standalone-not-cli',
      comment: 'Standalone composes the processes; the CLI calls it, not the other way round.',
      severity: 'error',
      from: { path: '^packages/standalone/' },
      to: { path: '^packages/cli/' },
    },
    {
      name: 'libraries-below-apps',
      comment: 'What wraps a vendor, and the testkit, know core and each other, never an app.',
      severity: 'error',
      from: { path: '^packages/', pathNot: `^packages/(${apps}|cli|standalone)/` },
      to: { path: `^packages/(${apps}|cli|standalone)/` },
    },
    {
      name: 'core-alone',
      comment: 'Core is the bottom: it imports no other package of ours.',
      severity: 'error',
      from: { path: '^packages/core/', pathNot: test },
      to: { path: '^packages/(?!core/)' },
    },
    {
      name: 'core-no-vendor',
      comment: 'Core is the domain, pure: of packages only zod, and pino as types.',
      severity: 'error',
      from: { path: '^packages/core/', pathNot: test },
      to: {
        dependencyTypes: ['npm', 'npm-dev', 'npm-peer', 'npm-optional', 'npm-no-pkg', 'npm-unknown'],
        pathNot: '(^|/)node_modules/(zod|pino)/',
      },
    },
    {
      name: 'core-pino-types',
      comment: 'Core knows what a log looks like; a process makes it.',
      severity: 'error',
      from: { path: '^packages/core/', pathNot: test },
      to: { path: '(^|/)node_modules/pino/', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'core-no-io',
      comment: 'Core touches nothing: of Node only what computes.',
      severity: 'error',
      from: { path: '^packages/core/', pathNot: test },
      to: {
        dependencyTypes: ['core'],
        pathNot:
          '^(node:)?(assert|async_hooks|buffer|crypto|events|path|perf_hooks|string_decoder|timers|url|util)(/|$)',
      },
    },
    {
      name: 'testkit-only-in-tests',
      comment: 'Fakes never reach a process, but for the demo and the scripted model, which a user asks for by name.',
      severity: 'error',
      from: {
        path: '^packages/',
        pathNot: [
          test,
          testRoom,
          '^packages/testkit/',
          '^packages/standalone/src/demo([.-][^/]*|/.+)$',
          '^packages/standalone/src/scripted-model[.]ts$',
        ],
      },
      to: { path: '^packages/testkit/' },
    },
    {
      name: 'packages-by-name',
      comment: 'Another package is imported by its name, never by a path to or inside it.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^packages/', pathNot: '^packages/$1/', dependencyTypes: ['local'] },
    },
    {
      name: 'packages-by-index',
      comment: 'What index.ts does not name is inside.',
      severity: 'error',
      from: { path: '^packages/([^/]+)/' },
      to: { path: '^packages/', pathNot: ['^packages/$1/', ...doors] },
    },
    {
      name: 'packages-by-name-from-aside',
      comment: 'End-to-end tests, benchmarks and scripts use packages as anybody would.',
      severity: 'error',
      from: { path: aside },
      to: { path: '^packages/', pathNot: doors },
    },
    {
      name: 'cluster-only-in-tests',
      comment: 'Tests, benchmarks and scripts start clusters; no product code knows of them.',
      severity: 'error',
      from: { pathNot: ['^cluster/', test, testRoom, aside] },
      to: { path: '^cluster/' },
    },
    {
      name: 'cluster-by-its-door',
      comment: 'What start-cluster.ts does not name is inside.',
      severity: 'error',
      from: { pathNot: '^cluster/' },
      to: { path: '^cluster/', pathNot: '^cluster/start-cluster[.]ts$' },
    },
    {
      name: 'cluster-alone',
      comment: 'The cluster runs the product as anybody would, and imports none of it.',
      severity: 'error',
      from: { path: '^cluster/', pathNot: test },
      to: { path: '^(packages|e2e|bench|scripts)/' },
    },
    {
      name: 'not-to-main',
      comment: 'main.ts starts a process when it is read; only the bin file does that.',
      severity: 'error',
      from: { pathNot: '^packages/[^/]+/bin/' },
      to: { path: '^packages/[^/]+/src/main[.]ts$' },
    },
    {
      name: 'not-to-tests',
      comment: 'A test file runs when it is read; what two tests share has a file of its own.',
      severity: 'error',
      from: {},
      to: { path: '[.]test[.]ts$' },
    },
    {
      name: 'not-to-test-rooms',
      comment: 'What tests share is for tests.',
      severity: 'error',
      from: { path: '^packages/', pathNot: [test, testRoom, '^packages/testkit/'] },
      to: { path: testRoom, pathNot: '^packages/testkit/' },
    },
    {
      name: 'not-to-aside',
      comment: 'Packages know nothing of the end-to-end tests, benchmarks and scripts around them.',
      severity: 'error',
      from: { path: '^packages/' },
      to: { path: aside },
    },
    vendorRule('redis', '(ioredis|redis)', ['(^|/)redis-[^/]+[.]ts$']),
    vendorRule('gitlab', '@gitbeaker', ['(^|/)gitlab-[^/]+[.]ts$']),
    vendorRule('github', '(@octokit|octokit)', ['(^|/)github-[^/]+[.]ts$']),
    vendorRule('anthropic', '@anthropic-ai', ['(^|/)anthropic-[^/]+[.]ts$']),
    {
      name: 'vendor-kubernetes',
      comment: 'Only packages/kube imports @kubernetes/client-node: what others need of it, types too, it exports.',
      severity: 'error',
      from: { path: '^packages/', pathNot: '^packages/kube/' },
      to: { path: '(^|/)node_modules/@kubernetes(/|$)|^@kubernetes(/|$)' },
    },
    vendorRule('undici', 'undici', ['^packages/http/']),
    vendorRule('bullmq', 'bullmq', []),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(fixtures|golden|dist)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      extensions: ['.ts', '.js', '.cjs', '.json'],
    },
  },
};
