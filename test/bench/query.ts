import { describeMachine } from './measure.ts'
import { withLoadedServers } from './query-load.ts'
import {
  askInTurns,
  boundEach,
  countDifferences,
  geometricMean,
  printQuestions,
  type ByContender,
  type QuestionFigures,
} from './query-turns.ts'
import { makeRangeQuestions } from './range-questions.ts'
import { ratio, readStorageArguments, type ContenderKey } from './storage-bench.ts'

// Range queries of dashboards. Each is asked once of processes that have started not long ago, for the time of the first answer and the memory that it
// takes; then seven times by turns of all programs, of which the best counts.

const rounds = 7

export async function benchQuery(args: readonly string[]): Promise<boolean> {
  const { isSmoke, bounds, keys } = readStorageArguments(args, ['narthex', 'prometheus', 'victoria'])
  const { questions, spec, description } = makeRangeQuestions(isSmoke)
  console.log(describeMachine())
  console.log(`query: ${description}; best of ${rounds}\n`)
  let figures: ByContender<QuestionFigures>[] = []
  await withLoadedServers(keys, spec, async (servers) => {
    figures = await askInTurns(servers, questions, rounds)
  })
  printQuestions(questions, figures)
  if (!keys.includes('narthex')) return true
  boundEach(bounds, questions, figures)
  const best = ({ bestSeconds }: QuestionFigures): number => bestSeconds
  const first = ({ firstSeconds }: QuestionFigures): number => firstSeconds
  bounds.atMost('geometric mean / Prometheus', geometricMean(figures, 'prometheus', best), 0.25, '×')
  bounds.atMost('geometric mean / VictoriaMetrics', geometricMean(figures, 'victoria', best), 1, '×')
  bounds.atMost('geometric mean of first answers / Prometheus', geometricMean(figures, 'prometheus', first), 0.5, '×')
  bounds.atMost(
    'memory of the greatest query / Prometheus',
    ratio(mostGrowth(figures, 'narthex'), mostGrowth(figures, 'prometheus')),
    0.5,
    '×',
  )
  bounds.atMost('answers that differ from Prometheus', countDifferences(questions, figures), 0, '')
  return bounds.print()
}

function mostGrowth(figures: readonly ByContender<QuestionFigures>[], key: ContenderKey): number | undefined {
  const growths = figures.flatMap(({ [key]: of }) => (of === undefined ? [] : [of.firstGrowthBytes]))
  return growths.length === 0 ? undefined : Math.max(...growths)
}
