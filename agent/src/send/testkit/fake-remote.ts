import { readExemplar1, readExemplar2 } from '@narthex/wire/exemplar-message'
import { readHistogram } from '@narthex/wire/histogram-message'
import type { WireHistogram } from '@narthex/wire/histogram-message'
import { LabelPairs } from '@narthex/wire/label-pairs'
import type { NestedMessages } from '@narthex/wire/request-columns'
import { RemoteWrite1Reader } from '@narthex/wire/remote-write-1'
import { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import { uncompress } from '@narthex/wire/snappy'
import type { RemotePoster } from '../delivery.ts'
import type { RemoteAnswer } from '../verdict.ts'

export interface ReceivedRequest {
  readonly version: 1 | 2
  readonly headers: Readonly<Record<string, string>>
  readonly samples: readonly ReceivedSample[]
  readonly histograms: readonly ReceivedHistogram[]
  readonly exemplars: readonly ReceivedExemplar[]
  readonly metadata: readonly string[]
}

export interface ReceivedSample {
  /** name=value,… */
  readonly series: string
  readonly timeMs: number
  readonly value: number
  /** Only there if it was sent. */
  readonly startTimeMs?: number
}

export interface ReceivedHistogram extends WireHistogram {
  readonly series: string
}

export interface ReceivedExemplar {
  readonly series: string
  /** name=value,… */
  readonly labels: string
  readonly timeMs: number
  readonly value: number
}

/** For tests: decodes every request and lets the test choose the answer. */
export class FakeRemote implements RemotePoster {
  readonly requests: ReceivedRequest[] = []
  /** Status (and headers) per request; a thrown error is a broken connection. Default: 204 with what a 2.0 receiver says. */
  answer: (request: ReceivedRequest, attempt: number) => Partial<RemoteAnswer> | Promise<Partial<RemoteAnswer>> = () => ({})
  /** Samples of requests that were answered 2xx. */
  readonly stored: ReceivedSample[] = []

  async post(headers: Readonly<Record<string, string>>, body: Uint8Array, signal: AbortSignal): Promise<RemoteAnswer> {
    const request = decodeRequest(headers, body)
    this.requests.push(request)
    const aborted = new Promise<never>((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
    aborted.catch(() => undefined)
    const given = await Promise.race([aborted, Promise.resolve(this.answer(request, this.requests.length))])
    const status = given.status ?? 204
    if (status < 300) this.stored.push(...request.samples)
    const written = request.version === 2 && status < 300 ? countWritten(request) : {}
    return { status, headers: given.headers ?? written, body: given.body ?? new Uint8Array(0) }
  }
}

function countWritten({ samples, histograms, exemplars }: ReceivedRequest): Record<string, string> {
  return {
    'x-prometheus-remote-write-samples-written': String(samples.length),
    'x-prometheus-remote-write-histograms-written': String(histograms.length),
    'x-prometheus-remote-write-exemplars-written': String(exemplars.length),
  }
}

/** What a request says, whichever version it is. */
export function decodeRequest(headers: Readonly<Record<string, string>>, body: Uint8Array): ReceivedRequest {
  const bytes = uncompress(body, 1 << 25)
  return headers['Content-Type']?.includes('v2') === true ? decode2(headers, bytes) : decode1(headers, bytes)
}

function decode1(headers: Readonly<Record<string, string>>, bytes: Uint8Array): ReceivedRequest {
  const reader = new RemoteWrite1Reader()
  reader.read(bytes)
  const pairs = new LabelPairs()
  const values = new Float64Array(reader.samples.words.buffer)
  const samples: ReceivedSample[] = []
  const names: string[] = []
  for (let i = 0; i < reader.seriesCount; i++) {
    pairs.read(bytes, reader.labelsStart[i]!, reader.labelsEnd[i]!)
    const texts: string[] = []
    for (let k = 0; k < 2 * pairs.count; k++)
      texts.push(Buffer.from(bytes.subarray(pairs.offsets[2 * k], pairs.offsets[2 * k + 1])).toString())
    const series = seriesText(texts)
    names.push(series)
    for (let s = i === 0 ? 0 : reader.sampleEnd[i - 1]!; s < reader.sampleEnd[i]!; s++) {
      samples.push({ series, timeMs: reader.samples.times[s]!, value: values[s]! })
    }
  }
  const exemplars = Array.from({ length: reader.exemplarCount }, (_, i): ReceivedExemplar => {
    const { labels, value, timestampMs } = readExemplar1(bytes, reader.exemplars.starts[i]!, reader.exemplars.ends[i]!)
    return { series: names[reader.exemplars.series[i]!]!, labels: seriesText(labels), value, timeMs: timestampMs }
  })
  const histograms = readHistograms(bytes, reader.histograms, names)
  const metadata = Array.from({ length: reader.metadataCount }, (_, i) => reader.metadata(i)).map(
    ({ family, type, help }) => `${family} ${type} ${help}`,
  )
  return { version: 1, headers, samples, histograms, exemplars, metadata }
}

function decode2(headers: Readonly<Record<string, string>>, bytes: Uint8Array): ReceivedRequest {
  const reader = new RemoteWrite2Reader()
  reader.read(bytes)
  const values = new Float64Array(reader.samples.words.buffer)
  const symbol = (ref: number) => Buffer.from(bytes.subarray(reader.symbolStart[ref], reader.symbolEnd[ref])).toString()
  const samples: ReceivedSample[] = []
  const metadata: string[] = []
  const names: string[] = []
  for (let i = 0; i < reader.seriesCount; i++) {
    const series = seriesText([...reader.labelRefs.subarray(i === 0 ? 0 : reader.labelRefsEnd[i - 1], reader.labelRefsEnd[i])].map(symbol))
    names.push(series)
    for (let s = i === 0 ? 0 : reader.sampleEnd[i - 1]!; s < reader.sampleEnd[i]!; s++) {
      const startTimeMs = reader.samples.startTimes?.[s] ?? 0
      samples.push({ series, timeMs: reader.samples.times[s]!, value: values[s]!, ...(startTimeMs === 0 ? {} : { startTimeMs }) })
    }
    if (reader.metadata[3 * i] !== 0) metadata.push(`${series} ${reader.metadata[3 * i]} ${symbol(reader.metadata[3 * i + 1]!)}`)
  }
  const { exemplars, symbolCount } = reader
  const receivedExemplars = Array.from({ length: exemplars.count }, (_, i): ReceivedExemplar => {
    const { labelRefs, value, timestampMs } = readExemplar2(bytes, exemplars.starts[i]!, exemplars.ends[i]!, symbolCount)
    return { series: names[exemplars.series[i]!]!, labels: seriesText(labelRefs.map(symbol)), value, timeMs: timestampMs }
  })
  const histograms = readHistograms(bytes, reader.histograms, names)
  return { version: 2, headers, samples, histograms, exemplars: receivedExemplars, metadata }
}

function readHistograms(bytes: Uint8Array, messages: NestedMessages, names: readonly string[]): ReceivedHistogram[] {
  return Array.from({ length: messages.count }, (_, i) => ({
    series: names[messages.series[i]!]!,
    ...readHistogram(bytes, messages.starts[i]!, messages.ends[i]!),
  }))
}

function seriesText(texts: readonly string[]): string {
  return Array.from({ length: texts.length / 2 }, (_, i) => `${texts[2 * i]}=${texts[2 * i + 1]}`).join(',')
}
