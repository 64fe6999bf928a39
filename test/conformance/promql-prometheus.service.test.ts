import { spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readAnswer, type Answer, type Refusal } from '@narthex/cli/compare/answer'
import { compareAnswers } from '@narthex/cli/compare/compare-answers'
import { Labels } from '@narthex/model/labels'
import { evaluateRange } from '@narthex/promql/engine'
import { MemoryStorage } from '@narthex/promql/testing/memory-storage'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { answersOk, findFreePort, makeTemporaryDirectory, startProcess, waitFor } from '../kit/process.ts'
import type { RunningProcess } from '../kit/process.ts'
import { generateQuery, makeRandom } from './query-generator.ts'

// The same samples in Debian's Prometheus (2.42) and in memory, asked the same generated queries. Where 3 changed the language (windows
// and lookback open on the left, order of additions) nothing may lie on an edge: samples are taken at fractions of a second, queries ask
// at whole ones.

const seed = Number(process.env['NARTHEX_SEED'] ?? 20_260_801)
const queryCount = Number(process.env['NARTHEX_QUERIES'] ?? 400)
const baseMs = Date.UTC(2026, 0, 5)
const [startMs, endMs, stepMs] = [baseMs + 9_003_000, baseMs + 12_603_000, 70_000]
const sampleCount = 1200

const temporary = makeTemporaryDirectory('narthex-promql-')
const storage = new MemoryStorage()
let url = ''
let server: RunningProcess | undefined

beforeAll(async () => {
  const openMetrics = join(temporary.path, 'samples.om')
  const data = join(temporary.path, 'data')
  mkdirSync(data)
  writeFileSync(openMetrics, fillStorage())
  const backfill = spawnSync('promtool', ['tsdb', 'create-blocks-from', 'openmetrics', openMetrics, data], { encoding: 'utf8' })
  if (backfill.status !== 0) throw new Error(`cannot write blocks: ${backfill.stdout}${backfill.stderr}`)
  const config = join(temporary.path, 'prometheus.yml')
  writeFileSync(config, 'global: {}\n')
  const port = await findFreePort()
  url = `http://127.0.0.1:${port}`
  server = startProcess('prometheus', [
    `--config.file=${config}`,
    `--web.listen-address=127.0.0.1:${port}`,
    `--storage.tsdb.path=${data}`,
    '--storage.tsdb.retention.time=100y',
  ])
  await waitFor('prometheus to be ready', () => answersOk(`${url}/-/ready`), { process: server })
})

afterAll(async () => {
  await server?.stop()
  temporary.remove()
})

/** Five hours of counters with resets, gauges, a series with gaps and a classic histogram. Returns them as OpenMetrics text. */
function fillStorage(): string {
  const random = makeRandom(seed)
  const families = new Map<string, string[]>()
  const add = (family: string, pairs: Record<string, string>, name: string, next: (i: number) => number | undefined) => {
    const columns = storage.series(Labels.from({ __name__: name, ...pairs })).columns
    const text = Object.entries(pairs).map(([label, value]) => `${label}="${value}"`)
    const lines = families.get(family) ?? []
    const delayMs = 7_001 + Math.floor(random() * 998)
    for (let i = 0; i < sampleCount; i++) {
      const value = next(i)
      if (value === undefined) continue
      const timeMs = baseMs + i * 15_000 + delayMs
      columns.pushNumber(timeMs, value)
      lines.push(`${name}{${text.join(',')}} ${value} ${(timeMs / 1000).toFixed(3)}`)
    }
    families.set(family, lines)
  }
  for (const job of ['a', 'b', 'c']) {
    for (let instance = 0; instance < 4; instance++) {
      const labels = { instance: `i${instance}`, job }
      let counter = 0
      add('c counter', labels, 'c_total', () => (counter = random() < 0.01 ? random() : counter + random() * 10))
      add('g gauge', labels, 'g', () => Math.round(random() * 20_000 - 5_000) / 100)
      if (instance < 2) add('sparse gauge', labels, 'sparse', (i) => (Math.floor(i / 37) % 3 === 0 ? undefined : random() * 100))
    }
    addHistogram(add, job, random)
  }
  return [...families].map(([family, lines]) => `# TYPE ${family}\n${lines.join('\n')}\n`).join('') + '# EOF\n'
}

function addHistogram(
  add: (family: string, pairs: Record<string, string>, name: string, next: (i: number) => number) => void,
  job: string,
  random: () => number,
): void {
  const steps = Array.from({ length: sampleCount }, () => Math.floor(random() * 50))
  const bounds = ['0.1', '0.5', '1', '5', '+Inf']
  bounds.forEach((le, rank) => {
    let count = 0
    add('h_bucket gauge', { job, le }, 'h_bucket', (i) => (count += Math.floor((steps[i]! * (rank + 1)) / bounds.length)))
  })
}

async function askPrometheus(query: string): Promise<Answer | Refusal> {
  const body = new URLSearchParams({ query, start: String(startMs / 1000), end: String(endMs / 1000), step: String(stepMs / 1000) })
  const response = await fetch(`${url}/api/v1/query_range`, { method: 'POST', body })
  const answer = (await response.json()) as { status: string; error?: string; data: unknown }
  return answer.status === 'success' ? readAnswer(answer.data) : { error: answer.error ?? 'no reason' }
}

function askNarthex(query: string): Answer | Refusal {
  try {
    const { series } = evaluateRange({}, storage, query, startMs, endMs, stepMs)
    const answered = series.labels.map((labels, i) => {
      const values = new Map<number, number>()
      for (let j = series.offsets[i]!; j < series.offsets[i + 1]!; j++) values.set(series.times[j]!, series.values[j]!)
      return [labels.key(), { labels, values }] as const
    })
    return { series: new Map(answered) }
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) }
  }
}

/** 2.42 adds up without compensation: differences that cancel out keep the rounding of their terms. */
const tolerance = { relativeTolerance: 1e-6, absoluteTolerance: 1e-9, toldMax: 3 }

describe('a generated query', () => {
  it(`is answered as Prometheus answers it (seed ${seed}, ${queryCount} queries)`, { timeout: 120_000 }, async () => {
    const random = makeRandom(seed)
    const problems: string[] = []
    let answered = 0
    for (let i = 0; i < queryCount; i++) {
      const query = generateQuery(random)
      const theirs = await askPrometheus(query)
      if ('series' in theirs && theirs.series.size > 0) answered++
      const differences = compareAnswers(theirs, askNarthex(query), tolerance)
      if (differences.length > 0) problems.push([query, ...differences].join('\n    '))
    }
    expect(problems.slice(0, 10).join('\n'), `${problems.length} of ${queryCount} queries differ`).toBe('')
    // A generator whose queries mostly come out empty would prove nothing.
    expect(answered).toBeGreaterThan(queryCount / 2)
  })
})
