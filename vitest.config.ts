import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    exclude: ['**/node_modules/**', '**/dist/**', 'data/**', 'build/**'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // A wait for something that must happen fails long after any busy machine has done it; Vitest's own second is not long enough.
    expect: { poll: { timeout: 10_000, interval: 10 } },
    pool: 'forks',
    // Vitest leaves one core free by default: half of the machine where there are two.
    maxWorkers: '100%',
  },
})
