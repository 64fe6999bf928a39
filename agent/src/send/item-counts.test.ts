import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { parsePrometheusConfig } from '@narthex/config/prometheus-config'
import { FamilyWriter } from '@narthex/exposition/family-writer'
import { Labels } from '@narthex/model/labels'
import { silentLogger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import type { ScrapeBatch } from '../store/frame.ts'
import { LayoutBuilder } from '../store/layout-builder.ts'
import { subtractCounts } from './item-counts.ts'
import { RemoteStorage } from './remote-storage.ts'
import { FakeRemote } from './testkit/fake-remote.ts'

let directory: string
let registry: Registry
let storage: RemoteStorage | undefined
let remote: FakeRemote

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-counts-'))
  registry = new Registry()
  remote = new FakeRemote()
})

afterEach(async () => {
  await storage?.close(0)
  storage = undefined
  rmSync(directory, { recursive: true })
})

/** Opens a storage with one remote of these settings. */
function open(settings: string): void {
  const text = `remote_write: [{url: 'http://remote/', name: r, queue_config: {batch_send_deadline: 10ms, min_backoff: 1ms}, ${settings}}]`
  const { remoteWrite } = parsePrometheusConfig(text, { path: '/p.yml', mode: 'agent' })
  storage = new RemoteStorage({
    directory,
    remotes: remoteWrite,
    externalLabels: Labels.empty,
    createPoster: () => remote,
    registry,
    logger: silentLogger,
    userAgent: 'test',
  })
}

/** Two floats and a histogram with custom buckets; three exemplars. */
function makeBatch(): ScrapeBatch {
  const builder = new LayoutBuilder()
  for (const name of ['a', 'h', 'b']) builder.addPairs(['__name__', name])
  const schema = new ByteWriter()
  schema.u8(0x20)
  schema.varint(-53)
  return {
    layout: builder.build(1),
    indexes: undefined,
    times: 1_700_000_000_000,
    words: new Uint32Array(6),
    count: 3,
    histograms: { count: 1, positions: Uint32Array.of(1), offsets: Uint32Array.of(0, schema.length), bytes: schema.view() },
    exemplars: {
      count: 3,
      positions: Uint32Array.of(0, 1, 2),
      words: new Uint32Array(6),
      times: Float64Array.of(1, 2, 3),
      offsets: Uint32Array.of(0, 0, 0, 0),
      bytes: new Uint8Array(0),
    },
  }
}

/** Metrics of the remote whose value is not 0, without their common labels. */
function read(): Record<string, number> {
  const writer = new FamilyWriter()
  registry.write(writer)
  const found: Record<string, number> = {}
  for (const line of Buffer.from(writer.finish()).toString().split('\n')) {
    const match = /^(?:prometheus|narthex)_remote_storage_(\w*(?:samples|histograms|exemplars)_\w+?)(?:\{(.*)\})? (\d+)$/.exec(line)
    const reason = /reason="(\w+)"/.exec(match?.[2] ?? '')?.[1]
    if (match === null || match[3] === '0' || match[1]!.startsWith('max_')) continue
    found[reason === undefined ? match[1]! : `${match[1]} ${reason}`] = Number(match[3])
  }
  return found
}

const taken = { samples_in_total: 2, histograms_in_total: 1, exemplars_in_total: 3 }

test('each kind is counted where it goes', async () => {
  open('send_exemplars: true, send_native_histograms: true')
  storage!.append(makeBatch())
  await expect.poll(read).toEqual({ ...taken, samples_total: 2, histograms_total: 1, exemplars_total: 3 })
})

test('each kind is pending until its request is settled, and retried when it is not', async () => {
  open('send_exemplars: true, send_native_histograms: true')
  const held = Promise.withResolvers<object>()
  remote.answer = (_request, attempt) => (attempt === 1 ? { status: 500 } : attempt === 2 ? held.promise : {})
  storage!.append(makeBatch())
  await expect.poll(() => remote.requests.length).toBe(2)
  expect(read()).toMatchObject({ histograms_pending: 1, exemplars_pending: 3, histograms_retried_total: 1, exemplars_retried_total: 3 })
  held.resolve({})
  await expect.poll(() => read()['histograms_total']).toBe(1)
  expect(read()).not.toHaveProperty('histograms_pending')
  expect(read()).not.toHaveProperty('exemplars_pending')
})

test('histograms that the remote does not want are counted as lost to it, exemplars are not', async () => {
  open('')
  storage!.append(makeBatch())
  await expect.poll(read).toEqual({ ...taken, samples_total: 2, 'samples_lost_total native_histograms_not_sent': 1 })
})

test('custom buckets are dropped over 1.0 under the name that Prometheus gives the reason', async () => {
  open('send_native_histograms: true, protobuf_message: prometheus.WriteRequest')
  storage!.append(makeBatch())
  await expect.poll(read).toEqual({
    ...taken,
    samples_total: 2,
    'samples_lost_total nhcb_in_rw1_not_supported': 1,
    'histograms_dropped_total nhcb_in_rw1_not_supported': 1,
  })
})

test('a remote that stores less says which kind failed', async () => {
  open('send_exemplars: true, send_native_histograms: true')
  const header = (kind: string) => `x-prometheus-remote-write-${kind}-written`
  remote.answer = () => ({ status: 204, headers: { [header('samples')]: '1', [header('histograms')]: '1', [header('exemplars')]: '0' } })
  storage!.append(makeBatch())
  await expect.poll(read).toEqual({
    ...taken,
    samples_total: 2,
    samples_failed_total: 1,
    histograms_total: 1,
    exemplars_total: 3,
    exemplars_failed_total: 3,
    'samples_lost_total rejected': 1,
  })
})

test('a remote that claims more than it got leaves nothing negative', () => {
  expect(subtractCounts({ samples: 1, histograms: 2, exemplars: 3 }, { samples: 5, histograms: 1, exemplars: 3 })).toEqual({
    samples: 0,
    histograms: 1,
    exemplars: 0,
  })
})
