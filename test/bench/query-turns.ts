import { isDeepStrictEqual } from 'node:util'
import { readAnswer } from '@narthex/cli/compare/answer'
import { compareAnswers } from '@narthex/cli/compare/compare-answers'
import type { Bounds } from './bounds.ts'
import { sleep } from './helper-process.ts'
import { startMemoryMark } from './measure.ts'
import type { BenchServer } from './server-contenders.ts'
import { ratio, type ContenderKey } from './storage-bench.ts'
import { waitUntilIdle } from './wait-until-idle.ts'

// Questions to several servers with the same data, by turns: the speed of a machine may change from one minute to the next.

const keys: readonly ContenderKey[] = ['narthex', 'prometheus', 'victoria']

export interface Question {
  readonly name: string
  readonly path: string
  readonly form: Readonly<Record<string, string>>
  /** Asked by GET: what takes no form. */
  readonly isGet?: boolean
  /** Several answers are right: it is not compared. */
  readonly isTied?: boolean
}

/** What one server needed for one question. */
export interface QuestionFigures {
  /** The first time that a process is asked this, which has started not long ago, and the memory that grew by it. */
  readonly firstSeconds: number
  readonly firstGrowthBytes: number
  /** Of the later ones. */
  readonly bestSeconds: number
  readonly laterSeconds: readonly number[]
  readonly answer: string
}

export type ByContender<Value> = Partial<Record<ContenderKey, Value>>

/** Figures of each question, in their order. No server may answer from a cache of results. */
export async function askInTurns(
  servers: ByContender<BenchServer>,
  questions: readonly Question[],
  rounds: number,
): Promise<ByContender<QuestionFigures>[]> {
  const all = Object.entries(servers) as [ContenderKey, BenchServer][]
  const figures: ByContender<QuestionFigures>[] = []
  for (const [, server] of all) {
    await server.restart()
    await waitUntilIdle(server.pid)
    // The very first query of a process starts what all others use.
    await ask(server, { name: 'first', path: '/api/v1/query', form: { query: 'up' } })
  }
  for (const question of questions) {
    const of: ByContender<QuestionFigures> = {}
    for (const [key, server] of all) {
      const growth = startMemoryMark(server.pid)
      const { seconds, body } = await ask(server, question)
      of[key] = { firstSeconds: seconds, firstGrowthBytes: growth(), bestSeconds: Infinity, laterSeconds: [], answer: body }
    }
    figures.push(of)
  }
  for (const [i, question] of questions.entries()) {
    const later: number[][] = all.map(() => [])
    for (let round = 0; round < rounds; round++) {
      for (const [at, [, server]] of all.entries()) later[at]!.push((await ask(server, question)).seconds)
    }
    for (const [at, [key]] of all.entries()) {
      figures[i]![key] = { ...figures[i]![key]!, laterSeconds: later[at]!, bestSeconds: Math.min(...later[at]!) }
    }
  }
  return figures
}

/**
 * As `askInTurns`, but each question is the very first that its process is asked, which became ready `restMs` before: every time all programs are
 * started anew.
 */
export async function askWhenStarted(
  servers: ByContender<BenchServer>,
  questions: readonly Question[],
  rounds: number,
  restMs: number,
): Promise<ByContender<QuestionFigures>[]> {
  const figures: ByContender<QuestionFigures>[] = []
  for (const question of questions) {
    const of: ByContender<QuestionFigures> = {}
    for (let round = 0; round < rounds; round++) {
      for (const [key, server] of Object.entries(servers) as [ContenderKey, BenchServer][]) {
        await server.restart()
        await sleep(restMs)
        const growth = startMemoryMark(server.pid)
        const { seconds, body } = await ask(server, question)
        const first = of[key] ?? { firstSeconds: seconds, firstGrowthBytes: growth(), laterSeconds: [], answer: body }
        const laterSeconds = [...first.laterSeconds, seconds]
        of[key] = { ...first, laterSeconds, bestSeconds: Math.min(...laterSeconds) }
      }
    }
    figures.push(of)
  }
  return figures
}

export async function ask(server: BenchServer, { path, form, isGet }: Question): Promise<{ seconds: number; body: string }> {
  // The last is VictoriaMetrics' own; the others pass over it.
  const parameters = { ...form, nocache: '1' }
  const begunMs = performance.now()
  const { status, body } =
    isGet === true ? await server.ask(`${path}?${new URLSearchParams(parameters)}`) : await server.ask(path, parameters)
  const seconds = (performance.now() - begunMs) / 1000
  if (status !== 200) {
    throw new Error(`cannot ask ${server.contender.name} for ${path} ${JSON.stringify(form)}: ${status} ${body.slice(0, 300)}`)
  }
  return { seconds, body }
}

export function printQuestions(questions: readonly Question[], figures: readonly ByContender<QuestionFigures>[]): void {
  console.log('| question | best, seconds: ours · Prometheus · VictoriaMetrics | ours/peers | first time | memory of that, MB |')
  console.log('| --- | --- | --- | --- | --- |')
  for (const [i, { name }] of questions.entries()) {
    const of = figures[i]!
    const row = (figure: (of: QuestionFigures) => string): string =>
      keys.map((key) => (of[key] === undefined ? '–' : figure(of[key]))).join(' · ')
    const ratios = (['prometheus', 'victoria'] as const).map(
      (peer) => ratio(of.narthex?.bestSeconds, of[peer]?.bestSeconds)?.toFixed(2) ?? '–',
    )
    const cells = [
      // A bar would end the cell.
      `\`${name.replaceAll('|', '\\|')}\``,
      row(({ bestSeconds }) => bestSeconds.toFixed(4)),
      ratios.join(' · '),
      row(({ firstSeconds }) => firstSeconds.toFixed(3)),
      row(({ firstGrowthBytes }) => (firstGrowthBytes / 1e6).toFixed(0)),
    ]
    console.log(`| ${cells.join(' | ')} |`)
  }
}

/** Of ours / a peer's over all questions; NaN without one of them. */
export function geometricMean(
  figures: readonly ByContender<QuestionFigures>[],
  peer: ContenderKey,
  figure: (of: QuestionFigures) => number,
): number {
  const logs = figures.map(({ narthex, [peer]: other }) => Math.log((narthex && figure(narthex))! / (other && figure(other))!))
  return Math.exp(logs.reduce((sum, log) => sum + log, 0) / figures.length)
}

/** Questions that ours and Prometheus answer differently; the first differences are printed. */
export function countDifferences(questions: readonly Question[], figures: readonly ByContender<QuestionFigures>[]): number {
  let differing = 0
  for (const [i, { name, path, isTied }] of questions.entries()) {
    const { narthex, prometheus } = figures[i]!
    if (narthex === undefined || prometheus === undefined || isTied === true) continue
    const [wanted, got] = [prometheus, narthex].map(({ answer }) => (JSON.parse(answer) as { data: unknown }).data)
    const told = path.includes('/query')
      ? compareAnswers(readAnswer(wanted), readAnswer(got), { relativeTolerance: 1e-9, absoluteTolerance: 0, toldMax: 3 })
      : isDeepStrictEqual(wanted, got)
        ? []
        : [`want ${JSON.stringify(wanted).slice(0, 200)}, got ${JSON.stringify(got).slice(0, 200)}`]
    if (told.length === 0) continue
    differing++
    console.log(`${name}:\n  ${told.join('\n  ')}`)
  }
  return differing
}

/** The bound of each question by itself: half of Prometheus' time. */
export function boundEach(
  bounds: Bounds,
  questions: readonly Question[],
  figures: readonly ByContender<QuestionFigures>[],
  note = '',
): void {
  for (const [i, { name }] of questions.entries()) {
    const { narthex, prometheus } = figures[i]!
    bounds.atMost(`${name} / Prometheus${note}`, ratio(narthex?.bestSeconds, prometheus?.bestSeconds), 0.5, '×')
  }
}
