import fc from 'fast-check'
import oracle from 'snappy'
import { expect, test } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { RemoteWrite2Writer } from './remote-write-2-writer.ts'
import { uncompress } from './snappy.ts'

/** Series by their references, 1 to the number of symbols. */
interface Shape {
  readonly refs: Uint8Array
  readonly offsets: Uint32Array
  readonly symbols: number
}

interface Run {
  readonly shape: number
  /** Reference in the request of each symbol. */
  readonly map: Uint32Array
  readonly from: number
  readonly to: number
  readonly timeMs: number
  readonly words: Uint32Array
}

function shapeOf(series: readonly (readonly number[])[]): Shape {
  const out = new ByteWriter()
  const packed = new ByteWriter()
  const offsets = [0]
  let symbols = 0
  for (const refs of series) {
    packed.reset()
    for (const ref of refs) packed.uvarint(ref)
    out.u8(0x0a)
    out.uvarint(packed.length)
    out.raw(packed.bytes, 0, packed.length)
    offsets.push(out.length)
    symbols = Math.max(symbols, ...refs)
  }
  return { refs: out.bytes.slice(0, out.length), offsets: Uint32Array.from(offsets), symbols }
}

function wordsOf(values: readonly number[]): Uint32Array {
  return new Uint32Array(Float64Array.from(values).buffer)
}

/** The request once through `similarRun`, decoded by the oracle, and once written out. */
function writeBoth(
  shapes: readonly Shape[],
  runs: readonly Run[],
  writer = new RemoteWrite2Writer(),
): { block: Uint8Array; plain: Buffer } {
  const plainWriter = new RemoteWrite2Writer()
  writer.reset()
  for (const { shape, map, from, to, timeMs, words } of runs) {
    // Another buffer for each layout, as the agent has them.
    const refs = shapes[shape]!.refs.slice()
    const offsets = shapes[shape]!.offsets.slice()
    writer.setTime(timeMs)
    plainWriter.setTime(timeMs)
    writer.similarRun(refs, offsets, from, to, map, words)
    plainWriter.seriesRun(refs, offsets, from, to, map, words)
  }
  expect(writer.length).toBe(plainWriter.length)
  expect(writer.sampleCount).toBe(plainWriter.sampleCount)
  return { block: writer.block(), plain: Buffer.from(plainWriter.view()) }
}

function expectSame({ block, plain }: { block: Uint8Array; plain: Buffer }): void {
  expect(Buffer.from(oracle.uncompressSync(Buffer.from(block)) as Buffer).equals(plain)).toBe(true)
  expect(Buffer.from(uncompress(block, 32 * 1024 * 1024)).equals(plain)).toBe(true)
}

const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(0, 1, 2, 1.5, 1e9, 1e9 + 1, -0, NaN, Infinity) },
  { weight: 1, arbitrary: fc.double() },
)
const timeMs = fc.constantFrom(1_700_000_000_000, 1_700_000_000_001, 1_700_000_100_000, 0, 5, -1)
const shapes = fc
  .array(
    fc.array(
      fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 7 }).map((refs) => [...refs, ...refs].slice(0, 2 * refs.length)),
      { minLength: 1, maxLength: 12 },
    ),
    { minLength: 1, maxLength: 3 },
  )
  .map((all) => all.map(shapeOf))
const requests = shapes.chain((all) =>
  fc.tuple(
    fc.constant(all),
    fc.array(
      fc.nat(all.length - 1).chain((shape) => {
        const count = all[shape]!.offsets.length - 1
        return fc
          .tuple(
            fc.nat(count),
            fc.nat(count),
            timeMs,
            fc.array(value, { minLength: count, maxLength: count }),
            // Most of the references are as those of the other runs; lengths of one to three bytes.
            fc.array(fc.tuple(fc.nat(12), fc.constantFrom(1, 100, 127, 128, 300, 16_384)), { maxLength: 4 }),
          )
          .map(([a, b, time, values, changes]): Run => {
            const map = Uint32Array.from({ length: 13 }, (_, i) => i * 11)
            for (const [symbol, ref] of changes) if (symbol > 0) map[symbol] = ref
            return { shape, map, from: Math.min(a, b), to: Math.max(a, b), timeMs: time, words: wordsOf(values) }
          })
      }),
      { maxLength: 12 },
    ),
  ),
)

test('gives the bytes that seriesRun gives, whatever the layouts have in common', () => {
  // One writer for all: nothing may be left of the request before.
  const writer = new RemoteWrite2Writer()
  fc.assert(
    fc.property(requests, ([all, runs]) => expectSame(writeBoth(all, runs, writer))),
    { numRuns: 1000 },
  )
})

/** Targets of one job: 8 references a series, of which the fourth is the target's own, the last ones are in every second series only. */
function fleet(targets: number, seriesCount: number, valueOf: (series: number, target: number) => number): [Shape[], Run[]] {
  const series = Array.from({ length: seriesCount }, (_, i) => [1, 10 + (i % 200), 2, 3, 4, 5, ...(i % 2 === 0 ? [6, 300 + (i % 50)] : [])])
  const shape = shapeOf(series)
  const runs = Array.from({ length: targets }, (_, target): Run => {
    const map = Uint32Array.from({ length: shape.symbols + 1 }, (_unused, i) => i)
    map[3] = 1000 + target
    const values = Array.from({ length: seriesCount }, (_unused, i) => valueOf(i, target))
    return { shape: 0, map, from: 0, to: seriesCount, timeMs: 1_700_000_000_000 + 7 * target, words: wordsOf(values) }
  })
  return [[shape], runs]
}

test.each([
  ['the same values', (series: number) => series * 3, 10.5],
  ['small numbers', (series: number, target: number) => (series * 31 + target * 7) % 20, 11],
  ['fractions', (series: number, target: number) => Math.sin(series * 31 + target * 7), 19],
])('a fleet with %s takes few bytes a sample', (_name, valueOf, bytesMax) => {
  const both = writeBoth(...fleet(10, 1000, valueOf))
  expectSame(both)
  // The first of the ten targets is written out, and compressed as it comes.
  const first = writeBoth(...fleet(1, 1000, valueOf))
  expect((both.block.length - first.block.length) / 9000).toBeLessThan(bytesMax)
})

test('series out of reach of a copy are written out', () => {
  for (const seriesCount of [1999, 2100, 2300, 4000]) expectSame(writeBoth(...fleet(3, seriesCount, (series) => series)))
})

test('runs that end and begin inside a layout are known as far as they go', () => {
  const [all, runs] = fleet(4, 500, (series, target) => series + target)
  const parts = [
    { ...runs[0]!, from: 200 },
    { ...runs[1]!, to: 300 },
    { ...runs[1]!, from: 300 },
    { ...runs[2]!, from: 100, to: 400 },
    { ...runs[3]!, from: 450 },
    runs[3]!,
  ]
  expectSame(writeBoth(all, parts))
})

test('more shapes than are remembered cost nothing but room', () => {
  const all = Array.from({ length: 40 }, (_, i) =>
    shapeOf([
      [1, 2, 3, 4 + i],
      [1, 3, 3, 4 + i, 5, 6],
    ]),
  )
  const map = Uint32Array.from({ length: 64 }, (_, i) => i)
  const runs = [...all.keys(), ...all.keys()].map((shape): Run => ({
    shape,
    map,
    from: 0,
    to: 2,
    timeMs: 1_700_000_000_000,
    words: wordsOf([1, shape]),
  }))
  expectSame(writeBoth(all, runs))
})

test('series with many labels are written out', () => {
  const series = Array.from({ length: 20 }, (_, i) => Array.from({ length: 100 + i }, (_unused, k) => 1 + k).flatMap((ref) => [ref, ref]))
  const shape = shapeOf(series)
  const map = Uint32Array.from({ length: shape.symbols + 1 }, (_, i) => i)
  const run = { shape: 0, map, from: 0, to: 20, timeMs: 1_700_000_000_000, words: wordsOf(series.map((_, i) => i)) }
  expectSame(writeBoth([shape], [run, run, run]))
})

test('a stale marker keeps its bits', () => {
  const [all, runs] = fleet(3, 50, () => 3)
  for (const run of runs) for (let i = 0; i < 50; i += 3) run.words.set([2, 0x7ff00000], 2 * i)
  expectSame(writeBoth(all, runs))
})
