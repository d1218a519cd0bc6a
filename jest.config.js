import { availableParallelism } from 'node:os';

/** Native ESM under Node's own module loader; swc only strips the types. */
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      { jsc: { target: 'esnext', parser: { syntax: 'typescript' } }, module: { type: 'es6' }, sourceMaps: 'inline' },
    ],
  },
  setupFiles: ['<rootDir>/scripts/jest-setup.js'],
  testMatch: ['<rootDir>/packages/*/src/**/*.test.ts', '<rootDir>/{bench,cluster,e2e,scripts}/**/*.test.ts'],
  // They want a GitLab and a key of yours: make test-live.
  testPathIgnorePatterns: ['/node_modules/', '[.]live[.]test[.]ts$'],
  cacheDirectory: '<rootDir>/.cache/jest',
  // Suites start servers, git and Redis of their own: a core for each worker, one of them for those.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  // For what hangs. A machine may be ten times slower than the one that a test was written on.
  testTimeout: 120_000,
};
