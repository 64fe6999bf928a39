import { readFileSync } from 'node:fs'
import { FamilyInterner, FamilyTable } from '@narthex/agent/scrape/family-table'
import { schemaMax } from '@narthex/agent/scrape/limit-histogram'
import { makeSampleLabels, onlyJoinedLabels } from '@narthex/agent/scrape/sample-labels'
import { TargetSeries } from '@narthex/agent/scrape/target-series'
import { OpenMetricsParser } from '@narthex/exposition/openmetrics-parser'
import { entryEnd, type ExpositionParser } from '@narthex/exposition/parser'
import { TextParser } from '@narthex/exposition/text-parser'
import { Labels } from '@narthex/model/labels'
import { describeMachine } from './measure.ts'

// Parsing alone, one core: 1,000 lines of recorded node_exporter text, once as a target's answer that is the same as the one before, once as
// bytes that nobody has seen before. Beside them, without a bound: a third of the values changed, and a target's first answer with all its
// label strings.

const recordedFile = new URL('../../agent/src/scrape/testdata/node-exporter-1.5.0.txt', import.meta.url)

export function benchParse(): Promise<boolean> {
  console.log(`${describeMachine()}\n`)
  const lines = readFileSync(recordedFile, 'utf8').trimEnd().split('\n').slice(0, 1000)
  const body = Buffer.from(`${lines.join('\n')}\n`)
  const openMetrics = Buffer.from(`${lines.map((line) => line.replace(' untyped', ' unknown')).join('\n')}\n# EOF\n`)
  const target = createSeries()
  target.read(body, new TextParser())
  const changed = Array.from({ length: 12 }, (_, round) => changeThird(lines, round))
  let round = 0
  const rates = {
    repeated: measure(body.length, () => target.read(body, new TextParser())),
    neverSeen: measure(body.length, () => parseAll(new TextParser(), body)),
    neverSeenOpenMetrics: measure(openMetrics.length, () => parseAll(new OpenMetricsParser(), openMetrics)),
    thirdChanged: measure(body.length, () => target.read(changed[round++ % changed.length]!, new TextParser())),
    firstAnswer: measure(body.length, () => createSeries().read(body, new TextParser())),
  }
  const rows: [string, number, number | undefined][] = [
    ['repeated answer', rates.repeated, 1000],
    ['never-seen text', rates.neverSeen, 200],
    ['never-seen OpenMetrics', rates.neverSeenOpenMetrics, 200],
    ['answer with a third of the values new', rates.thirdChanged, undefined],
    ["a target's first answer, labels and layout made", rates.firstAnswer, undefined],
  ]
  console.log('| 1,000 lines | MB/s | ns a line | want |\n| --- | --- | --- | --- |')
  let ok = true
  for (const [what, rate, least] of rows) {
    ok &&= least === undefined || rate >= least
    console.log(
      `| ${what} | ${rate.toFixed(0)} | ${(body.length / rate / 1e6 / 1e-6).toFixed(0)} | ${least === undefined ? '' : `≥ ${least} MB/s`} |`,
    )
  }
  for (const [what, rate, least] of rows) {
    if (least !== undefined)
      console.log(`${rate >= least ? 'reached' : 'MISSED '}  ${what}: ${rate.toFixed(0)} MB/s (want ≥ ${least} MB/s)`)
  }
  return Promise.resolve(ok)
}

function parseAll(parser: ExpositionParser, body: Uint8Array): void {
  parser.begin(body, 0, body.length)
  while (parser.next() !== entryEnd);
}

function changeThird(lines: readonly string[], round: number): Buffer {
  const text = lines.map((line, i) => {
    if (line.startsWith('#') || i % 3 !== round % 3) return line
    return `${line.slice(0, line.lastIndexOf(' '))} ${i % 2 === 0 ? i * 1000 + round : `${i}.${round + 10}`}`
  })
  return Buffer.from(`${text.join('\n')}\n`)
}

function createSeries(): TargetSeries {
  const targetLabels = Labels.from({ job: 'node', instance: 'host:9100' })
  const rules = {
    targetLabels,
    honorLabels: false,
    metricRelabelConfigs: [],
    limits: { labelLimit: 0, labelNameLengthLimit: 0, labelValueLengthLimit: 0 },
    legacyNames: false,
  }
  return new TargetSeries({
    target: 1,
    reportSeries: [{ labels: targetLabels.with('__name__', 'up'), family: { name: 'up', type: 'gauge', help: '', unit: '' } }],
    families: new FamilyTable(new FamilyInterner()),
    honorTimestamps: true,
    trackTimestampsStaleness: false,
    sampleLimit: 0,
    histogramLimits: { bucketLimit: 0, schemaMax },
    startTimestamps: false,
    makeLabels: (scraped) => makeSampleLabels(scraped, rules),
    joinedLabels: onlyJoinedLabels(rules),
  })
}

/** The best of some rounds, in MB/s: what the machine gives when nobody disturbs. */
function measure(bytes: number, run: () => void): number {
  let best = 0
  for (let round = 0; round < 12; round++) {
    const started = performance.now()
    let runs = 0
    while (performance.now() - started < 60) {
      run()
      runs++
    }
    best = Math.max(best, (runs * bytes) / 1e6 / ((performance.now() - started) / 1000))
  }
  return best
}
