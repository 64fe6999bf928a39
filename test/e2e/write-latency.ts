import { connect, type Socket } from 'node:net'
import { once } from 'node:events'
import snappy from 'snappy'
import type { RemoteWriteLoad } from '../bench/remote-write-load.ts'

// Remote-write requests at a steady pace over plain sockets, so that the client adds as little as possible to what it measures.

const responseBytesMax = 64 * 1024

export interface PacedOptions {
  readonly connections: number
  readonly requestsPerSecond: number
  /** Count from the time at which a request was due, not from its last byte written: one that waits for its turn is late. */
  readonly fromDue?: boolean
}

/** Requests of whole steps of a load, ready to be written to a socket: head and compressed body in one piece. */
export function prepareRequests(load: RemoteWriteLoad, url: string, count: number): Buffer[] {
  const { host } = new URL(url)
  const requests: Buffer[] = []
  while (requests.length < count) {
    load.step()
    for (let i = 0; i < load.requestCount && requests.length < count; i++) {
      const body = snappy.compressSync(load.encode(i)) as Buffer
      const head = `POST /api/v1/write HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/x-protobuf\r\nContent-Encoding: snappy\r\nContent-Length: ${body.length}\r\n\r\n`
      requests.push(Buffer.concat([Buffer.from(head), body]))
    }
  }
  return requests
}

/**
 * Sends the requests, each at its time (or when its connection is free again, if that is later), and gives for each the
 * milliseconds from its last byte written (or its time) to the status of the answer. Throws unless every answer is 204.
 */
export async function sendPaced(requests: readonly Buffer[], url: string, options: PacedOptions): Promise<Float64Array> {
  const { connections, requestsPerSecond } = options
  const elapsedMs = new Float64Array(requests.length)
  const beginMs = performance.now()
  let next = 0
  const work = async () => {
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.setNoDelay(true)
    await once(socket, 'connect')
    try {
      while (next < requests.length) {
        const index = next++
        const dueMs = beginMs + (index * 1000) / requestsPerSecond
        const waitMs = dueMs - performance.now()
        if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs))
        const takenMs = await exchange(socket, requests[index]!)
        elapsedMs[index] = options.fromDue === true ? performance.now() - dueMs : takenMs
      }
    } finally {
      socket.destroy()
    }
  }
  await Promise.all(Array.from({ length: connections }, work))
  return elapsedMs
}

/** Sends the requests as fast as the connections take them. */
export async function sendAll(requests: readonly Buffer[], url: string, connections: number): Promise<void> {
  await sendPaced(requests, url, { connections, requestsPerSecond: Infinity })
}

function exchange(socket: Socket, request: Buffer): Promise<number> {
  return new Promise((resolve, reject) => {
    let response = ''
    let writtenMs = 0
    const end = (error?: Error) => {
      socket.removeAllListeners('data').removeAllListeners('error').removeAllListeners('close')
      if (error) reject(error)
    }
    socket.on('error', end)
    socket.on('close', () => end(new Error(`cannot write: the connection was closed after ${JSON.stringify(response)}`)))
    socket.on('data', (chunk: Buffer) => {
      const arrivedMs = performance.now()
      response += chunk.toString('latin1')
      if (response.startsWith('HTTP/1.1 204') && response.endsWith('\r\n\r\n')) {
        end()
        resolve(arrivedMs - writtenMs)
      } else if (response.length > responseBytesMax || (response.length > 12 && !response.startsWith('HTTP/1.1 204'))) {
        end(new Error(`cannot write: want 204, got ${response.slice(0, 300)}`))
      }
    })
    socket.write(request, () => {
      // Taken when the kernel has all of it; in most cases that was within the call of write, see below.
      if (writtenMs === 0) writtenMs = performance.now()
    })
    if (socket.writableLength === 0) writtenMs = performance.now()
  })
}

/** The value below which `share` of all lie, by the nearest rank. */
export function percentile(values: Float64Array, share: number): number {
  const sorted = values.slice().sort()
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? NaN
}
