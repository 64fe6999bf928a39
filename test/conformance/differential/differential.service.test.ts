import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Differential, findsDirectory, type AskedQuery } from './differential.ts'

// A share of `npm run fuzz -- promql-differential`, and every query that once was a find.

const seed = Number(process.env['NARTHEX_SEED'] ?? 20_260_801)
const count = Number(process.env['NARTHEX_QUERIES'] ?? 600)

let differential: Differential
beforeAll(async () => {
  differential = await Differential.start()
}, 60_000)
afterAll(() => differential.stop())

describe('answered as Prometheus answers it', () => {
  test(`a generated query (seed ${seed}, ${count} queries)`, async () => {
    const { finds, answered, refused } = await differential.run(seed, count)
    const told = finds.map(({ query, start, end, step, differences }) => [`${query} from ${start} to ${end} step ${step}`, ...differences])
    expect(told.slice(0, 10).join('\n'), `${finds.length} of ${count} queries differ, seed ${seed}`).toBe('')
    // Queries that mostly came out empty, or were refused, would prove nothing.
    expect(answered).toBeGreaterThan(count / 2)
    expect(refused).toBeLessThan(count / 10)
  })

  test.each(readdirSync(findsDirectory))('the former find %s', async (file) => {
    const { query, start, end, step } = JSON.parse(readFileSync(join(findsDirectory, file), 'utf8')) as AskedQuery
    expect((await differential.compare({ query, start, end, step })).differences).toEqual([])
  })
})
