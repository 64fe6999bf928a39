import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { Labels } from '@narthex/model/labels'
import { silentLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LayoutBuilder } from '../store/layout-builder.ts'
import { RemoteProgress } from './remote-status.ts'
import { RemoteStorage } from './remote-storage.ts'
import { FakeRemote } from './testkit/fake-remote.ts'

let directory: string
let storage: RemoteStorage
let remote: FakeRemote

const now = 1_000_000

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-status-'))
  remote = new FakeRemote()
  const queue = 'queue_config: {batch_send_deadline: 1ms, min_backoff: 1ms, max_backoff: 5ms}'
  const yaml = `remote_write: [{url: 'http://user:hidden@remote/write', name: r, ${queue}}]`
  storage = new RemoteStorage({
    directory,
    remotes: parsePrometheusConfig(yaml, { path: 'p.yml', mode: 'agent' }).remoteWrite,
    externalLabels: Labels.empty,
    createPoster: () => remote,
    registry: new Registry(),
    logger: silentLogger,
    userAgent: 'test',
    holdMs: 20,
    now: () => now,
  })
})

afterEach(async () => {
  await storage.close(0)
  rmSync(directory, { recursive: true })
})

function scrape(timeMs: number): void {
  const layout = new LayoutBuilder()
  for (let i = 0; i < 10; i++) layout.addPairs(['__name__', `m${i}`], undefined)
  storage.append({ layout: layout.build(1), indexes: undefined, times: timeMs, words: new Uint32Array(20), count: 10 })
}

describe('the status of a remote', () => {
  test('is ok with nothing pending once all is delivered', async () => {
    scrape(now)
    await expect.poll(() => storage.status().remotes[0]!.pendingFrames).toBe(0)
    expect(storage.status()).toMatchObject({
      log: { directory, segments: 1, isWriting: true, samplesIn: 10, bytesMax: 4 * 2 ** 30 },
      remotes: [{ name: 'r', version: 2, state: 'ok', reason: '', pendingBytes: 0, pendingAgeMs: 0, samplesSent: 10, lostSamples: {} }],
    })
    expect(JSON.stringify(storage.status())).not.toContain('hidden')
  })

  test('says what waits, for how long and why while the remote fails, and is ok again afterwards', async () => {
    let status = 500
    remote.answer = () => ({ status })
    scrape(now - 3000)
    scrape(now - 2000)
    await expect.poll(() => storage.status().remotes[0]!.state).toBe('retrying')
    const [failing] = storage.status().remotes
    expect(failing).toMatchObject({ reason: 'HTTP 500', pendingFrames: 2, pendingAgeMs: 3000 })
    expect(failing!.pendingBytes).toBe(storage.status().log.bytes)
    expect(failing!.pendingBytes).toBeGreaterThan(100)
    status = 429
    await expect.poll(() => storage.status().remotes[0]!.state).toBe('throttled')
    status = 401
    await expect.poll(() => storage.status().remotes[0]!.state).toBe('held')
    status = 204
    await expect.poll(() => storage.status().remotes[0]).toMatchObject({ state: 'ok', reason: '', pendingFrames: 0 })
  })

  test('counts what was given up, by reason', async () => {
    remote.answer = () => ({ status: 400 })
    scrape(now)
    await expect.poll(() => storage.status().remotes[0]!.lostSamples).toEqual({ rejected: 10 })
  })
})

describe('the time that a backlog needs', () => {
  const progress = new RemoteProgress()
  progress.note(0, 0, 0)
  progress.note(1000, 500, 50)

  test('is known while more is delivered than comes', () => {
    expect(progress.etaSeconds(600, 20)).toBe(20)
    expect(progress.etaSeconds(0, 100)).toBe(0)
  })

  test('is unknown while the backlog grows, and before there are rates', () => {
    expect(progress.etaSeconds(600, 50)).toBeUndefined()
    expect(progress.etaSeconds(600, undefined)).toBeUndefined()
    expect(new RemoteProgress().etaSeconds(1, 1)).toBeUndefined()
  })
})
