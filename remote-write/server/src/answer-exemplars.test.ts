import { ByteWriter } from '@narthex/bytes/byte-writer'
import { parseExpression } from '@narthex/promql/parse/parse'
import { ExemplarRing } from '@narthex/tsdb/exemplars/exemplar-ring'
import { putLabels } from '@narthex/tsdb/wal/text-payload'
import { expect, test } from 'vitest'
import { answerExemplars } from './answer-exemplars.ts'

const number = new Float64Array(1)
const words = new Uint32Array(number.buffer)

function bytesOf(...texts: string[]): Uint8Array {
  const writer = new ByteWriter()
  putLabels(writer, texts)
  return writer.view().slice()
}

function makeRing(): ExemplarRing {
  const ring = new ExemplarRing(10)
  const add = (ref: number, series: Uint8Array, timeMs: number, value: number, labels: Uint8Array) => {
    number[0] = value
    ring.add(ref, series, { timeMs, low: words[0]!, high: words[1]!, labels, from: 0, to: labels.length })
  }
  add(1, bytesOf('__name__', 'b', 'job', 'x"y'), 1000, 6, bytesOf('trace', 'é', 'user', '"'))
  add(2, bytesOf('__name__', 'a'), 1500, Infinity, bytesOf())
  add(1, bytesOf('__name__', 'b', 'job', 'x"y'), 2500, 0.1, bytesOf('trace', 'z'))
  return ring
}

function ask(query: string, startMs: number, endMs: number, check = () => {}): unknown {
  const writer = new ByteWriter()
  answerExemplars(makeRing().snapshot(), { expression: parseExpression(query), startMs, endMs }, writer, check)
  const body = JSON.parse(Buffer.from(writer.view()).toString()) as { status: string; data: unknown }
  expect(body.status).toBe('success')
  return body.data
}

const b = { __name__: 'b', job: 'x"y' }
const first = { labels: { trace: 'é', user: '"' }, value: '6', timestamp: 1 }
const second = { labels: { trace: 'z' }, value: '0.1', timestamp: 2.5 }

test('exemplars come by series in the order of labels, oldest first', () => {
  expect(ask('rate(b[5m]) / on () a', -Infinity, Infinity)).toEqual([
    { seriesLabels: { __name__: 'a' }, exemplars: [{ labels: {}, value: '+Inf', timestamp: 1.5 }] },
    { seriesLabels: b, exemplars: [first, second] },
  ])
})

test('both ends of the time are in it, and a series without one left is not named', () => {
  expect(ask('{__name__=~".+"}', 1501, 2500)).toEqual([{ seriesLabels: b, exemplars: [second] }])
  expect(ask('{job=~"x.*"}', 0, 1000)).toEqual([{ seriesLabels: b, exemplars: [first] }])
  expect(ask('b', 0, 999)).toEqual([])
  expect(ask('c', 0, 9999)).toEqual([])
})

test('a query that nobody waits for ends', () => {
  expect(() =>
    ask('b', 0, 9999, () => {
      throw new Error('canceled')
    }),
  ).toThrow('canceled')
})
