import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { decodeRequest } from './testkit/fake-remote.ts'

const kills = Number(process.env['NARTHEX_KILLS'] ?? 10)
const seed = Number(process.env['NARTHEX_SEED'] ?? Date.now() % 2147483646) + 1
const child = fileURLToPath(new URL('./crash-child.ts', import.meta.url))

let state = seed
function random(below: number): number {
  state = (state * 48271) % 2147483647
  return state % below
}

const received = new Map<string, number[]>()
let directory: string
/** A receiver that breaks one request in four: 503 after storing, 503 before, cut connection. */
const receiver = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const fate = random(12)
    const headers = { 'Content-Type': String(request.headers['content-type']) }
    const { samples } = decodeRequest(headers, Buffer.concat(chunks))
    if (fate === 1) return void response.writeHead(503).end()
    for (const { series, timeMs } of samples) {
      const times = received.get(series)
      if (times === undefined) received.set(series, [timeMs])
      else times.push(timeMs)
    }
    if (fate === 2) return void request.socket.destroy()
    response.writeHead(fate === 3 ? 503 : 204, { 'X-Prometheus-Remote-Write-Samples-Written': String(samples.length) }).end()
  })
})

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-crash-'))
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve))
})

afterEach(() => {
  receiver.closeAllConnections()
  receiver.close()
  rmSync(directory, { recursive: true })
})

/** Runs the child until it is killed after `lifeMs` of work; resolves with the last round that it said was appended. */
function runUntilKilled(url: string, firstRound: number, lifeMs: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const agent = spawn(process.execPath, [child, directory, url, String(firstRound), 'write'], { stdio: ['ignore', 'pipe', 'inherit'] })
    let printed = ''
    agent.stdout.on('data', (chunk: Buffer) => {
      if (printed === '') setTimeout(() => agent.kill('SIGKILL'), lifeMs)
      printed += chunk.toString()
    })
    agent.on('error', reject)
    agent.on('close', () => resolve(printed === '' ? firstRound - 1 : Number(printed.trimEnd().split('\n').at(-1))))
  })
}

function drain(url: string): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const agent = spawn(process.execPath, [child, directory, url, '0', 'drain'], { stdio: 'inherit' })
    agent.on('error', reject)
    agent.on('close', resolve)
  })
}

test(
  `no appended sample is missing at a flaky receiver after ${kills} SIGKILLs (NARTHEX_SEED=${seed - 1})`,
  { timeout: 15_000 + kills * 2000 },
  async () => {
    const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/write`
    let last = -1
    for (let i = 0; i < kills; i++) last = await runUntilKilled(url, last + 1, random(250))
    expect(await drain(url)).toBe(0)
    expect(received.size).toBe(15)
    const missing: string[] = []
    for (const [series, times] of received) {
      const seen = new Set(times)
      for (let round = 0; round <= last; round++) if (!seen.has(1_000_000 + round)) missing.push(`${series} ${round}`)
      // A first delivery is never older than an earlier first delivery: repeats apart, every series is in order.
      const firsts = [...seen]
      expect(firsts).toEqual([...firsts].sort((a, b) => a - b))
    }
    expect(missing).toEqual([])
  },
)
