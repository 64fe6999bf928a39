import { Agent, request } from 'node:http'
import snappy from 'snappy'
import type { RemoteWriteLoad } from '../bench/remote-write-load.ts'

// Remote-write 1.0 as the tests and benches send it: written here once more on purpose, independent of `common/wire`.

/** Stands for the value that ends a series: a number cannot, JavaScript quietens its bits. */
export const staleMarker = 'stale'

export interface WriteSeries {
  readonly labels: Readonly<Record<string, string>>
  readonly samples: readonly (readonly [timeMs: number, value: number | typeof staleMarker])[]
  readonly exemplars?: readonly WriteExemplar[]
  /** `Histogram` messages without their timestamps. */
  readonly histograms?: readonly (readonly [timeMs: number, message: Uint8Array])[]
}

export interface WriteExemplar {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
  readonly timeMs: number
}

export interface WriteMetadata {
  /** 1 counter, 2 gauge, 3 histogram, … */
  readonly type: number
  readonly family: string
  readonly help: string
  readonly unit: string
}

/** Sends one request; throws the server's text unless it answers 2xx. */
export function writeRequest(url: string, series: readonly WriteSeries[], metadata: readonly WriteMetadata[] = []): Promise<void> {
  const message = Buffer.concat([
    ...series.map((one) => field(1, encodeSeries(one))),
    ...metadata.map((one) => field(3, encodeMetadata(one))),
  ])
  return post(`${url}/api/v1/write`, snappy.compressSync(message) as Buffer, new Agent())
}

/** Sends the current step of a load request by request; `onAcknowledged` hears of each that was answered 2xx. */
export async function sendRound(load: RemoteWriteLoad, url: string, onAcknowledged: (request: number) => void): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  try {
    for (let index = 0; index < load.requestCount; index++) {
      await post(`${url}/api/v1/write`, snappy.compressSync(load.encode(index)) as Buffer, agent)
      onAcknowledged(index)
    }
  } finally {
    agent.destroy()
  }
}

export function post(url: string, body: Uint8Array, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const headers = {
      'Content-Type': 'application/x-protobuf',
      'Content-Encoding': 'snappy',
      'X-Prometheus-Remote-Write-Version': '0.1.0',
      'User-Agent': 'narthex-test',
      'Content-Length': String(body.length),
    }
    const call = request(url, { method: 'POST', agent, headers }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => {
        const status = response.statusCode ?? 0
        if (status >= 200 && status < 300) resolve()
        else reject(new Error(`cannot write: the server answered ${status} ${Buffer.concat(chunks).toString().slice(0, 300)}`))
      })
      response.on('error', reject)
    })
    call.on('error', reject)
    call.end(body)
  })
}

function encodeSeries({ labels, samples, exemplars = [], histograms = [] }: WriteSeries): Buffer {
  return Buffer.concat([
    ...encodeLabels(labels),
    ...samples.map(([timeMs, value]) => field(2, encodeSample(timeMs, value))),
    ...exemplars.map((exemplar) => field(3, encodeExemplar(exemplar))),
    ...histograms.map(([timeMs, message]) => field(4, Buffer.concat([message, Buffer.from([0x78]), varint(timeMs)]))),
  ])
}

function encodeLabels(labels: Readonly<Record<string, string>>): Buffer[] {
  const names = Object.keys(labels).sort()
  return names.map((name) => field(1, Buffer.concat([field(1, Buffer.from(name)), field(2, Buffer.from(labels[name]!))])))
}

function encodeExemplar({ labels, value, timeMs }: WriteExemplar): Buffer {
  const bits = Buffer.alloc(8)
  bits.writeDoubleLE(value)
  return Buffer.concat([...encodeLabels(labels), Buffer.from([0x11]), bits, Buffer.from([0x18]), varint(timeMs)])
}

function encodeMetadata({ type, family, help, unit }: WriteMetadata): Buffer {
  const texts = [field(2, Buffer.from(family)), field(4, Buffer.from(help)), field(5, Buffer.from(unit))]
  return Buffer.concat([Buffer.from([0x08]), varint(type), ...texts])
}

function encodeSample(timeMs: number, value: number | typeof staleMarker): Buffer {
  const bits = Buffer.alloc(8)
  if (value === staleMarker) bits.writeBigUInt64LE(0x7ff0000000000002n)
  else bits.writeDoubleLE(value)
  return Buffer.concat([Buffer.from([0x09]), bits, Buffer.from([0x10]), varint(timeMs)])
}

function field(number: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([(number << 3) | 2]), varint(body.length), body])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  while (value >= 128) {
    bytes.push((value % 128) | 128)
    value = Math.floor(value / 128)
  }
  bytes.push(value)
  return Buffer.from(bytes)
}
