import { ByteWriter } from '@narthex/bytes/byte-writer'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { LineParser } from '@narthex/exposition/line-parser'
import { describeSamples } from '@narthex/exposition/testdata/describe-samples'
import { writeProtobufLines } from '@narthex/exposition/protobuf-lines'
import { MemoryStorage } from '@narthex/promql/testing/memory-storage'
import { parseSeriesDescription } from '@narthex/promql/testing/series-notation'
import { describe, expect, it } from 'vitest'
import { answerFederation } from './answer-federation.ts'

class HoldingWriter extends ByteWriter {
  heldBytes = 0
  hold(bytes: number): void {
    this.heldBytes += bytes
  }
}

function federate(format: 'text' | 'protobuf', ...series: readonly string[]): HoldingWriter {
  const storage = new MemoryStorage()
  for (const line of series) {
    const { labels, values } = parseSeriesDescription(line)
    const stored = storage.series(labels)
    values.forEach((value, i) => {
      if (typeof value === 'number') stored.appendNumber(i * 1000, value)
      else if (typeof value === 'object') stored.appendHistogram(i * 1000, value)
    })
  }
  const writer = new HoldingWriter()
  const sets = [[new Matcher('=~', '__name__', '.+')]]
  answerFederation({ sets, timeMs: 5000, lookbackMs: 300_000, externalLabels: Labels.empty, allowsUtf8: false, format }, storage, writer)
  return writer
}

const custom = 'latency{job="a"} _ {{schema:-53 sum:4.5 count:6 custom_values:[0.5 2 10] buckets:[1 0 2 3]}}'

describe('a histogram with custom buckets is federated as a classic one', () => {
  it('in text, where other native histograms are left out', () => {
    const text = Buffer.from(federate('text', 'latency{job="b"} 1', custom, 'latency{job="c"} {{count:1 sum:1 buckets:[1]}}').view())
    expect(String(text)).toBe(
      [
        '# TYPE latency untyped',
        'latency{job="b",instance=""} 1 0',
        '# TYPE latency histogram',
        'latency_bucket{job="a",instance="",le="0.5"} 1 1000',
        'latency_bucket{job="a",instance="",le="2"} 1 1000',
        'latency_bucket{job="a",instance="",le="10"} 3 1000',
        'latency_bucket{job="a",instance="",le="+Inf"} 6 1000',
        'latency_sum{job="a",instance=""} 4.5 1000',
        'latency_count{job="a",instance=""} 6 1000',
        '',
      ].join('\n'),
    )
  })

  it.each([
    ['whole', custom, [3, 6]],
    ['fractional', custom.replace('buckets:[1 ', 'buckets:[0.5 '), [2.5, 6]],
  ])('in protobuf, with %s counts', (_, series, counts) => {
    const lines = new ByteWriter()
    writeProtobufLines(federate('protobuf', series).view(), lines, { keepClassic: false, nativeHistograms: true })
    const samples = describeSamples(new LineParser(), lines.view())
    expect(samples).toContain(`latency_bucket{job="a", le="10.0"} ${counts[0]} @1000`)
    expect(samples).toContain(`latency_bucket{job="a", le="+Inf"} ${counts[1]} @1000`)
    expect(samples).toContain(`latency_count{job="a"} ${counts[1]} @1000`)
  })
})

it('the newest of floats and histograms counts', () => {
  expect(String(Buffer.from(federate('text', 'x {{count:1 sum:1}} 7').view()))).toBe('# TYPE x untyped\nx{instance=""} 7 1000\n')
  expect(federate('text', 'x 7 {{count:1 sum:1}}').length).toBe(0)
})

it('what is held counts for the query', () => {
  const { heldBytes, length } = federate('protobuf', 'latency {{count:10 sum:1 buckets:[1 2 3 4]}}')
  expect(heldBytes).toBeGreaterThan(length)
})
