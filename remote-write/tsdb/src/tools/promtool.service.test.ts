import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Matcher } from '@narthex/model/matcher'
import { Matcher as LabelMatcher } from '@narthex/model/matcher'
import { makeTemporaryDirectory, waitFor } from '@narthex/test/kit/process'
import { writeRequest } from '@narthex/test/kit/remote-write'
import { startPrometheus } from '@narthex/test/kit/services'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { BlockReader } from '../block/block-reader.ts'
import { PageCache } from '../block/page-cache.ts'
import { dumpDatabase, PlainFormat } from './dump-database.ts'

// Beside Debian's promtool, on a directory that Debian's Prometheus wrote: blocks, log, out-of-order log and head chunks.

const temporary = makeTemporaryDirectory()
afterAll(() => temporary.remove())

interface Range {
  readonly minTimeMs?: number
  readonly maxTimeMs?: number
}

function dumpByPromtool(directory: string, { minTimeMs, maxTimeMs }: Range = {}, selector?: string): string[] {
  // It makes files in the directory.
  const copy = makeTemporaryDirectory()
  try {
    cpSync(directory, copy.path, { recursive: true })
    const flags = [
      ...(minTimeMs === undefined ? [] : [`--min-time=${minTimeMs}`]),
      ...(maxTimeMs === undefined ? [] : [`--max-time=${maxTimeMs}`]),
      ...(selector === undefined ? [] : [`--match=${selector}`]),
    ]
    const { stdout, stderr, status } = spawnSync('promtool', ['tsdb', 'dump', ...flags, copy.path], {
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    })
    if (status !== 0) throw new Error(`promtool: ${stderr}`)
    return stdout.split('\n').slice(0, -1)
  } finally {
    copy.remove()
  }
}

function dump(directory: string, { minTimeMs = -Infinity, maxTimeMs = Infinity }: Range = {}, matchers: readonly Matcher[] = []): string[] {
  const problems: string[] = []
  const request = { directory, selectors: [matchers], minTimeMs, maxTimeMs, memoryBytesMax: 2 ** 30 }
  const text = Buffer.concat([...dumpDatabase(request, new PlainFormat(), problems)]).toString()
  expect(problems).toEqual([])
  return text.split('\n').slice(0, -1)
}

/** Names, sizes and times of all files. */
function listFiles(directory: string): string[] {
  const names = readdirSync(directory, { recursive: true, encoding: 'utf8' })
  return names.map((name) => {
    const { size, mtimeMs } = statSync(join(directory, name))
    return `${name} ${size} ${mtimeMs}`
  })
}

describe('dump beside promtool', () => {
  const data = join(temporary.path, 'data')
  const logOnly = join(temporary.path, 'log-only')
  let nowMs = 0

  beforeAll(async () => {
    const service = await startPrometheus({
      config: `
global: {scrape_interval: 200ms}
scrape_configs: [{job_name: self, static_configs: [{targets: ['127.0.0.1:9']}]}]
storage: {tsdb: {out_of_order_time_window: 1h}}
`,
      args: ['--web.enable-admin-api'],
    })
    try {
      nowMs = Date.now() - 1000
      // Enough for head chunks: 120 samples and more a series, some of them late, one of those twice with another value.
      for (let round = 0; round < 40; round++) {
        const series = Array.from({ length: 8 }, (_, i) => {
          const samples = Array.from({ length: 10 }, (_, j) => [nowMs - 1_000_000 + (round * 10 + j) * 1000, round * i + j / 3] as const)
          return { labels: { __name__: 'm', i: String(i) }, samples }
        })
        await writeRequest(service.url, series)
      }
      for (let late = 0; late < 100; late++) {
        const timeMs = nowMs - 1_000_500 + ((late * 37) % 100) * 1000
        await writeRequest(service.url, [{ labels: { __name__: 'm', i: '3' }, samples: [[timeMs, -late]] }])
      }
      await writeRequest(service.url, [{ labels: { __name__: 'special', text: 'é"\\\n' }, samples: [[nowMs, NaN]] }])
      await waitFor('scrapes', async () => {
        const answer = await fetch(`${service.url}/api/v1/query?query=count_over_time(up[1m])`)
        const { data } = (await answer.json()) as { data: { result: { value: [number, string] }[] } }
        return Number(data.result[0]?.value[1] ?? 0) >= 5
      })
      const interval = `start=${(nowMs - 990_000) / 1000}&end=${(nowMs - 900_000) / 1000}`
      const deleted = await fetch(`${service.url}/api/v1/admin/tsdb/delete_series?match[]=m{i="5"}&${interval}`, { method: 'POST' })
      expect(deleted.status).toBe(204)
      await service.process.stop()
      cpSync(join(service.directory, 'data'), logOnly, { recursive: true })
      cpSync(join(service.directory, 'data'), data, { recursive: true })
    } finally {
      await service.stop()
    }
    const lines = ['# TYPE m gauge']
    for (let i = 0; i < 4; i++) {
      for (let timeMs = nowMs - 20_000_000; timeMs < nowMs - 5_000_000; timeMs += 60_000)
        lines.push(`m{i="${i}"} ${timeMs % 1000} ${timeMs / 1000}`)
    }
    writeFileSync(join(temporary.path, 'old.om'), `${lines.join('\n')}\n# EOF\n`)
    const made = spawnSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', join(temporary.path, 'old.om'), data], {
      encoding: 'utf8',
    })
    expect(made.status).toBe(0)
    deleteSamples(data)
  })

  /** As `delete_series` does it in blocks. */
  function deleteSamples(directory: string): void {
    for (const name of readdirSync(directory).filter((each) => each.length === 26)) {
      const block = BlockReader.open(join(directory, name), new PageCache())
      block.tombstones.add(block.select([new LabelMatcher('=', 'i', '2')])[0]!, nowMs - 19_000_000, nowMs - 10_000_000)
      writeFileSync(join(directory, name, 'tombstones'), block.tombstones.encode())
      block.close()
    }
  }

  test('has the parts that the test is about', () => {
    expect(readdirSync(data).filter((name) => name.length === 26).length).toBeGreaterThanOrEqual(2)
    for (const part of ['wal', 'wbl', 'chunks_head']) {
      const bytes = readdirSync(join(logOnly, part)).map((name) => statSync(join(logOnly, part, name)).size)
      expect(
        bytes.reduce((sum, size) => sum + size, 0),
        part,
      ).toBeGreaterThan(0)
    }
  })

  test('a log gives the same lines in the same order, and nothing in the directory changes', () => {
    const before = listFiles(logOnly)
    const lines = dump(logOnly)
    expect(listFiles(logOnly)).toEqual(before)
    expect(lines.length).toBeGreaterThan(3000)
    expect(lines).toEqual(dumpByPromtool(logOnly))
  })

  test('blocks and log together give the same lines', () => {
    const lines = dump(data)
    expect(lines).toEqual(dumpByPromtool(data))
    expect(lines.length).toBeGreaterThan(4000)
  })

  test('times and selectors are held to', () => {
    for (const range of [
      { minTimeMs: nowMs - 15_000_000, maxTimeMs: nowMs - 950_000 },
      { minTimeMs: nowMs - 990_000 },
      { maxTimeMs: nowMs - 12_000_000 },
      { maxTimeMs: nowMs - 1_000_500 },
      { minTimeMs: nowMs + 1e9 },
    ]) {
      // Version 2.42 forgets the begin of the range in series with deleted samples.
      const theirs = dumpByPromtool(data, range).filter((line) => Number(line.split(' ').at(-1)) >= (range.minTimeMs ?? 0))
      expect(dump(data, range), JSON.stringify(range)).toEqual(theirs)
    }
    const matchers = [new LabelMatcher('=~', 'i', '[2-5]'), new LabelMatcher('!=', 'i', '4'), new LabelMatcher('=', '__name__', 'm')]
    const lines = dump(data, {}, matchers)
    expect(lines).toEqual(dumpByPromtool(data, {}, 'm{i=~"[2-5]",i!="4"}'))
    expect(lines.length).toBeGreaterThan(1000)
  })

  test('head chunks alone have what the log has lost', () => {
    const directory = join(temporary.path, 'lost')
    cpSync(logOnly, directory, { recursive: true })
    const whole = dump(logOnly, {}, [new LabelMatcher('=', '__name__', 'm')])
    // Series stand before their samples: half of the log has them all.
    const segment = join(directory, 'wal', readdirSync(join(directory, 'wal')).filter((name) => /^\d+$/.test(name))[0]!)
    const problems: string[] = []
    truncateSync(segment, Math.floor(statSync(segment).size / 8))
    const request = {
      directory,
      selectors: [[new LabelMatcher('=', '__name__', 'm')]],
      minTimeMs: -Infinity,
      maxTimeMs: Infinity,
      memoryBytesMax: 2 ** 30,
    }
    const lines = Buffer.concat([...dumpDatabase(request, new PlainFormat(), problems)])
      .toString()
      .split('\n')
      .slice(0, -1)
    expect(lines.length).toBeGreaterThan(0)
    const known = new Set(whole)
    // The tombstones were lost with the log.
    for (const line of lines) if (!line.includes('i="5"')) expect(known.has(line), line).toBe(true)
  })

  test('a directory without a log, or with an empty one, gives its blocks', () => {
    const directory = join(temporary.path, 'blocks-only')
    mkdirSync(directory)
    for (const name of readdirSync(data).filter((each) => each.length === 26))
      cpSync(join(data, name), join(directory, name), { recursive: true })
    const lines = dump(directory)
    // promtool wants a log.
    mkdirSync(join(directory, 'wal'))
    expect(lines).toEqual(dumpByPromtool(directory))
    expect(dump(directory)).toEqual(lines)
    expect(readFileSync(join(temporary.path, 'old.om'), 'utf8').split('\n').length).toBeGreaterThan(lines.length)
  })
})
