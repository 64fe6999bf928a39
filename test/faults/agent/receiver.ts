import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { decodeWrite } from './decode-write.ts'
import type { ReceivedSeries, ReceiverReport } from './ledger.ts'

// A remote-write receiver that can be told to misbehave, and that keeps book of every sample.

export type Behaviour =
  | { readonly kind: 'ok' }
  /** Takes everything and keeps no book. */
  | { readonly kind: 'discard' }
  /** One request in four goes wrong: 503 before or after storing, a cut connection, 429 with Retry-After. */
  | { readonly kind: 'flaky'; readonly random: () => number }
  /** Answers after this time. */
  | { readonly kind: 'slow'; readonly delayMs: number }
  /** Takes connections and requests and never answers. */
  | { readonly kind: 'black-hole' }
  /** Cuts every connection. */
  | { readonly kind: 'down' }
  | { readonly kind: 'status'; readonly status: number; readonly headers?: Readonly<Record<string, string>> }
  /** As `ok`, and every request with a sample of this series is refused with 400 as a 2.0 or 1.0 receiver does. */
  | { readonly kind: 'poison'; readonly target: number; readonly series: number }
  /** Takes this many requests a second, the rest gets 429 with Retry-After: 1. */
  | { readonly kind: 'throttle'; readonly requestsPerSecond: number }
  /** A receiver that knows 1.0 only: 415 to 2.0, or 2xx with nothing stored as old ones do. */
  | { readonly kind: 'old'; readonly answersOk: boolean }

export class Receiver {
  behaviour: Behaviour = { kind: 'ok' }
  /** Samples of the targets' own series; and all there were, markers and repeats included. */
  samples = 0
  stored = 0
  duplicates = 0
  orderViolations = 0
  requests = 0
  bytes = 0
  refused = 0
  /** Samples stored of requests whose sender was not told. */
  unconfirmed = 0
  /** Requests by time, for rates. */
  readonly requestTimes: number[] = []
  readonly versions = new Set<string>()
  readonly #series = new Map<string, ReceivedSeries>()
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer((request, response) => this.#take(request, response))
  #port = 0

  async start(port = 0): Promise<void> {
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      if (this.behaviour.kind === 'down') socket.destroy()
    })
    await new Promise<void>((resolve) => this.#server.listen(port, '127.0.0.1', resolve))
    this.#port = (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/api/v1/write`
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    await new Promise((resolve) => this.#server.close(resolve))
  }

  has(target: number, series: number, round: number): boolean {
    const known = this.#series.get(keyOf(target, series))
    return known !== undefined && round < known.rounds.length && known.rounds[round]! > 0
  }

  newestRound(target: number, series: number): number {
    return this.#series.get(keyOf(target, series))?.newestRound ?? 0
  }

  get newestMs(): number {
    let newest = 0
    for (const { newestMs } of this.#series.values()) newest = Math.max(newest, newestMs)
    return newest
  }

  report(): ReceiverReport {
    const { samples, duplicates, orderViolations, requests, bytes } = this
    return { samples, duplicates, orderViolations, requests, bytes }
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = []
    request.on('error', () => undefined)
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => this.#answer(request, Buffer.concat(chunks), response))
  }

  #answer(request: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const { behaviour } = this
    this.requestTimes.push(Date.now())
    this.requests++
    if (request.headers['content-encoding'] !== 'snappy') return this.#end(response, 415)
    const contentType = request.headers['content-type'] ?? ''
    const isSecond = contentType.includes('write.v2')
    switch (behaviour.kind) {
      case 'black-hole':
        return
      case 'discard':
        return this.#end(response, 204, isSecond ? writtenHeaders(1) : {})
      case 'down':
        return void request.socket.destroy()
      case 'status':
        return this.#end(response, behaviour.status, behaviour.headers)
      case 'old':
        if (isSecond) return this.#end(response, behaviour.answersOk ? 204 : 415)
        break
      case 'throttle': {
        const now = Date.now()
        const recent = this.requestTimes.filter((at) => at > now - 1000).length
        if (recent > behaviour.requestsPerSecond) {
          this.refused++
          return this.#end(response, 429, { 'Retry-After': '1' })
        }
        break
      }
      case 'flaky': {
        const fate = Math.floor(behaviour.random() * 16)
        if (fate === 0) return this.#end(response, 503)
        if (fate === 1) return void request.socket.destroy()
        if (fate === 2) return this.#end(response, 429, { 'Retry-After': '1' })
        if (fate === 3) {
          this.unconfirmed += this.#store(body, contentType)
          return fateAfter(behaviour.random) ? this.#end(response, 500) : void request.socket.destroy()
        }
        break
      }
      case 'poison': {
        let isPoisoned = false
        decodeWrite(body, contentType, ({ labels }) => {
          if (labels['series'] === String(behaviour.series) && targetOf(labels) === behaviour.target) isPoisoned = true
        })
        if (isPoisoned) {
          this.refused++
          const stored = this.#store(body, contentType, behaviour)
          return this.#end(response, 400, isSecond ? writtenHeaders(stored) : {})
        }
      }
    }
    this.versions.add(isSecond ? '2.0' : '1.0')
    this.bytes += body.length
    const stored = this.#store(body, contentType)
    const answer = (): void => this.#end(response, 204, isSecond ? writtenHeaders(stored) : {})
    if (behaviour.kind === 'slow') setTimeout(answer, behaviour.delayMs)
    else answer()
  }

  #end(response: ServerResponse, status: number, headers: Readonly<Record<string, string>> = {}): void {
    response.writeHead(status, headers).end()
  }

  #store(body: Buffer, contentType: string, except?: { target: number; series: number }): number {
    let stored = 0
    decodeWrite(body, contentType, ({ labels, value, timeMs }) => {
      const target = targetOf(labels)
      const series = Number(labels['series'])
      if (except !== undefined && except.target === target && except.series === series) return
      stored++
      this.stored++
      if (labels['__name__'] !== 'torture_round' || Number.isNaN(value)) return
      this.samples++
      this.#note(target, series, value, timeMs)
    })
    return stored
  }

  #note(target: number, series: number, round: number, timeMs: number): void {
    const key = keyOf(target, series)
    let known = this.#series.get(key)
    if (known === undefined) this.#series.set(key, (known = { rounds: new Uint8Array(1024), newestMs: 0, newestRound: 0 }))
    if (round >= known.rounds.length) {
      const rounds = new Uint8Array(Math.max(round + 1, known.rounds.length * 2))
      rounds.set(known.rounds)
      known.rounds = rounds
    }
    if (known.rounds[round]! > 0) this.duplicates++
    else if (timeMs < known.newestMs) this.orderViolations++
    known.rounds[round] = Math.min(255, known.rounds[round]! + 1)
    known.newestMs = Math.max(known.newestMs, timeMs)
    known.newestRound = Math.max(known.newestRound, round)
  }
}

function fateAfter(random: () => number): boolean {
  return random() < 0.5
}

function keyOf(target: number, series: number): string {
  return `${target}/${series}`
}

/** `127.0.0.N:port` */
function targetOf(labels: Readonly<Record<string, string>>): number {
  return Number(/^127\.0\.0\.(\d+):/.exec(labels['instance'] ?? '')?.[1] ?? 0) - 1
}

function writtenHeaders(samples: number): Record<string, string> {
  return {
    'X-Prometheus-Remote-Write-Samples-Written': String(samples),
    'X-Prometheus-Remote-Write-Histograms-Written': '0',
    'X-Prometheus-Remote-Write-Exemplars-Written': '0',
  }
}
