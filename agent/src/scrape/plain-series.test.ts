import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseSeriesText } from '@narthex/exposition/series-text'
import { Labels } from '@narthex/model/labels'
import { metricTypes } from '@narthex/model/metric-type'
import { LabelTexts } from './label-texts.ts'
import { PlainSeries } from './plain-series.ts'
import { makeSampleLabels, onlyJoinedLabels } from './sample-labels.ts'
import type { SampleLabelRules } from './sample-labels.ts'

const noLimits = { labelLimit: 0, labelNameLengthLimit: 0, labelValueLengthLimit: 0 }

function rulesFor(targetLabels: Labels, honorLabels = false): SampleLabelRules {
  return { targetLabels, honorLabels, metricRelabelConfigs: [], limits: noLimits, legacyNames: true }
}

function textsOf({ sources, starts, lengths, count }: LabelTexts): string[] {
  return Array.from({ length: count }, (_, i) => Buffer.from(sources[i]!.subarray(starts[i], starts[i]! + lengths[i]!)).toString())
}

const labelNames = fc.constantFrom('a', 'le', 'quantile', 'instance', '_x9', 'Z', 'n'.repeat(130), '__name__')
const values = fc.oneof(
  fc.constantFrom('1', '+Inf', '0.5', '1e6', '5.0', '', 'é', 'a\\n', 'with blank', '}', ',', 'v'.repeat(300)),
  fc.string({ maxLength: 5 }).map((text) => text.replace(/["\\\n]/g, '')),
)
const seriesTexts = fc
  .record({
    name: fc.constantFrom('up', 'a:b', 'x_bucket', '_', 'm'.repeat(140)),
    labels: fc.option(fc.array(fc.tuple(labelNames, values), { maxLength: 5 })),
    comma: fc.boolean(),
    blank: fc.boolean(),
  })
  .map(({ name, labels, comma, blank }) => {
    if (labels === null) return name
    const pairs = labels.map(([label, value]) => `${label}="${value}"`).join(blank ? ', ' : ',')
    return `${name}{${pairs}${comma && labels.length > 0 ? ',' : ''}}`
  })
const targets = fc.constantFrom(
  Labels.empty,
  Labels.from({ job: 'node', instance: 'host:9100' }),
  Labels.from({ job: 'node', instance: 'host:9101' }),
  Labels.from({ a: 'ü', zone: 'z'.repeat(200) }),
)

test('a text it reads has the labels that the long way gives it', () => {
  const plain = new PlainSeries()
  const texts = new LabelTexts()
  const expected = new LabelTexts()
  let read = 0
  fc.assert(
    fc.property(fc.array(fc.tuple(seriesTexts, fc.constantFrom(...metricTypes)), { minLength: 1 }), targets, (list, target) => {
      const body = Buffer.from(list.map(([text]) => `${text} 1\n`).join(''))
      plain.begin(body, target)
      let start = 0
      for (const [text, type] of list) {
        const end = start + Buffer.byteLength(text)
        if (plain.read(start, end, type, texts)) {
          read++
          const labels = makeSampleLabels(parseSeriesText(body, start, end, type), rulesFor(target))!
          expected.take(labels)
          expect(textsOf(texts)).toEqual(labels.pairs)
          expect([texts.low, texts.high]).toEqual([expected.low, expected.high])
          expect(body.toString('utf8', start, plain.nameEnd)).toBe(labels.get('__name__'))
        }
        start = end + 3
      }
    }),
    { numRuns: 500 },
  )
  expect(read).toBeGreaterThan(500)
})

test.each([
  ['up', true],
  ['up{}', true],
  ['up{a="1"}', true],
  ['up{a="1",}', true],
  ['up{a="1",b="}"}', true],
  ['up{a=""}', false],
  ['up{a="é"}', false],
  ['up{a="\\n"}', false],
  ['up{a="1", b="2"}', false],
  ['up{a="1",a="2"}', false],
  ['up{job="1"}', false],
  ['up{__name__="a"}', false],
  ['{"up"}', false],
  ['up{"a"="1"}', false],
])('%s is plain: %s', (text, isPlain) => {
  const plain = new PlainSeries()
  const body = Buffer.from(`${text} 1\n`)
  plain.begin(body, Labels.from({ job: 'node' }))
  expect(plain.read(0, Buffer.byteLength(text), 'gauge', new LabelTexts())).toBe(isPlain)
})

test('64 labels are plain, 65 are read the long way', () => {
  const text = (count: number): string => `up{${Array.from({ length: count }, (_, i) => `l${i}="v"`).join(',')}}`
  for (const count of [64, 65]) {
    const plain = new PlainSeries()
    const body = Buffer.from(text(count))
    plain.begin(body, Labels.empty)
    expect(plain.read(0, body.length, 'gauge', new LabelTexts())).toBe(count === 64)
  }
})

test('rules that look at more than the names need the long way', () => {
  const rules = rulesFor(Labels.from({ job: 'node' }))
  expect(onlyJoinedLabels(rules)).toBe(rules.targetLabels)
  expect(onlyJoinedLabels({ ...rules, limits: { ...noLimits, labelLimit: 1 } })).toBeUndefined()
  expect(onlyJoinedLabels({ ...rules, limits: { ...noLimits, labelNameLengthLimit: 1 } })).toBeUndefined()
  expect(onlyJoinedLabels({ ...rules, limits: { ...noLimits, labelValueLengthLimit: 1 } })).toBeUndefined()
})
