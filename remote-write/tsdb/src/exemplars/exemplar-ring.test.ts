import { ByteWriter } from '@narthex/bytes/byte-writer'
import { Labels } from '@narthex/model/labels'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { putLabels, readLabels } from '../wal/text-payload.ts'
import { exemplarResult } from './exemplar-result.ts'
import { ExemplarRing, exemplarsMax } from './exemplar-ring.ts'
import { PackedBytes } from './packed-bytes.ts'

const { accepted, duplicate, outOfOrder, off } = exemplarResult
const number = new Float64Array(1)
const words = new Uint32Array(number.buffer)

function bytesOf(...texts: string[]): Uint8Array {
  const writer = new ByteWriter()
  putLabels(writer, texts)
  return writer.view().slice()
}

function add(ring: ExemplarRing, ref: number, timeMs: number, value: number, trace = 't', series = `series ${ref}`): number {
  number[0] = value
  const labels = bytesOf('trace', trace)
  return ring.add(ref, bytesOf('__name__', series), { timeMs, low: words[0]!, high: words[1]!, labels, from: 0, to: labels.length })
}

/** By series, `time=value trace`, oldest first. */
function read(ring: ExemplarRing): Record<string, string[]> {
  const { count, times, words: bits, owners, labels, series } = ring.snapshot()
  const values = new Float64Array(bits.buffer)
  const found: Record<string, string[]> = {}
  const texts = ({ bytes, starts, lengths }: typeof labels, i: number) => {
    const own = bytes.slice(starts[i], starts[i]! + lengths[i]!)
    return readLabels(own, 0, own.length)
  }
  for (let i = 0; i < count; i++) {
    const name = texts(series, owners[i]!)[1]!
    ;(found[name] ??= []).push(`${times[i]}=${values[i]} ${texts(labels, i)[1]}`)
  }
  return found
}

describe('a ring', () => {
  test('of no exemplars keeps none', () => {
    const ring = new ExemplarRing(0)
    expect(add(ring, 1, 1, 1)).toBe(off)
    expect([ring.count, ring.seriesCount, ring.snapshot().count]).toEqual([0, 0, 0])
    expect(new ExemplarRing(-5).capacity).toBe(0)
  })

  test('has the newest of a series once, and refuses what is older', () => {
    const ring = new ExemplarRing(10)
    expect(add(ring, 1, 10, 1)).toBe(accepted)
    expect(add(ring, 1, 10, 1)).toBe(duplicate)
    expect(add(ring, 1, 9, 1)).toBe(outOfOrder)
    expect(add(ring, 2, 9, 1)).toBe(accepted)
    expect(add(ring, 1, 11, 0)).toBe(accepted)
    expect(read(ring)).toEqual({ 'series 1': ['10=1 t', '11=0 t'], 'series 2': ['9=1 t'] })
    expect([ring.appended, ring.outOfOrder, ring.count, ring.seriesCount, ring.oldestTimeMs]).toEqual([3, 1, 3, 2, 10])
  })

  test('takes several of one time by value, then by the hash of their labels, as Prometheus', () => {
    const ring = new ExemplarRing(10)
    const traces = ['a', 'b', 'c', 'd'].sort((a, b) => (Labels.from({ trace: a }).hash() < Labels.from({ trace: b }).hash() ? -1 : 1))
    expect(add(ring, 1, 10, 2, traces[1])).toBe(accepted)
    expect(add(ring, 1, 10, 1, traces[3])).toBe(outOfOrder)
    expect(add(ring, 1, 10, 2, traces[0])).toBe(outOfOrder)
    expect(add(ring, 1, 10, 2, traces[2])).toBe(accepted)
    expect(add(ring, 1, 10, 3, traces[0])).toBe(accepted)
  })

  test('drops the oldest for one more, and a series with its last one', () => {
    const ring = new ExemplarRing(3)
    for (let i = 1; i <= 3; i++) add(ring, i, i, i)
    add(ring, 3, 4, 4)
    expect(read(ring)).toEqual({ 'series 2': ['2=2 t'], 'series 3': ['3=3 t', '4=4 t'] })
    expect(ring.entryOfRef(1)).toBe(-1)
    // Its time is no longer known, so it may be older again.
    expect(add(ring, 1, 0, 1)).toBe(accepted)
    expect([ring.count, ring.seriesCount]).toEqual([3, 2])
  })

  test('of one keeps the newest, also when the oldest is of the same series', () => {
    const ring = new ExemplarRing(1)
    for (let i = 1; i <= 5; i++) expect(add(ring, 1, i, i)).toBe(accepted)
    expect(read(ring)).toEqual({ 'series 1': ['5=5 t'] })
  })

  test('knows a series by its labels when a reference is forgotten, and never by one that means another series now', () => {
    const ring = new ExemplarRing(10)
    add(ring, 1, 10, 1, 't', 'x')
    ring.forgetSeries(1)
    expect(ring.entryOfRef(1)).toBe(-1)
    expect(add(ring, 1, 5, 1, 't', 'y')).toBe(accepted)
    expect(add(ring, 2, 9, 1, 't', 'x')).toBe(outOfOrder)
    expect(add(ring, 2, 11, 1, 't', 'x')).toBe(accepted)
    expect(read(ring)).toEqual({ x: ['10=1 t', '11=1 t'], y: ['5=1 t'] })
  })

  test('is no larger than it may be', () => {
    expect(new ExemplarRing(exemplarsMax).capacity).toBe(exemplarsMax)
    const ring = new ExemplarRing(1e18)
    expect(ring.capacity).toBe(exemplarsMax)
    expect(ring.usedBytes).toBeLessThan(100_000)
  })

  test('has what a plain list would have, whatever comes and however it is resized', () => {
    const step = fc.oneof(
      {
        weight: 20,
        arbitrary: fc.record({ ref: fc.integer({ min: 1, max: 5 }), time: fc.nat(40), trace: fc.stringMatching(/^[a-z]{0,9}$/) }),
      },
      { weight: 1, arbitrary: fc.record({ size: fc.nat(12) }) },
      { weight: 1, arbitrary: fc.record({ forget: fc.integer({ min: 1, max: 5 }) }) },
    )
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const ring = new ExemplarRing(5)
        let capacity = 5
        let model: { ref: number; time: number; text: string }[] = []
        for (const one of steps) {
          if ('size' in one) {
            capacity = one.size
            model = capacity === 0 ? [] : model.slice(-capacity)
            expect(ring.resize(capacity)).toBe(model.length)
          } else if ('forget' in one) ring.forgetSeries(one.forget)
          else {
            const { ref, time } = one
            // A value of its own for each time, so that times alone decide.
            const text = `${time}=${time} ${one.trace}`
            const newest = model.findLast((exemplar) => exemplar.ref === ref)
            const result = add(ring, ref, time, time, one.trace)
            if (capacity === 0) expect(result).toBe(off)
            else if (newest?.text === text) expect(result).toBe(duplicate)
            else if (newest !== undefined && time < newest.time) expect(result).toBe(outOfOrder)
            else if (newest === undefined || time > newest.time) expect(result).toBe(accepted)
            if (result === accepted) model = [...model, { ref, time, text }].slice(-capacity)
          }
          const wanted: Record<string, string[]> = {}
          for (const { ref, text } of model) (wanted[`series ${ref}`] ??= []).push(text)
          expect(read(ring)).toEqual(wanted)
          expect([ring.count, ring.seriesCount]).toEqual([model.length, Object.keys(wanted).length])
        }
      }),
      { numRuns: 200 },
    )
  })

  test('keeps its memory while exemplars come and go', () => {
    const ring = new ExemplarRing(1000)
    const fill = (from: number) => {
      for (let i = from; i < from + 5000; i++) add(ring, 1 + (i % 700), i, i, 'x'.repeat(i % 100), `series ${i % 700}`)
    }
    fill(0)
    const before = ring.usedBytes
    fill(5000)
    fill(10_000)
    expect(ring.usedBytes).toBeLessThanOrEqual(2 * before)
    expect(ring.count).toBe(1000)
  })
})

test('packed bytes refuse what is beyond their bound, and are usable again when something has gone', () => {
  const packed = new PackedBytes(10)
  const source = Uint8Array.from({ length: 20 }, (_, i) => i)
  expect(packed.set(0, source, 0, 10)).toBe(true)
  expect(packed.set(1, source, 0, 1)).toBe(false)
  packed.clear(0)
  expect(packed.set(1, source, 5, 8)).toBe(true)
  expect(packed.equals(1, source, 5, 8)).toBe(true)
  expect(packed.equals(1, source, 5, 9)).toBe(false)
})
