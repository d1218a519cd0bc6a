import jsdoc from 'eslint-plugin-jsdoc';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';
import { documentedIndex } from './scripts/eslint/documented-index.js';

const tests = ['**/*.test.ts', '**/*.contract.ts', 'packages/testkit/src/**/*.ts', 'e2e/**/*.ts'];

/** Where the environment enters: the process's own main, and code that no process runs. */
const environmentReaders = [
  'packages/*/src/main.ts',
  'packages/testkit/src/golden.ts',
  '**/*.test.ts',
  'e2e/**',
  'cluster/**',
  'bench/**',
  'scripts/**',
];

const environmentMessage = 'Only main.ts reads the environment; take settings as an argument.';
const moduleShape = [
  { selector: 'ExportDefaultDeclaration', message: 'No default exports: a name is the same everywhere.' },
  {
    selector: 'ExportSpecifier[exported.name="default"]',
    message: 'No default exports: a name is the same everywhere.',
  },
  { selector: 'ExportAllDeclaration', message: 'No star exports: index.ts names what it gives.' },
];
const moduleMocks = [
  {
    selector:
      'CallExpression[callee.object.name="jest"][callee.property.name=/^(mock|doMock|unmock|dontMock|unstable_mockModule|unstable_unmockModule|setMock|genMockFromModule|createMockFromModule|requireMock)$/]',
    message: 'No module mocks: pass a fake.',
  },
];
const environmentDetours = [
  { selector: 'MemberExpression[object.property.name="process"][property.name="env"]', message: environmentMessage },
  {
    selector: 'ImportDeclaration[source.value=/^(node:)?process$/] ImportSpecifier[imported.name="env"]',
    message: environmentMessage,
  },
];

export default defineConfig(
  globalIgnores(['**/node_modules/', '**/dist/', '**/coverage/', '.cache/', '**/fixtures/', '**/golden/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error', reportUnusedInlineConfigs: 'error' } },
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    plugins: { jsdoc, drydock: { rules: { 'documented-index': documentedIndex } } },
    rules: {
      // Kubernetes types are classes; manifests are plain objects of their shape.
      '@typescript-eslint/no-unsafe-class-instance-assignment': 'off',
      // An async method of a port turns a throw into a rejection, also where nothing is awaited.
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unnecessary-condition': [
        'error',
        { allowConstantLoopConditions: 'only-allowed-literals' },
      ],
      '@typescript-eslint/no-unused-vars': [
        'error',
        { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true },
      ],
      eqeqeq: 'error',
      'no-console': 'error',
      'no-restricted-properties': ['error', { object: 'process', property: 'env', message: environmentMessage }],
      'no-restricted-syntax': ['error', ...moduleShape, ...moduleMocks, ...environmentDetours],
      'jsdoc/no-types': 'error',
      'jsdoc/informative-docs': 'error',
    },
  },
  {
    files: ['packages/*/src/**/*.ts'],
    ignores: ['**/*.test.ts', '**/*.contract.ts'],
    rules: {
      'jsdoc/require-jsdoc': [
        'error',
        {
          publicOnly: { esm: true, cjs: false, window: false },
          enableFixer: false,
          checkConstructors: false,
          require: { FunctionDeclaration: true, ClassDeclaration: true },
        },
      ],
      'drydock/documented-index': 'error',
    },
  },
  {
    files: environmentReaders,
    rules: {
      'no-restricted-properties': 'off',
      'no-restricted-syntax': ['error', ...moduleShape, ...moduleMocks],
    },
  },
  { files: ['scripts/**', 'bench/**'], rules: { 'no-console': 'off' } },
  {
    files: tests,
    rules: {
      // Matchers of jest are methods that need no `this`, and expected shapes are loosely typed by design.
      '@typescript-eslint/unbound-method': 'off',
    },
  },
  { files: ['**/*.js', '**/*.cjs'], extends: [tseslint.configs.recommended], rules: { 'no-console': 'error' } },
  {
    files: ['**/*.cjs'],
    rules: { '@typescript-eslint/no-require-imports': 'off' },
    languageOptions: { globals: { module: 'writable' } },
  },
);
