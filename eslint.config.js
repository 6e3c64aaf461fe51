import tseslint from 'typescript-eslint';

export default tseslint.config(
  {ignores: ['node_modules/', 'out/', '.cache/']},
  ...tseslint.configs.recommendedTypeChecked.map((config) => ({...config, files: ['**/*.ts']})),
  {
    files: ['**/*.ts'],
    languageOptions: {parserOptions: {projectService: true, tsconfigRootDir: import.meta.dirname}},
    rules: {
      '@typescript-eslint/no-floating-promises': [
        'error',
        {
          allowForKnownSafeCalls: [
            {from: 'package', package: 'node:test', name: ['test', 'describe', 'it', 'suite']},
          ],
        },
      ],
      '@typescript-eslint/switch-exhaustiveness-check': 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-unnecessary-condition': ['error', {allowConstantLoopConditions: true}],
      '@typescript-eslint/restrict-template-expressions': ['error', {allowNumber: true, allowBoolean: true}],
      'no-restricted-exports': ['error', {restrictDefaultExports: {direct: true}}],
      'max-lines': ['error', {max: 400}],
      eqeqeq: 'error',
      'prefer-const': 'error',
    },
  },
);
