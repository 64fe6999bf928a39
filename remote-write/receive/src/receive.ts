import { WireError } from '@narthex/wire/protobuf-cursor'
import { RemoteWrite1Reader } from '@narthex/wire/remote-write-1'
import { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import { bodyBytesMax, SnappyError, uncompress } from '@narthex/wire/snappy'
import { appendVersion1, handOnMetadata1 } from './append-1.ts'
import { handOnMetadata2, Version2Appender } from './append-2.ts'
import { appendExemplars1, appendExemplars2 } from './append-exemplars.ts'
import { HeadFullError } from './appender.ts'
import type { ExemplarSink, HeadAppender, MetadataSink } from './appender.ts'
import { checkContentEncoding, readContentType } from './content-type.ts'
import type { WireVersion } from './content-type.ts'
import { noteSeriesMetadata } from './note-series-metadata.ts'
import { RequestReport } from './request-report.ts'
import type { RequestCounts } from './request-report.ts'

/** Samples further ahead of our clock are refused, as in Prometheus. */
export const futureToleranceMs = 10 * 60_000
const fullRetryAfterSeconds = 10
const noRoomRetryAfterSeconds = 5

export interface ReceiveOptions {
  readonly appender: HeadAppender
  readonly metadata: MetadataSink
  /** Undefined: exemplars are not kept. */
  readonly exemplars?: ExemplarSink | undefined
  readonly now: () => number
  /** Why nothing is taken now, if so: requests are answered with 503 unread. */
  readonly refusal?: () => string | undefined
  /** Reports what the head could not write; the sender is told to try again. */
  readonly onCommitError?: (error: unknown) => void
}

export interface ReceiveAnswer {
  /** 204 all stored · 400 malformed (nothing stored) or partly refused (the rest stored) · 415 wrong type or encoding · 500 log not written · 503 head or disk full (nothing stored, come again). */
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** Empty for 204. */
  readonly errorText: string
  readonly version: WireVersion | undefined
  readonly counts: Readonly<RequestCounts>
}

/**
 * Turns remote-write bodies into appends. A request is checked as a whole before its first sample is appended, so a
 * malformed one changes nothing. Not re-entrant, and it keeps no reference to a body.
 */
export class Receiver {
  readonly #options: ReceiveOptions
  readonly #reader1 = new RemoteWrite1Reader()
  readonly #reader2 = new RemoteWrite2Reader()
  readonly #version2 = new Version2Appender()

  constructor(options: ReceiveOptions) {
    this.#options = options
  }

  /** `body` is the compressed body as it came. */
  receive(contentType: string | undefined, contentEncoding: string | undefined, body: Uint8Array): ReceiveAnswer {
    const report = new RequestReport()
    const version = readContentType(contentType)
    if (typeof version === 'string') return answer(415, version, undefined, report)
    const encodingProblem = checkContentEncoding(contentEncoding)
    if (encodingProblem !== undefined) return answer(415, encodingProblem, version, report)
    const refusal = this.#options.refusal?.()
    if (refusal !== undefined) return comeAgain(refusal, version, noRoomRetryAfterSeconds)
    let bytes: Uint8Array | undefined
    try {
      bytes = uncompress(body, bodyBytesMax)
      if (version === 1) this.#reader1.read(bytes, 0, bytes.length, this.#options.appender)
      else this.#reader2.read(bytes)
      return this.#append(version, report)
    } catch (error) {
      if (error instanceof SnappyError || error instanceof WireError) return answer(400, error.message, version, report)
      throw error
    } finally {
      // Half a megabyte a request, given back here: left to the collector it costs a full collection every few dozen requests,
      // whose helper threads take the cores from this one.
      if (bytes !== undefined) (bytes.buffer as ArrayBuffer).transfer(0)
    }
  }

  #append(version: WireVersion, report: RequestReport): ReceiveAnswer {
    const { appender, metadata, exemplars, now, onCommitError } = this.#options
    const reader = version === 1 ? this.#reader1 : this.#reader2
    const latestMs = now() + futureToleranceMs
    try {
      if (version === 1) {
        appendVersion1(this.#reader1, appender, latestMs, report)
        if (exemplars !== undefined) appendExemplars1(this.#reader1, appender, exemplars, latestMs, report)
        handOnMetadata1(this.#reader1, metadata, report)
      } else {
        this.#version2.append(this.#reader2, appender, latestMs, report)
        if (exemplars !== undefined) appendExemplars2(this.#reader2, this.#version2.refs, exemplars, latestMs, report)
        handOnMetadata2(this.#reader2, metadata, report)
        if (metadata.series !== undefined) noteSeriesMetadata(this.#reader2, this.#version2.refs, metadata.series)
      }
      if (exemplars === undefined) report.counts.refusedExemplars = reader.exemplarCount
    } catch (error) {
      this.#rollback()
      if (!(error instanceof HeadFullError)) throw error
      return comeAgain(error.message, version, fullRetryAfterSeconds)
    }
    try {
      appender.commit()
      exemplars?.commit()
      metadata.series?.commit()
    } catch (error) {
      this.#rollback()
      if (isNoRoom(error)) return comeAgain(error.message, version, noRoomRetryAfterSeconds)
      onCommitError?.(error)
      const nothing = new RequestReport()
      return answer(500, `cannot write samples to the log: ${error instanceof Error ? error.message : String(error)}`, version, nothing)
    }
    return report.failed ? answer(400, report.text(), version, report) : answer(204, '', version, report)
  }

  #rollback(): void {
    const { appender, metadata, exemplars } = this.#options
    appender.rollback()
    exemplars?.rollback()
    metadata.series?.rollback()
  }
}

const noHeaders: Readonly<Record<string, string>> = {}

function answer(status: number, errorText: string, version: WireVersion | undefined, report: RequestReport): ReceiveAnswer {
  const headers = version === 2 ? writtenHeaders(report.counts) : noHeaders
  return { status, headers, errorText, version, counts: report.counts }
}

function comeAgain(text: string, version: WireVersion | undefined, retryAfterSeconds: number): ReceiveAnswer {
  const refused = answer(503, text, version, new RequestReport())
  return { ...refused, headers: { ...refused.headers, 'Retry-After': String(retryAfterSeconds) } }
}

/** The disk is full: whoever guards it has said so, and the sender is to come again. */
function isNoRoom(error: unknown): error is Error {
  return error instanceof Error && error.name === 'DiskFullError'
}

/** For 2.0 only, on success and failure: senders of 1.0 must not see them. */
function writtenHeaders(counts: RequestCounts): Record<string, string> {
  return {
    'X-Prometheus-Remote-Write-Samples-Written': String(counts.samples),
    'X-Prometheus-Remote-Write-Histograms-Written': String(counts.histograms),
    'X-Prometheus-Remote-Write-Exemplars-Written': String(counts.exemplars),
  }
}
