import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ServerGuard } from './server-guard.ts'
import type { WriteProtocol } from './write-message.ts'

export interface WriteTarget {
  readonly port: number
  /** TLS and a password, if the server has them. */
  readonly guard?: ServerGuard | undefined
  readonly protocol?: WriteProtocol
}

/** How a request went. */
export interface WriteOutcome {
  /** From the last byte handed to the kernel to the status of the answer. */
  readonly answerMs: number
  /** How often the server asked to come again. */
  readonly refusals: number
}

const answerBytesMax = 64 * 1024
const retryMsMax = 10_000
const contentTypes = { 1: 'application/x-protobuf', 2: 'application/x-protobuf;proto=io.prometheus.write.v2.Request' } as const
const versions = { 1: '0.1.0', 2: '2.0.0' } as const

/** One kept-alive HTTP connection over a plain socket, one request at a time: a client that costs as little as can be. */
export class WriteConnection {
  readonly #target: WriteTarget
  #socket: Socket
  readonly #head: string
  /** Whether the server said with its last answer that it closes the connection: VictoriaMetrics does after two minutes. */
  #isOver = false

  private constructor(target: WriteTarget, socket: Socket, head: string) {
    this.#target = target
    this.#socket = socket
    this.#head = head
  }

  static async open(target: WriteTarget): Promise<WriteConnection> {
    const { port, guard, protocol = 1 } = target
    const socket = await openSocket(target)
    const secret = guard === undefined ? '' : `Authorization: ${guard.authorization}\r\n`
    const kind = `Content-Type: ${contentTypes[protocol]}\r\nX-Prometheus-Remote-Write-Version: ${versions[protocol]}\r\n`
    const head = `POST /api/v1/write HTTP/1.1\r\nHost: localhost:${port}\r\nUser-Agent: bench\r\n${secret}${kind}Content-Encoding: snappy\r\n`
    return new WriteConnection(target, socket, head)
  }

  /** Sends one body until the server takes it; waits as 429 and 503 ask. Throws the server's text at any other answer but 204. */
  async send(body: Uint8Array): Promise<WriteOutcome> {
    for (let refusals = 0; ; refusals++) {
      if (this.#isOver) {
        this.#socket.destroy()
        this.#socket = await openSocket(this.#target)
      }
      const { status, head, answerMs } = await this.#exchange(body)
      this.#isOver = /^connection: *close/im.test(head)
      if (status === 204) return { answerMs, refusals }
      if (status !== 429 && status !== 503) throw new Error(`cannot write: want 204, got ${head.slice(0, 400)}`)
      const seconds = Number(/^retry-after: *(\d+)/im.exec(head)?.[1] ?? 1)
      await new Promise((resolve) => setTimeout(resolve, Math.min(seconds * 1000, retryMsMax)))
    }
  }

  close(): void {
    this.#socket.destroy()
  }

  #exchange(body: Uint8Array): Promise<{ status: number; head: string; answerMs: number }> {
    const socket = this.#socket
    return new Promise((resolve, reject) => {
      let answer = ''
      let writtenMs = performance.now()
      const end = (error?: Error): void => {
        socket.off('data', onData).off('error', end).off('close', onClose)
        if (error !== undefined) reject(error)
      }
      const onClose = (): void => end(new Error(`cannot write: the connection was closed after ${JSON.stringify(answer.slice(0, 400))}`))
      const onData = (chunk: Buffer): void => {
        const arrivedMs = performance.now()
        answer += chunk.toString('latin1')
        if (!isWhole(answer)) {
          if (answer.length > answerBytesMax) end(new Error(`cannot write: the answer has more than ${answerBytesMax} bytes`))
          return
        }
        end()
        resolve({ status: Number(answer.slice(9, 12)), head: answer, answerMs: arrivedMs - writtenMs })
      }
      socket.on('data', onData).on('error', end).on('close', onClose)
      socket.cork()
      socket.write(`${this.#head}Content-Length: ${body.length}\r\n\r\n`)
      socket.write(body, () => {
        if (answer === '') writtenMs = performance.now()
      })
      socket.uncork()
    })
  }
}

async function openSocket({ port, guard }: WriteTarget): Promise<Socket> {
  const socket =
    guard === undefined
      ? connect(port, '127.0.0.1')
      : connectTls({ port, host: '127.0.0.1', ca: guard.certificate, servername: 'localhost', ALPNProtocols: ['http/1.1'] })
  socket.setNoDelay(true)
  await once(socket, guard === undefined ? 'connect' : 'secureConnect')
  return socket
}

/** Whether an answer has come to its end: by its Content-Length, by its last chunk, or at once if it says neither, as a 204 does. */
function isWhole(answer: string): boolean {
  const headEnd = answer.indexOf('\r\n\r\n')
  if (headEnd < 0) return false
  const head = answer.slice(0, headEnd)
  if (/^transfer-encoding: *chunked/im.test(head)) return answer.endsWith('\r\n0\r\n\r\n')
  return answer.length >= headEnd + 4 + Number(/^content-length: *(\d+)/im.exec(head)?.[1] ?? 0)
}
