import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { SampleColumns } from '@narthex/model/sample-columns'
import { MergedQueryable } from './merged-queryable.ts'
import type { Queryable } from './queryable.ts'

type Series = Readonly<Record<string, readonly number[]>>

/** A storage of series by the value of their one label; each sample's value is `value`. */
class ListQueryable implements Queryable {
  readonly #series: [string, readonly number[]][]
  readonly #value: number

  constructor(series: Series, value: number) {
    this.#series = Object.entries(series).sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
    this.#value = value
  }

  select() {
    let at = -1
    return {
      next: () => ++at < this.#series.length,
      labels: () => Labels.from({ a: this.#series[at]![0] }),
      samples: (into: SampleColumns) => {
        for (const timeMs of this.#series[at]![1]) into.pushNumber(timeMs, this.#value)
      },
    }
  }

  labelNames() {
    return this.#series.length === 0 ? [] : ['a']
  }

  labelValues() {
    return this.#series.map(([value]) => value)
  }
}

/** `label: time=value time=value …`. */
function read(sources: readonly Series[]): string[] {
  const set = new MergedQueryable(sources.map((series, i) => new ListQueryable(series, i))).select([], -Infinity, Infinity)
  const lines: string[] = []
  const columns = new SampleColumns()
  // What stands there already is of another series.
  columns.pushNumber(1e9, -1)
  while (set.next()) {
    columns.length = 1
    set.samples(columns)
    const samples = Array.from({ length: columns.length - 1 }, (_, i) => `${columns.times[i + 1]}=${columns.values[i + 1]}`)
    lines.push(`${set.labels().get('a')}: ${samples.join(' ')}`)
  }
  return lines
}

test('series of all sources come once, in the order of their labels', () => {
  expect(read([{ b: [1], d: [1] }, { a: [1], b: [2], é: [1] }, {}])).toEqual(['a: 1=1', 'b: 1=0 2=1', 'd: 1=0', 'é: 1=1'])
})

test('of samples with the same time that of the first source stays', () => {
  expect(read([{ a: [1, 3, 5] }, { a: [1, 2, 3, 6] }])).toEqual(['a: 1=0 2=1 3=0 5=0 6=1'])
})

test('names and values of all sources come once, sorted', () => {
  const merged = new MergedQueryable([new ListQueryable({ b: [], z: [] }, 0), new ListQueryable({ a: [], b: [] }, 1)])
  expect([merged.labelNames([], 0, 1), merged.labelValues('a', [], 0, 1)]).toEqual([['a'], ['a', 'b', 'z']])
})

test('gives what a map of all samples gives', () => {
  const times = fc.uniqueArray(fc.nat(20)).map((list) => list.sort((a, b) => a - b))
  const series = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'ü'), times)
  fc.assert(
    fc.property(fc.array(series, { minLength: 1, maxLength: 4 }), (sources) => {
      const expected = new Map<string, Map<number, number>>()
      for (const [i, source] of sources.entries()) {
        for (const [name, list] of Object.entries(source)) {
          const samples = expected.get(name) ?? new Map<number, number>()
          expected.set(name, samples)
          for (const time of list) if (!samples.has(time)) samples.set(time, i)
        }
      }
      const lines = [...expected].map(([name, samples]) => {
        const sorted = [...samples].sort(([a], [b]) => a - b)
        return `${name}: ${sorted.map(([time, value]) => `${time}=${value}`).join(' ')}`
      })
      expect(read(sources)).toEqual(lines.sort())
    }),
  )
})

test('sources that have nothing in the time are not asked, and one that is left may make use of what is not needed', () => {
  const asked: unknown[] = []
  const source = (name: string, from: number, to: number): Queryable =>
    Object.assign(new ListQueryable({ [name]: [from] }, 0), {
      overlaps: (minTimeMs: number, maxTimeMs: number) => from <= maxTimeMs && minTimeMs <= to,
      select: (...args: Parameters<Queryable['select']>) => {
        asked.push([name, args[3]])
        return new ListQueryable({ [name]: [from] }, 0).select()
      },
    })
  const merged = new MergedQueryable([source('old', 1, 9), source('new', 10, 19)])
  const hints = { anyOrder: true, labels: ['a'] }
  merged.select([], 12, 15, hints)
  merged.select([], 9, 10, hints)
  expect(asked).toEqual([
    ['new', hints],
    ['old', undefined],
    ['new', undefined],
  ])
  expect(merged.select([], 30, 40, hints).next()).toBe(false)
  expect([merged.overlaps(0, 0), merged.overlaps(9, 9), merged.overlaps(20, 30)]).toEqual([false, true, false])
})
