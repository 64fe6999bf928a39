import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { zstdCompressSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { crc32c } from '@narthex/bytes/crc32c'
import { readSegment } from './read-segments.ts'
import { RecordBuilder } from './record-builder.ts'
import { RecordEntries } from './record-entries.ts'
import type { Damage } from './repair.ts'
import { histogramOf } from './wal.test-histograms.ts'
import { pageBytes, recordBytesMax } from './wal-format.ts'
import { WalWriter } from './wal-writer.ts'

let directory = ''
let path = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-segments-'))
  path = join(directory, '00000000')
})
afterEach(() => rmSync(directory, { recursive: true }))

/** One record of each type, twice; gives them. */
async function writeAllTypes(compresses: boolean): Promise<string[]> {
  const writer = new WalWriter({ directory, firstSegment: 0, compresses })
  const builder = new RecordBuilder()
  const written: string[] = []
  const put = (type: number, add: () => void): void => {
    builder.begin(type)
    add()
    writer.writeRecords([builder.view()])
    written.push(hexOf(builder.view()))
  }
  for (let round = 1; round <= 2; round++) {
    put(1, () => builder.addSeries(round, ['__name__', 'metric', 'i', String(round)]))
    for (const type of [2, 11]) put(type, () => [1, 2, 3].forEach((ref) => builder.addSample(ref, 1000 * round, ref, 5, 900)))
    put(3, () => builder.addTombstone(1, 5, 6))
    put(4, () => builder.addExemplar(1, 5, 6, 7, ['trace', 'abc']))
    put(5, () => builder.addMarker(1, 2, 3))
    put(6, () => builder.addMetadata(1, { type: 'counter', unit: 's', help: 'Help.' }))
    for (const type of [7, 8, 9, 10, 12, 13]) {
      const customValues = type === 9 || type === 10 ? [1, 2] : []
      put(type, () => builder.addHistogram(1, 5, histogramOf(type === 8 || type === 10 || type === 13, { customValues })))
    }
  }
  await writer.close()
  return written
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}

/** Whether all of the first are in the second, in its order. */
function isPartOf(part: readonly string[], whole: readonly string[]): boolean {
  let next = 0
  for (const record of whole) if (record === part[next]) next++
  return next === part.length
}

function read(isNewest = true): { records: string[]; damage: Damage | undefined } {
  const records: string[] = []
  const { damages } = readSegment(path, isNewest, new RecordEntries(), (_type, record) => records.push(hexOf(record)))
  expect(damages.length).toBeLessThan(2)
  return { records, damage: damages[0] }
}

describe('a segment with records of all types', () => {
  it.each([false, true])('is read as it was written (compressed: %s)', async (compresses) => {
    expect(await writeAllTypes(compresses)).toEqual(read().records)
  })

  it.each([false, true])(
    'with any byte changed gives all records but that one, and reads the same the next time (compressed: %s)',
    async (compresses) => {
      const written = await writeAllTypes(compresses)
      const whole = readFileSync(path)
      const kinds = new Set<number>()
      for (let at = 0; at < whole.length; at += 7 + whole.readUInt16BE(at + 1)) kinds.add(at)
      for (let at = 0; at < whole.length; at++) {
        const bytes = Buffer.from(whole)
        bytes[at]! ^= 1 << (at % 8)
        writeFileSync(path, bytes)
        const { records, damage } = read(at % 2 === 0)
        // No checksum covers the kind: without its bit of compression a record is one of a type that nobody knows.
        if (compresses && kinds.has(at) && damage === undefined) {
          const other = records.findIndex((record, i) => record !== written[i])
          expect(records.with(other, '')).toEqual(written.with(other, ''))
          continue
        }
        expect(damage, String(at)).toBeDefined()
        expect(damage!.offset).toBeLessThanOrEqual(at)
        const isLengthOrKind = [...kinds].some((start) => at >= start && at < start + 3)
        // Where its length is wrong the rest of the page is lost.
        if (isLengthOrKind) expect(isPartOf(records, written), String(at)).toBe(true)
        else
          expect(records, String(at)).toEqual(
            written.toSpliced(
              [...kinds].findLastIndex((start) => start <= at),
              1,
            ),
          )
        expect(records.length).toBeLessThan(written.length)
        expect(read()).toEqual({ records, damage: undefined })
        for (const name of readdirSync(directory)) if (name.includes('corrupt')) rmSync(join(directory, name))
      }
    },
  )

  it('cut at any byte gives its whole records', async () => {
    const written = await writeAllTypes(false)
    const whole = readFileSync(path)
    let most = 0
    for (let size = 0; size < whole.length; size++) {
      writeFileSync(path, whole.subarray(0, size))
      const { records, damage } = read()
      expect(records).toEqual(written.slice(0, records.length))
      expect(records.length).toBeGreaterThanOrEqual(most)
      most = records.length
      if (damage !== undefined) expect(damage.kind).toBe('torn')
    }
    expect(most).toBe(written.length - 1)
  })
})

describe('a record compressed by zstd', () => {
  function writeZstd(record: Uint8Array): void {
    const data = zstdCompressSync(record)
    expect(data.length).toBeLessThan(pageBytes - 7)
    const checksum = crc32c(data)
    const header = [
      1 | 16,
      data.length >>> 8,
      data.length & 255,
      checksum >>> 24,
      (checksum >>> 16) & 255,
      (checksum >>> 8) & 255,
      checksum & 255,
    ]
    writeFileSync(path, Uint8Array.of(...header, ...data))
  }

  it('is read', () => {
    const builder = new RecordBuilder()
    builder.begin(2)
    for (let i = 0; i < 1000; i++) builder.addSample(i, i, 1, 2)
    writeZstd(builder.view())
    expect(read()).toEqual({ records: [hexOf(builder.view())], damage: undefined })
  })

  it('is read at the limit, and damage one byte above it', () => {
    const record = new Uint8Array(recordBytesMax)
    record[0] = 99
    writeZstd(record)
    expect(read().records[0]).toHaveLength(2 * recordBytesMax)
    const longer = new Uint8Array(recordBytesMax + 1)
    longer[0] = 99
    writeZstd(longer)
    expect(read()).toMatchObject({ records: [], damage: { reason: expect.stringMatching(/cannot uncompress record at offset 0/) } })
  })
})
