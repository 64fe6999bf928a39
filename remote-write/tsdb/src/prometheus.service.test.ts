// Against Debian's prometheus and promtool: both read our directory, we read theirs, and the chunks are the same bytes.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { ByteReader } from '@narthex/bytes/byte-reader'
import { crc32c } from '@narthex/bytes/crc32c'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { createLogger, silentLogger } from '@narthex/service/logger'
import { readChunkBytes, readSampleCount } from './chunk/open-chunk.ts'
import { copyChunk } from './chunk/xor-chunk.ts'
import { Head } from './head/head.ts'
import * as record from './head/series-record.ts'
import { HeadReader } from './select/head-reader.ts'
import { statePath, takenText } from './head-state/head-state.test-store.ts'
import { openStore } from './open-store.ts'

const run = promisify(execFile)
let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-prometheus-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** Lines of `promtool tsdb dump`: labels, value, time. */
async function dump(data: string): Promise<string[]> {
  const { stdout } = await run('promtool', ['tsdb', 'dump', data], { maxBuffer: 2 ** 28 })
  return stdout.split('\n').filter((line) => line !== '')
}

function count(reader: HeadReader): Map<string, { times: number[]; columns: SampleColumns }> {
  const found = new Map<string, { times: number[]; columns: SampleColumns }>()
  for (const set = reader.select([new Matcher('!=', '__name__', '')], -Infinity, Infinity); set.next();) {
    const columns = new SampleColumns()
    set.samples(columns)
    found.set(set.labels().toString(), { times: Array.from(columns.times.subarray(0, columns.length)), columns })
  }
  return found
}

function group(lines: readonly string[]): Map<string, number[]> {
  const found = new Map<string, number[]>()
  for (const line of lines) {
    const match = /^(\{.*\}) (\S+) (\d+)$/.exec(line)!
    const times = found.get(match[1]!) ?? []
    times.push(Number(match[3]))
    found.set(match[1]!, times)
  }
  return found
}

async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

/** Runs prometheus on `data`, scraping itself every 20 ms if asked, until `isDone` says so; SIGTERM or SIGKILL. */
async function runPrometheus(
  data: string,
  options: { scrapes: boolean; signal: NodeJS.Signals },
  isDone: (url: string) => Promise<boolean>,
  whileRunning: () => void = () => {},
): Promise<void> {
  const port = await findFreePort()
  const config = join(directory, 'prometheus.yml')
  const jobs = options.scrapes
    ? `\n  - job_name: self\n    scrape_interval: 20ms\n    scrape_timeout: 20ms\n    static_configs: [{targets: ['127.0.0.1:${port}']}]`
    : ' []'
  writeFileSync(config, `scrape_configs:${jobs}\n`)
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
  let errors = ''
  child.stderr.on('data', (text: Buffer) => (errors += text.toString()))
  try {
    const deadline = Date.now() + 15_000
    for (;;) {
      const done = await isDone(`http://127.0.0.1:${port}`).catch(() => false)
      if (done) return whileRunning()
      if (Date.now() > deadline || child.exitCode !== null) throw new Error(`prometheus did not get there: ${errors}`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  } finally {
    child.kill(options.signal)
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}

async function queryValue(url: string, query: string): Promise<number> {
  const answer = (await (await fetch(`${url}/api/v1/query?query=${encodeURIComponent(query)}`)).json()) as {
    data: { result: { value: [number, string] }[] }
  }
  return Number(answer.data.result[0]?.value[1] ?? NaN)
}

describe('our directory', () => {
  it('after a SIGKILL is dumped by promtool with every acknowledged sample', async () => {
    const script = fileURLToPath(new URL('./store.test-writer.ts', import.meta.url))
    const child = spawn(process.execPath, [script, directory, '40'], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    child.stdout.on('data', (data: Buffer) => (output += data.toString()))
    await once(child.stdout, 'data')
    await new Promise((resolve) => setTimeout(resolve, 100))
    child.kill('SIGKILL')
    await once(child, 'close')
    const acknowledged = output.slice(0, output.lastIndexOf('\n')).split('\n').map(Number)
    const dumped = group(await dump(directory))
    expect(dumped.size).toBe(40)
    for (const [, times] of dumped) expect(times.slice(0, acknowledged.length)).toEqual(acknowledged)
  })

  it('is opened by prometheus, which finds our samples and stale markers, and then again by us', async () => {
    const nowMs = Date.now()
    let store = openStore({ directory, log: silentLogger })
    for (let round = 0; round < 250; round++) {
      for (let i = 0; i < 20; i++) {
        const ref = store.head.refByLabels(Labels.from({ __name__: 'ours', i: String(i), text: 'é"\\\n' }))
        expect(store.head.append(ref, nowMs - 500_000 + round * 1000, 0, round === 249 && i === 0 ? 0x40000000 : 0x3ff00000)).toBe(0)
      }
      store.head.commit()
    }
    const stale = store.head.refByLabels(Labels.from({ __name__: 'gone' }))
    store.head.append(stale, nowMs - 2000, 0, 0x3ff00000)
    store.head.append(stale, nowMs - 1000, 2, 0x7ff00000)
    store.head.commit()
    await store.close()
    const before = count(new HeadReader(store.head.descriptor()))
    expect(statSync(join(directory, 'chunks_head', '000001')).size).toBeGreaterThan(20 * 50)
    expect(existsSync(statePath(directory))).toBe(true)
    await runPrometheus(directory, { scrapes: false, signal: 'SIGTERM' }, async (url) => {
      if ((await queryValue(url, 'sum(count_over_time(ours[1h]))')) !== 5000) return false
      expect(await queryValue(url, 'sum(ours offset 4m)')).toBe(21)
      expect(await queryValue(url, 'gone')).toBeNaN()
      // Half of it comes from our files of closed chunks, in which it finds no fault.
      const metrics = await (await fetch(`${url}/metrics`)).text()
      expect(metrics).toMatch(/^prometheus_tsdb_mmap_chunk_corruptions_total 0$/m)
      expect(metrics).toMatch(/^prometheus_tsdb_head_chunks [4-9]\d$/m)
      return true
    })
    // It has left what it does not know, and which is of another time now.
    expect(existsSync(statePath(directory))).toBe(true)
    let told = ''
    store = openStore({ directory, log: createLogger({ write: (line) => void (told += line) }) })
    expect(told).toContain("The head's state is of another time: the logs are read")
    expect([...count(new HeadReader(store.head.descriptor()))].map(([key, { times }]) => [key, times])).toEqual(
      [...before].map(([key, { times }]) => [key, times]),
    )
    await store.close()
  }, 40_000)
})

describe("prometheus' directory", () => {
  it('is refused while prometheus runs on it, and read by us after its end with the samples that promtool dumps', async () => {
    const data = join(directory, 'data')
    mkdirSync(data)
    await runPrometheus(
      data,
      { scrapes: true, signal: 'SIGKILL' },
      async (url) => {
        return (await queryValue(url, 'count_over_time(up[1m])')) >= 150
      },
      () => {
        expect(() => openStore({ directory: data, log: silentLogger })).toThrow(/process \d+ holds it/)
      },
    )
    const theirs = group(await dump(data))
    let told = ''
    const log = createLogger({ level: 'info', format: 'logfmt', write: (line) => void (told += line) })
    let store = openStore({ directory: data, log })
    expect(Number(/Head chunks are read.* used=(\d+)/.exec(told)![1])).toBeGreaterThan(0.9 * theirs.size)
    const compare = (): void => {
      const ours = count(new HeadReader(store.head.descriptor()))
      expect(ours.size).toBe(theirs.size)
      for (const [labels, times] of theirs) expect(ours.get(labels)?.times, labels).toEqual(times)
    }
    expect(theirs.size).toBeGreaterThan(300)
    compare()
    // Our own samples join theirs, under references that mean nothing else in their segments.
    const ref = store.head.refByLabels(Labels.from({ __name__: 'ours' }))
    store.head.append(ref, Date.now(), 0, 0)
    store.head.commit()
    await store.close()
    theirs.set('{__name__="ours"}', group(await dump(data)).get('{__name__="ours"}')!)
    expect(theirs.get('{__name__="ours"}')).toHaveLength(1)
    store = openStore({ directory: data, log: silentLogger })
    compare()
    await store.close()
    expect(group(await dump(data))).toEqual(theirs)
  }, 40_000)

  it("is read again by us after it has gone on in ours, whose head's state is not used then", async () => {
    let store = openStore({ directory, log: silentLogger })
    const first = store.head.refByLabels(Labels.from({ __name__: 'ours' }))
    const nowMs = Date.now()
    for (let i = 0; i < 300; i++) {
      expect(store.head.append(first, nowMs - 60_000 + i, 0, i)).toBe(0)
      store.head.commit()
    }
    await store.close()
    expect(existsSync(statePath(directory))).toBe(true)
    expect(group(await dump(directory)).get('{__name__="ours"}')).toHaveLength(300)
    await runPrometheus(directory, { scrapes: true, signal: 'SIGTERM' }, async (url) => {
      return (await queryValue(url, 'count_over_time(up[1m])')) >= 20
    })
    const theirs = group(await dump(directory))
    let told = ''
    store = openStore({ directory, log: createLogger({ write: (line) => void (told += line) }) })
    expect(told).toMatch(/The head's state is of another time: the logs are read.*wal\/\d+ is new/)
    const ours = count(new HeadReader(store.head.descriptor()))
    expect(new Map([...ours].map(([labels, { times }]) => [labels, times]))).toEqual(theirs)
    await store.close()
    // And what it had appended is in the state that we leave.
    told = ''
    store = openStore({ directory, log: createLogger({ write: (line) => void (told += line) }) })
    expect(told).toContain(takenText)
    const again = count(new HeadReader(store.head.descriptor()))
    expect(new Map([...again].map(([labels, { times }]) => [labels, times]))).toEqual(theirs)
    await store.close()
    expect(group(await dump(directory))).toEqual(theirs)
  }, 40_000)
})

describe('chunks', () => {
  it("are cut at the same samples and have the same bytes as prometheus' own", async () => {
    // Times are multiples of 125 ms, as promtool reads them as seconds and cuts off; chunks stay below 493 bytes, a limit that
    // this Prometheus does not have.
    // promtool builds blocks of two hours from text through prometheus' head; an aligned start makes ours the same ranges.
    const startMs = 1_700_006_400_000
    const series: [number, number][][] = []
    let seed = 12345
    const random = (): number => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32
    for (let i = 0; i < 12; i++) {
      const samples: [number, number][] = []
      let counter = 0
      for (
        let timeMs = startMs;
        timeMs < startMs + 7_200_000;
        timeMs += [15_000, 15_000 + Math.floor(random() * 9) * 125, 1000, 60_000][i % 4]!
      ) {
        counter += Math.floor(random() * 50)
        samples.push([timeMs, [counter, Math.floor(random() * 8) / 4, 42, random() < 0.04 ? counter / 7 : -1e-300][Math.floor(i / 3)]!])
      }
      series.push(samples)
    }
    const lines: string[] = ['# TYPE m gauge']
    series.forEach((samples, i) =>
      samples.forEach(([timeMs, value]) => lines.push(`m{i="${String(i).padStart(2, '0')}"} ${value} ${timeMs / 1000}`)),
    )
    const input = join(directory, 'input.om')
    const blocks = join(directory, 'blocks')
    writeFileSync(input, `${lines.join('\n')}\n# EOF\n`)
    await run('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', input, blocks], { maxBuffer: 2 ** 26 })
    const theirs = readdirSync(blocks).flatMap((block) => readChunkFile(join(blocks, block, 'chunks', '000001')))
    // promtool tells the head that blocks are twice as long as it makes them.
    const head = new Head({ memoryBytesMax: 2 ** 28, chunkRangeMs: 4 * 3600 * 1000 })
    const ours = series.flatMap((samples, i) => writeChunks(head, i, samples))
    expect(theirs.length).toBeGreaterThan(40)
    // Short texts, for the case that they differ: ┌ samples ┬ bytes ┬ checksum ┐
    expect(ours.map(describeChunk)).toEqual(theirs.map(describeChunk))
  })
})

/** Chunks of a file: magic and version 8 B, then ┌ length uvarint ┬ encoding 1 B ┬ data ┬ crc32c 4 B ┐. */
function readChunkFile(path: string): Uint8Array[] {
  const reader = new ByteReader(readFileSync(path), 8)
  const chunks: Uint8Array[] = []
  while (reader.remaining > 0) {
    const length = reader.uvarint()
    reader.u8()
    chunks.push(reader.raw(length))
    reader.raw(4)
  }
  return chunks
}

function describeChunk(chunk: Uint8Array): string {
  return `${(chunk[0]! << 8) | chunk[1]!} samples, ${chunk.length} bytes, ${crc32c(chunk)}`
}

/** The chunks of one series in our head, taken before each cut. */
function writeChunks(head: Head, i: number, samples: readonly (readonly [number, number])[]): Uint8Array[] {
  const ref = head.refByLabels(Labels.from({ __name__: 'm', i: String(i).padStart(2, '0') }))
  const words = head.memory.series.words[0]!
  const at = ref * record.recordWords
  const value = new Float64Array(1)
  const halves = new Uint32Array(value.buffer)
  const chunks: Uint8Array[] = []
  let open = 0
  let last: Uint8Array = new Uint8Array(0)
  for (const [timeMs, sample] of samples) {
    value[0] = sample
    head.startReplay()
    head.append(ref, timeMs, halves[0]!, halves[1]!)
    head.commit()
    const chunk = words[at + record.openChunkField]!
    if (chunk !== open && open !== 0) chunks.push(last)
    open = chunk
    const state = at + record.encoderField
    last = copyChunk(head.memory.chunks, chunk, readSampleCount(words, state), readChunkBytes(words, state))
  }
  return [...chunks, last]
}

it('leaves a copy of the directory readable while it is open, as promtool reads it', async () => {
  const store = openStore({ directory: join(directory, 'data'), log: silentLogger })
  for (let i = 0; i < 1000; i++) {
    store.head.append(store.head.refByLabels(Labels.from({ __name__: 'm', i: String(i % 10) })), Date.now() - 100_000 + i, i, i)
    store.head.commit()
  }
  cpSync(join(directory, 'data'), join(directory, 'copy'), { recursive: true })
  expect(await dump(join(directory, 'copy'))).toHaveLength(1000)
  expect(await dump(join(directory, 'data'))).toHaveLength(1000)
  await store.close()
})
