// Deletions and snapshots: the same requests to ours and to Debian's prometheus, over the same data.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { inWordsOf3 } from '../kit/newer-words.ts'
import { makeTemporaryDirectory } from '../kit/process.ts'
import { startPrometheus, type Service } from '../kit/services.ts'
import { openInProcessServer, type InProcessServer } from './in-process-server.ts'

const run = promisify(execFile)
const hourMs = 3_600_000
const stepMs = 60_000
const hours = 7
const seriesCount = 12
let temporary: ReturnType<typeof makeTemporaryDirectory>
const servers: InProcessServer[] = []
const peers: Service[] = []
let lastMs = 0

beforeEach(() => {
  temporary = makeTemporaryDirectory('narthex-admin-')
})
afterEach(async () => {
  for (const peer of peers.splice(0)) await peer.stop()
  for (const server of servers.splice(0)) await server.remove()
  temporary.remove()
})

async function openOurs(directory: string): Promise<InProcessServer> {
  const server = await openInProcessServer(2, directory)
  servers.push(server)
  return server
}

async function closeOurs(server: InProcessServer): Promise<void> {
  servers.splice(servers.indexOf(server), 1)
  await server.remove()
}

/** Debian's, on a copy of a data directory. */
async function openTheirs(from: string, name: string): Promise<Service & { readonly data: string }> {
  const data = join(temporary.path, name)
  cpSync(from, data, { recursive: true, filter: (path) => !path.endsWith('/lock') && !path.includes('alertmanager') })
  const peer = await startPrometheus({ config: 'scrape_configs: []\n', data, args: ['--web.enable-admin-api'] })
  peers.push(peer)
  return { ...peer, data }
}

/** Samples up to now: blocks, and a head of some hours. */
async function fill({ server }: InProcessServer): Promise<void> {
  const { head, compactor } = server.store
  const refs = Array.from({ length: seriesCount }, (_, i) =>
    head.refByLabels(Labels.from({ __name__: i % 2 === 0 ? 'even' : 'odd', i: `${i}` })),
  )
  const words = new Uint32Array(2)
  const doubles = new Float64Array(words.buffer)
  lastMs = Math.floor(Date.now() / stepMs) * stepMs
  for (let timeMs = lastMs - hours * hourMs; timeMs <= lastMs; timeMs += stepMs) {
    for (const [i, ref] of refs.entries()) {
      // One series ends early.
      if (i === 7 && timeMs > lastMs - hourMs) continue
      doubles[0] = i * 1e6 + (timeMs % 1e9) / 1000
      head.append(ref, timeMs, words[0]!, words[1]!)
    }
    head.commit()
    if ((timeMs - lastMs) % (2 * hourMs) === 0) await compactor.run()
  }
  expect(server.store.blocks.blocks.length).toBeGreaterThan(1)
}

async function post(url: string, action: string, parameters: string[][] = []): Promise<string> {
  const response = await fetch(`${url}/api/v1/admin/tsdb/${action}`, { method: 'POST', body: new URLSearchParams(parameters) })
  return `${response.status} ${await response.text()}`.trim()
}

/** What is there, in several ways. */
async function ask(url: string): Promise<unknown[]> {
  const get = async (path: string, parameters: Record<string, string>): Promise<unknown> => {
    const response = await fetch(`${url}/api/v1/${path}?${new URLSearchParams(parameters).toString()}`)
    return ((await response.json()) as { data: unknown }).data
  }
  // Between two samples: what lies on the edge of a window is in it since Prometheus 3 only on one side.
  const time = String(lastMs / 1000 + 7)
  const range = { start: String((lastMs - hours * hourMs) / 1000 + 7), end: time, step: '300' }
  return [
    await get('query', { query: 'sort(count_over_time({i!=""}[8h]))', time }),
    await get('query', { query: 'count({i!=""})', time }),
    await get('query_range', { query: 'even', ...range }),
    await get('query_range', { query: 'sum(odd)', ...range }),
    // The time of blocks alone: a series of the head is listed there until its chunk is full.
    await get('series', { 'match[]': '{i!=""}', start: range.start, end: String((lastMs - (hours - 1) * hourMs) / 1000) }),
    await get('labels', {}),
  ]
}

function minutesAgo(minutes: number): string {
  return String((lastMs - minutes * 60_000) / 1000)
}

const deletions = (): string[][][] => [
  [['match[]', '{i="2"}']],
  [
    ['match[]', 'even{i="4"}'],
    ['match[]', 'odd{i=~"1|3"}'],
    ['start', minutesAgo(330)],
    ['end', minutesAgo(20)],
  ],
  [
    ['match[]', '{i="5"}'],
    ['start', minutesAgo(90)],
  ],
  [
    ['match[]', '{i="6"}'],
    ['end', minutesAgo(360)],
  ],
  // Its last sample is older.
  [
    ['match[]', '{i="7"}'],
    ['start', minutesAgo(30)],
  ],
  [
    ['match[]', '{i="8"}'],
    ['start', minutesAgo(10)],
    ['end', minutesAgo(20)],
  ],
  [['match[]', '{}']],
  [
    ['match[]', '{none=""}'],
    ['start', minutesAgo(200)],
    ['end', minutesAgo(198)],
  ],
  [['match[]', 'nothing']],
]

/** This promtool wants a log, which no snapshot has. */
async function dump(directory: string): Promise<string[]> {
  mkdirSync(join(directory, 'wal'), { recursive: true })
  const { stdout } = await run('promtool', ['tsdb', 'dump', directory], { maxBuffer: 2 ** 28 })
  return stdout.trim().split('\n')
}

function nameOf(answer: string): string {
  expect(answer).toMatch(/^200 \{"status":"success","data":\{"name":"\d{8}T\d{6}Z-[0-9a-f]{16}"\}\}$/)
  return /"name":"([^"]*)"/.exec(answer)![1]!
}

test('the same deletions leave the same answers, before and after cleaning, in snapshots, and when each opens the directory of the other', async () => {
  const data = join(temporary.path, 'ours')
  const ours = await openOurs(data)
  await fill(ours)
  const theirs = await openTheirs(data, 'theirs')
  const whole = await ask(ours.url)
  expect(whole).toEqual(await ask(theirs.url))
  for (const parameters of deletions()) {
    expect(await post(ours.url, 'delete_series', parameters)).toBe('204')
    expect(await post(theirs.url, 'delete_series', parameters)).toBe('204')
    expect(await ask(ours.url), String(parameters)).toEqual(await ask(theirs.url))
  }
  const left = await ask(ours.url)
  expect(left).not.toEqual(whole)

  // Tombstones of blocks and of the log, each read by the other.
  const taken = await openTheirs(data, 'taken')
  expect(await ask(taken.url)).toEqual(left)
  const given = join(temporary.path, 'given')
  cpSync(theirs.data, given, { recursive: true, filter: (path) => !path.endsWith('/lock') })
  const giver = await openOurs(given)
  expect(await ask(giver.url)).toEqual(left)
  await closeOurs(giver)

  // Snapshots have the same samples, the head's too.
  const ourSnapshot = join(data, 'snapshots', nameOf(await post(ours.url, 'snapshot')))
  const theirSnapshot = join(theirs.data, 'snapshots', nameOf(await post(theirs.url, 'snapshot')))
  const dumped = await dump(ourSnapshot)
  expect(dumped).toEqual(await dump(theirSnapshot))
  const total = (left[0] as { result: { value: [number, string] }[] }).result.reduce((sum, { value }) => sum + Number(value[1]), 0)
  expect(dumped).toHaveLength(total)
  const blocksAlone = join(data, 'snapshots', nameOf(await post(ours.url, 'snapshot', [['skip_head', 'true']])))
  expect(readdirSync(blocksAlone)).toHaveLength(ours.server.store.blocks.blocks.length)
  const snapshot = await openTheirs(ourSnapshot, 'snapshot')
  expect((await ask(snapshot.url)).slice(0, 4)).toEqual(left.slice(0, 4))

  expect(await post(ours.url, 'clean_tombstones')).toBe('204')
  expect(await post(theirs.url, 'clean_tombstones')).toBe('204')
  // A series that was listed because a chunk of it reached into the time is not any more.
  const cleaned = await ask(ours.url)
  expect(cleaned).toEqual(await ask(theirs.url))
  expect(cleaned.slice(0, 4)).toEqual(left.slice(0, 4))
  // promtool reads tombstones as well: after cleaning there are as many samples without them.
  const blocksOnly = join(temporary.path, 'blocks')
  cpSync(data, blocksOnly, { recursive: true, filter: (path) => !/\/(wal|lock|snapshots|tombstones|alertmanager)$/.test(path) })
  const samples = ours.server.store.blocks.blocks.reduce((sum, { meta }) => sum + meta.stats!.numSamples!, 0)
  expect(await dump(blocksOnly)).toHaveLength(samples)
  expect(ours.warnings).toEqual([])
}, 90_000)

test('mistakes are answered with the same status and text', async () => {
  const ours = await openOurs(join(temporary.path, 'ours'))
  const theirs = await startPrometheus({ config: 'scrape_configs: []\n', args: ['--web.enable-admin-api'] })
  peers.push(theirs)
  const requests: [string, string[][]][] = [
    ['delete_series', []],
    ['delete_series', [['match[]', 'a{']]],
    ['delete_series', [['match[]', 'up'], ['start', 'x']]],
    ['delete_series', [['match[]', 'up'], ['end', 'x']]],
    ['snapshot', [['skip_head', 'x']]],
  ] // prettier-ignore
  for (const [action, parameters] of requests) {
    expect(await post(ours.url, action, parameters)).toBe(inWordsOf3(await post(theirs.url, action, parameters)))
  }
  for (const method of ['GET', 'DELETE', 'PATCH', 'PUT']) {
    const ask = async (url: string): Promise<unknown[]> => {
      const response = await fetch(`${url}/api/v1/admin/tsdb/clean_tombstones`, { method })
      return [response.status, await response.text(), response.headers.get('allow'), response.headers.get('content-type')]
    }
    expect(await ask(ours.url), method).toEqual(await ask(theirs.url))
  }
}, 30_000)
