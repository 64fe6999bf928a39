import { setTimeout as delay } from 'node:timers/promises'
import type { RunningProcess } from '../kit/process.ts'
import { waitFor } from '../kit/process.ts'

// The V8 inspector of a process started with --inspect: enough of it to measure the heaps of all its threads.

/** One thread's heap after a full collection. */
export interface ThreadHeap {
  /** 'main' or the name of the worker. */
  readonly thread: string
  readonly usedBytes: number
}

interface Message {
  readonly id?: number
  readonly method?: string
  readonly params?: Record<string, unknown>
  readonly result?: Record<string, unknown>
  readonly error?: { readonly message: string }
}

type Send = (method: string, params?: Record<string, unknown>) => Promise<Record<string, unknown>>

/** Calls by number and their answers, whatever carries the messages. */
class Calls {
  #next = 1
  readonly #waiting = new Map<number, { resolve(result: Record<string, unknown>): void; reject(error: Error): void }>()

  readonly #transport: (text: string) => void

  constructor(transport: (text: string) => void) {
    this.#transport = transport
  }

  send: Send = (method, params = {}) => {
    const id = this.#next++
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject })
      this.#transport(JSON.stringify({ id, method, params }))
    })
  }

  receive(message: Message): void {
    const waiting = message.id === undefined ? undefined : this.#waiting.get(message.id)
    if (!waiting) return
    this.#waiting.delete(message.id!)
    if (message.error) waiting.reject(new Error(`the inspector refused: ${message.error.message}`))
    else waiting.resolve(message.result ?? {})
  }
}

export class Inspector {
  readonly #socket: WebSocket
  readonly #main: Calls
  readonly #workers = new Map<string, { name: string; calls: Calls }>()

  private constructor(socket: WebSocket) {
    this.#socket = socket
    this.#main = new Calls((text) => socket.send(text))
    socket.addEventListener('message', (event) => this.#receive(JSON.parse(String(event.data)) as Message))
  }

  /** Connects to the process, which says on its output where the inspector listens. */
  static async connect(running: RunningProcess): Promise<Inspector> {
    const [url] = await waitFor('the inspector', () => /ws:\/\/\S+/.exec(running.output()), { process: running })
    const socket = new WebSocket(url)
    await new Promise((resolve, reject) => {
      socket.addEventListener('open', resolve, { once: true })
      socket.addEventListener('error', () => reject(new Error(`cannot connect to ${url}`)), { once: true })
    })
    const inspector = new Inspector(socket)
    await inspector.#main.send('NodeWorker.enable', { waitForDebuggerOnStart: false })
    return inspector
  }

  /** Collects the garbage of every thread and gives what is left. */
  async measureHeaps(): Promise<ThreadHeap[]> {
    const heaps = [{ thread: 'main', usedBytes: await measure(this.#main.send) }]
    for (const { name, calls } of this.#workers.values()) heaps.push({ thread: name, usedBytes: await measure(calls.send) })
    return heaps
  }

  close(): void {
    this.#socket.close()
  }

  #receive(message: Message): void {
    if (message.id !== undefined) return this.#main.receive(message)
    const {
      sessionId,
      workerInfo,
      message: inner,
    } = (message.params ?? {}) as {
      sessionId: string
      workerInfo?: { title: string; url: string }
      message?: string
    }
    if (message.method === 'NodeWorker.attachedToWorker') {
      const calls = new Calls((text) => void this.#main.send('NodeWorker.sendMessageToWorker', { sessionId, message: text }))
      this.#workers.set(sessionId, { name: workerInfo?.url.split('/').at(-1) ?? 'worker', calls })
    } else if (message.method === 'NodeWorker.detachedFromWorker') {
      this.#workers.delete(sessionId)
    } else if (message.method === 'NodeWorker.receivedMessageFromWorker') {
      this.#workers.get(sessionId)?.calls.receive(JSON.parse(inner!) as Message)
    }
  }
}

async function measure(send: Send): Promise<number> {
  // More than once: finalizers free things that only the next collection sees.
  for (let i = 0; i < 3; i++) {
    await send('HeapProfiler.collectGarbage')
    await delay(50)
  }
  const { usedSize } = await send('Runtime.getHeapUsage')
  return usedSize as number
}
