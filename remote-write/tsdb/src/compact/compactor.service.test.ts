// Against Debian's prometheus and promtool: what the compactor leaves in a data directory.
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { silentLogger } from '@narthex/service/logger'
import { startPrometheus } from '@narthex/test/kit/services'
import { openStore } from '../open-store.ts'

const run = promisify(execFile)
const hourMs = 3_600_000
const stepMs = 60_000
const seriesCount = 50
let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-compacted-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** The sample of series `i` at a time. */
function valueOf(i: number, timeMs: number): number {
  return i % 2 === 0 ? i * 1000 + timeMs / stepMs : Math.sin(i + timeMs / 1e6)
}

/** `hours` of samples up to now, compacted on the way; returns the time of the first and the last. */
async function fill(data: string, hours: number): Promise<{ firstMs: number; lastMs: number }> {
  const lastMs = Math.floor(Date.now() / stepMs) * stepMs
  const firstMs = lastMs - hours * hourMs
  const store = openStore({ directory: data, memoryBytesMax: 256 * 2 ** 20, log: silentLogger })
  const refs = Array.from({ length: seriesCount }, (_, i) => store.head.refByLabels(Labels.from({ __name__: 'm', i: `${i}`, job: 'ü' })))
  const words = new Uint32Array(2)
  const doubles = new Float64Array(words.buffer)
  for (let timeMs = firstMs; timeMs <= lastMs; timeMs += stepMs) {
    for (const [i, ref] of refs.entries()) {
      doubles[0] = valueOf(i, timeMs)
      expect(store.head.append(ref, timeMs, words[0]!, words[1]!)).toBe(0)
    }
    store.head.commit()
    if ((timeMs - firstMs) % hourMs === 0) await store.compactor.run()
  }
  await store.compactor.run()
  expect(store.blocks.blocks.length).toBeGreaterThan(1)
  expect(Math.max(...store.blocks.blocks.map(({ meta }) => meta.compaction.level))).toBeGreaterThan(1)
  await store.close()
  return { firstMs, lastMs }
}

test('promtool finds every sample of blocks and log once', async () => {
  const { firstMs, lastMs } = await fill(directory, 20)
  const { stdout } = await run('promtool', ['tsdb', 'dump', directory], { maxBuffer: 2 ** 28 })
  const found = new Map<string, number>()
  for (const line of stdout.trim().split('\n')) {
    const [, i, value, time] = /^\{__name__="m", i="(\d+)", job="ü"\} (\S+) (\d+)$/.exec(line)!
    expect(Number(value)).toBe(valueOf(Number(i), Number(time)))
    const key = `${i} ${time}`
    expect(found.has(key)).toBe(false)
    found.set(key, 1)
  }
  expect(found.size).toBe(seriesCount * ((lastMs - firstMs) / stepMs + 1))
  const listed = await run('promtool', ['tsdb', 'list', directory])
  expect(listed.stdout.trim().split('\n').length).toBeGreaterThan(2)
})

test('prometheus takes the directory over and answers with every sample', async () => {
  const data = join(directory, 'data')
  const { firstMs, lastMs } = await fill(data, 20)
  const copy = join(directory, 'copy')
  cpSync(data, copy, { recursive: true })
  rmSync(join(copy, 'lock'), { force: true })
  const prometheus = await startPrometheus({ config: 'scrape_configs: []\n', data: copy })
  try {
    const url = `${prometheus.url}/api/v1/query?time=${lastMs / 1000}&query=`
    const query = async (expression: string): Promise<number> => {
      const answer = (await (await fetch(url + encodeURIComponent(expression))).json()) as {
        data: { result: { value: [number, string] }[] }
      }
      return Number(answer.data.result[0]?.value[1] ?? NaN)
    }
    const samples = seriesCount * ((lastMs - firstMs) / stepMs + 1)
    await expect.poll(() => query('sum(count_over_time(m[30h]))').catch(() => 0), { timeout: 20_000, interval: 200 }).toBe(samples)
    let sum = 0
    for (let timeMs = firstMs; timeMs <= lastMs; timeMs += stepMs) sum += valueOf(8, timeMs)
    expect(await query('sum_over_time(m{i="8"}[30h])')).toBe(sum)
    expect(prometheus.process.output()).not.toMatch(/level=(error|warn)/)
  } finally {
    await prometheus.stop()
  }
})
