import fc from 'fast-check'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { makeTemporaryDirectory } from '@narthex/test/kit/process'
import { afterAll, expect, test } from 'vitest'
import { OpenMetricsHistory } from './openmetrics-history.ts'

const directory = makeTemporaryDirectory()
afterAll(() => directory.remove())

function open(text: string, windowBytes?: number): OpenMetricsHistory {
  const path = join(directory.path, 'input.om')
  writeFileSync(path, text)
  return OpenMetricsHistory.open(path, windowBytes)
}

function scan(text: string, windowBytes?: number): unknown {
  const history = open(text, windowBytes)
  try {
    return history.scan()
  } catch (error) {
    return (error as Error).message
  } finally {
    history.close()
  }
}

function read(history: OpenMetricsHistory, fromMs: number, toMs: number): { samples: [string, number, number][]; next: number } {
  const samples: [string, number, number][] = []
  const words = new Uint32Array(2)
  const next = history.read(fromMs, toMs, (bytes, start, end, _type, timeMs, low, high) => {
    words.set([low, high])
    samples.push([Buffer.from(bytes.subarray(start, end)).toString(), timeMs, new Float64Array(words.buffer)[0]!])
  })
  return { samples, next }
}

test('gives the range of times and the number of samples', () => {
  expect(scan('a 1 1\nb 2 3.5\n# TYPE c gauge\nc 1 -2\n# EOF\n')).toEqual({ minTimeMs: -2000, maxTimeMs: 3500, samples: 3 })
  expect(scan('# EOF\n')).toEqual({ minTimeMs: 0, maxTimeMs: 0, samples: 0 })
  expect(scan('# EOF')).toEqual({ minTimeMs: 0, maxTimeMs: 0, samples: 0 })
})

test.each([
  ['', 'next: data does not end with # EOF (line 1)'],
  ['a 1 1\n', 'next: data does not end with # EOF (line 2)'],
  ['a 1 1\na{b="c"} 1\n# EOF\n', 'expected timestamp for series got none (line 2)'],
  ['a 1 1\n\n# EOF\n', /^next: .*\(line 2\)$/],
  ['a 1 1\n# EOF\nb 1 2\n', 'next: unexpected data after # EOF (line 2)'],
  ['a 1 1e300\n# EOF\n', /^timestamp out of range: .* \(line 1\)$/],
  ['a 1 NaN\n# EOF\n', /^next: invalid timestamp NaN/],
])('refuses %j whatever the window', (text, problem) => {
  for (const windowBytes of [undefined, 64, 8, 1]) {
    const found = scan(text, windowBytes)
    if (typeof problem === 'string') expect(found).toBe(problem)
    else expect(found).toMatch(problem)
  }
})

test('takes times up to 2^51 ms', () => {
  expect(scan(`a 1 ${2 ** 51 / 1000}\n# EOF\n`)).toMatchObject({ maxTimeMs: 2 ** 51 })
  expect(scan(`a 1 ${(2 ** 51 + 1000) / 1000}\n# EOF\n`)).toMatch(/out of range/)
})

test('gives the same samples whatever the window, and the time of a later one', () => {
  const sample = fc.record({
    series: fc.constantFrom('a', 'b{x="1"}', 'c{x="é\\n"}'),
    seconds: fc.integer({ min: -50, max: 50 }),
    value: fc.nat(9),
  })
  fc.assert(
    fc.property(
      fc.array(sample, { maxLength: 30 }),
      fc.integer({ min: 1, max: 60 }),
      fc.integer({ min: -60, max: 60 }),
      (list, windowBytes, from) => {
        const text = `${list.map(({ series, seconds, value }) => `${series} ${value} ${seconds}\n`).join('')}# EOF\n`
        const history = open(text, windowBytes)
        try {
          history.scan()
          const { samples, next } = read(history, from * 1000, from * 1000 + 20_000)
          const wanted = list.filter(({ seconds }) => seconds >= from && seconds < from + 20)
          expect(samples).toEqual(wanted.map(({ series, seconds, value }) => [series, seconds * 1000, value]))
          expect(next).toBe(Math.min(...list.map(({ seconds }) => seconds).filter((seconds) => seconds >= from + 20)) * 1000)
        } finally {
          history.close()
        }
      },
    ),
    { numRuns: 100 },
  )
})

test('a NaN is the one that Prometheus stores', () => {
  const history = open('a NaN 1\n# EOF\n')
  history.scan()
  const found: number[] = []
  history.read(0, 2000, (_bytes, _start, _end, _type, _timeMs, low, high) => void found.push(low, high))
  history.close()
  expect(found).toEqual([1, 0x7ff80000])
})

test('the type of a family counts for what follows in later windows', () => {
  const history = open('# TYPE a histogram\na_bucket{le="1"} 1 1\na_bucket{le="1"} 1 2\n# EOF\n', 24)
  history.scan()
  const types: string[] = []
  history.read(2000, 3000, (_bytes, _start, _end, type) => void types.push(type))
  history.close()
  expect(types).toEqual(['histogram'])
})

test('a part of the time is read without the windows that have none of it, in the order of time or of series', () => {
  const rows = Array.from({ length: 4 }, (_, x) => Array.from({ length: 1000 }, (__, i) => `a{x="${x}"} ${i} ${i}\n`))
  const bySeries = rows.flat()
  const byTime = rows[0]!.flatMap((_, i) => rows.map((list) => list[i]!))
  for (const list of [bySeries, byTime]) {
    const text = `${list.join('')}# EOF\n`
    const history = open(text, 1024)
    history.scan()
    const before = history.bytesRead
    expect(read(history, 500_000, 510_000).samples).toHaveLength(40)
    // Four series, at most two windows each.
    expect(history.bytesRead - before).toBeLessThanOrEqual(8 * 1024)
    history.close()
  }
})
