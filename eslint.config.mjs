import js from '@eslint/js';
import { defineConfig } from 'eslint/config';
import tseslint from 'typescript-eslint';

const inFile = (file) => `is read in one place: ${file}`;
const doors = [
  { object: 'process', property: 'env', message: inFile('src/base/env.ts') },
  { object: 'Date', property: 'now', message: inFile('src/base/clock.ts') },
  { object: 'Math', property: 'random', message: 'is not random enough for anything here: node:crypto' },
];
const without = (property) => ['error', ...doors.filter((door) => door.property !== property)];
const childProcess = {
  regex: '^(?:node:)?(?:child_process|process|cluster|vm)$',
  message: 'starts programs or code, or hides process.env: only in cli/, rego/, tests and scripts',
};
const merged = 'is merged or decoded by Node: decide on rawHeaders';

const forbidden = [
  { selector: "NewExpression[callee.name='Date'][arguments.length=0]", message: inFile('src/base/clock.ts') },
  { selector: "MemberExpression[property.name='headersDistinct']", message: `headersDistinct ${merged}` },
  { selector: "MemberExpression[property.name='trailersDistinct']", message: `trailersDistinct ${merged}` },
  {
    selector:
      'TSAsExpression > TSTypeReference > Identifier[name=/^(Identity|Target|Permit|Admission|Receipt|Observed|CleanRequest)$/]',
    message: 'a proof is made by its stage, never by a cast',
  },
];
/** Each proof with the only stage that may make it. */
const proofs = [
  { stage: 'gate', proof: 'CleanRequest', make: 'passed' },
  { stage: 'identify', proof: 'Identity', make: 'verified' },
  { stage: 'resolve', proof: 'Target', make: 'resolved' },
  { stage: 'authorize', proof: 'Permit', make: 'grant' },
  { stage: 'limit', proof: 'Admission', make: 'admit' },
  { stage: 'record', proof: 'Receipt', make: 'recorded' },
  { stage: 'record', proof: 'Observed', make: 'recorded' },
];
const factory = ({ stage, proof, make }) => ({
  selector: `MemberExpression[object.name='${proof}'][property.name='${make}']`,
  message: `${proof} is proof that ${stage} said yes: only src/${stage}/ makes it`,
});

export default defineConfig(
  { ignores: ['dist/', 'node_modules/', '.tap/', '.cache/', 'coverage/', 'policies/dist/', '**/fixtures/**'] },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.ts'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { project: ['tsconfig.test.json'], tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-floating-promises': [
        'error',
        { allowForKnownSafePromises: [{ from: 'package', name: 'PromiseWithSubtest', package: '@tapjs/core' }] },
      ],
      // A template that prints an object is a bug; a number or a boolean is not.
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // `() => void call()` says what it means.
      '@typescript-eslint/no-confusing-void-expression': [
        'error',
        { ignoreArrowShorthand: true, ignoreVoidOperator: true },
      ],
      // Collaborators are objects of functions that close over their state; taking one apart is how they are used.
      '@typescript-eslint/unbound-method': 'off',
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-console': 'error',
      'no-eval': 'error',
      'no-new-func': 'error',
    },
  },
  {
    files: ['src/**/*.ts'],
    rules: {
      'max-lines': ['error', { max: 200, skipBlankLines: true, skipComments: true }],
      'max-lines-per-function': ['error', { max: 40, skipBlankLines: true, skipComments: true }],
      'max-params': ['error', 3],
      'max-depth': ['error', 3],
      'no-param-reassign': 'error',
      'no-control-regex': 'off', // what a gate looks for are control characters
      'no-restricted-properties': without(),
      'no-restricted-imports': ['error', { patterns: [childProcess] }],
      'no-restricted-globals': [
        'error',
        ...['window', 'document', 'localStorage', 'alert', 'event', 'name', 'fetch', 'XMLHttpRequest'].map((name) => ({
          name,
          message: 'belongs to browsers, or has a door of its own',
        })),
      ],
      'no-restricted-syntax': ['error', ...forbidden, ...proofs.map(factory)],
    },
  },
  ...proofs.map(({ stage }) => ({
    files: [`src/${stage}/**/*.ts`],
    rules: {
      'no-restricted-syntax': ['error', ...forbidden, ...proofs.filter((other) => other.stage !== stage).map(factory)],
    },
  })),
  { files: ['src/base/env.ts'], rules: { 'no-restricted-properties': without('env') } },
  { files: ['src/base/clock.ts'], rules: { 'no-restricted-properties': without('now') } },
  { files: ['src/{cli,rego}/**/*.ts'], rules: { 'no-restricted-imports': 'off' } },
  {
    files: ['test/**/*.ts', 'bench/**/*.ts'],
    rules: {
      // A test hands wrong values over on purpose and reads parsed JSON as it comes.
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-unsafe-type-assertion': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/require-await': 'off',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: false }],
      'no-control-regex': 'off',
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: {
      globals: Object.fromEntries(
        [
          'process',
          'console',
          'URL',
          'Buffer',
          'performance',
          'setTimeout',
          'clearTimeout',
          'setInterval',
          'clearInterval',
          'fetch',
          'AbortSignal',
          'TextDecoder',
          'structuredClone',
          'WebAssembly',
        ].map((name) => [name, 'readonly']),
      ),
    },
    rules: { eqeqeq: 'error', 'no-eval': 'error', 'no-new-func': 'error' },
  },
);
