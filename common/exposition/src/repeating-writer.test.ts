import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FamilyWriter } from './family-writer.ts'
import { RepeatingWriter } from './repeating-writer.ts'

const text = (writer: FamilyWriter | RepeatingWriter): string => Buffer.from(writer.finish()).toString('utf8')

/** What a writer is told: a family, or a sample. */
type Call =
  | { readonly name: string; readonly help: string; readonly type: 'counter' | 'gauge' }
  | {
      readonly value: number
      readonly labels: readonly string[] | undefined
      readonly suffix: string | undefined
      readonly timestampMs: number | undefined
    }

/** Gives the types that the writer knows before each family. */
function tell(writer: FamilyWriter | RepeatingWriter, calls: readonly Call[]): unknown[] {
  const types: unknown[] = []
  for (const call of calls) {
    if ('name' in call) {
      types.push(writer.typeOf(call.name), writer.typeOf('a'))
      writer.family(call.name, call.help, call.type)
    } else writer.sample(call.value, call.labels, call.suffix, call.timestampMs)
  }
  return [...types, writer.typeOf('a'), writer.typeOf('z')]
}

const family = fc.record({
  name: fc.constantFrom('a', 'b', 'c.d', 'z'),
  help: fc.constantFrom('A.', 'B\n'),
  type: fc.constantFrom('counter', 'gauge'),
})
const value = fc.oneof(fc.double(), fc.integer({ min: -3, max: 1_000_000 }), fc.constantFrom(NaN, 0, -0, Infinity))
const sample = fc.record({
  value,
  labels: fc.constantFrom(undefined, [], ['x', '1'], ['x', 'ü'], ['x', '1', 'y', '"']),
  suffix: fc.constantFrom(undefined, undefined, undefined, '_sum'),
  timestampMs: fc.constantFrom(undefined, undefined, undefined, undefined, undefined, undefined, undefined, 1234),
})
const calls = fc.tuple(family, fc.array(fc.oneof(family, sample), { maxLength: 12 })).map(([first, rest]): Call[] => [first, ...rest])
/** A round, and how it is told again: some values are others, perhaps all behind one place. */
const rounds = fc.array(
  fc.record({
    fresh: fc.option(calls, { nil: undefined, freq: 4 }),
    values: fc.array(value, { minLength: 1, maxLength: 4 }),
    change: fc.constantFrom(0, 1, 3),
    kept: fc.constantFrom(1, 1, 1, 0.5),
    added: fc.constantFrom(0, 0, 0, 1),
  }),
  { minLength: 2, maxLength: 8 },
)

describe('a repeating writer', () => {
  test('writes in each round what a new writer writes', () => {
    let repeated = 0
    fc.assert(
      fc.property(calls, rounds, (first, others) => {
        const writer = new RepeatingWriter(16)
        let told = first
        for (const { fresh, values, change, kept, added } of others) {
          const wanted = new FamilyWriter()
          expect(tell(writer, told)).toEqual(tell(wanted, told))
          expect(text(writer)).toBe(text(wanted))
          expect([writer.samples, writer.duplicates]).toEqual([wanted.samples, wanted.duplicates])
          writer.reset()
          if (fresh === undefined && kept === 1) repeated++
          told = (fresh ?? told).map((call, i) =>
            'value' in call && change > 0 && i % change === 0 ? { ...call, value: values[i % values.length]! } : call,
          )
          told = [...told.slice(0, Math.ceil(told.length * kept)), ...told.slice(0, added)]
        }
      }),
      { numRuns: 2_000 },
    )
    expect(repeated).toBeGreaterThan(1_000)
  })

  test('moves what stands behind a number that became longer or shorter, in the order of names', () => {
    const writer = new RepeatingWriter()
    const write = (a: number, b: number, c: number): string => {
      writer.reset()
      writer.family('z', '', 'gauge')
      writer.sample(a)
      writer.family('m', '', 'gauge')
      writer.sample(b, ['l', '1'])
      writer.sample(c, ['l', '2'])
      return text(writer).replaceAll(/^#.*\n/gm, '')
    }
    expect(write(1, 2, 3)).toBe('m{l="1"} 2\nm{l="2"} 3\nz 1\n')
    expect(write(1, 2.25, 3)).toBe('m{l="1"} 2.25\nm{l="2"} 3\nz 1\n')
    expect(write(100, 2, 4)).toBe('m{l="1"} 2\nm{l="2"} 4\nz 100\n')
    expect(write(NaN, -1, 0)).toBe('m{l="1"} -1\nm{l="2"} 0\nz NaN\n')
    expect(write(NaN, 1e21, 0)).toBe('m{l="1"} 1e+21\nm{l="2"} 0\nz NaN\n')
  })

  test('does not take labels that were changed in their array for those of before', () => {
    const writer = new RepeatingWriter()
    const labels = ['l', '1']
    const write = (): string => {
      writer.reset()
      writer.family('m', '', 'gauge')
      writer.sample(1, labels)
      return text(writer)
    }
    write()
    labels[1] = '2'
    expect(write()).toMatch(/m\{l="2"\} 1\n$/)
  })

  test('of more than 1,000 samples, or with timestamps, remembers nothing and writes the same', () => {
    for (const [count, timestampMs] of [
      [1_000, undefined],
      [1_001, undefined],
      [3, 5],
    ] as const) {
      const writer = new RepeatingWriter()
      for (let round = 0; round < 3; round++) {
        const wanted = new FamilyWriter()
        writer.reset()
        for (const one of [writer, wanted]) {
          one.family('m', '', 'gauge')
          for (let i = 0; i < count; i++) one.sample(i + round, ['i', String(i)], undefined, timestampMs)
        }
        expect(text(writer)).toBe(text(wanted))
      }
    }
  })
})
