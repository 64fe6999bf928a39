import type { Logger } from '@narthex/service/logger'
import { createFieldPlaces, type LineReader } from './access-log-fields.ts'
import type { AccessLogMeter } from './access-log-meter.ts'
import { LogTail } from './log-tail.ts'

/** Of a line that cannot be read the log tells no more: addresses may hold secrets. */
const toldBytes = 40

export interface AccessLogFileOptions {
  readonly path: string
  /** Value of the label host where a line names none. */
  readonly host: string
  readonly reader: LineReader
  readonly meter: AccessLogMeter
  readonly log: Logger
  readonly nowMs: () => number
  /** Shared by all files: they are read one after the other. */
  readonly buffer: Buffer
  /** False for a file that came after the start: all of it is new. */
  readonly startsAtEnd: boolean
}

/** One access log: its lines go to the meter. What is wrong with it is logged when it begins and when it is over. */
export class AccessLogFile {
  readonly path: string
  readonly #tail: LogTail
  readonly #log: Logger
  #failure: string | undefined
  #hasToldLine = false

  lines = 0
  parseErrors = 0

  constructor({ buffer, host, log, meter, nowMs, path, reader, startsAtEnd }: AccessLogFileOptions) {
    this.path = path
    this.#log = log
    const places = createFieldPlaces()
    const fileHost = new TextEncoder().encode(host)
    this.#tail = new LogTail({
      path,
      nowMs,
      buffer,
      startsAtEnd,
      onLine: (bytes, start, end) => {
        this.lines++
        if (!reader(bytes, start, end, places) || !meter.record(bytes, places, fileHost))
          this.#refuseLine(bytes.toString('utf8', start, Math.min(end, start + toldBytes)))
      },
      onLongLine: () => {
        this.lines++
        this.#refuseLine('a line of more than 64 KiB')
      },
    })
  }

  get rotations(): number {
    return this.#tail.rotations
  }

  get isUp(): boolean {
    return this.#tail.isOpen && this.#failure === undefined
  }

  async poll(): Promise<void> {
    try {
      await this.#tail.poll()
      if (this.#failure !== undefined) this.#log.info('access log can be read', { path: this.path })
      this.#failure = undefined
    } catch (error) {
      const failure = error instanceof Error ? error.message : String(error)
      if (failure !== this.#failure) this.#log.warn('cannot read access log', { path: this.path, err: error })
      this.#failure = failure
    }
  }

  close(): Promise<void> {
    return this.#tail.close()
  }

  #refuseLine(line: string): void {
    this.parseErrors++
    if (this.#hasToldLine) return
    this.#hasToldLine = true
    this.#log.warn('access log has a line that is not of its format, see --nginx.access-log.format; further ones are counted', {
      path: this.path,
      line,
    })
  }
}
