import { createWriteStream, type WriteStream } from 'node:fs'
import type { Logger } from '@narthex/service/logger'
import { gridOf, viewStatistics, type EndedQuery } from './query-observer.ts'

/** Bytes of lines that wait for the disk; what comes on top is counted as failed. */
const waitingBytesMax = 4 * 1024 * 1024

/** The file that `global.query_log_file` names: one line of JSON for each PromQL query, as Prometheus 3 writes it. */
export class QueryLog {
  readonly #log: Logger
  readonly #onFailure: () => void
  #path = ''
  #stream: WriteStream | undefined

  constructor(log: Logger, onFailure: () => void) {
    this.#log = log
    this.#onFailure = onFailure
  }

  get isOn(): boolean {
    return this.#stream !== undefined
  }

  /** Opens the file ('' = none), at the start and at each reload: one that was moved away is made anew. */
  open(path: string): void {
    const closed = this.#stream
    this.#path = path
    this.#stream = path === '' ? undefined : this.#openStream(path)
    closed?.end()
  }

  write(ended: EndedQuery): void {
    const stream = this.#stream
    const line = stream === undefined ? undefined : describeLine(ended)
    if (stream === undefined || line === undefined) return
    if (stream.writableLength + line.length > waitingBytesMax) return this.#onFailure()
    stream.write(line)
  }

  close(): Promise<void> {
    const stream = this.#stream
    this.#stream = undefined
    return stream === undefined || stream.destroyed ? Promise.resolve() : new Promise((resolve) => void stream.end(() => resolve()))
  }

  #openStream(path: string): WriteStream {
    const stream = createWriteStream(path, { flags: 'a' })
    stream.on('error', (error) => {
      this.#onFailure()
      if (this.#stream !== stream) return
      this.#stream = undefined
      this.#log.error('Cannot write the query log; it is off until the next reload', { path: this.#path, err: error })
    })
    return stream
  }
}

function describeLine({ request, origin, askedMs, queuedMs, totalMs, measures, failure }: EndedQuery): string | undefined {
  const grid = gridOf(request)
  if (grid === undefined) return undefined
  const { query, startMs, endMs, stepMs } = grid
  const line = {
    time: new Date(askedMs + totalMs).toISOString(),
    level: 'INFO',
    msg: 'promql query logged',
    params: { end: describeTime(endMs), query, start: describeTime(startMs), step: Math.trunc(stepMs / 1000) },
    ...(failure === undefined ? {} : { error: failure.message }),
    stats: viewStatistics(measures ?? { ...nothingMeasured, evaluationMs: totalMs - queuedMs }, queuedMs),
    ...(origin?.kind === 'http'
      ? { httpRequest: { clientIP: origin.clientAddress, method: origin.method, path: origin.path } }
      : origin?.kind === 'rules' && origin.group !== undefined
        ? { ruleGroup: origin.group }
        : {}),
  }
  return `${JSON.stringify(line)}\n`
}

/** Times beyond what dates can say are told as the nearest that they can. */
function describeTime(ms: number): string {
  return new Date(Math.min(8.64e15, Math.max(-8.64e15, ms))).toISOString()
}

const nothingMeasured = {
  ...{ preparationMs: 0, evaluationMs: 0, totalQueryableSamples: 0, samplesRead: 0, peakSamples: 0, peakBytes: 0, series: 0 },
}
