import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { crc32c } from '@narthex/bytes/crc32c'
import type { HeadChunk, NewHeadChunk } from './chunk-entry.ts'
import { chunkBytesMax, fileHeaderBytes, headChunkFileName } from './head-chunk-format.ts'
import type { StoredPlace } from '../chunk/open-chunk.ts'
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
async function writeFiles(chunks: number, fileBytes: number, bytes = 20): Promise<(NewHeadChunk & StoredPlace)[]> {
  const writer = openWriter({ fileBytes })
  const written = Array.from({ length: chunks }, (_, i) => {
    const chunk = chunkOf(i + 1, i * 1000, bytes)
    if (!writer.fits(bytes)) writer.write()
    return { ...chunk, ...writer.append(chunk) }
  })
  await writer.close()
  return written
}

describe('chunks of the head', () => {
  it('have the bytes that the format prescribes', async () => {
    const writer = openWriter()
    const chunk = { seriesRef: 5, minTimeMs: -1, maxTimeMs: 256, encoding: 1, isOutOfOrder: true, data: Uint8Array.of(7, 8, 9) }
    expect(writer.append(chunk)).toEqual({ file: 1, offset: 8, bytes: 33 })
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
        const written: (NewHeadChunk & StoredPlace)[] = []
        for (const [i, one] of chunks.entries()) {
          if (i % 7 === 3 || !writer.fits(one.data.length)) writer.write()
          written.push({ ...one, ...writer.append(one) })
        }
        await writer.close()
        const { read, damages } = replay()
        expect(damages).toEqual([])
        expect(read).toEqual(written.map(withoutBytes))
        const reader = new HeadChunkReader(directory)
        for (const one of written) expect(reader.read(one)).toEqual(dataOf(one))
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

  it('are found by a reader when they are written, however the file grows meanwhile', async () => {
    const writer = openWriter()
    const reader = new HeadChunkReader(directory)
    const written: (NewHeadChunk & StoredPlace)[] = []
    for (let i = 1; i < 60; i++) {
      const chunk = chunkOf(i, i, 40 * i)
      written.push({ ...chunk, ...writer.append(chunk) })
      expect(writer.write()).toBe(true)
      for (const one of [written.at(-1)!, written[0]!, written[i >> 1]!]) expect(reader.read(one)).toEqual(dataOf(one))
    }
    await writer.close()
    for (const one of written) expect(reader.read(one)).toEqual(dataOf(one))
    reader.close()
  })

  it('that could not be written are in no file, and those after them are', async () => {
    const errors: string[] = []
    const writer = new HeadChunkWriter({ directory, files: [], onWriteError: ({ message }) => errors.push(message) })
    const append = (ref: number): NewHeadChunk & StoredPlace => ({ ...chunkOf(ref, ref), ...writer.append(chunkOf(ref, ref)) })
    renameSync(directory, `${directory}.away`)
    append(1)
    expect(writer.write()).toBe(false)
    renameSync(`${directory}.away`, directory)
    const written = [append(2), append(3)]
    expect(writer.write()).toBe(true)
    await writer.close()
    expect(errors).toMatchObject([expect.stringMatching(/ENOENT/)])
    expect(replay().read).toEqual(written.map(withoutBytes))
  })

  it('whose file cannot be written any more leave it whole, and go on in the next one', async () => {
    const errors: string[] = []
    const writer = new HeadChunkWriter({ directory, files: [], onWriteError: ({ message }) => errors.push(message) })
    const first = { ...chunkOf(1, 1), ...writer.append(chunkOf(1, 1)) }
    expect(writer.write()).toBe(true)
    const path = join(directory, '000001')
    for (const fd of openFiles(path)) closeSync(fd)
    writer.append(chunkOf(2, 2))
    expect(writer.write()).toBe(false)
    const third = { ...chunkOf(3, 3), ...writer.append(chunkOf(3, 3)) }
    expect(writer.write()).toBe(true)
    await writer.close()
    expect(third.file).toBe(2)
    expect(replay().read).toEqual([withoutBytes(first), withoutBytes(third)])
  })

  it('are told to go when they are older than a time, oldest files first, never one behind a newer one', async () => {
    const entryBytes = 25 + 1 + 20 + 4
    const writer = openWriter({ fileBytes: fileHeaderBytes + 2 * entryBytes + 4 })
    // Files 1 to 4 end at 1999, 3999, 9999, 7999; file 5 is being written.
    for (const timeMs of [0, 1000, 2000, 3000, 9000, 5000, 6000, 7000, 100]) {
      if (!writer.fits(20)) writer.write()
      writer.append(chunkOf(1, timeMs))
    }
    writer.write()
    expect(writer.filesBefore(3999)).toEqual([1])
    expect(writer.filesBefore(4000)).toEqual([1, 2])
    writer.remove([1, 2])
    expect(writer.oldestFile).toBe(3)
    expect(writer.filesBefore(9999)).toEqual([])
    expect(writer.filesBefore(10_000)).toEqual([3, 4, 5])
    writer.remove([3, 4, 5])
    const place = writer.append(chunkOf(1, 20_000))
    await writer.close()
    expect(place.file).toBe(6)
    expect(readdirSync(directory)).toEqual(['000006'])
  })
})

function withoutBytes<T extends { bytes: number }>(chunk: T): Omit<T, 'bytes'> {
  const { bytes: _, ...rest } = chunk
  return rest
}

/** What a reader gives of it. */
function dataOf({ encoding, data }: NewHeadChunk): Pick<NewHeadChunk, 'encoding' | 'data'> {
  return { encoding, data }
}

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
    expect(first.read).toEqual(
      written.filter(({ file, offset }) => file < 2 || (file === 2 && offset < damagedFrom.offset)).map(withoutBytes),
    )
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
      // Before the first file there is none whose length could be told.
      if (at >= 5 && at < 8 && changed === 0) expect(damages).toEqual([])
      else expect(damages.length).toBeGreaterThan(0)
      const good = written.filter(({ file, offset }) => file < changed + 1 || (file === changed + 1 && offset + 50 <= at)).map(withoutBytes)
      if (damages.length > 0) expect(read, `file ${changed} byte ${at}`).toEqual(good)
      else expect(read).toEqual(written.map(withoutBytes))
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
      const good = written.filter(({ file, offset }) => file === 1 || offset + 50 <= size).map(withoutBytes)
      expect(read, String(size)).toEqual(good)
      // Up to seven zeros of the next reference look like the zeros behind the last chunk.
      const isWhole = size >= fileHeaderBytes && (size - fileHeaderBytes) % 50 <= 7
      expect(damages.map(({ kind }) => kind)).toEqual(isWhole ? [] : ['torn'])
      expect(replay()).toMatchObject({ chunks: good.length, damages: [] })
      expect(statSync(path).size).toBeGreaterThanOrEqual(fileHeaderBytes)
    }
    expect(readdirSync(directory)).toEqual(['000001', '000002'])
  })

  it('cut off between two chunks, or by all of them, is found by the next one: the log has what follows', async () => {
    const written = await writeFiles(15, fileBytes)
    const paths = readdirSync(directory).map((name) => join(directory, name))
    const wholes = paths.map((path) => readFileSync(path))
    const sizes = [fileHeaderBytes, ...written.filter(({ file }) => file === 2).map(({ offset, bytes }) => offset + bytes)].slice(0, -1)
    for (const size of sizes) {
      paths.forEach((path, i) => writeFileSync(path, i === 1 ? wholes[i]!.subarray(0, size) : wholes[i]!))
      const { read, damages } = replay()
      const isLeft = ({ file, offset }: { file: number; offset: number }): boolean => file === 1 || (file === 2 && offset < size)
      expect(read).toEqual(written.filter(isLeft).map(withoutBytes))
      expect(damages).toMatchObject([
        { path: paths[2], kind: 'after', reason: `${paths[1]} is not as long as it was: ${size} bytes are left` },
      ])
      expect(replay()).toMatchObject({ chunks: read.length, damages: [] })
      rmSync(`${paths[2]}.corrupt-1`)
    }
  })

  it('behind one of a Prometheus, which does not tell its length, is read', async () => {
    const written = await writeFiles(10, fileBytes)
    const path = join(directory, '000002')
    const bytes = readFileSync(path)
    expect(bytes.readUIntBE(5, 3)).toBe(statSync(join(directory, '000001')).size)
    writeFileSync(path, bytes.fill(0, 5, 8))
    expect(replay()).toMatchObject({ chunks: written.length, damages: [] })
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
    expect(replay().read).toEqual(written.map(withoutBytes))
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
    expect(() => reader.read({ file: 1, offset: 9, bytes: 50 })).toThrow(
      `cannot read head chunk in ${path} at offset 9: want a chunk of 50 bytes`,
    )
    expect(() => reader.read({ file: 1, offset: 100_000, bytes: 50 })).toThrow(/at offset 100000: want 50 bytes, got 0/)
    expect(() => reader.read({ file: 9, offset: 8, bytes: 50 })).toThrow(/ENOENT/)
    const bytes = readFileSync(path)
    bytes[written[1]!.offset + 29]! ^= 1
    writeFileSync(path, bytes)
    expect(() => reader.read(written[1]!)).toThrow(/want checksum/)
    expect(reader.read(written[2]!)).toEqual(dataOf(written[2]!))
    truncateSync(path, written[2]!.offset + 40)
    expect(() => reader.read(written[2]!)).toThrow(/want 50 bytes, got 40/)
    reader.close()
  })

  it('closes files that are gone', async () => {
    const written = await writeFiles(9, 100)
    const reader = new HeadChunkReader(directory)
    for (const one of written) reader.read(one)
    const opened = (): number[] => written.map(({ file }) => openFiles(join(directory, headChunkFileName(file))).length)
    expect(opened()).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1])
    reader.closeBefore(8)
    expect(opened()).toEqual([0, 0, 0, 0, 0, 0, 0, 1, 1])
    reader.close()
    expect(opened()).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0])
  })
})

/** Descriptors of this process for a file. */
function openFiles(path: string): number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => {
      try {
        return readlinkSync(`/proc/self/fd/${fd}`) === path
      } catch {
        return false
      }
    })
}
