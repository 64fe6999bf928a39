import { describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { compress, useUncompressed } from '@narthex/wire/snappy'
import { encodeXorChunk } from '../chunk/xor-encoder.ts'
import { HeadReader } from '../select/head-reader.ts'
import { accepted, duplicateSample, memoryCeiling, outOfBounds, outOfOrder, tooFarInFuture, unknownSeries } from './append-result.ts'
import { futureMsMax, Head } from './head.ts'
import { symbolBytesMax } from './symbols.ts'
import { WireAliases } from './wire-aliases.ts'

const hourMs = 3_600_000
const nowMs = 1_800_000_000_000
const value = new Float64Array(1)
const words = new Uint32Array(value.buffer)

function createHead(memoryBytesMax = 2 ** 30): Head {
  return new Head({ memoryBytesMax, now: () => nowMs })
}

function append(head: Head, ref: number, timeMs: number, sample: number): number {
  value[0] = sample
  return head.append(ref, timeMs, words[0]!, words[1]!)
}

function add(head: Head, labels: Record<string, string>, ...samples: (readonly [number, number])[]): number {
  const ref = head.refByLabels(Labels.from(labels))
  for (const [timeMs, sample] of samples) expect(append(head, ref, timeMs, sample)).toBe(accepted)
  head.commit()
  return ref
}

function read(head: Head, name: string, minTimeMs = -Infinity, maxTimeMs = Infinity): [number, number][] {
  const descriptor = head.descriptor()
  const reader = new HeadReader(descriptor)
  const set = reader.select([new Matcher('=', '__name__', name)], minTimeMs, maxTimeMs)
  const columns = new SampleColumns()
  while (set.next()) set.samples(columns)
  reader.release()
  head.releaseReader(descriptor)
  return Array.from({ length: columns.length }, (_, i) => [columns.times[i]!, columns.values[i]!])
}

function encodeText(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

describe('acceptance of samples', () => {
  it('takes later samples and refuses earlier ones of a series', () => {
    const head = createHead()
    const ref = add(head, { __name__: 'a' }, [nowMs, 1])
    expect(append(head, ref, nowMs - 1, 1)).toBe(outOfOrder)
    expect(append(head, ref, nowMs + 1, 2)).toBe(accepted)
    head.commit()
    expect(read(head, 'a')).toEqual([
      [nowMs, 1],
      [nowMs + 1, 2],
    ])
  })

  it('accepts the newest sample again without keeping it twice, and refuses another value at its time', () => {
    const head = createHead()
    const ref = add(head, { __name__: 'a' }, [nowMs, 1])
    expect(append(head, ref, nowMs, 1)).toBe(accepted)
    expect(append(head, ref, nowMs, 2)).toBe(duplicateSample)
    head.commit()
    expect(read(head, 'a')).toEqual([[nowMs, 1]])
  })

  it('judges a sample against pending ones of the same batch', () => {
    const head = createHead()
    const ref = add(head, { __name__: 'a' })
    expect(append(head, ref, nowMs, 1)).toBe(accepted)
    expect(append(head, ref, nowMs, 1)).toBe(accepted)
    expect(append(head, ref, nowMs - 1, 1)).toBe(outOfOrder)
    head.commit()
    expect(read(head, 'a')).toEqual([[nowMs, 1]])
  })

  it('takes a sample ten minutes ahead and refuses one a millisecond later', () => {
    const head = createHead()
    const ref = add(head, { __name__: 'a' })
    expect(append(head, ref, nowMs + futureMsMax + 1, 1)).toBe(tooFarInFuture)
    expect(append(head, ref, nowMs + futureMsMax, 1)).toBe(accepted)
  })

  it('takes a sample an hour behind the newest of the head and refuses one a millisecond earlier', () => {
    const head = createHead()
    add(head, { __name__: 'a' }, [nowMs, 1])
    const other = add(head, { __name__: 'b' })
    expect(append(head, other, nowMs - hourMs - 1, 1)).toBe(outOfBounds)
    expect(append(head, other, nowMs - hourMs, 1)).toBe(accepted)
  })

  it('refuses what is no time and what is no series', () => {
    const head = createHead()
    const ref = add(head, { __name__: 'a' })
    expect(append(head, ref, NaN, 1)).toBe(outOfBounds)
    expect(append(head, ref, -Infinity, 1)).toBe(outOfBounds)
    for (const unknown of [0, ref + 1, -1, 2 ** 32 + 1]) expect(append(head, unknown, nowMs, 1)).toBe(unknownSeries)
  })

  it('keeps nothing of a batch that is rolled back', () => {
    const head = createHead()
    const ref = add(head, { __name__: 'a' }, [nowMs, 1])
    for (let i = 1; i <= 3; i++) expect(append(head, ref, nowMs + i, i)).toBe(accepted)
    head.rollback()
    expect(append(head, ref, nowMs + 1, 7)).toBe(accepted)
    head.commit()
    expect(read(head, 'a')).toEqual([
      [nowMs, 1],
      [nowMs + 1, 7],
    ])
  })

  it('keeps nothing of a batch whose log could not be written, and takes it again', () => {
    let isBroken = true
    const head = new Head({
      memoryBytesMax: 2 ** 30,
      now: () => nowMs,
      log: {
        forgetSeries: () => {},
        writeCommit: () => {
          if (isBroken) throw new Error('disk full')
        },
      },
    })
    const ref = head.refByLabels(Labels.from({ __name__: 'a' }))
    append(head, ref, nowMs, 1)
    expect(() => head.commit()).toThrow('disk full')
    expect(read(head, 'a')).toEqual([])
    isBroken = false
    expect(append(head, ref, nowMs, 1)).toBe(accepted)
    head.commit()
    expect(read(head, 'a')).toEqual([[nowMs, 1]])
  })

  it('shows samples only after their commit', () => {
    const head = createHead()
    const ref = add(head, { __name__: 'a' }, [nowMs, 1])
    append(head, ref, nowMs + 1, 2)
    expect(read(head, 'a')).toEqual([[nowMs, 1]])
    head.commit()
    expect(read(head, 'a')).toHaveLength(2)
  })

  it('takes batches of any size', () => {
    const head = createHead()
    const ref = add(head, { __name__: 'a' })
    for (let i = 0; i < 20_000; i++) expect(append(head, ref, nowMs - 1_000_000 + i, i)).toBe(accepted)
    head.commit()
    expect(read(head, 'a')).toEqual(Array.from({ length: 20_000 }, (_, i) => [nowMs - 1_000_000 + i, i]))
  })
})

describe('series', () => {
  it('are the same for the same labels in any order, empty values left out', () => {
    const head = createHead()
    const id = (text: string): number => head.internSymbol(encodeText(text), 0, encodeText(text).length)
    const ref = head.refBySymbols(Uint32Array.of(id('__name__'), id('a'), id('x'), id('1'), id('y'), id('2')), 3)
    expect(head.refBySymbols(Uint32Array.of(id('y'), id('2'), id('__name__'), id('a'), id('x'), id('1')), 3)).toBe(ref)
    expect(head.refBySymbols(Uint32Array.of(id('y'), id('2'), id('z'), id(''), id('__name__'), id('a'), id('x'), id('1')), 4)).toBe(ref)
    expect(head.refBySymbols(Uint32Array.of(id('__name__'), id('a'), id('x'), id('1')), 2)).not.toBe(ref)
    expect(head.labelsOf(ref).toString()).toBe('{__name__="a", x="1", y="2"}')
  })

  it('keep more labels than fit a scratch buffer, sorted', () => {
    const head = createHead()
    const record = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`l${(i * 7919) % 300}`, `v${i}`]))
    const ref = head.refByLabels(Labels.from(record))
    expect(head.labelsOf(ref).toRecord()).toEqual(record)
    expect(head.refByLabels(Labels.from(record))).toBe(ref)
  })

  it('are refused with a label twice, without labels, or with a text too long', () => {
    const head = createHead()
    const id = (text: string): number => head.internSymbol(encodeText(text), 0, encodeText(text).length)
    expect(head.refBySymbols(Uint32Array.of(id('a'), id('1'), id('b'), id('1'), id('a'), id('2')), 3)).toBeLessThan(0)
    expect(head.refusal()).toBe('label name "a" is not unique: invalid sample')
    expect(head.refBySymbols(new Uint32Array(0), 0)).toBeLessThan(0)
    expect(head.refusal()).toBe('empty labelset: invalid sample')
    expect(head.refByLabels(Labels.from({ a: 'x'.repeat(symbolBytesMax) }))).toBeGreaterThan(0)
    expect(head.refByLabels(Labels.from({ a: 'x'.repeat(symbolBytesMax + 1) }))).toBeLessThan(0)
    expect(head.refusal()).toBe(`label name or value too long: want at most ${symbolBytesMax} bytes, got ${symbolBytesMax + 1}`)
    expect(head.seriesCount).toBe(1)
  })

  it('stay apart in great numbers', () => {
    const head = createHead()
    const refs = new Set<number>()
    for (let i = 0; i < 30_000; i++) refs.add(head.refByLabels(Labels.from({ __name__: 'a', i: String(i), odd: String(i % 2) })))
    expect(refs.size).toBe(30_000)
    expect(head.refByLabels(Labels.from({ __name__: 'a', i: '17', odd: '1' }))).toBe(18)
  })

  it('are found by their raw bytes until the table is full', () => {
    const aliases = new WireAliases(1000)
    const bytes = encodeText(Array.from({ length: 1001 }, (_, i) => `label-bytes-of-${String(i).padStart(6, '0')};`).join(''))
    const at = (i: number): [number, number] => [i * 22, i * 22 + 22]
    for (let i = 0; i < 1000; i++) {
      expect(aliases.find(bytes, ...at(i))).toBe(0)
      aliases.remember(bytes, ...at(i), i + 1)
    }
    for (let i = 999; i >= 0; i--) expect(aliases.find(bytes, ...at(i))).toBe(i + 1)
    expect(aliases.find(bytes, 0, 21)).toBe(0)
    aliases.remember(bytes, ...at(5), 77)
    expect(aliases.find(bytes, ...at(5))).toBe(77)
    expect(aliases.resets).toBe(0)
    aliases.remember(bytes, ...at(1000), 1001)
    expect(aliases.resets).toBe(1)
    expect(aliases.find(bytes, ...at(1000))).toBe(1001)
    expect(aliases.find(bytes, ...at(0))).toBe(0)
  })

  it('are found by their raw bytes wherever these lie, and by others never', () => {
    const aliases = new WireAliases(1000)
    const labels = encodeText('..label-bytes-of-a-series-in-a-request..')
    useUncompressed(compress(labels), 1000, (bytes) => aliases.remember(bytes, 2, 38, 5))
    expect(aliases.find(labels, 2, 38)).toBe(5)
    expect(aliases.find(encodeText('label-bytes-of-a-series-in-a-request'), 0, 36)).toBe(5)
    expect(aliases.find(labels, 2, 37)).toBe(0)
    useUncompressed(compress(encodeText('?label-bytes-of-a-series-in-a-request')), 1000, (bytes) => {
      expect(aliases.find(bytes, 1, 37)).toBe(5)
      expect(aliases.find(bytes, 0, 36)).toBe(0)
      // The same memory, other bytes.
      aliases.remember(bytes, 0, 36, 6)
      bytes[0] = 0x21
      expect(aliases.find(bytes, 0, 36)).toBe(0)
    })
    expect(aliases.find(encodeText('?label-bytes-of-a-series-in-a-reques'), 0, 36)).toBe(6)
  })

  it('are found by 64 KiB of raw bytes, and not by more', () => {
    const aliases = new WireAliases(1000)
    const bytes = new Uint8Array(65_537).fill(65)
    aliases.remember(bytes, 0, 65_536, 5)
    aliases.remember(bytes, 0, 65_537, 6)
    expect(aliases.entries).toBe(1)
    expect(aliases.find(bytes, 0, 65_536)).toBe(5)
    expect(aliases.find(bytes, 0, 65_537)).toBe(0)
  })
})

describe('the memory ceiling', () => {
  it('refuses new series with the reason while known ones go on, then samples, and never throws', () => {
    const head = createHead(24 * 2 ** 20)
    const first = add(head, { __name__: 'first' })
    let series = 0
    while (head.refByLabels(Labels.from({ __name__: 'a', i: String(series), text: 'x'.repeat(900) + series })) > 0) series++
    expect(series).toBeGreaterThan(1000)
    expect(head.refusal()).toMatch(/^head memory ceiling for new series reached/)
    expect(head.refByLabels(Labels.from({ __name__: 'first', i: '1' }))).toBeLessThan(0)
    expect(head.refusal()).toMatch(/^head memory ceiling for new series reached: \d+ of \d+ bytes used by \d+ series$/)
    let timeMs = nowMs - 100 * hourMs
    let result = 0
    let samples = 0
    for (; samples < 3_000_000 && result === 0; samples++) {
      result = head.append(first, ++timeMs, samples * 77_777_777, samples * 99_999_999)
      if (samples % 10_000 === 0) head.commit()
    }
    expect(result).toBe(memoryCeiling)
    head.commit()
    expect(samples).toBeGreaterThan(100_000)
    expect(read(head, 'first')).toHaveLength(samples - 1)
    expect(head.usedBytes).toBeLessThanOrEqual(24 * 2 ** 20)
  })
})

describe('commit numbers', () => {
  it('start again before they overflow, and readers go on', () => {
    const head = createHead()
    const ref = add(head, { __name__: 'a' }, [nowMs, 1])
    head.continueCommitNumbersFrom(0x7fff0000 - 2)
    for (let i = 1; i <= 6; i++) {
      append(head, ref, nowMs + i, 1)
      head.commit()
      expect(read(head, 'a')).toHaveLength(i + 1)
    }
    expect(head.memory.control[0]).toBeLessThan(10)
  })
})

describe('chunks', () => {
  it('are cut as Prometheus does: 120 samples of every 15 s, at multiples of two hours', () => {
    const head = createHead()
    const startMs = Math.floor(nowMs / (2 * hourMs)) * 2 * hourMs - 2 * hourMs
    const ref = head.refByLabels(Labels.from({ __name__: 'a' }))
    for (let i = 0; i < 480; i++) append(head, ref, startMs + i * 15_000, i)
    head.commit()
    expect(head.stats().chunks).toBe(4)
    append(head, ref, startMs + 480 * 15_000, 1)
    head.commit()
    expect(head.stats().chunks).toBe(5)
    expect(read(head, 'a')).toHaveLength(481)
    expect(read(head, 'a', startMs + 100 * 15_000, startMs + 260 * 15_000).map(([, sample]) => sample)).toEqual(
      Array.from({ length: 161 }, (_, i) => 100 + i),
    )
  })

  it('get no more above 493 bytes', () => {
    const head = createHead()
    const startMs = Math.floor(nowMs / (2 * hourMs)) * 2 * hourMs - 2 * hourMs
    const ref = head.refByLabels(Labels.from({ __name__: 'a' }))
    const open = new SampleColumns()
    let chunks = 0
    const lengths: number[] = []
    for (let i = 0; i < 400; i++) {
      const bytes = open.length === 0 ? Infinity : encodeXorChunk(open, 0, open.length).length
      if (bytes > 493) {
        chunks++
        lengths.push(bytes)
        open.clear()
      }
      // Of 1 to 9 bytes, so that chunks come to different lengths.
      const sample = i % 5 === 0 ? 1 : Math.sin(i) * 2 ** (i % 50)
      append(head, ref, startMs + i * 15_000, sample)
      head.commit()
      open.push(startMs + i * 15_000, words[0]!, words[1]!)
      expect(head.stats().chunks).toBe(chunks)
    }
    expect(lengths.length).toBeGreaterThan(5)
    expect(Math.max(...lengths.slice(1))).toBeLessThanOrEqual(512)
  })

  it('out of the retention are dropped whole, and their memory is used again when no reader holds it', () => {
    const head = createHead()
    const startMs = nowMs - 40 * hourMs
    const ref = head.refByLabels(Labels.from({ __name__: 'a' }))
    const fill = (from: number, to: number): void => {
      for (let i = from; i < to; i++) expect(append(head, ref, startMs + i * 15_000, i * 1.1)).toBe(accepted)
      head.commit()
    }
    fill(0, 4000)
    const descriptor = head.descriptor()
    const reader = new HeadReader(descriptor)
    const set = reader.select([new Matcher('=', '__name__', 'a')], -Infinity, Infinity)
    const cutoffMs = startMs + 2000 * 15_000
    expect(head.dropBefore(cutoffMs, 1, 10)).toBe(0)
    const { chunks } = head.memory
    const before = chunks.usedBytes
    fill(4000, 4400)
    expect(chunks.usedBytes).toBeGreaterThan(before)
    const pinned = new SampleColumns()
    set.next()
    set.samples(pinned)
    expect(pinned.times[pinned.length - 1]).toBe(startMs + 3999 * 15_000)
    expect(pinned.times[0]!).toBeLessThanOrEqual(cutoffMs)
    reader.release()
    head.releaseReader(descriptor)
    expect(head.dropBefore(cutoffMs, 1, 10)).toBe(0)
    const grown = chunks.usedBytes
    fill(4400, 5000)
    expect(chunks.usedBytes).toBe(grown)
    const times = read(head, 'a').map(([timeMs]) => timeMs)
    expect(times.at(-1)).toBe(startMs + 4999 * 15_000)
    expect(times[0]!).toBeLessThanOrEqual(cutoffMs)
    expect(times[0]!).toBeGreaterThan(cutoffMs - 2 * hourMs)
    expect(times).toHaveLength(5000 - (times[0]! - startMs) / 15_000)
  })

  it('of a series that ended long ago are all dropped; the series can go on', () => {
    const head = createHead()
    const ref = add(head, { __name__: 'a' }, [nowMs - 50 * hourMs, 1])
    add(head, { __name__: 'b' }, [nowMs, 1])
    expect(head.dropBefore(nowMs - hourMs, 1, 10)).toBe(0)
    expect(read(head, 'a')).toEqual([])
    expect(append(head, ref, nowMs, 5)).toBe(accepted)
    head.commit()
    expect(read(head, 'a')).toEqual([[nowMs, 5]])
    expect(head.stats().minTimeMs).toBe(nowMs)
  })
})
