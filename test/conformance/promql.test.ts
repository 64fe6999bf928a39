import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { findConformance } from '../kit/shared.ts'
import { runPromqlScript } from './promql.ts'

// How many cases of each script pass. A change may raise a number, then it is raised here, too; it must not lower one.
const expectedPath = join(import.meta.dirname, 'promql-expected.json')
const expected = JSON.parse(readFileSync(expectedPath, 'utf8')) as Record<string, number>

const folder = findConformance('promql')

describe.skipIf(folder === undefined)('Prometheus’ evaluation scripts', () => {
  it.each(Object.entries(expected))('%s passes as many cases as before', (name, count) => {
    const { passed, failures } = runPromqlScript(name, readFileSync(join(folder!, name), 'utf8'))
    expect(passed, failures.slice(0, 3).join('\n')).toBeGreaterThanOrEqual(count)
  })
})
