import { EventEmitter } from 'node:events'
import type { Worker } from 'node:worker_threads'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { createLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { RemoteWriter } from './remote-writer.ts'
import type { SendCall, SendReply, SendWorkerData } from './send-protocol.ts'

/** A thread that answers as the test says. */
class FakeWorker extends EventEmitter {
  readonly data: SendWorkerData
  readonly calls: SendCall[] = []
  answer: (call: SendCall) => SendReply | undefined = (call) => ('id' in call ? { kind: 'done', id: call.id } : undefined)

  constructor(data: SendWorkerData) {
    super()
    this.data = data
  }

  postMessage(call: SendCall): void {
    this.calls.push(call)
    const reply = this.answer(call)
    if (reply !== undefined) queueMicrotask(() => this.emit('message', reply))
  }

  async terminate(): Promise<number> {
    this.emit('exit', 1)
    return 1
  }
}

let workers: FakeWorker[]
let lines: string[]
let registry: Registry
let metadata: Map<string, { type: string; help: string; unit: string }[]>
let writer: RemoteWriter

beforeEach(() => {
  vi.useFakeTimers()
  workers = []
  lines = []
  registry = new Registry()
  metadata = new Map()
  writer = new RemoteWriter({
    directory: '/nowhere',
    startSegment: 5,
    retentionBytesMax: 0,
    userAgent: 'test',
    metadata: () => metadata,
    log: createLogger({ write: (line) => lines.push(line), source: '' }),
    registry,
    startWorker(data) {
      const worker = new FakeWorker(data)
      workers.push(worker)
      return worker as unknown as Worker
    },
  })
})

afterEach(() => vi.useRealTimers())

function configOf(...urls: readonly string[]) {
  return parsePrometheusConfig(`remote_write: [${urls.map((url) => `{url: '${url}'}`).join(', ')}]`, { path: 'x', mode: 'server' })
}

test('without a remote there is no thread, and nobody needs the log', async () => {
  await writer.apply(configOf())
  expect(workers).toHaveLength(0)
  expect(writer.neededSegment).toBe(Infinity)
  await writer.apply(configOf('http://a'))
  // Remotes that a reload brings begin with what comes then.
  expect(workers[0]!.data).toMatchObject({ startSegment: 5, isFromStart: false })
  await writer.apply(configOf())
  expect(workers[0]!.calls.map(({ kind }) => kind)).toEqual(['apply', 'apply', 'stop'])
  expect(writer.neededSegment).toBe(Infinity)
})

test('the whole log is needed until the thread says what is', async () => {
  await writer.apply(configOf('http://a'))
  expect(workers[0]!.data.isFromStart).toBe(true)
  expect(writer.neededSegment).toBe(0)
  workers[0]!.emit('message', { kind: 'needed', segment: 4 } satisfies SendReply)
  expect(writer.neededSegment).toBe(4)
})

test('rejects with what a remote that cannot be made says', async () => {
  await writer.apply(configOf('http://a'))
  workers[0]!.answer = (call) => ('id' in call ? { kind: 'done', id: call.id, failure: 'no such file' } : undefined)
  await expect(writer.apply(configOf('http://b'))).rejects.toThrow('no such file')
})

test('a thread that died is told, starts again after five seconds with the last configuration, and is no first one', async () => {
  await writer.apply(configOf('http://a'))
  workers[0]!.emit('error', new Error('out of memory'))
  workers[0]!.emit('exit', 1)
  expect(lines.join('')).toContain('out of memory')
  expect(writer.neededSegment).toBe(0)
  await vi.advanceTimersByTimeAsync(4_999)
  expect(workers).toHaveLength(1)
  await vi.advanceTimersByTimeAsync(1)
  expect(workers).toHaveLength(2)
  expect(workers[1]!.data.isFromStart).toBe(false)
  expect(workers[1]!.calls).toEqual([{ ...workers[0]!.calls[0]!, id: expect.any(Number) }])
  await writer.stop(0)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(workers).toHaveLength(2)
})

test('writes the figures of the thread among its own, those of the last time if it does not answer', async () => {
  await writer.apply(configOf('http://a'))
  const worker = workers[0]!
  const families = [{ name: 'sent_total', help: 'Sent.', type: 'counter', samples: [{ value: 3, labels: ['a', 'b'] }] }] as const
  worker.answer = (call) => ('id' in call ? { kind: 'report', id: call.id, families, remotes: [] } : undefined)
  const read = async (): Promise<string> => {
    await registry.prepare()
    const text = new FamilyWriter()
    registry.write(text)
    return Buffer.from(text.finish()).toString()
  }
  expect(await read()).toContain('sent_total{a="b"} 3\n')
  worker.answer = () => undefined
  const late = read()
  await vi.advanceTimersByTimeAsync(1_000)
  expect(await late).toContain('sent_total{a="b"} 3\n')
})

test('tells the thread of families that are new or have changed', async () => {
  metadata.set('a', [{ type: 'counter', help: 'A.', unit: '' }])
  metadata.set('b', [{ type: 'strange', help: '', unit: '' }])
  await writer.apply(configOf('http://a'))
  const told = (): unknown =>
    workers[0]!.calls.flatMap((call) => (call.kind === 'families' ? [call.families.map(({ name, type }) => [name, type])] : []))
  await vi.advanceTimersByTimeAsync(2_000)
  expect(told()).toEqual([
    [
      ['a', 'counter'],
      ['b', 'unknown'],
    ],
  ])
  metadata.set('a', [{ type: 'counter', help: 'Another.', unit: '' }])
  await vi.advanceTimersByTimeAsync(30_000)
  expect(told()).toEqual([
    [
      ['a', 'counter'],
      ['b', 'unknown'],
    ],
    [['a', 'counter']],
  ])
  await writer.stop(0)
})

test('a thread that does not end in its time is ended', async () => {
  await writer.apply(configOf('http://a'))
  workers[0]!.answer = () => undefined
  const stopped = writer.stop(500)
  await vi.advanceTimersByTimeAsync(1_500)
  await stopped
})
