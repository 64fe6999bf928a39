import { describeMachine } from './measure.ts'
import { withLoadedServers } from './query-load.ts'
import { ask, type ByContender, type Question } from './query-turns.ts'
import { makeRangeQuestions } from './range-questions.ts'
import { percentile } from './send-load.ts'
import { serverContenders, type BenchServer } from './server-contenders.ts'
import { ratio, readStorageArguments, type ContenderKey } from './storage-bench.ts'

// The questions of the bench `query`, twenty in flight: each is asked twenty times, and as soon as one is answered the next one is asked. Of several
// rounds by turns of all programs that counts in which all were answered soonest.

const inFlight = 20
const timesEach = 20

/** Of all questions of a round. */
interface RoundFigures {
  readonly seconds: number
  /** Of one question, by what it took from being asked to its last byte. */
  readonly medianSeconds: number
  readonly p99Seconds: number
  /** Whose answer was not the one that the question alone gets. */
  readonly wrong: number
}

export async function benchQueryAtOnce(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'prometheus', 'victoria'])
  const { questions, spec, description } = makeRangeQuestions(isSmoke)
  const rounds = isSmoke ? 1 : 3
  console.log(describeMachine())
  console.log(`query-at-once: ${description}; ${questions.length} questions × ${timesEach}, ${inFlight} in flight; best of ${rounds}\n`)
  const best: ByContender<RoundFigures> = {}
  let wrong = 0
  await withLoadedServers(keys, spec, async (servers) => {
    const all = Object.entries(servers) as [ContenderKey, BenchServer][]
    const alone: ByContender<readonly string[]> = {}
    for (const [key, server] of all) alone[key] = await askOneByOne(server, questions)
    for (let round = 0; round < rounds; round++) {
      for (const [key, server] of all) {
        const figures = await askAtOnce(server, questions, alone[key]!)
        if (key === 'narthex') wrong += figures.wrong
        if (figures.seconds < (best[key]?.seconds ?? Infinity)) best[key] = figures
      }
    }
  })
  console.log(
    '| program | until all are answered | median of one | p99 of one | ours/peer, all | ours/peer, p99 |\n| --- | --- | --- | --- | --- | --- |',
  )
  for (const key of keys) {
    const { seconds, medianSeconds, p99Seconds } = best[key]!
    const ratios = (['seconds', 'p99Seconds'] as const).map((figure) => {
      return key === 'narthex' ? '' : `${ratio(best.narthex?.[figure], best[key]?.[figure])?.toFixed(2) ?? '–'} ×`
    })
    const cells = [...[seconds, medianSeconds, p99Seconds].map((figure) => `${figure.toFixed(3)} s`), ...ratios]
    const { name, version } = serverContenders[key]
    console.log(`| ${name} ${version} | ${cells.join(' | ')} |`)
  }
  if (best.narthex === undefined) return true
  bounds.atMost('all answered / Prometheus', ratio(best.narthex.seconds, best.prometheus?.seconds), 0.5, '×')
  bounds.atMost('p99 of one / Prometheus', ratio(best.narthex.p99Seconds, best.prometheus?.p99Seconds), 0.5, '×')
  bounds.atMost('answers that differ from those of a question alone', wrong, 0, '')
  return bounds.print()
}

async function askOneByOne(server: BenchServer, questions: readonly Question[]): Promise<readonly string[]> {
  const answers: string[] = []
  for (const question of questions) answers.push((await ask(server, question)).body)
  return answers
}

async function askAtOnce(server: BenchServer, questions: readonly Question[], alone: readonly string[]): Promise<RoundFigures> {
  const total = questions.length * timesEach
  const seconds: number[] = []
  let asked = 0
  let wrong = 0
  const client = async (): Promise<void> => {
    while (asked < total) {
      const at = asked++ % questions.length
      const answer = await ask(server, questions[at]!)
      seconds.push(answer.seconds)
      if (answer.body !== alone[at]) wrong++
    }
  }
  const begunMs = performance.now()
  await Promise.all(Array.from({ length: inFlight }, client))
  const all = (performance.now() - begunMs) / 1000
  const times = Float64Array.from(seconds)
  return { seconds: all, medianSeconds: percentile(times, 0.5), p99Seconds: percentile(times, 0.99), wrong }
}
