import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DeadLetterFile } from '@narthex/agent/send/dead-letter-file'
import { readCursors, settledRangesMax } from '@narthex/agent/store/cursor-file'
import { Chunk } from '@narthex/agent/store/frame-chunk'
import { headerBytes } from '@narthex/agent/store/frame-header'
import { FrameScanner } from '@narthex/agent/store/frame-scanner'
import { inspectLog } from '@narthex/agent/store/log-inspection'
import { readUnpackedBytes, unpackPayload } from '@narthex/agent/store/packed-payload'
import { FrameColumns } from '@narthex/agent/store/sample-frame'
import { SegmentReader } from '@narthex/agent/store/segment-reader'
import { ensureColumns, ensureLayout } from '../frame-checks.ts'
import { encode, encodeJson, ensure, type FuzzTarget } from '../fuzz-target.ts'
import { packedPayload, sealRecords, segmentRecords, segmentSeed } from '../frame-seeds.ts'

/** Inputs of `npm test` for what goes through files. */
const fileShare = 200
const payloadBytesMax = 2 ** 20

const columns = new FrameColumns()

/** Frames as `sequence@offset`, in order; checks that they and the damage between them are all there is. */
function scan(bytes: Uint8Array, start: number, length: number, isEnd: boolean): { frames: string[]; offset: number } {
  const frames: string[] = []
  let covered = 0
  const scanner = new FrameScanner(
    bytes.subarray(start),
    0,
    (damage) => {
      ensure(damage.offset === covered && damage.bytes > 0, `damage at ${damage.offset}, read up to ${covered}`)
      covered += damage.bytes
    },
    length,
    isEnd,
  )
  while (scanner.next()) {
    ensure(scanner.start === covered + headerBytes && scanner.end >= scanner.start, `a frame at ${scanner.start}, read up to ${covered}`)
    covered = scanner.end
    ensure(covered <= length && scanner.wholeBytes === covered, 'a frame ends behind the window')
    frames.push(`${scanner.header.sequence}@${start + scanner.start}`)
  }
  ensure(covered === scanner.offset && (!isEnd || covered === length), `the walk ends at ${covered} of ${length}`)
  return { frames, offset: covered }
}

/** Reads every frame of a segment that lies in memory as the sender does. */
function readSegment(bytes: Uint8Array): void {
  const chunk = new Chunk(bytes.length, () => undefined)
  chunk.bytes.set(bytes)
  const reader = new SegmentReader({ chunk, length: bytes.length, isEnd: true }, new Map(), (damage) => {
    ensure(damage.offset >= 0 && damage.offset + damage.bytes <= bytes.length, 'damage lies outside the segment')
  })
  for (let frame = reader.next(2); frame !== undefined; frame = reader.next(2)) {
    ensure(frame.sequence >= 2, `frame ${frame.sequence} was not asked for`)
    ensureLayout(frame.layout)
    try {
      columns.read(frame)
    } catch (error) {
      // The sender counts such a frame as damaged and goes on.
      if (!(error instanceof Error) || error.name !== 'FrameError') throw error
      continue
    }
    ensureColumns(frame, columns)
  }
  ensure(!reader.needsWhole && reader.offset === bytes.length, 'the segment was not read to its end')
  reader.release()
}

let directory = ''

function inDirectory(): string {
  if (directory === '') directory = mkdtempSync(join(tmpdir(), 'narthex-fuzz-'))
  return directory
}

function removeDirectory(): void {
  if (directory !== '') rmSync(directory, { recursive: true, force: true })
  directory = ''
}

function writeAt(folder: string, name: string, bytes: Uint8Array): string {
  const path = join(inDirectory(), folder)
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, name), bytes)
  return path
}

const letter = { timeMs: 1, status: 400, reason: 'rejected', error: 'no', contentType: 'x', body: encode('snappy') }
const letterLine = encode(
  '{"timeMs":1,"status":400,"reason":"rejected","error":"no","contentType":"x","encoding":"snappy","body":"AA=="}\n',
)

export const logTargets: readonly FuzzTarget[] = [
  {
    name: 'frame-scanner',
    seeds: [segmentSeed],
    refusals: [],
    read(bytes) {
      const whole = scan(bytes, 0, bytes.length, true)
      const cut = bytes.length >> 1
      const first = scan(bytes, 0, cut, false)
      const second = scan(bytes, first.offset, bytes.length - first.offset, true)
      ensure(String([...first.frames, ...second.frames]) === String(whole.frames), 'a window hides frames')
    },
  },
  { name: 'segment', seeds: [segmentSeed], refusals: [], read: readSegment },
  // Payloads that a checksum did not save: what a writer's bug or another version would leave.
  { name: 'sealed-segment', seeds: [segmentRecords], refusals: [], read: (bytes) => readSegment(sealRecords(bytes)) },
  {
    name: 'packed-payload',
    seeds: [packedPayload],
    refusals: ['FrameError'],
    read(bytes) {
      const length = readUnpackedBytes(bytes, 0, bytes.length)
      // Longer ones are refused by the length that they begin with; that much is not unpacked 300,000 times.
      if (length > payloadBytesMax) return
      const room = new Uint8Array(length + 8)
      unpackPayload(bytes, 0, bytes.length, length, room, 0)
      ensure(
        room.subarray(length).every((byte) => byte === 0),
        'more was unpacked than was said',
      )
    },
  },
  {
    name: 'cursor-file',
    seeds: [
      encodeJson({
        version: 1,
        remote: 'a',
        next: 7,
        done: { first: 9, end: 12 },
        settled: [
          { first: 14, end: 15 },
          { first: 20, end: 30 },
        ],
      }),
      encodeJson({ version: 1, remote: 'https://b/', next: 0 }),
    ],
    refusals: [],
    isJson: true,
    share: fileShare,
    close: removeDirectory,
    read(bytes) {
      let problems = 0
      const cursors = readCursors(writeAt('cursors', 'x.cursor', bytes), () => problems++)
      ensure(cursors.size + problems === 1, `${cursors.size} cursors and ${problems} problems in one file`)
      for (const { next, done, settled = [] } of cursors.values()) {
        ensure(Number.isSafeInteger(next) && next >= 0, `next is ${next}`)
        ensure(done === undefined || (done.first < done.end && done.end > next), 'done is no range behind next')
        ensure(settled.length <= settledRangesMax, 'too many ranges')
        for (const [index, { first, end }] of settled.entries()) {
          ensure(first < end && end > next && first > (settled[index - 1]?.end ?? -Infinity), 'settled ranges are not ascending and apart')
        }
      }
    },
  },
  {
    name: 'log-inspection',
    seeds: [segmentSeed],
    refusals: [],
    share: fileShare,
    close: removeDirectory,
    async read(bytes) {
      writeAt('log', '0000000000000001.frames', bytes)
      writeAt('log/cursors', 'a.cursor', encodeJson({ version: 1, remote: 'a', next: 2 }))
      const { segments, remotes, problems } = await inspectLog(join(inDirectory(), 'log'))
      ensure(problems.length === 0 && remotes.length === 1 && segments.length === 1, 'files are missing')
      const { frames, damage, tornBytes, bytes: size } = segments[0]!
      const lost = damage.reduce((sum, { bytes: damaged }) => sum + damaged, tornBytes)
      ensure(size === bytes.length && lost <= size && frames >= 0, `${lost} of ${size} bytes are damaged`)
      const [{ waitingFrames, missingFrames }] = remotes as [(typeof remotes)[number]]
      ensure(waitingFrames <= frames && Number.isSafeInteger(missingFrames), `${waitingFrames} of ${frames} frames wait`)
    },
  },
  {
    name: 'dead-letters',
    seeds: [letterLine, Uint8Array.from([...letterLine, ...letterLine]), new Uint8Array(0)],
    refusals: [],
    share: 60,
    async read(bytes) {
      const path = join(writeAt('letters', 'a.letters', bytes), 'a.letters')
      const file = new DeadLetterFile(join(inDirectory(), 'letters'), 'a', 2 ** 20)
      file.add(letter)
      await file.close()
      ensure(file.lost === 0, 'a letter is lost')
      const lines = readFileSync(path, 'utf8').split('\n')
      ensure(lines.pop() === '', 'the last line has no end')
      ensure((JSON.parse(lines.at(-1)!) as { status: unknown }).status === 400, 'the last line is not the letter')
    },
    close: removeDirectory,
  },
]
