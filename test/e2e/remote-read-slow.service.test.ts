import { once } from 'node:events'
import { request, type IncomingMessage } from 'node:http'
import { Labels } from '@narthex/model/labels'
import { readChunkFrames } from '@narthex/wire/remote-read-chunks'
import { chunksResponse, encodeReadRequest } from '@narthex/wire/remote-read-request'
import { compress } from '@narthex/wire/snappy'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { waitFor } from '../kit/process.ts'
import { openInProcessServer, type InProcessServer } from './in-process-server.ts'

// Remote read by clients that read slowly or go away in the middle of an answer of some 20 MB.

const seriesCount = 20_000
const samplesPerSeries = 120
const stepMs = 15_000
let running: InProcessServer

beforeAll(async () => {
  running = await openInProcessServer(1)
  const { head } = running.server.store
  const refs = Array.from({ length: seriesCount }, (_, i) => head.refByLabels(Labels.from({ __name__: 'm', i: String(i) })))
  const startMs = Date.now() - samplesPerSeries * stepMs
  const words = new Uint32Array(2)
  const doubles = new Float64Array(words.buffer)
  for (let k = 0; k < samplesPerSeries; k++) {
    for (const ref of refs) {
      doubles[0] = Math.random()
      head.append(ref, startMs + k * stepMs, words[0]!, words[1]!)
    }
    head.commit()
  }
}, 60_000)
afterAll(() => running.remove())

async function ask(): Promise<IncomingMessage> {
  const matchers = [{ type: '=', name: '__name__', value: 'm' }] as const
  const query = { startMs: 0, endMs: Date.now() + 1000, matchers }
  const call = request(`${running.url}/api/v1/read`, { method: 'POST', agent: false })
  call.end(compress(encodeReadRequest({ queries: [query], acceptedResponses: [chunksResponse] })))
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  expect(response.statusCode).toBe(200)
  return response
}

async function countReads(): Promise<number> {
  const text = await (await fetch(`${running.url}/metrics`)).text()
  return Number(/^prometheus_api_remote_read_queries (\d+)$/m.exec(text)![1])
}

async function countSeries(): Promise<string> {
  const answer = await fetch(`${running.url}/api/v1/query?query=count(m)`)
  return ((await answer.json()) as { data: { result: { value: [number, string] }[] } }).data.result[0]!.value[1]
}

test('slow clients keep nobody waiting and get all of it in the end', async () => {
  // More than there are threads for queries.
  const responses = await Promise.all([ask(), ask(), ask()])
  for (const response of responses) response.pause()
  const before = process.memoryUsage().arrayBuffers
  expect(await countReads()).toBe(3)
  expect(await countSeries()).toBe(String(seriesCount))
  // What waits for them is bounded, whatever they ask for.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(3 * 6 * 1024 * 1024)
  for (const response of responses) {
    const pieces: Buffer[] = []
    for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece)
    let series = 0
    readChunkFrames(new Uint8Array(Buffer.concat(pieces)), () => series++)
    expect(series).toBe(seriesCount)
  }
  await waitFor('the reads to end', async () => (await countReads()) === 0)
})

test('a client that goes away leaves its thread to the next', async () => {
  for (let i = 0; i < 5; i++) {
    const response = await ask()
    response.on('error', () => {})
    response.destroy()
  }
  await waitFor('the reads to end', async () => (await countReads()) === 0)
  const response = await ask()
  let bytes = 0
  for await (const piece of response as AsyncIterable<Buffer>) bytes += piece.length
  expect(bytes).toBeGreaterThan(seriesCount * samplesPerSeries * 6)
  expect(running.warnings).toEqual([])
})
