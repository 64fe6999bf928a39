import { expect, it } from 'vitest'
import { describeFamilies } from './families-json.ts'
import { FamilyWriter } from './family-writer.ts'

function writePage(): Uint8Array {
  const writer = new FamilyWriter()
  writer.family('b_total', 'Of two lines:\nand a \\.', 'counter')
  writer.sample(1e6, ['path', 'a"b\\c\nd'])
  writer.sample(2, ['path', '/'])
  writer.family('a', '', 'gauge')
  writer.sample(NaN, [])
  writer.family('d_seconds', 'A histogram.', 'histogram')
  for (const code of ['200', '500']) {
    writer.sample(1, ['code', code, 'le', '0.5'], '_bucket')
    writer.sample(3, ['code', code, 'le', '+Inf'], '_bucket')
    writer.sample(1.5, ['code', code], '_sum')
    writer.sample(3, ['code', code], '_count')
  }
  writer.family('s_seconds', 'A summary.', 'summary')
  writer.sample(0.25, ['quantile', '0.9'])
  writer.sample(7, [], '_sum')
  writer.sample(8, [], '_count')
  writer.family('nothing', 'Without samples.', 'gauge')
  return writer.finish()
}

const histogram = (code: string) => ({ labels: { code }, buckets: { '0.5': '1', '+Inf': '3' }, count: '3', sum: '1.5' })

it('gives the families of a page in their order, each with its metrics', () => {
  expect(describeFamilies(writePage(), () => true)).toEqual([
    { name: 'a', help: '', type: 'GAUGE', metrics: [{ value: 'NaN' }] },
    {
      name: 'b_total',
      help: 'Of two lines:\nand a \\.',
      type: 'COUNTER',
      metrics: [
        { labels: { path: 'a"b\\c\nd' }, value: '1e+06' },
        { labels: { path: '/' }, value: '2' },
      ],
    },
    { name: 'd_seconds', help: 'A histogram.', type: 'HISTOGRAM', metrics: [histogram('200'), histogram('500')] },
    { name: 's_seconds', help: 'A summary.', type: 'SUMMARY', metrics: [{ quantiles: { '0.9': '0.25' }, count: '8', sum: '7' }] },
  ])
})

it('leaves out families that are not wanted, with all their samples', () => {
  expect(describeFamilies(writePage(), (name) => name.startsWith('d_')).map(({ name }) => name)).toEqual(['d_seconds'])
  expect(describeFamilies(writePage(), () => false)).toEqual([])
})
