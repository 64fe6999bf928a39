// Late samples against Debian's prometheus: the same ones in, the same answers; each opens the other's directory.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { silentLogger } from '@narthex/service/logger'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import { describeHistogram } from './chunk/testdata/histogram-walk.ts'
import { HeadReader } from './select/head-reader.ts'
import { openStore } from './open-store.ts'
import type { Store } from './store.ts'
import { histogramOf } from './wal/wal.test-histograms.ts'

const run = promisify(execFile)
/** Longer than two ranges of blocks: prometheus stores the samples of its scrapes at the time of the clock, and the end of the last range may be as old as one. */
const windowMs = 14_400_000
let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-late-service-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

type Sample = readonly [series: number, timeMs: number, value: number]
/** `i/time` → value. */
type Found = Record<string, number>

/** Ten series: first samples in order, then others between and before them, more than fit into one of prometheus' chunks, and one series only late. */
function makeSamples(nowMs: number): Sample[] {
  const samples: Sample[] = []
  for (let k = 0; k < 60; k++) for (let i = 0; i < 9; i++) samples.push([i, nowMs - 600_000 + 10_000 * k, i + k])
  for (let k = 50; k > 0; k--) for (let i = 0; i < 9; i++) samples.push([i, nowMs - 605_000 + 10_000 * ((k * 7) % 50) - 100 * i, i - k / 3])
  for (let k = 0; k < 40; k++) samples.push([9, nowMs - 4_500_000 + 1000 * ((k * 11) % 40), k])
  return samples
}

function keyed(samples: readonly Sample[]): Found {
  return Object.fromEntries(samples.map(([i, timeMs, value]) => [`${i}/${timeMs}`, value]))
}

function open(data: string): Store {
  return openStore({ directory: data, outOfOrderWindowMs: windowMs, log: silentLogger })
}

function read(store: Store): Found {
  const found: Found = {}
  for (const set = new HeadReader(store.head.descriptor()).select([new Matcher('=', '__name__', 'm')], -Infinity, Infinity); set.next();) {
    const columns = new SampleColumns()
    set.samples(columns)
    for (let k = 0; k < columns.length; k++) {
      if (k > 0) expect(columns.times[k]).toBeGreaterThan(columns.times[k - 1]!)
      found[`${set.labels().get('i')}/${columns.times[k]}`] = columns.values[k]!
    }
  }
  return found
}

function write(store: Store, samples: readonly Sample[]): void {
  const words = new Uint32Array(2)
  for (const [at, [i, timeMs, value]] of samples.entries()) {
    new Float64Array(words.buffer)[0] = value
    const ref = store.head.refByLabels(Labels.from({ __name__: 'm', i: String(i) }))
    expect(store.head.append(ref, timeMs, words[0]!, words[1]!)).toBe(0)
    if (at % 97 === 0) store.head.commit()
  }
  store.head.commit()
}

async function dump(data: string): Promise<Found> {
  const { stdout } = await run('promtool', ['tsdb', 'dump', '--match={__name__="m"}', data], { maxBuffer: 2 ** 28 })
  const found: Found = {}
  for (const line of stdout.split('\n')) {
    const match = /i="(\d)".*\} (\S+) (\d+)$/.exec(line)
    if (match !== null) found[`${match[1]}/${match[3]}`] = Number(match[2])
  }
  return found
}

/** Runs prometheus on the data directory, scraping `targetPort` if it is given, until it has `count` samples; what it then answers. */
async function runPrometheus(data: string, count: number, targetPort?: number): Promise<Found> {
  const socket = createServer().listen(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address() as AddressInfo
  socket.close()
  await once(socket, 'close')
  const config = join(directory, 'prometheus.yml')
  const jobs = `\n  - job_name: t\n    scrape_interval: 300ms\n    static_configs: [{targets: ['127.0.0.1:${targetPort}']}]`
  writeFileSync(
    config,
    `storage: {tsdb: {out_of_order_time_window: ${windowMs}ms}}\nscrape_configs:${targetPort === undefined ? ' []' : jobs}\n`,
  )
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--storage.tsdb.retention.time=100y',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  child.stderr.on('data', (text: Buffer) => (log += text.toString()))
  let found: Found = {}
  try {
    const deadline = Date.now() + 15_000
    for (;;) {
      found = await query(port).catch(() => ({}))
      if (Object.keys(found).length >= count) return found
      if (Date.now() > deadline || child.exitCode !== null)
        throw new Error(`prometheus has ${Object.keys(found).length} of ${count} samples: ${log}`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  } finally {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}

async function query(port: number): Promise<Found> {
  const answer = (await (await fetch(`http://127.0.0.1:${port}/api/v1/query?query=m[5h]`)).json()) as {
    data: { result: { metric: { i: string }; values: [number, string][] }[] }
  }
  const found: Found = {}
  for (const { metric, values } of answer.data.result) {
    for (const [time, value] of values) found[`${metric.i}/${Math.round(time * 1000)}`] = Number(value)
  }
  return found
}

it('of ours are found by promtool and by a prometheus that opens the directory, and by us after it', async () => {
  const samples = makeSamples(Date.now())
  const data = join(directory, 'ours')
  let store = open(data)
  write(store, samples)
  const ours = read(store)
  expect(ours).toEqual(keyed(samples))
  // As after a SIGKILL.
  cpSync(data, join(directory, 'copy'), { recursive: true })
  await store.close()
  expect(readdirSync(join(data, 'wbl'))).toEqual(['00000000'])
  expect(await dump(data)).toEqual(ours)
  expect(await dump(join(directory, 'copy'))).toEqual(ours)
  expect(await runPrometheus(data, samples.length)).toEqual(ours)
  store = open(data)
  expect(read(store)).toEqual(ours)
  await store.close()
}, 60_000)

it('of ours that are histograms are passed over by a prometheus of before 3.0, and found by us after it', async () => {
  const samples = makeSamples(Date.now())
  const data = join(directory, 'ours')
  let store = open(data)
  const ref = store.head.refByLabels(Labels.from({ __name__: 'h' }))
  const newestMs = samples[0]![1]
  for (let k = 0; k < 50; k++) {
    const histogram = { ...histogramOf(k % 2 === 0).histogram, count: 8 }
    expect(store.head.appendHistogram(ref, newestMs - 1000 * ((k * 7) % 50), histogram)).toBe(0)
    if (k % 9 === 0) store.head.commit()
  }
  write(store, samples)
  const histogramsOf = (): string[] => {
    const set = new HeadReader(store.head.descriptor()).select([new Matcher('=', '__name__', 'h')], -Infinity, Infinity)
    const columns = new HistogramColumns()
    if (set.next()) set.histograms?.(columns)
    return Array.from({ length: columns.length }, (_, k) => `${columns.times[k]} ${describeHistogram(columns.histogram(k))}`)
  }
  const histograms = histogramsOf()
  expect(histograms.length).toBe(50)
  await store.close()
  expect(await runPrometheus(data, samples.length)).toEqual(keyed(samples))
  store = open(data)
  expect(histogramsOf()).toEqual(histograms)
  await store.close()
}, 60_000)

// Where a range of blocks ends between the samples, prometheus and we close chunks there.
it.each([
  ['now', Date.now()],
  ['as long ago as the end of the last range gets', Date.now() - 7_200_000],
  ['around the end of a range', Math.floor((Date.now() - 300_000) / 7_200_000) * 7_200_000 + 300_000],
])(
  'of a prometheus are the same as ours, and found by us in its directory: %s',
  async (_, nowMs) => {
    const samples = makeSamples(nowMs)
    const page = samples.map(([i, timeMs, value]) => `m{i="${i}"} ${value} ${timeMs}\n`).join('')
    const target = createHttpServer((_request, response) => response.end(page)).listen(0, '127.0.0.1')
    await once(target, 'listening')
    const data = join(directory, 'theirs')
    const theirs = await runPrometheus(data, samples.length, (target.address() as AddressInfo).port)
    target.closeAllConnections()
    target.close()
    const fresh = open(join(directory, 'ours'))
    write(fresh, samples)
    expect(read(fresh)).toEqual(theirs)
    await fresh.close()
    expect(existsSync(join(data, 'wbl'))).toBe(true)
    let store = open(data)
    expect(read(store)).toEqual(theirs)
    // And further ones join them.
    write(store, [[3, samples[0]![1] + 123, 77]])
    const more = { ...theirs, [`3/${samples[0]![1] + 123}`]: 77 }
    await store.close()
    store = open(data)
    expect(read(store)).toEqual(more)
    await store.close()
    expect(await runPrometheus(data, samples.length + 1)).toEqual(more)
  },
  60_000,
)
