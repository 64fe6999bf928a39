// Reading 1,000 lines of node_exporter text with a third of the values new each time: `node agent/src/scrape/scrape.bench.ts`.
// Rivals: the same answer read without the cache (parser alone), and split into strings. Prints nanoseconds per sample.
import { readFileSync } from 'node:fs'
import { gunzipSync, gzipSync } from 'node:zlib'
import { entryEnd, entrySample } from '@narthex/exposition/parser'
import { TextParser } from '@narthex/exposition/text-parser'
import { Labels } from '@narthex/model/labels'
import type { ScrapeBatch } from '../store/frame.ts'
import { FamilyInterner, FamilyTable } from './family-table.ts'
import { schemaMax } from './limit-histogram.ts'
import { makeSampleLabels, onlyJoinedLabels } from './sample-labels.ts'
import { TargetSeries } from './target-series.ts'

const answersPerTarget = 12
const targetCount = 20

/** A thousand lines of recorded text; every third sample has a new value in each answer, by a fixed generator. */
function makeAnswers(seed: number): Buffer[] {
  const recorded = readFileSync(new URL('testdata/node-exporter-1.5.0.txt', import.meta.url), 'utf8')
  const lines = recorded.trimEnd().split('\n').slice(0, 1000)
  let state = seed
  const random = (): number => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) / 2 ** 32
  const answers: Buffer[] = []
  for (let answer = 0; answer < answersPerTarget; answer++) {
    for (let i = 0; i < lines.length; i++) {
      const line = lines[i]!
      if (line.startsWith('#') || random() > 1 / 3) continue
      const key = line.slice(0, line.lastIndexOf(' '))
      lines[i] = `${key} ${random() < 0.5 ? Math.floor(random() * 1e7) : (random() * 1e5).toFixed(2)}`
    }
    answers.push(Buffer.from(lines.join('\n') + '\n'))
  }
  return answers
}

function createTarget(target: number): TargetSeries {
  const targetLabels = Labels.from({ job: 'node', instance: `host-${target}:9100` })
  const rules = {
    targetLabels,
    honorLabels: false,
    metricRelabelConfigs: [],
    limits: { labelLimit: 0, labelNameLengthLimit: 0, labelValueLengthLimit: 0 },
    legacyNames: false,
  }
  return new TargetSeries({
    target,
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

function report(name: string, samplesPerRound: number, run: () => void): void {
  let best = Infinity
  for (let round = 0; round < 15; round++) {
    const started = process.hrtime.bigint()
    run()
    best = Math.min(best, Number(process.hrtime.bigint() - started) / samplesPerRound)
  }
  process.stdout.write(`${name.padEnd(44)} ${best.toFixed(0).padStart(6)} ns/sample\n`)
}

const answers = Array.from({ length: targetCount }, (_, target) => makeAnswers(target + 1))
const samples = answers[0]![0]!
  .toString()
  .split('\n')
  .filter((line) => line !== '' && !line.startsWith('#')).length
const perRound = samples * answersPerTarget * targetCount
process.stdout.write(`${targetCount} targets, ${answers[0]![0]!.length} bytes, ${samples} samples an answer\n`)

const parser = new TextParser()
const sink = { append: (_batch: ScrapeBatch) => {} }
const targets = answers.map((_, target) => createTarget(target + 1))
report('cache: read and batch', perRound, () => {
  for (let answer = 0; answer < answersPerTarget; answer++) {
    for (let target = 0; target < targetCount; target++) {
      targets[target]!.read(answers[target]![answer]!, parser)
      targets[target]!.write(sink, 1000, 1000, [1])
    }
  }
})

report('one line moves in each answer', perRound, () => {
  for (let answer = 0; answer < answersPerTarget; answer++) {
    for (let target = 0; target < targetCount; target++) {
      const body = answers[target]![answer]!
      const moved = answer % 2 === 0 ? body : Buffer.concat([Buffer.from('zz_new{a="b"} 1\n'), body])
      targets[target]!.read(moved, parser)
      targets[target]!.write(sink, 1000, 1000, [1])
    }
  }
})

report('first answer of a target', perRound, () => {
  for (let answer = 0; answer < answersPerTarget; answer++) {
    for (let target = 0; target < targetCount; target++) {
      const fresh = createTarget(target + 1)
      fresh.read(answers[target]![answer]!, parser)
      fresh.write(sink, 1000, 1000, [1])
    }
  }
})

report('rival: parser alone', perRound, () => {
  for (const list of answers) {
    for (const body of list) {
      parser.begin(body, 0, body.length)
      let count = 0
      for (let kind = parser.next(); kind !== entryEnd; kind = parser.next()) if (kind === entrySample) count++
      if (count !== samples) throw new Error(`want ${samples} samples, got ${count}`)
    }
  }
})

const kept = new Map<string, number>()
report('rival: strings, split and a map', perRound, () => {
  for (const list of answers) {
    for (const body of list) {
      for (const line of body.toString().split('\n')) {
        if (line === '' || line.startsWith('#')) continue
        const at = line.lastIndexOf(' ')
        kept.set(line.slice(0, at), Number(line.slice(at + 1)))
      }
    }
  }
})

const packed = answers.map((list) => list.map((body) => gzipSync(body)))
report('for scale: gunzip of the same answers', perRound, () => {
  for (const list of packed) for (const body of list) gunzipSync(body, { chunkSize: 65_536 })
})
