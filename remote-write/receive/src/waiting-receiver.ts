import type { WireVersion } from './content-type.ts'
import { answer, comeAgain } from './receive-answer.ts'
import type { ReceiveAnswer, RequestTaker } from './receive-answer.ts'
import { RequestOpener } from './request-opener.ts'
import { RequestReport } from './request-report.ts'

/** Where requests wait on the disk. */
export interface WaitingRequests {
  /** After it returned true the request survives a SIGKILL; false: too much waits already. Throws if the disk cannot be written. */
  keep(version: WireVersion, body: Uint8Array): boolean
}

export interface WaitingReceiverOptions {
  readonly waiting: WaitingRequests
  /** Whether exemplars will be kept. */
  readonly keepsExemplars: boolean
  readonly onError: (error: unknown) => void
}

const retryAfterSeconds = 5

/**
 * Takes remote-write requests while the storage is not there yet: a well-formed one is put aside as it came and acknowledged. Whether the head
 * will take each sample (order, limits, labels) is known only when it is there.
 */
export class WaitingReceiver implements RequestTaker {
  readonly #options: WaitingReceiverOptions
  readonly #requests = new RequestOpener()

  constructor(options: WaitingReceiverOptions) {
    this.#options = options
  }

  receive(contentType: string | undefined, contentEncoding: string | undefined, body: Uint8Array): ReceiveAnswer {
    const requests = this.#requests
    const version = requests.versionOf(contentType, contentEncoding)
    if (typeof version !== 'number') return version
    return requests.open(version, body, undefined, () => this.#keep(version, body))
  }

  #keep(version: WireVersion, body: Uint8Array): ReceiveAnswer {
    const { waiting, keepsExemplars, onError } = this.#options
    try {
      if (!waiting.keep(version, body)) {
        return comeAgain(429, 'too many requests wait for the storage, which is being read: try again later', version, retryAfterSeconds)
      }
    } catch (error) {
      onError(error)
      const reason = error instanceof Error ? error.message : String(error)
      return comeAgain(503, `cannot keep the request until the storage is read: ${reason}`, version, retryAfterSeconds)
    }
    const { reader1, reader2 } = this.#requests
    const reader = version === 1 ? reader1 : reader2
    const report = new RequestReport()
    report.counts.samples = reader.samples.length
    report.counts.histograms = reader.histogramCount
    if (keepsExemplars) report.counts.exemplars = reader.exemplarCount
    return answer(204, '', version, report)
  }
}
