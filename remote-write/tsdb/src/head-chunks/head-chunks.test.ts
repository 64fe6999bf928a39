import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { crc32c } from '@narthex/bytes/crc32c'
import type { HeadChunk, NewHeadChunk } from './chunk-entry.ts'
import { chunkBytesMax, fileHeaderBytes, headChunkFileName } from './head-chunk-format.ts'
import type { HeadChunkPlace } from './head-chunk-format.ts'
import { HeadChunkReader } from './head-chunk-reader.ts'
import { HeadChunkWriter } from './head-chunk-writer.ts'
import { replayHeadChunks } from './replay-head-chunks.ts'
import type { HeadChunkReplay } from './replay-head-chunks.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-head-chunks-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

function chunkOf(seriesRef: number, minTimeMs: number, bytes = 20): NewHeadChunk {
  const data = Uint8Array.from({ length: bytes }, (_, i) => (seriesRef * 31 + i * 7) & 0xff)
  return { seriesRef, minTimeMs, maxTimeMs: minTimeMs + 999, encoding: 1, isOutOfOrder: seriesRef % 3 === 0, data }
}

function openWriter(options: { fileBytes?: number } = {}): HeadChunkWriter {
  const { files } = replay()
  return new HeadChunkWriter({ directory, files, ...options })
}

function replay(): HeadChunkReplay & { read: (NewHeadChunk & HeadChunkPlace)[] } {
  const read: HeadChunk[] = []
  const result = replayHeadChunks(
    directory,
    (chunk) => read.push({ ...chunk, data: chunk.data.slice() }),
    () => {},
  )
  return { ...result, read }
}

/** Files of a few chunks each; gives the chunks with their places. */
async function writeFiles(chunks: number, fileBytes: number, bytes = 20): Promise<(NewHeadChunk & HeadChunkPlace)[]> {
  const writer = openWriter({ fileBytes })
  const written = Array.from({ length: chunks }, (_, i) => {
    const chunk = chunkOf(i + 1, i * 1000, bytes)
    return { ...chunk, ...writer.append(chunk) }
  })
  await writer.close()
  return written
}

describe('chunks of the head', () => {
  it('have the bytes that the format prescribes', async () => {
    const writer = openWriter()
    const chunk = { seriesRef: 5, minTimeMs: -1, maxTimeMs: 256, encoding: 1, isOutOfOrder: true, data: Uint8Array.of(7, 8, 9) }
    expect(writer.append(chunk)).toEqual({ file: 1, offset: 8 })
    await writer.close()
    const entry = [0, 0, 0, 0, 0, 0, 0, 5, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0, 0, 0, 1, 0, 0x81, 3, 7, 8, 9]
    const checksum = crc32c(Uint8Array.from(entry))
    const checksumBytes = [checksum >>> 24, (checksum >>> 16) & 255, (checksum >>> 8) & 255, checksum & 255]
    expect([...readFileSync(join(directory, '000001'))]).toEqual([0x01, 0x30, 0xbc, 0x91, 1, 0, 0, 0, ...entry, ...checksumBytes])
  })

  it('are read as they were written, in order and by place, whatever their size', async () => {
    const chunk = fc.record({
      seriesRef: fc.integer({ min: 1, max: 2 ** 40 - 1 }),
      minTimeMs: fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
      maxTimeMs: fc.integer({ min: -(2 ** 50), max: 2 ** 50 }),
      encoding: fc.integer({ min: 1, max: 6 }),
      isOutOfOrder: fc.boolean(),
      data: fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc.nat(5000).map((length) => new Uint8Array(length).fill(length)),
      ),
    })
    await fc.assert(
      fc.asyncProperty(fc.array(chunk, { minLength: 1, maxLength: 30 }), fc.integer({ min: 100, max: 9000 }), async (chunks, fileBytes) => {
        rmSync(directory, { recursive: true })
        mkdirSync(directory)
        const writer = openWriter({ fileBytes })
        const written: (NewHeadChunk & HeadChunkPlace)[] = []
        for (const [i, one] of chunks.entries()) {
          written.push({ ...one, ...writer.append(one) })
          if (i % 7 === 3) await writer.flush()
        }
        await writer.close()
        const { read, damages } = replay()
        expect(damages).toEqual([])
        expect(read).toEqual(written)
        const reader = new HeadChunkReader(directory)
        for (const one of written) expect(reader.read(one)).toEqual(one)
        reader.close()
      }),
      { numRuns: 40 },
    )
  })

  it('fill files up to their limit, not one byte more', async () => {
    const entryBytes = 25 + 1 + 20 + 4
    // The writer reckons with the longest length field, 5 bytes.
    const fileBytes = fileHeaderBytes + 3 * entryBytes + 4
    const written = await writeFiles(7, fileBytes)
    expect(written.map(({ file }) => file)).toEqual([1, 1, 1, 2, 2, 2, 3])
    rmSync(directory, { recursive: true })
    mkdirSync(directory)
    expect((await writeFiles(7, fileBytes - 1)).map(({ file }) => file)).toEqual([1, 1, 2, 2, 3, 3, 4])
  })

  it('go to a new file at each start', async () => {
    await writeFiles(2, 1000)
    await writeFiles(2, 1000)
    await writeFiles(0, 1000)
    expect(readdirSync(directory).sort()).toEqual(['000001', '000002'])
    expect(replay()).toMatchObject({ chunks: 4, damages: [], last: { file: 2 } })
  })

  it('are found by a reader when a flush is over', async () => {
    const writer = openWriter()
    const reader = new HeadChunkReader(directory)
    for (let i = 1; i < 50; i++) {
      const chunk = chunkOf(i, i, 3000)
      const place = writer.append(chunk)
      await writer.flush()
      expect(reader.read(place).data).toEqual(chunk.data)
    }
    await writer.close()
    reader.close()
  })

  it('that could not be written are written by the next flush, at the places that were given out', async () => {
    const writer = openWriter({ fileBytes: 200 })
    renameSync(directory, `${directory}.away`)
    const written = Array.from({ length: 9 }, (_, i) => ({ ...chunkOf(i, i), ...writer.append(chunkOf(i, i)) }))
    await expect(writer.flush()).rejects.toThrow(/ENOENT/)
    expect(writer.pendingBytes).toBeGreaterThan(0)
    renameSync(`${directory}.away`, directory)
    await writer.flush()
    expect(writer.pendingBytes).toBe(0)
    await writer.close()
    expect(replay().read).toEqual(written)
  })

  it('older than a time are deleted on a full disk too, but not before they are written', async () => {
    const writer = openWriter({ fileBytes: 200 })
    for (let i = 0; i < 6; i++) writer.append(chunkOf(1, i))
    await writer.flush()
    const blocked = join(directory, '000003')
    for (let i = 0; i < 6; i++) writer.append(chunkOf(1, i))
    // The next file cannot be made: a directory stands in its place.
    mkdirSync(blocked)
    mkdirSync(join(blocked, 'full'))
    expect(await writer.truncate(Infinity)).toEqual([1, 2])
    rmSync(blocked, { recursive: true })
    expect(await writer.truncate(Infinity)).toEqual([3, 4])
    await writer.close()
    expect(readdirSync(directory)).toEqual([])
  })

  it('older than a time are deleted, oldest files first, never one behind a newer one', async () => {
    const entryBytes = 25 + 1 + 20 + 4
    const writer = openWriter({ fileBytes: fileHeaderBytes + 2 * entryBytes + 4 })
    // Files 1 to 4 end at 1999, 3999, 9999, 7999; file 5 is being written.
    for (const timeMs of [0, 1000, 2000, 3000, 9000, 5000, 6000, 7000, 100]) writer.append(chunkOf(1, timeMs))
    expect(await writer.truncate(3999)).toEqual([1])
    expect(await writer.truncate(4000)).toEqual([2])
    expect(await writer.truncate(9999)).toEqual([])
    expect(await writer.truncate(10_000)).toEqual([3, 4, 5])
    const place = writer.append(chunkOf(1, 20_000))
    await writer.close()
    expect(place.file).toBe(6)
    expect(readdirSync(directory)).toEqual(['000006'])
  })
})

describe('a damaged chunk file', () => {
  const fileBytes = fileHeaderBytes + 5 * 54

  it('keeps what is before the damage, the rest and all later files are set aside', async () => {
    const written = await writeFiles(20, fileBytes)
    const path = join(directory, '000002')
    const whole = readFileSync(path)
    const third = readFileSync(join(directory, '000003'))
    const damagedFrom = written.filter(({ file }) => file === 2)[2]!
    const bytes = Buffer.from(whole)
    bytes[damagedFrom.offset + 30]! ^= 1
    writeFileSync(path, bytes)
    const first = replay()
    expect(first.read).toEqual(written.filter(({ file, offset }) => file < 2 || (file === 2 && offset < damagedFrom.offset)))
    expect(first.damages).toMatchObject([
      { path, kind: 'corrupt', offset: damagedFrom.offset, setAside: `${path}.corrupt-1` },
      { path: join(directory, '000003'), kind: 'after', bytes: third.length },
      { path: join(directory, '000004'), kind: 'after' },
    ])
    expect(first.damages[0]!.reason).toMatch(/want checksum \d+, got \d+/)
    expect(readFileSync(`${path}.corrupt-1`)).toEqual(bytes.subarray(damagedFrom.offset))
    expect(readFileSync(join(directory, '000003.corrupt-1'))).toEqual(third)
    expect(replay()).toMatchObject({ chunks: first.chunks, damages: [], last: first.last })
    // No place is given out twice.
    expect((await writeFiles(1, fileBytes))[0]).toMatchObject({ file: 5 })
  })

  it('with any byte changed gives the chunks before it, or all of them, and reads the same the next time', async () => {
    const written = await writeFiles(8, fileBytes)
    const paths = readdirSync(directory).map((name) => join(directory, name))
    const wholes = paths.map((path) => readFileSync(path))
    const check = (changed: number, at: number): void => {
      const { read, damages } = replay()
      // Zeros in the header of the file are not looked at.
      if (at >= 5 && at < 8) expect(damages).toEqual([])
      else expect(damages.length).toBeGreaterThan(0)
      const good = written.filter(({ file, offset }) => file < changed + 1 || (file === changed + 1 && offset + 50 <= at))
      if (damages.length > 0) expect(read, `file ${changed} byte ${at}`).toEqual(good)
      else expect(read).toEqual(written)
      expect(replay()).toMatchObject({ chunks: read.length, damages: [] })
      for (const name of readdirSync(directory)) rmSync(join(directory, name))
      paths.forEach((path, i) => writeFileSync(path, wholes[i]!))
    }
    for (const [changed, whole] of wholes.entries()) {
      for (let at = 0; at < whole.length; at++) {
        const bytes = Buffer.from(whole)
        bytes[at]! ^= 1 << (at % 8)
        writeFileSync(paths[changed]!, bytes)
        check(changed, at)
      }
    }
  }, 20_000)

  it('cut at any byte keeps its whole chunks; of the newest file the torn one is cut off', async () => {
    const written = await writeFiles(8, fileBytes)
    const path = join(directory, '000002')
    const whole = readFileSync(path)
    for (let size = 0; size < whole.length; size++) {
      writeFileSync(path, whole.subarray(0, size))
      const { read, damages } = replay()
      const good = written.filter(({ file, offset }) => file === 1 || offset + 50 <= size)
      expect(read, String(size)).toEqual(good)
      // Up to seven zeros of the next reference look like the zeros behind the last chunk.
      const isWhole = size >= fileHeaderBytes && (size - fileHeaderBytes) % 50 <= 7
      expect(damages.map(({ kind }) => kind)).toEqual(isWhole ? [] : ['torn'])
      expect(replay()).toMatchObject({ chunks: good.length, damages: [] })
      expect(statSync(path).size).toBeGreaterThanOrEqual(fileHeaderBytes)
    }
    expect(readdirSync(directory)).toEqual(['000001', '000002'])
  })

  it('behind a missing one is set aside, once', async () => {
    await writeFiles(20, fileBytes)
    rmSync(join(directory, '000002'))
    expect(replay().damages).toMatchObject([{ kind: 'after', reason: 'file 2 is missing' }, { kind: 'after' }])
    expect(readdirSync(directory).sort()).toEqual(['000001', '000003.corrupt-1', '000004.corrupt-1'])
    expect(replay().damages).toEqual([])
  })

  it('with zeros behind its chunks is none, with anything behind the zeros it is', async () => {
    const written = await writeFiles(3, fileBytes)
    const path = join(directory, '000001')
    const { size } = statSync(path)
    truncateSync(path, 3_000_000)
    expect(replay()).toMatchObject({ chunks: 3, damages: [] })
    const bytes = readFileSync(path)
    bytes[2_500_000] = 9
    writeFileSync(path, bytes)
    expect(replay().damages).toMatchObject([{ kind: 'corrupt', offset: size, reason: expect.stringMatching(/got 9 at 2500000/) }])
    expect(replay().read).toEqual(written)
  })

  it('that claims a huge chunk is refused without the memory for it', async () => {
    const writer = openWriter()
    writer.append(chunkOf(1, 1))
    await writer.close()
    const path = join(directory, '000001')
    const bytes = readFileSync(path)
    const claim = Buffer.alloc(40)
    claim[7] = 1
    // 16 MiB + 1 as uvarint.
    claim.set([0x81, 0x80, 0x80, 0x08], 25)
    writeFileSync(path, Buffer.concat([bytes, claim]))
    expect(replay().damages[0]!.reason).toContain(`want at most ${chunkBytesMax} bytes of data, got ${chunkBytesMax + 1}`)
  })
})

describe('a reader by place', () => {
  it('says where no chunk is, and when a chunk is damaged', async () => {
    const written = await writeFiles(3, 1000)
    const reader = new HeadChunkReader(directory)
    const path = join(directory, '000001')
    expect(() => reader.read({ file: 1, offset: 9 })).toThrow(`cannot read head chunk in ${path} at offset 9`)
    expect(() => reader.read({ file: 1, offset: 100_000 })).toThrow(/at offset 100000: no chunk begins there/)
    expect(() => reader.read({ file: 9, offset: 8 })).toThrow(/ENOENT/)
    const bytes = readFileSync(path)
    bytes[written[1]!.offset + 29]! ^= 1
    writeFileSync(path, bytes)
    expect(() => reader.read(written[1]!)).toThrow(/want checksum/)
    expect(reader.read(written[2]!).seriesRef).toBe(3)
    truncateSync(path, written[2]!.offset + 40)
    expect(() => reader.read(written[2]!)).toThrow(/want 50 bytes, got 40/)
    reader.close()
  })

  it('has at most 16 files open', async () => {
    const written = await writeFiles(60, 100)
    const reader = new HeadChunkReader(directory)
    const open = (): number =>
      readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return (
            statSync(`/proc/self/fd/${fd}`).isFile() &&
            readdirSync(directory).some((name) => statSync(join(directory, name)).ino === statSync(`/proc/self/fd/${fd}`).ino)
          )
        } catch {
          return false
        }
      }).length
    for (const one of written) expect(reader.read(one).seriesRef).toBe(one.seriesRef)
    if (process.platform === 'linux') expect(open()).toBe(16)
    expect(headChunkFileName(60)).toBe('000060')
    reader.close()
  })
})
