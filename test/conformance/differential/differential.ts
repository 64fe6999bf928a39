import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ApiClient } from '@narthex/cli/api-client'
import type { Answer, Refusal } from '@narthex/cli/compare/answer'
import { askQuery, type QueryTimes } from '@narthex/cli/compare/ask-query'
import { compareAnswers, isClose } from '@narthex/cli/compare/compare-answers'
import { startNarthex, type NarthexProcess } from '../../kit/narthex.ts'
import { writeRequest } from '../../kit/remote-write.ts'
import { startPrometheus, type Service } from '../../kit/services.ts'
import { compareTexts } from './compare-texts.ts'
import { generateQuery, inNewWords, type Language } from './generate-query.ts'
import { makeHistogramSeries } from './histogram-series.ts'
import { mutateQuery } from './mutate-query.ts'
import { makeRandom } from './random.ts'
import { firstMs, lastMs, makeSeries, sliceSeries } from './series.ts'

// The same samples in a Prometheus and in ours, sent by remote write, asked the same generated queries. Debian's (2.42) is asked in the language
// that both share; a 3 in all of its own, and compared with to the texts of its errors, warnings and infos.

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
/** Of what a 3 is asked half begins and steps where samples are. */
const stepsOnSamples = [15, 30, 60, 75, 300]
const newFeatures = ['promql-experimental-functions', 'promql-extended-range-selectors', 'promql-binop-fill-modifiers']
const stepCountMax = 40

/** Both servers, holding the series. */
export class Differential {
  readonly #ours: NarthexProcess
  readonly #theirs: Service
  readonly #clients: readonly [ours: ApiClient, theirs: ApiClient]
  readonly #language: Language

  private constructor(ours: NarthexProcess, theirs: Service, language: Language) {
    this.#ours = ours
    this.#theirs = theirs
    this.#language = language
    this.#clients = [new ApiClient(ours.url, 'narthex-differential'), new ApiClient(theirs.url, 'narthex-differential')]
  }

  /** Starts both; the other is the Prometheus at `peer`, Debian's if there is none. Throws if that cannot be run. */
  static async start(peer?: string): Promise<Differential> {
    const language = peer !== undefined && readMajorVersion(peer) >= 3 ? 'new' : 'shared'
    const config = 'scrape_configs: []\n'
    const forever = '--storage.tsdb.retention.time=100y'
    const features = `--enable-feature=${language === 'new' ? newFeatures.join(',') : newFeatures[0]}`
    const [ours, theirs] = await Promise.all([
      startNarthex('server', { config, args: [forever, features, '--storage.tsdb.native-histogram-custom-buckets'] }),
      startPrometheus({
        config,
        args: language === 'new' ? [forever, features] : [forever],
        ...(peer === undefined ? {} : { binary: peer }),
      }),
    ])
    const differential = new Differential(ours, theirs, language)
    const all = language === 'new' ? [...makeSeries(true), ...makeHistogramSeries()] : makeSeries()
    for (const slice of sliceSeries(all, sliceMs)) {
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
        const asked = generateAsked(random, this.#language)
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
    if (differences.length === 0 && this.#language === 'new') differences.push(...(await compareTexts(theirs, ours, asked)))
    return { wanted, differences }
  }
}

function readMajorVersion(path: string): number {
  const { stdout, error } = spawnSync(path, ['--version'], { encoding: 'utf8', timeout: 30_000 })
  const major = /version (\d+)\./.exec(stdout ?? '')?.[1]
  if (major === undefined)
    throw new Error(`cannot use ${path} as a Prometheus: want its version, got ${error?.message ?? JSON.stringify(stdout)}`)
  return Number(major)
}

/** Of those with mistakes only the texts are of interest. */
const mistakenShare = 0.15

function generateAsked(random: () => number, language: Language): AskedQuery {
  const generated = inNewWordsOf(language, generateQuery(random, language))
  const query = language === 'new' && random() < mistakenShare ? mutateQuery(random, generated) : generated
  const seconds = (sinceMs: number, rangeMs: number) => Math.floor((sinceMs + random() * rangeMs) / 1000)
  const isOnSamples = language === 'new' && random() < 0.5
  const anyEnd = seconds(firstMs + 10 * 60_000, lastMs - firstMs + 10 * 60_000)
  const end = isOnSamples ? anyEnd - (anyEnd % 15) : anyEnd
  if (random() < 0.4) return { query, start: end, end, step: 0 }
  const chosen = isOnSamples ? stepsOnSamples : steps
  const step = chosen[Math.floor(random() * chosen.length)]!
  return { query, start: end - step * Math.floor(random() * stepCountMax), end, step }
}

function inNewWordsOf(language: Language, query: string): string {
  return language === 'new' ? inNewWords(query) : query
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
