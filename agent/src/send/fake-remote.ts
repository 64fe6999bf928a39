import { LabelPairs } from '@narthex/wire/label-pairs'
import { RemoteWrite1Reader } from '@narthex/wire/remote-write-1'
import { RemoteWrite2Reader } from '@narthex/wire/remote-write-2'
import { uncompress } from '@narthex/wire/snappy'
import type { RemotePoster } from './delivery.ts'
import type { RemoteAnswer } from './verdict.ts'

export interface ReceivedRequest {
  readonly version: 1 | 2
  readonly headers: Readonly<Record<string, string>>
  readonly samples: readonly ReceivedSample[]
  readonly metadata: readonly string[]
}

export interface ReceivedSample {
  /** name=value,… */
  readonly series: string
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
    const written: Record<string, string> =
      request.version === 2 && status < 300 ? { 'x-prometheus-remote-write-samples-written': String(request.samples.length) } : {}
    return { status, headers: given.headers ?? written, body: given.body ?? new Uint8Array(0) }
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
  const samples: ReceivedSample[] = []
  const values = new Float64Array(reader.samples.words.buffer)
  for (let i = 0; i < reader.seriesCount; i++) {
    pairs.read(bytes, reader.labelsStart[i]!, reader.labelsEnd[i]!)
    const texts: string[] = []
    for (let k = 0; k < 2 * pairs.count; k++)
      texts.push(Buffer.from(bytes.subarray(pairs.offsets[2 * k], pairs.offsets[2 * k + 1])).toString())
    for (let s = i === 0 ? 0 : reader.sampleEnd[i - 1]!; s < reader.sampleEnd[i]!; s++) {
      samples.push({ series: seriesText(texts), timeMs: reader.samples.times[s]!, value: values[s]! })
    }
  }
  const metadata = Array.from({ length: reader.metadataCount }, (_, i) => reader.metadata(i)).map(
    ({ family, type, help }) => `${family} ${type} ${help}`,
  )
  return { version: 1, headers, samples, metadata }
}

function decode2(headers: Readonly<Record<string, string>>, bytes: Uint8Array): ReceivedRequest {
  const reader = new RemoteWrite2Reader()
  reader.read(bytes)
  const values = new Float64Array(reader.samples.words.buffer)
  const symbol = (ref: number) => Buffer.from(bytes.subarray(reader.symbolStart[ref], reader.symbolEnd[ref])).toString()
  const samples: ReceivedSample[] = []
  const metadata: string[] = []
  for (let i = 0; i < reader.seriesCount; i++) {
    const series = seriesText([...reader.labelRefs.subarray(i === 0 ? 0 : reader.labelRefsEnd[i - 1], reader.labelRefsEnd[i])].map(symbol))
    for (let s = i === 0 ? 0 : reader.sampleEnd[i - 1]!; s < reader.sampleEnd[i]!; s++)
      samples.push({ series, timeMs: reader.samples.times[s]!, value: values[s]! })
    if (reader.metadata[3 * i] !== 0) metadata.push(`${series} ${reader.metadata[3 * i]} ${symbol(reader.metadata[3 * i + 1]!)}`)
  }
  return { version: 2, headers, samples, metadata }
}

function seriesText(texts: readonly string[]): string {
  return Array.from({ length: texts.length / 2 }, (_, i) => `${texts[2 * i]}=${texts[2 * i + 1]}`).join(',')
}
