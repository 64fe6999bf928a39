import { appendVersion1, handOnMetadata1 } from './append-1.ts'
import { handOnMetadata2, Version2Appender } from './append-2.ts'
import { appendExemplars1, appendExemplars2 } from './append-exemplars.ts'
import { HeadFullError } from './appender.ts'
import type { ExemplarSink, HeadAppender, MetadataSink } from './appender.ts'
import type { WireVersion } from './content-type.ts'
import { noteSeriesMetadata } from './note-series-metadata.ts'
import { answer, comeAgain } from './receive-answer.ts'
import type { ReceiveAnswer, RequestTaker } from './receive-answer.ts'
import { RequestOpener } from './request-opener.ts'
import { RequestReport } from './request-report.ts'

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

/**
 * Turns remote-write bodies into appends. A request is checked as a whole before its first sample is appended, so a
 * malformed one changes nothing. Not re-entrant, and it keeps no reference to a body.
 */
export class Receiver implements RequestTaker {
  readonly #options: ReceiveOptions
  readonly #requests = new RequestOpener()
  readonly #version2 = new Version2Appender()

  constructor(options: ReceiveOptions) {
    this.#options = options
  }

  receive(contentType: string | undefined, contentEncoding: string | undefined, body: Uint8Array): ReceiveAnswer {
    const version = this.#requests.versionOf(contentType, contentEncoding)
    return typeof version === 'number' ? this.receiveVersion(version, body) : version
  }

  /** As `receive`, of a version that is known. */
  receiveVersion(version: WireVersion, body: Uint8Array): ReceiveAnswer {
    const refusal = this.#options.refusal?.()
    if (refusal !== undefined) return comeAgain(503, refusal, version, noRoomRetryAfterSeconds)
    return this.#requests.open(version, body, this.#options.appender, () => this.#append(version, new RequestReport()))
  }

  #append(version: WireVersion, report: RequestReport): ReceiveAnswer {
    const { appender, metadata, exemplars, now, onCommitError } = this.#options
    const { reader1, reader2 } = this.#requests
    const reader = version === 1 ? reader1 : reader2
    const latestMs = now() + futureToleranceMs
    try {
      if (version === 1) {
        appendVersion1(reader1, appender, latestMs, report)
        if (exemplars !== undefined) appendExemplars1(reader1, appender, exemplars, latestMs, report)
        handOnMetadata1(reader1, metadata, report)
      } else {
        this.#version2.append(reader2, appender, latestMs, report)
        if (exemplars !== undefined) appendExemplars2(reader2, this.#version2.refs, exemplars, latestMs, report)
        handOnMetadata2(reader2, metadata, report)
        if (metadata.series !== undefined) noteSeriesMetadata(reader2, this.#version2.refs, metadata.series)
      }
      if (exemplars === undefined) report.counts.refusedExemplars = reader.exemplarCount
    } catch (error) {
      this.#rollback()
      if (!(error instanceof HeadFullError)) throw error
      return comeAgain(503, error.message, version, fullRetryAfterSeconds)
    }
    try {
      appender.commit()
      exemplars?.commit()
      metadata.series?.commit()
    } catch (error) {
      this.#rollback()
      if (isNoRoom(error)) return comeAgain(503, error.message, version, noRoomRetryAfterSeconds)
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

/** The disk is full: whoever guards it has said so, and the sender is to come again. */
function isNoRoom(error: unknown): error is Error {
  return error instanceof Error && error.name === 'DiskFullError'
}
