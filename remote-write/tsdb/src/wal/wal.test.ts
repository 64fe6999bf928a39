import { appendFileSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { crc32c } from '@narthex/bytes/crc32c'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { Head } from '../head/head.ts'
import { HeadReader } from '../select/head-reader.ts'
import { replayLog } from './replay.ts'
import type { ReplayResult } from './replay.ts'
import type { Damage } from './repair.ts'
import { readHistogram } from './histogram-payload.ts'
import { RecordBuilder } from './record-builder.ts'
import { histogramOf } from './wal.test-histograms.ts'
import { readLabels, readMetadata } from './text-payload.ts'
import { SegmentReader } from './segment-reader.ts'
import { hasFloatHistograms, pageBytes } from './wal-format.ts'
import { LogReferences } from './log-references.ts'
import { WalWriter } from './wal-writer.ts'

const nowMs = 1_800_000_000_000
const value = new Float64Array(1)
const words = new Uint32Array(value.buffer)
let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-wal-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

function createHead(): Head {
  return new Head({ memoryBytesMax: 2 ** 28, now: () => nowMs })
}

function openWriter(head: Head, options: { firstSegment?: number; compresses?: boolean; segmentBytes?: number } = {}): WalWriter {
  const writer = new WalWriter({ directory, firstSegment: 0, compresses: false, ...options })
  head.startLogging(writer)
  return writer
}

/** One commit: a sample of each of `series` series at round `round`. */
function commitRound(head: Head, round: number, series = 3): void {
  for (let i = 0; i < series; i++) {
    value[0] = round * 10 + i
    const ref = head.refByLabels(Labels.from({ __name__: 'm', i: String(i) }))
    expect(head.append(ref, nowMs - 1_000_000 + round, words[0]!, words[1]!)).toBe(0)
  }
  head.commit()
}

function replay(damages: Damage[] = []): { head: Head; result: ReplayResult } {
  const head = createHead()
  const result = replayLog(directory, head, (damage) => damages.push(damage))
  return { head, result }
}

function read(head: Head): Record<string, [number, number][]> {
  const found: Record<string, [number, number][]> = {}
  for (const set = new HeadReader(head.descriptor()).select([new Matcher('!=', '__name__', '')], -Infinity, Infinity); set.next();) {
    const columns = new SampleColumns()
    set.samples(columns)
    found[set.labels().toString()] = Array.from({ length: columns.length }, (_, i) => [columns.times[i]!, columns.values[i]!])
  }
  return found
}

function hex(text: string): number[] {
  return text.split(' ').map((byte) => parseInt(byte, 16))
}

describe('the log', () => {
  it('has the bytes that the format prescribes', async () => {
    const head = createHead()
    const writer = openWriter(head)
    value[0] = 1
    head.append(head.refByLabels(Labels.from({ a: 'b' })), 256, words[0]!, words[1]!)
    head.append(head.refByLabels(Labels.from({ a: 'c' })), 255, words[0]!, words[1]!)
    head.commit()
    await writer.close()
    const series = hex('01 00 00 00 00 00 00 00 01 01 01 61 01 62 00 00 00 00 00 00 00 02 01 01 61 01 63')
    const samples = hex('02 00 00 00 00 00 00 00 01 00 00 00 00 00 00 01 00 00 00 3f f0 00 00 00 00 00 00 02 01 3f f0 00 00 00 00 00 00')
    const fragment = (data: number[]): number[] => {
      const checksum = crc32c(Uint8Array.from(data))
      return [1, 0, data.length, checksum >>> 24, (checksum >>> 16) & 255, (checksum >>> 8) & 255, checksum & 255, ...data]
    }
    expect([...readFileSync(join(directory, '00000000'))]).toEqual([...fragment(series), ...fragment(samples)])
  })

  it.each([false, true])('gives back series and samples (compressed: %s)', async (compresses) => {
    const head = createHead()
    const writer = openWriter(head, { compresses })
    for (let round = 0; round < 500; round++) commitRound(head, round, 3 + (round >> 5))
    await writer.close()
    const again = replay()
    expect(again.result).toMatchObject({ series: 18, damages: [], samplesUnknown: 0, samplesOutOfOrder: 0, nextSegment: 1 })
    expect(again.result.references.table).toBeUndefined()
    expect(read(again.head)).toEqual(read(head))
  })

  it('goes on in new segments, none above the size, no record over their ends', async () => {
    const head = createHead()
    const writer = openWriter(head, { segmentBytes: 3 * pageBytes })
    for (let round = 0; round < 200; round++) commitRound(head, round, 300)
    await writer.close()
    const segments = readdirSync(directory).sort()
    expect(segments.length).toBeGreaterThan(5)
    for (const segment of segments.slice(0, -1)) expect(statSync(join(directory, segment)).size % pageBytes).toBe(0)
    for (const segment of segments) expect(statSync(join(directory, segment)).size).toBeLessThanOrEqual(3 * pageBytes)
    const again = replay()
    expect(again.result).toMatchObject({ segments: segments.length, samples: 60_000, damages: [] })
    expect(read(again.head)).toEqual(read(head))
  })

  it('holds what is written when commit returns, without a close', () => {
    const head = createHead()
    openWriter(head)
    for (let round = 0; round < 10; round++) {
      commitRound(head, round)
      expect(replay().result.samples).toBe((round + 1) * 3)
    }
  })

  it('splits one large commit into records that are all read', async () => {
    const head = createHead()
    const writer = openWriter(head, { compresses: true })
    commitRound(head, 1, 20_000)
    await writer.close()
    expect(replay().result).toMatchObject({ series: 20_000, samples: 20_000 })
  })

  it('keeps far and negative times and every bit of a value', async () => {
    const head = createHead()
    const writer = openWriter(head)
    head.startReplay()
    head.startLogging(writer)
    const a = head.refByLabels(Labels.from({ __name__: 'a' }))
    const b = head.refByLabels(Labels.from({ __name__: 'b' }))
    for (const [ref, timeMs] of [
      [a, -5_000_000_000_000],
      [b, 1],
      [a, nowMs],
    ] as const)
      head.append(ref, timeMs, 2, 0x7ff00000)
    head.commit()
    await writer.close()
    expect(
      Object.values(read(replay().head))
        .flat()
        .map(([timeMs]) => timeMs),
    ).toEqual([-5_000_000_000_000, nowMs, 1])
  })
})

describe('the mark of references', () => {
  it('begins every segment but the first of a new log, and stays when the series are gone', async () => {
    const head = createHead()
    let writer = openWriter(head)
    commitRound(head, 0, 5)
    writer.nextSegment()
    commitRound(head, 1, 5)
    await writer.close()
    expect([...readFileSync(join(directory, '00000001')).subarray(7, 16)]).toEqual([128, 0, 0, 0, 0, 0, 0, 0, 5])
    // A checkpoint has dropped series 4 and 5.
    rmSync(join(directory, '00000000'))
    const references = new LogReferences()
    references.note(5)
    writer = new WalWriter({ directory, firstSegment: 2, compresses: false, references })
    const few = createHead()
    few.startLogging(writer)
    commitRound(few, 2, 3)
    await writer.close()
    const again = replay()
    expect(again.result).toMatchObject({ series: 3, samplesUnknown: 5, references: { highest: 8 }, unreadRecords: new Map() })
  })

  it('alone makes new references go on above it', async () => {
    const head = createHead()
    const references = new LogReferences()
    references.note(9)
    const writer = new WalWriter({ directory, firstSegment: 0, compresses: false, references })
    head.startLogging(writer)
    commitRound(head, 0, 3)
    await writer.close()
    expect(replay().result).toMatchObject({ series: 3, samples: 3, samplesUnknown: 0, references: { highest: 12 } })
  })

  it('ends below 2^40: the last reference is given, the next is refused', async () => {
    const head = createHead()
    const writer = openWriter(head)
    writer.references.note(2 ** 40 - 1 - 3)
    commitRound(head, 0, 3)
    expect(replay().result.references.highest).toBe(2 ** 40 - 1)
    expect(() => commitRound(head, 1, 4)).toThrow(/no series reference is left below 2\^40/)
    await writer.close()
    expect(replay().result.samples).toBe(3)
  })
})

describe('other records', () => {
  it('are handed on with the references of the head, those of unknown series are counted', async () => {
    const head = createHead()
    const writer = openWriter(head)
    commitRound(head, 0, 3)
    const builder = new RecordBuilder()
    const put = (type: number, add: () => void): void => {
      builder.begin(type)
      add()
      writer.writeRecords([builder.view()])
    }
    put(1, () => builder.addSeries(1000, ['__name__', 'h']))
    put(7, () => [1000, 77, 2].forEach((ref) => builder.addHistogram(ref, ref, histogramOf(false, { isStale: ref === 2 }))))
    put(13, () => builder.addHistogram(1000, 9, histogramOf(true), 8))
    put(4, () => builder.addExemplar(1000, 3, 4, 5, ['a', 'b']))
    put(3, () => builder.addTombstone(1000, 1, 2))
    put(6, () => builder.addMetadata(1000, { type: 'histogram', unit: '', help: 'H' }))
    put(11, () => builder.addSample(1000, nowMs, 1, 2, nowMs - 10))
    put(99, () => {})
    await writer.close()
    const told: unknown[] = []
    const again = createHead()
    const result = replayLog(directory, again, () => {}, Infinity, {
      histograms: (type, record, { length, refs, times, secondTimes, starts, ends }) => {
        for (let i = 0; i < length; i++) {
          const logged = readHistogram(record, starts[i]!, ends[i]!, hasFloatHistograms(type))!
          told.push([type, refs[i], times[i], secondTimes[i], logged.histogram.count, logged.sumLow])
        }
      },
      exemplars: (record, { refs, starts, ends }) => told.push([refs[0], readLabels(record, starts[0]!, ends[0]!)]),
      tombstones: ({ refs, times, secondTimes }) => told.push([refs[0], times[0], secondTimes[0]]),
      metadata: (record, { refs, starts, ends }) => told.push([refs[0], readMetadata(record, starts[0]!, ends[0]!).help]),
    })
    expect(told).toEqual([
      [7, 4, 1000, 0, 9, 0],
      [7, 2, 2, 0, 9, 2],
      [13, 4, 9, 8, 9, 0],
      [4, ['a', 'b']],
      [4, 1, 2],
      [4, 'H'],
    ])
    expect(result).toMatchObject({ series: 4, samples: 4, samplesUnknown: 1, unreadRecords: new Map([[99, 1]]), damages: [] })
    expect(result.headRefOf(1000)).toBe(4)
    expect(result.headRefOf(77)).toBe(0)
    expect(replay().result.unreadRecords).toEqual(new Map([7, 13, 4, 3, 6, 99].map((type) => [type, 1])))
  })

  it('are in the log together or not at all', async () => {
    const head = createHead()
    const writer = openWriter(head)
    commitRound(head, 0)
    const builder = new RecordBuilder()
    expect(() =>
      writer.writeRecords(
        (function* () {
          builder.begin(2)
          builder.addSample(1, nowMs, 0, 0)
          yield builder.view()
          throw new Error('no more')
        })(),
      ),
    ).toThrow(/cannot write to the log segment 00000000: no more/)
    commitRound(head, 1)
    await writer.close()
    expect(replay().result).toMatchObject({ samples: 6, damages: [] })
  })
})

it('older than the retention is dropped while it is read, so that the newest has room', async () => {
  const head = new Head({ memoryBytesMax: 2 ** 28, now: () => nowMs })
  const writer = openWriter(head, { segmentBytes: 3 * pageBytes })
  const startMs = nowMs - 1000 * 3_600_000
  const ref = head.refByLabels(Labels.from({ __name__: 'm' }))
  for (let i = 0; i < 60_000; i++) {
    head.append(ref, startMs + i * 60_000, Math.random() * 2 ** 32, Math.random() * 2 ** 32)
    if (i % 1000 === 999) head.commit()
  }
  await writer.close()
  const again = createHead()
  const hourMs = 3_600_000
  expect(replayLog(directory, again, () => {}, 48 * hourMs)).toMatchObject({ samples: 60_000, damages: [] })
  const times = read(again)['{__name__="m"}']!.map(([timeMs]) => timeMs)
  expect(times.at(-1)).toBe(startMs + 59_999 * 60_000)
  expect(times.at(-1)! - times[0]!).toBeGreaterThanOrEqual(48 * hourMs)
  expect(again.stats().usedBytesByFamily['chunks']).toBeLessThan(head.stats().usedBytesByFamily['chunks']! / 5)
})

describe('damage', () => {
  async function write(rounds: number, options: Parameters<typeof openWriter>[1] = {}): Promise<string> {
    const head = createHead()
    const writer = openWriter(head, options)
    for (let round = 0; round < rounds; round++) commitRound(head, round, 50)
    await writer.close()
    return join(directory, '00000000')
  }

  it('at the end is cut off at any byte, and what is before is kept', async () => {
    const path = await write(20)
    const whole = readFileSync(path)
    const rounds: number[] = []
    for (let size = whole.length - 1; size > 0; size -= 97) {
      writeFileSync(path, whole.subarray(0, size))
      const damages: Damage[] = []
      const { result } = replay(damages)
      rounds.push(result.samples)
      for (const damage of damages) {
        expect(damage).toMatchObject({ path, kind: 'torn' })
        expect(statSync(path).size).toBe(damage.offset)
      }
      expect(replay().result).toMatchObject({ samples: result.samples, damages: [] })
    }
    expect(rounds[0]).toBe(19 * 50)
    expect(rounds).toEqual([...rounds].sort((a, b) => b - a))
  })

  it('of zeros at the end is no damage, garbage after them is', async () => {
    const path = await write(3)
    appendFileSync(path, new Uint8Array(500))
    expect(replay().result).toMatchObject({ samples: 150, damages: [] })
    appendFileSync(path, Uint8Array.of(9, 9, 9))
    expect(replay().result).toMatchObject({ samples: 150, damages: [{ kind: 'torn' }] })
  })

  it('in the middle is set aside alone: what is before and after is read', async () => {
    const path = await write(300, { segmentBytes: 3 * pageBytes })
    const segments = readdirSync(directory).length
    const bytes = readFileSync(path)
    bytes[pageBytes + 1000]! ^= 1
    writeFileSync(path, bytes)
    const damages: Damage[] = []
    const { result, head } = replay(damages)
    expect(damages).toHaveLength(1)
    const [damage] = damages
    expect(damage).toMatchObject({ kind: 'corrupt', path, setAside: `${path}.corrupt-1` })
    expect(readFileSync(`${path}.corrupt-1`)).toEqual(bytes.subarray(damage!.offset, damage!.offset + damage!.bytes))
    expect(readFileSync(path).length).toBe(bytes.length)
    expect(result.segments).toBe(segments)
    expect(result.samples).toBe(299 * 50)
    const times = read(head)['{__name__="m", i="7"}']!.map(([timeMs]) => timeMs - (nowMs - 1_000_000))
    expect(times[0]).toBe(0)
    expect(times.at(-1)).toBe(299)
    expect(replay().result).toMatchObject({ samples: result.samples, damages: [] })
    expect(existsSync(`${path}.corrupt-2`)).toBe(false)
  })

  it('in the middle of the newest segment is set aside too', async () => {
    const path = await write(300)
    const bytes = readFileSync(path)
    bytes[pageBytes + 1000]! ^= 1
    writeFileSync(path, bytes)
    expect(replay().result.damages).toMatchObject([{ kind: 'corrupt' }])
  })

  it('that takes a series record away makes new references, which mean nothing else in the old segments', async () => {
    const first = createHead()
    let writer = openWriter(first)
    commitRound(first, 0, 2)
    commitRound(first, 1, 4)
    await writer.close()
    const path = join(directory, '00000000')
    const reader = new SegmentReader(path)
    // The records are series, samples, series, samples: the third goes.
    for (let i = 0; i < 3; i++) reader.next()
    const start = reader.recordOffset
    reader.next()
    const end = reader.recordOffset
    reader.close()
    const bytes = readFileSync(path)
    writeFileSync(path, Buffer.concat([bytes.subarray(0, start), bytes.subarray(end)]))
    const second = replay()
    expect(second.result).toMatchObject({ series: 2, samples: 4, samplesUnknown: 2, references: { highest: 4 } })
    writer = new WalWriter({
      directory,
      firstSegment: second.result.nextSegment,
      compresses: false,
      references: second.result.references,
    })
    second.head.startLogging(writer)
    commitRound(second.head, 2, 4)
    await writer.close()
    const third = replay()
    expect(read(third.head)).toEqual(read(second.head))
    expect(third.result.samples).toBe(8)
  })

  it('of any kind leaves a head that can be read and a log that reads the same the next time', async () => {
    const path = await write(40)
    const whole = readFileSync(path)
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(3000), (at, bits, cut) => {
        const bytes = Buffer.from(whole.subarray(0, whole.length - (cut % 2 === 0 ? 0 : cut)))
        if (at < bytes.length) bytes[at]! ^= bits
        writeFileSync(path, bytes)
        const { result, head } = replay()
        read(head)
        const again = replay()
        expect(again.result).toMatchObject({ samples: result.samples, damages: [] })
        for (const name of readdirSync(directory)) if (name.includes('corrupt')) rmSync(join(directory, name))
      }),
      { numRuns: 40 },
    )
  })

  it('of a failed write leaves no part of the commit', async () => {
    const head = createHead()
    const writer = openWriter(head)
    commitRound(head, 0)
    const path = join(directory, '00000000')
    const { size } = statSync(path)
    await writer.close()
    expect(() => commitRound(head, 1)).toThrow(/cannot write to the log/)
    expect(statSync(path).size).toBe(size)
    truncateSync(path, size)
    expect(replay().result.samples).toBe(3)
  })
})
