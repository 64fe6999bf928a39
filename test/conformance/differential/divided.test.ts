import { isDeepStrictEqual } from 'node:util'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { Labels } from '@narthex/model/labels'
import { STALE_HIGH, STALE_LOW } from '@narthex/model/stale'
import { Annotations, tellsCount } from '@narthex/promql/annotations'
import { encodeJoined, encodePart, type MatrixPart } from '@narthex/promql/encode-parts'
import { encodeResult } from '@narthex/promql/encode-result'
import { evaluatePart, evaluateRange, prepareRange, type EngineOptions } from '@narthex/promql/engine'
import { QueryError } from '@narthex/promql/query-error'
import type { QueryResult } from '@narthex/promql/query-result'
import { MemoryStorage } from '@narthex/promql/testing/memory-storage'
import { describe, expect, test } from 'vitest'
import { generateQuery, inNewWords } from './generate-query.ts'
import { makeRandom } from './random.ts'
import { firstMs, lastMs, makeSeries } from './series.ts'

// A range query in parts, each of which has some of the steps, and in one.

const options: EngineOptions = { parse: { experimentalFunctions: true } }
const seed = Number(process.env['NARTHEX_SEED'] ?? 20_261_129)
const count = Number(process.env['NARTHEX_QUERIES'] ?? 1500)

const storage = new MemoryStorage()
for (const { labels, samples } of makeSeries()) {
  const series = storage.series(Labels.from(labels))
  for (const [timeMs, value] of samples) {
    if (typeof value === 'number') series.appendNumber(timeMs, value)
    else series.append(timeMs, STALE_LOW, STALE_HIGH)
  }
}

interface Answer {
  readonly text: string
  readonly remarks: readonly string[]
}

function readWriter(writer: ByteWriter): string {
  return new TextDecoder().decode(writer.view())
}

function remarksOf(query: string, results: readonly QueryResult[]): string[] {
  const annotations = new Annotations(query)
  for (const { remarks } of results) annotations.addAll(remarks)
  const { warnings, infos } = annotations.render(100)
  return [...warnings, ...infos].sort()
}

function answerWhole(query: string, startMs: number, endMs: number, stepMs: number): Answer {
  const result = evaluateRange({ ...options, annotationsMax: 100 }, storage, query, startMs, endMs, stepMs)
  const writer = new ByteWriter()
  encodeResult(result, writer)
  return { text: readWriter(writer), remarks: [...result.warnings, ...result.infos].sort() }
}

/** Undefined: it is asked as a whole after all, as its remarks count samples. */
function answerInParts(query: string, startMs: number, endMs: number, stepMs: number, parts: number): Answer | undefined {
  const range = prepareRange(options, query, startMs, endMs, stepMs)
  if (!range.divisibility.isPossible) return undefined
  const results = Array.from({ length: parts }, (_, i) => evaluatePart({ ...options, annotationsMax: 100 }, storage, range, i, parts))
  if (results.some(({ remarks }) => remarks.some(tellsCount))) return undefined
  const texts = results.map(({ series }): MatrixPart => {
    const writer = new ByteWriter()
    const ends = encodePart(series, writer)
    return { ends, bytes: writer.view().slice() }
  })
  const writer = new ByteWriter()
  encodeJoined(texts, writer, 0)
  return { text: readWriter(writer), remarks: remarksOf(query, results) }
}

function attempt<T>(ask: () => T): T | string {
  try {
    return ask()
  } catch (error) {
    if (error instanceof QueryError) return error.message
    throw error
  }
}

function isNear(a: number, b: number): boolean {
  return Object.is(a, b) || Math.abs(a - b) <= 1e-12 * Math.max(Math.abs(a), Math.abs(b))
}

/** Sums over what topk and bottomk give: its series come in the order in which they are met. */
function isRoundedAlike(divided: Answer, whole: Answer): boolean {
  if (divided.text === whole.text) return isDeepStrictEqual(divided.remarks, whole.remarks)
  const [got, want] = [divided, whole].map(
    ({ text }) => (JSON.parse(text) as { result: { metric: object; values: [number, string][] }[] }).result,
  )
  return want!.every(({ metric, values }, i) => {
    const other = got![i]
    if (other === undefined || !isDeepStrictEqual(other.metric, metric) || other.values.length !== values.length) return false
    return values.every(([time, value], j) => other.values[j]![0] === time && isNear(Number(value), Number(other.values[j]![1])))
  })
}

describe('a range query in parts', () => {
  test(`answers as the whole does (seed ${seed}, ${count} queries)`, () => {
    const random = makeRandom(seed)
    let answered = 0
    for (let i = 0; i < count; i++) {
      const query = inNewWords(generateQuery(random))
      const stepMs = 1000 * (1 + Math.floor(random() * 200))
      const steps = 12 + Math.floor(random() * 34)
      const startMs = firstMs + Math.floor(random() * (lastMs - firstMs - steps * stepMs))
      const endMs = startMs + (steps - 1) * stepMs
      const parts = 2 + Math.floor(random() * 2)
      const told = `${query} from ${startMs} to ${endMs} step ${stepMs} in ${parts} parts`
      const whole = attempt(() => answerWhole(query, startMs, endMs, stepMs))
      const divided = attempt(() => answerInParts(query, startMs, endMs, stepMs, parts))
      // A query may have several errors, of which a part meets another one first: it is asked again as a whole then.
      if (typeof divided === 'string') expect(typeof whole, `${told}: ${divided}`).toBe('string')
      else if (divided === undefined) continue
      else if (typeof whole === 'string' || !isRoundedAlike(divided, whole)) expect(divided, told).toEqual(whole)
      if (typeof whole !== 'string' && whole.text.includes('"metric"')) answered++
    }
    expect(answered).toBeGreaterThan(count / 2)
  })
})
