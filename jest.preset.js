/**
 * The settings every package shares; a package adds its own projects and names.
 *
 * `*.e2e.test.ts` start real virtual machines: they run only with REPRISE_E2E=1.
 */
const endToEnd = process.env.REPRISE_E2E === '1';

export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  moduleNameMapper: { '^(\\.{1,2}/.*)\\.js$': '$1' },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: { target: 'es2022', parser: { syntax: 'typescript' } },
        module: { type: 'es6' },
        sourceMaps: 'inline',
      },
    ],
  },
  testMatch: [endToEnd ? '<rootDir>/src/**/*.e2e.test.ts' : '<rootDir>/src/**/*.test.ts'],
  testPathIgnorePatterns: ['/node_modules/', ...(endToEnd ? [] : ['\\.e2e\\.test\\.ts$'])],
  testTimeout: endToEnd ? 10 * 60_000 : 30_000,
};
