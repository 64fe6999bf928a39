import { join } from 'node:path'
import { ApiClient } from '@narthex/cli/api-client'
import type { Answer, Refusal } from '@narthex/cli/compare/answer'
import { askQuery, type QueryTimes } from '@narthex/cli/compare/ask-query'
import { compareAnswers, isClose } from '@narthex/cli/compare/compare-answers'
import { startNarthex, type NarthexProcess } from '../../kit/narthex.ts'
import { writeRequest } from '../../kit/remote-write.ts'
import { startPrometheus, type Service } from '../../kit/services.ts'
import { generateQuery, inNewWords } from './generate-query.ts'
import { makeRandom } from './random.ts'
import { firstMs, lastMs, makeSeries, sliceSeries } from './series.ts'

// The same samples in Debian's Prometheus (2.42) and in ours, sent by remote write, asked the same generated queries.

/** A query and its times: what a find is kept as. */
export interface AskedQuery extends QueryTimes {
  readonly query: string
}

export interface DifferentialReport {
  readonly asked: number
  /** Answers of the other that had a series. */
  readonly answered: number
  readonly refused: number
  readonly finds: readonly (AskedQuery & { readonly differences: readonly string[] })[]
}

/** Where finds are kept, a file of JSON each. */
export const findsDirectory = join(import.meta.dirname, '..', '..', 'fuzz', 'corpus', 'promql-differential')

const sliceMs = 30 * 60_000
/** Queries that are asked at a time. */
const concurrency = 4
/** 2.42 adds up without compensation: differences that cancel out keep the rounding of their terms. */
const tolerance = { relativeTolerance: 1e-9, absoluteTolerance: 1e-9, toldMax: 3 }
const steps = [7, 30, 60, 70, 301, 611]
const stepCountMax = 40

/** Both servers, holding the series. */
export class Differential {
  readonly #ours: NarthexProcess
  readonly #theirs: Service
  readonly #clients: readonly [ours: ApiClient, theirs: ApiClient]

  private constructor(ours: NarthexProcess, theirs: Service) {
    this.#ours = ours
    this.#theirs = theirs
    this.#clients = [new ApiClient(ours.url, 'narthex-differential'), new ApiClient(theirs.url, 'narthex-differential')]
  }

  static async start(): Promise<Differential> {
    const config = 'scrape_configs: []\n'
    const forever = '--storage.tsdb.retention.time=100y'
    const features = '--enable-feature=promql-experimental-functions'
    const [ours, theirs] = await Promise.all([
      startNarthex('server', { config, args: [forever, features] }),
      startPrometheus({ config, args: [forever] }),
    ])
    const differential = new Differential(ours, theirs)
    for (const slice of sliceSeries(makeSeries(), sliceMs)) {
      if (slice.length > 0) await Promise.all([writeRequest(ours.url, slice), writeRequest(theirs.url, slice)])
    }
    return differential
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#clients.map((client) => client.close()), this.#ours.remove(), this.#theirs.stop()])
  }

  /** Asks `count` generated queries; the same seed asks the same ones. */
  async run(seed: number, count: number): Promise<DifferentialReport> {
    const random = makeRandom(seed)
    const report = { asked: 0, answered: 0, refused: 0, finds: [] as DifferentialReport['finds'][number][] }
    const work = async (): Promise<void> => {
      while (report.asked < count) {
        report.asked++
        const asked = generateAsked(random)
        const { wanted, differences } = await this.compare(asked)
        if ('error' in wanted) report.refused++
        else if (wanted.series.size > 0) report.answered++
        if (differences.length > 0) report.finds.push({ ...asked, differences })
      }
    }
    await Promise.all(Array.from({ length: concurrency }, work))
    return report
  }

  async compare(asked: AskedQuery): Promise<{ wanted: Answer | Refusal; differences: string[] }> {
    const [ours, theirs] = this.#clients
    const [got, wanted] = await Promise.all([askQuery(ours, inNewWords(asked.query), asked), askQuery(theirs, asked.query, asked)])
    const differences = compareAnswers(wanted, got, tolerance)
    if (differences.length === 0 && asked.step === 0 && /^sort(_desc)?\(/.test(asked.query)) differences.push(...compareOrder(wanted, got))
    return { wanted, differences }
  }
}

function generateAsked(random: () => number): AskedQuery {
  const query = generateQuery(random)
  const seconds = (sinceMs: number, rangeMs: number) => Math.floor((sinceMs + random() * rangeMs) / 1000)
  const end = seconds(firstMs + 10 * 60_000, lastMs - firstMs + 10 * 60_000)
  if (random() < 0.4) return { query, start: end, end, step: 0 }
  const step = steps[Math.floor(random() * steps.length)]!
  return { query, start: end - step * Math.floor(random() * stepCountMax), end, step }
}

/** The order of the values; series of one value may stand in any. */
function compareOrder(wanted: Answer | Refusal, got: Answer | Refusal): string[] {
  if ('error' in wanted || 'error' in got) return []
  const [wantedValues, gotValues] = [valuesInOrder(wanted), valuesInOrder(got)]
  const isSame = wantedValues.every((value, i) => isClose(value, gotValues[i]!, tolerance))
  return isSame ? [] : [`want the order ${wantedValues.join(' ')}, got ${gotValues.join(' ')}`]
}

function valuesInOrder({ series }: Answer): number[] {
  return [...series.values()].flatMap(({ values }) => [...values.values()]) as number[]
}
