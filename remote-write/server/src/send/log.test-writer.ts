import { appendFileSync, mkdirSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { FragmentWriter } from '@narthex/tsdb/wal/fragment-writer'
import { RecordBuilder } from '@narthex/tsdb/wal/record-builder'
import { samplesRecord, segmentBytesMax, segmentName, seriesRecord } from '@narthex/tsdb/wal/wal-format'
import type { LogPlace } from './log-place.ts'

const float = new Float64Array(1)
const words = new Uint32Array(float.buffer)

/** The words of a number, low one first. */
export function wordsOf(value: number): [low: number, high: number] {
  float[0] = value
  return [words[0]!, words[1]!]
}

/** Writes a log for tests, a file write a commit. */
export class TestLog {
  readonly directory: string
  segment = 0
  readonly #builder = new RecordBuilder()
  readonly #fragments = new FragmentWriter(segmentBytesMax, true)

  /** `dataDirectory`: its `wal` is made. */
  constructor(dataDirectory: string, segment = 0) {
    this.directory = join(dataDirectory, 'wal')
    this.segment = segment
    mkdirSync(this.directory, { recursive: true })
    appendFileSync(this.path, '')
  }

  get path(): string {
    return join(this.directory, segmentName(this.segment))
  }

  get end(): LogPlace {
    return { segment: this.segment, offset: statSync(this.path).size }
  }

  /** Labels by reference: name and value by turns. */
  series(series: Readonly<Record<number, readonly string[]>>): void {
    this.record(seriesRecord, (builder) => {
      for (const [ref, labels] of Object.entries(series)) builder.addSeries(Number(ref), labels)
    })
  }

  samples(...samples: readonly (readonly [ref: number, timeMs: number, value: number])[]): void {
    this.record(samplesRecord, (builder) => {
      for (const [ref, timeMs, value] of samples) builder.addSample(ref, timeMs, ...wordsOf(value))
    })
  }

  record(type: number, put: (builder: RecordBuilder) => void): void {
    appendFileSync(this.path, this.encode(type, put))
  }

  /** The bytes of a record, which the caller writes. */
  encode(type: number, put: (builder: RecordBuilder) => void): Uint8Array {
    this.#builder.begin(type)
    put(this.#builder)
    this.#fragments.start = statSync(this.path).size
    this.#fragments.prepare(this.#builder.view(), this.#builder.length)
    this.#fragments.put()
    const bytes = this.#fragments.bytes.slice(0, this.#fragments.length)
    this.#fragments.takenAway()
    return bytes
  }

  nextSegment(): void {
    this.segment++
    appendFileSync(this.path, '')
  }

  takeBack(to: LogPlace): void {
    truncateSync(this.path, to.offset)
  }
}
