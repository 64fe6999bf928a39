// Against Debian's prometheus and promtool 2.42: each reads the other's log, checkpoint, log of out-of-order samples and head chunks.
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { Head } from '../head/head.ts'
import type { HeadChunk } from '../head-chunks/chunk-entry.ts'
import { HeadChunkWriter } from '../head-chunks/head-chunk-writer.ts'
import { replayHeadChunks } from '../head-chunks/replay-head-chunks.ts'
import { HeadReader } from '../select/head-reader.ts'
import { createCheckpoint } from './checkpoint.ts'
import { histogramRecordOf, readHistogram } from './histogram-payload.ts'
import type { LoggedHistogram } from './histogram-payload.ts'
import { RecordBuilder } from './record-builder.ts'
import { replayLog } from './replay.ts'
import type { ReplayResult } from './replay.ts'
import { histogramOf } from './wal.test-histograms.ts'
import { readLabels } from './text-payload.ts'
import { serveTarget } from './wal.test-target.ts'
import { hasFloatHistograms } from './wal-format.ts'
import { WalWriter } from './wal-writer.ts'
import { replayWbl, WblWriter } from './wbl.ts'

const run = promisify(execFile)
const features = 'native-histograms,exemplar-storage'
let directory = ''
let data = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-prometheus-log-'))
  data = join(directory, 'data')
  for (const name of ['wal', 'chunks_head']) mkdirSync(join(data, name), { recursive: true })
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

interface Answer {
  readonly metric: Readonly<Record<string, string>>
  readonly values?: readonly (readonly [number, string])[]
  readonly histograms?: readonly (readonly [
    number,
    { count: string; sum: string; buckets?: readonly (readonly [number, string, string, string])[] },
  ])[]
}

interface Running {
  readonly query: (text: string) => Promise<readonly Answer[]>
  readonly get: (path: string) => Promise<unknown>
}

/** Runs prometheus on the data directory until `isDone`; gives what it logged. */
async function runPrometheus(
  options: { targetPort?: number; signal?: NodeJS.Signals },
  isDone: (running: Running) => Promise<boolean>,
): Promise<string> {
  const socket = createServer().listen(0, '127.0.0.1')
  await once(socket, 'listening')
  const { port } = socket.address() as AddressInfo
  socket.close()
  await once(socket, 'close')
  const config = join(directory, 'prometheus.yml')
  const jobs =
    options.targetPort === undefined
      ? ' []'
      : `\n  - job_name: t\n    scrape_interval: 100ms\n    static_configs: [{targets: ['127.0.0.1:${options.targetPort}']}]`
  writeFileSync(config, `storage: {tsdb: {out_of_order_time_window: 2h}}\nscrape_configs:${jobs}\n`)
  const child = spawn(
    'prometheus',
    [
      `--config.file=${config}`,
      `--storage.tsdb.path=${data}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--storage.tsdb.retention.time=100y',
      `--enable-feature=${features}`,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let log = ''
  child.stderr.on('data', (text: Buffer) => (log += text.toString()))
  const get = async (path: string): Promise<unknown> => {
    const answer = (await (await fetch(`http://127.0.0.1:${port}${path}`)).json()) as { status: string; data: unknown; error?: string }
    if (answer.status !== 'success') throw new Error(answer.error)
    return answer.data
  }
  const query = async (text: string): Promise<readonly Answer[]> =>
    ((await get(`/api/v1/query?query=${encodeURIComponent(text)}`)) as { result: Answer[] }).result
  try {
    const deadline = Date.now() + 15_000
    for (;;) {
      let failure: unknown
      const done = await isDone({ query, get }).catch((error: unknown) => {
        failure = error
        return false
      })
      if (done) return log
      if (Date.now() > deadline || child.exitCode !== null) throw new Error(`prometheus did not get there: ${log}`, { cause: failure })
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  } finally {
    child.kill(options.signal ?? 'SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }
}

interface Found {
  readonly head: Head
  readonly result: ReplayResult
  readonly histograms: Map<string, [number, LoggedHistogram][]>
  readonly exemplars: Set<string>
}

function replay(): Found {
  const head = new Head({ memoryBytesMax: 2 ** 28 })
  const histograms: Found['histograms'] = new Map()
  const exemplars = new Set<string>()
  const result = replayLog(join(data, 'wal'), head, () => {}, Infinity, {
    histograms: (type, record, { length, refs, times, starts, ends }) => {
      for (let i = 0; i < length; i++) {
        const name = head.labelsOf(refs[i]!).get('__name__')!
        const logged = readHistogram(record, starts[i]!, ends[i]!, hasFloatHistograms(type))!
        histograms.set(name, [...(histograms.get(name) ?? []), [times[i]!, logged]])
      }
    },
    exemplars: (record, { length, refs, times, starts, ends }) => {
      for (let i = 0; i < length; i++) {
        const labels = readLabels(record, starts[i]!, ends[i]!).join('=')
        exemplars.add(`${head.labelsOf(refs[i]!).get('__name__')} ${times[i]} ${labels}`)
      }
    },
  })
  return { head, result, histograms, exemplars }
}

/** Counts of the buckets that have any, from the lowest up, as the API gives them. */
function bucketsOf({ histogram }: LoggedHistogram): number[] {
  let sum = 0
  const side = (deltas: readonly number[], counts: readonly number[]): number[] => {
    sum = 0
    return histogram.isFloat ? [...counts] : deltas.map((delta) => (sum += delta))
  }
  const negative = side(histogram.negativeDeltas, histogram.negativeCounts).toReversed()
  return [...negative, histogram.zeroCount, ...side(histogram.positiveDeltas, histogram.positiveCounts)].filter((count) => count !== 0)
}

describe("prometheus' directory", () => {
  it('is read with the histograms, exemplars and out-of-order samples that its API answers', async () => {
    const server = await serveTarget()
    let answers: Record<string, readonly Answer[]> = {}
    let exemplars: unknown
    await runPrometheus({ targetPort: (server.address() as AddressInfo).port, signal: 'SIGTERM' }, async ({ query, get }) => {
      if (Number((await query('count_over_time(latency[1h])'))[0]?.metric === undefined ? 0 : 1) === 0) return false
      const values = (await query('counted_total[1h]'))[0]?.values ?? []
      if (values.length < 25) return false
      // One after the other, the newest samples may be missing in the first ones.
      for (const name of ['counted_total', 'latency', 'latency_float', 'late']) answers = { ...answers, [name]: await query(`${name}[1h]`) }
      exemplars = await get(`/api/v1/query_exemplars?query=counted_total&start=${Date.now() / 1000 - 600}&end=${Date.now() / 1000 + 600}`)
      return true
    })
    server.closeAllConnections()
    server.close()
    const { result, histograms, exemplars: ours } = replay()
    expect(result.damages).toEqual([])
    expect(result).toMatchObject({ samplesUnknown: 0 })
    for (const name of ['latency', 'latency_float']) {
      const theirs = answers[name]![0]!.histograms!
      expect(theirs.length).toBeGreaterThan(15)
      const read = new Map((histograms.get(name) ?? []).map(([timeMs, logged]) => [timeMs, logged]))
      for (const [seconds, { count, sum, buckets }] of theirs) {
        const logged = read.get(Math.round(seconds * 1000))!
        expect([logged.histogram.count, logged.histogram.sum], `${name} at ${seconds}`).toEqual([Number(count), Number(sum)])
        expect(bucketsOf(logged)).toEqual((buckets ?? []).map((bucket) => Number(bucket[3])))
      }
      expect(histograms.get(name)!.some(([, { histogram }]) => histogram.isFloat)).toBe(name === 'latency_float')
      // The end of the target's last scrape.
      expect(histograms.get(name)!.length).toBeGreaterThanOrEqual(theirs.length)
    }
    const told = exemplars as { seriesLabels: { __name__: string }; exemplars: { labels: { trace: string }; timestamp: number }[] }[]
    expect(told[0]!.exemplars.length).toBeGreaterThan(15)
    for (const { labels, timestamp } of told[0]!.exemplars)
      expect(ours).toContain(`counted_total ${Math.round(timestamp * 1000)} trace=${labels.trace}`)
    const late = new Set<number>()
    const wbl = replayWbl(
      join(data, 'wbl'),
      (type, _record, entries) => {
        for (let i = 0; i < entries.length && type === 2; i++) late.add(entries.times[i]!)
        expect(result.headRefOf(entries.refs[0]!)).toBeGreaterThan(0)
      },
      () => {},
    )
    expect(wbl.damages).toEqual([])
    const theirLate = answers['late']![0]!.values!.map(([seconds]) => Math.round(seconds * 1000))
    expect(theirLate.length).toBeGreaterThan(15)
    // The newest of all times was in order: it is in the log, all others came late.
    expect(theirLate.slice(0, -1).filter((timeMs) => !late.has(timeMs))).toEqual([])
  }, 40_000)
})

describe('our directory', () => {
  /** Ten series of `samples` floats, one of each kind of histogram, one series that is gone early; in six segments. */
  async function writeLog(startMs: number, samples: number, stepMs = 1000): Promise<WalWriter> {
    const writer = new WalWriter({ directory: join(data, 'wal'), firstSegment: 0, compresses: true })
    const builder = new RecordBuilder()
    const put = (type: number, add: () => void): void => {
      builder.begin(type)
      add()
      writer.writeRecords([builder.view()])
    }
    put(1, () => {
      for (let ref = 1; ref <= 10; ref++) builder.addSeries(ref, ['__name__', 'ours', 'i', String(ref)])
      for (const [i, name] of ['integer', 'float', 'custom', 'gone'].entries()) builder.addSeries(11 + i, ['__name__', name])
    })
    put(2, () => builder.addSample(14, startMs, 0, 0x3ff00000))
    put(6, () => builder.addMetadata(1, { type: 'gauge', unit: '', help: 'Ours.' }))
    const kinds = [histogramOf(false), histogramOf(true), histogramOf(false, { customValues: [1, 2, 3, 4, 5, 6] })]
    for (let round = 0; round < samples; round++) {
      const timeMs = startMs + round * stepMs
      put(2, () => {
        for (let ref = 1; ref <= 10; ref++) builder.addSample(ref, timeMs, round, 0x3ff00000 + ref)
      })
      for (const [i, logged] of kinds.entries())
        put(histogramRecordOf(logged.histogram), () => builder.addHistogram(11 + i, timeMs, logged))
      put(11, () => builder.addSample(1, timeMs + 1, 0, 0, timeMs))
      put(12, () => builder.addHistogram(11, timeMs + 1, histogramOf(false), timeMs))
      put(4, () => builder.addExemplar(1, timeMs, 0, 0x3ff00000, ['trace', String(round)]))
      writer.references.note(14)
      if (round % Math.ceil(samples / 6) === 0 && round > 0) writer.nextSegment()
    }
    await writer.sync()
    return writer
  }

  /** Of a copy: this promtool writes head chunks into the directory that it dumps. */
  const dump = async (): Promise<string[]> => {
    const copy = join(directory, 'copy')
    cpSync(data, copy, { recursive: true })
    const { stdout } = await run('promtool', ['tsdb', 'dump', copy], { maxBuffer: 2 ** 28 })
    rmSync(copy, { recursive: true })
    return stdout.split('\n').filter((line) => line.includes('"ours"') || line.includes('"gone"'))
  }

  it('with a checkpoint is dumped by promtool and queried in prometheus with the right samples', async () => {
    const startMs = Date.now() - 400_000
    const writer = await writeLog(startMs, 300)
    const before = await dump()
    expect(before).toHaveLength(3001)
    const minTimeMs = startMs + 100_500
    const result = await createCheckpoint({
      directory: join(data, 'wal'),
      activeSegment: writer.segment,
      keeps: (ref) => ref !== 14,
      minTimeMs,
      compresses: true,
    })
    expect(result).toMatchObject({ lastSegment: 2, seriesKept: 13, seriesDropped: 1 })
    await writer.close()
    expect(readdirSync(join(data, 'wal')).sort()).toEqual(['00000003', '00000004', '00000005', 'checkpoint.00000002'])
    const timeOf = (line: string): number => Number(line.slice(line.lastIndexOf(' ')))
    expect((await dump()).sort()).toEqual(before.filter((line) => timeOf(line) >= minTimeMs).sort())
    const found = replay()
    expect(found.result).toMatchObject({ samplesUnknown: 0, damages: [], references: { highest: 14 } })
    // 13 series are left of the 14, under the references that they had.
    expect(found.head.seriesCount).toBe(13)
    const log = await runPrometheus({}, async ({ query }) => {
      if (Number((await query('count(count_over_time(ours[1h]))'))[0] === undefined)) return false
      expect((await query('sum(count_over_time(ours[1h]))'))[0]).toMatchObject({ value: [expect.any(Number), '1990'] })
      for (const name of ['integer', 'float']) {
        const theirs = (await query(`${name}[1h]`))[0]!.histograms!
        const ours = found.histograms.get(name)!.filter(([timeMs]) => timeMs % 1000 === startMs % 1000)
        expect(theirs.map(([seconds]) => Math.round(seconds * 1000))).toEqual(ours.map(([timeMs]) => timeMs))
        for (const [, { count, sum, buckets }] of theirs) {
          expect([count, sum]).toEqual(['9', '12.5'])
          expect(buckets!.map((bucket) => Number(bucket[3]))).toEqual(bucketsOf(ours[0]![1]))
        }
      }
      return true
    })
    expect(log).not.toMatch(/level=(error|warn)/)
  }, 40_000)

  it('is compacted by prometheus, whose checkpoint we read', async () => {
    const stepMs = 30_000
    const startMs = Date.now() - 720 * stepMs
    const writer = await writeLog(startMs, 720, stepMs)
    await writer.close()
    const server = await serveTarget()
    const wal = join(data, 'wal')
    // Its scrapes make it look whether the head is to be compacted.
    await runPrometheus({ targetPort: (server.address() as AddressInfo).port }, () =>
      Promise.resolve(readdirSync(wal).some((name) => /^checkpoint\.\d+$/.test(name)) && !readdirSync(wal).includes('00000000')),
    )
    server.closeAllConnections()
    server.close()
    const { head, result, histograms } = replay()
    expect(result).toMatchObject({ damages: [], samplesUnknown: 0 })
    const ours = new HeadReader(head.descriptor()).select([new Matcher('=', '__name__', 'ours')], -Infinity, Infinity)
    let series = 0
    while (ours.next()) {
      const columns = new SampleColumns()
      ours.samples(columns)
      const times = [...columns.times.subarray(0, columns.length)].filter((timeMs) => (timeMs - startMs) % stepMs === 0)
      // A block of it ends on a multiple of two hours; what follows is all there.
      expect(times.length).toBeLessThan(600)
      expect(times).toEqual(Array.from({ length: times.length }, (_, i) => startMs + (720 - times.length + i) * stepMs))
      series++
    }
    expect(series).toBe(10)
    expect(histograms.get('integer')!.length).toBeGreaterThan(100)
  }, 40_000)

  it('with our log of out-of-order samples is read by prometheus', async () => {
    const startMs = Date.now() - 400_000
    const writer = await writeLog(startMs, 10)
    await writer.close()
    mkdirSync(join(data, 'wbl'))
    const wbl = new WblWriter({ directory: join(data, 'wbl'), firstSegment: 0, compresses: true })
    for (let i = 1; i <= 20; i++) wbl.addSample(3, startMs - i * 1000, 0, 0x40000000)
    // Points to no chunk: has no effect.
    wbl.addMarker(4, 7, 8)
    wbl.commit()
    await wbl.close()
    const log = await runPrometheus({}, async ({ query }) => {
      const values = (await query('ours{i="3"}[1h]'))[0]?.values
      if (values === undefined) return false
      expect(values.map(([seconds]) => Math.round(seconds * 1000) - startMs)).toEqual(Array.from({ length: 30 }, (_, i) => (i - 20) * 1000))
      return true
    })
    expect(log).not.toMatch(/level=(error|warn)/)
  }, 40_000)

  it('gives head chunks in prometheus that we read, and ours are read by prometheus', async () => {
    const startMs = Date.now() - 1_000_000
    const writer = await writeLog(startMs, 500)
    await writer.close()
    const isRead = async ({ query }: Running): Promise<boolean> => {
      const [answer] = (await query('sum(count_over_time(ours[1h]))')) as unknown as { value: [number, string] }[]
      return answer?.value[1] === '5000'
    }
    // It cuts chunks while it reads the log, and puts the full ones into files. Killed, it leaves files with zeros at their end.
    await runPrometheus({}, isRead)
    expect(
      replayHeadChunks(
        join(data, 'chunks_head'),
        () => {},
        () => {},
      ).damages,
    ).toEqual([])
    await runPrometheus({ signal: 'SIGTERM' }, isRead)
    const theirs: HeadChunk[] = []
    const chunks = join(data, 'chunks_head')
    const read = replayHeadChunks(
      chunks,
      (chunk) => theirs.push({ ...chunk, data: chunk.data.slice() }),
      () => {},
    )
    expect(read.damages).toEqual([])
    const ofSeries = theirs.filter(({ seriesRef }) => seriesRef === 3)
    expect(ofSeries.length).toBeGreaterThan(2)
    expect(ofSeries[0]).toMatchObject({ minTimeMs: startMs, encoding: 1, isOutOfOrder: false })
    for (const [i, chunk] of ofSeries.entries()) if (i > 0) expect(chunk.minTimeMs).toBe(ofSeries[i - 1]!.maxTimeMs + 1000)
    expect(new Set(theirs.map(({ encoding }) => encoding))).toEqual(new Set([1, 2, 3]))
    // The same chunks in files of ours, some of them behind empty files, and a log that has only what comes later.
    rmSync(chunks, { recursive: true })
    mkdirSync(chunks)
    const own = new HeadChunkWriter({ directory: chunks, files: [], fileBytes: 4096 })
    for (const chunk of theirs) {
      if (!own.fits(chunk.data.length)) own.write()
      own.append(chunk)
    }
    await own.close()
    expect(readdirSync(chunks).length).toBeGreaterThan(2)
    const maxTimes = new Map(theirs.map(({ seriesRef, maxTimeMs }) => [seriesRef, maxTimeMs]))
    const whole = replay()
    rmSync(join(data, 'wal'), { recursive: true })
    mkdirSync(join(data, 'wal'))
    const rest = new WalWriter({ directory: join(data, 'wal'), firstSegment: 0, compresses: false })
    const builder = new RecordBuilder()
    builder.begin(1)
    for (let ref = 1; ref <= 13; ref++) builder.addSeries(ref, whole.head.labelsOf(ref).pairs as string[])
    rest.writeRecords([builder.view().slice()])
    builder.begin(2)
    for (let round = 0; round < 500; round++) {
      for (let ref = 1; ref <= 10; ref++)
        if (startMs + round * 1000 > maxTimes.get(ref)!) builder.addSample(ref, startMs + round * 1000, round, 0x3ff00000 + ref)
    }
    expect(builder.count).toBeLessThan(3000)
    rest.writeRecords([builder.view()])
    await rest.close()
    const log = await runPrometheus({}, isRead)
    expect(log).not.toMatch(/level=(error|warn)/)
    // A damaged file: what we set aside, and the empty files in its place, are fine with it too.
    const path = join(chunks, '000002')
    const bytes = readFileSync(path)
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(path, bytes)
    const damaged = replayHeadChunks(
      chunks,
      () => {},
      () => {},
    )
    expect(damaged.damages.length).toBeGreaterThan(2)
    const after = new HeadChunkWriter({ directory: chunks, files: damaged.files })
    after.append(theirs.at(-1)!)
    await after.close()
    const again = await runPrometheus({}, async ({ query }) => (await query('sum(count_over_time(ours[1h]))')).length > 0)
    expect(again).not.toMatch(/level=(error|warn)|corrupt/)
  }, 60_000)
})
