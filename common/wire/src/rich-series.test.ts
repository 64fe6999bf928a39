import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { readExemplar1, readExemplar2 } from './exemplar-message.ts'
import { readHistogram } from './histogram-message.ts'
import { WireError } from './protobuf-cursor.ts'
import { RemoteWrite1Reader } from './remote-write-1.ts'
import { RemoteWrite1Writer } from './remote-write-1-writer.ts'
import { RemoteWrite2Reader } from './remote-write-2.ts'
import { RemoteWrite2Writer } from './remote-write-2-writer.ts'
import { locateSymbols } from './symbol-table.ts'
import { decodeOracle, encodeOracle, oracle1, oracle2 } from './testdata/wire-oracle.ts'
import { addTable } from './testdata/symbol-tables.ts'

/** `symbols` fields, and the texts' references from 1. */
function makeSymbols(texts: readonly string[]): Uint8Array {
  const out = new ByteWriter()
  for (const text of texts) {
    out.u8(0x22)
    putText(out, text)
  }
  return out.bytes.slice(0, out.length)
}

function putText(out: ByteWriter, text: string): void {
  out.uvarint(Buffer.byteLength(text))
  out.utf8(text)
}

function textsOf(texts: readonly string[]): Uint8Array {
  const out = new ByteWriter()
  for (const text of texts) putText(out, text)
  return out.bytes.slice(0, out.length)
}

const refs = Uint8Array.of(0x0a, 4, 1, 2, 3, 4)
const histogramBytes = Uint8Array.of(0x08, 7, 0x30, 1) // count 7, zero count 1
const timeMs = 1_700_000_000_123
const startMs = 1_600_000_000_000
// 2.5 as two words.
const low = 0
const high = 0x4004_0000

const label = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 130 })

describe('a 1.0 series with more than one float', () => {
  test('says to protobufjs what was added', () => {
    fc.assert(
      fc.property(label, label, fc.array(fc.tuple(label, label), { maxLength: 3 }), (value, other, pairs) => {
        const symbols = makeSymbols(['__name__', value, 'l', other])
        const writer = new RemoteWrite1Writer()
        const labels = textsOf(pairs.flat())
        writer.setTime(timeMs)
        writer.openSeries(symbols, locateSymbols(symbols, 4), refs, 0, refs.length)
        writer.addSample(low, high)
        writer.addHistogram(histogramBytes, 0, histogramBytes.length)
        writer.addExemplar(labels, 0, labels.length, low, high, timeMs - 5)
        writer.closeSeries()
        writer.seriesNow(symbols, locateSymbols(symbols, 4), refs, 0, refs.length, low, high)
        const labelMessages = [
          { name: '__name__', value },
          { name: 'l', value: other },
        ]
        const exemplarLabels = pairs.map(([name, text]) => ({ name, value: text }))
        expect(decodeOracle(oracle1, writer.view())).toEqual({
          timeseries: [
            {
              labels: labelMessages,
              samples: [{ value: 2.5, timestamp: timeMs }],
              exemplars: [{ ...(pairs.length > 0 ? { labels: exemplarLabels } : {}), value: 2.5, timestamp: timeMs - 5 }],
              histograms: [{ countInt: 7, zeroCountInt: 1, timestamp: timeMs }],
            },
            { labels: labelMessages, samples: [{ value: 2.5, timestamp: timeMs }] },
          ],
        })
        expect([writer.sampleCount, writer.histogramCount, writer.exemplarCount]).toEqual([2, 1, 1])
      }),
    )
  })

  test('is read with the places of its histograms and exemplars', () => {
    const exemplar = { labels: [{ name: 'trace_id', value: 'ä' }], value: 3, timestamp: timeMs }
    const series = [
      { labels: [{ name: '__name__', value: 'a' }], histograms: [{ countInt: 1, timestamp: 5 }] },
      { labels: [{ name: '__name__', value: 'b' }], samples: [{ value: 1, timestamp: 1 }], exemplars: [exemplar, exemplar] },
    ]
    const reader = new RemoteWrite1Reader()
    reader.read(encodeOracle(oracle1, { timeseries: series }))
    expect([reader.histogramCount, reader.exemplarCount]).toEqual([1, 2])
    expect([reader.histograms.series[0], reader.exemplars.series[0], reader.exemplars.series[1]]).toEqual([0, 1, 1])
    expect(readHistogram(reader.bytes, reader.histograms.starts[0]!, reader.histograms.ends[0]!)).toMatchObject({
      histogram: { count: 1 },
      timestampMs: 5,
    })
    const read = readExemplar1(reader.bytes, reader.exemplars.starts[1]!, reader.exemplars.ends[1]!)
    expect(read).toEqual({ labels: ['trace_id', 'ä'], value: 3, timestampMs: timeMs })
    reader.read(new Uint8Array(0))
    expect([reader.histogramCount, reader.exemplarCount]).toEqual([0, 0])
  })
})

describe('a 2.0 series with more than one float', () => {
  test.each([
    ['first', 0],
    ['later', 200],
  ])('says to protobufjs what was added, in the %s table', (_name, symbolsBefore) => {
    const symbols = makeSymbols(['__name__', 'm', 'l', 'x'])
    const writer = new RemoteWrite2Writer()
    for (let i = 0; i < symbolsBefore; i++) writer.addSymbol(`s${i}`)
    const map = addTable(writer, symbols, 4)
    const help = writer.addSymbol('help')
    const trace = textsOf(['trace_id', 'ä'.repeat(70), ''])
    const valueEnd = trace.length - 1
    const exemplarRefs = [writer.addSymbolText(trace, 0, 9), writer.addSymbolText(trace, 9, valueEnd)]
    expect(writer.addSymbolText(trace, valueEnd, trace.length)).toBe(0)
    writer.setTime(timeMs)
    writer.openSeries(refs, 0, refs.length, map)
    writer.addSample(low, high, startMs)
    writer.addExemplar(exemplarRefs, low, high, timeMs - 5)
    writer.addExemplar([], 0, 0, timeMs)
    writer.closeSeries(3, help, 0)
    writer.openSeries(refs, 0, refs.length, map)
    writer.addHistogram(histogramBytes, 0, histogramBytes.length, startMs)
    writer.addHistogram(histogramBytes, 0, histogramBytes.length, 0)
    writer.closeSeries()
    writer.openSeries(refs, 0, refs.length, map)
    writer.addSample(low, high, 0)
    writer.closeSeries()
    const labelsRefs = [1, 2, 3, 4].map((ref) => ref + symbolsBefore)
    expect(decodeOracle(oracle2, writer.view())).toMatchObject({
      timeseries: [
        {
          labelsRefs,
          samples: [{ value: 2.5, timestamp: timeMs, startTimestamp: startMs }],
          exemplars: [{ labelsRefs: exemplarRefs, value: 2.5, timestamp: timeMs - 5 }, { timestamp: timeMs }],
          metadata: { type: 3, helpRef: help },
        },
        {
          labelsRefs,
          histograms: [
            { countInt: 7, zeroCountInt: 1, timestamp: timeMs, startTimestamp: startMs },
            { countInt: 7, zeroCountInt: 1, timestamp: timeMs },
          ],
        },
        { labelsRefs, samples: [{ value: 2.5, timestamp: timeMs }] },
      ],
    })
    expect([writer.sampleCount, writer.histogramCount, writer.exemplarCount]).toEqual([2, 2, 2])
    const read = new RemoteWrite2Reader()
    read.read(writer.view())
    expect(read.seriesCount).toBe(3)
  })

  test('is read with start timestamps and the places of its histograms and exemplars', () => {
    const reader = new RemoteWrite2Reader()
    const samples = Array.from({ length: 5000 }, (_, i) => ({
      value: i,
      timestamp: timeMs,
      ...(i > 1 ? { startTimestamp: startMs + i } : {}),
    }))
    const exemplar = { labelsRefs: [1, 2], value: 3, timestamp: timeMs }
    const series = [
      { labelsRefs: [1, 2], histograms: [{ countInt: 9 }] },
      { labelsRefs: [2, 1], samples, exemplars: [exemplar] },
    ]
    reader.read(encodeOracle(oracle2, { symbols: ['', 'a', 'b'], timeseries: series }))
    const { startTimes } = reader.samples
    expect([startTimes![0], startTimes![1], startTimes![2], startTimes![4999]]).toEqual([0, 0, startMs + 2, startMs + 4999])
    expect([reader.histograms.series[0], reader.exemplars.series[0]]).toEqual([0, 1])
    const [start, end] = [reader.exemplars.starts[0]!, reader.exemplars.ends[0]!]
    expect(readExemplar2(reader.bytes, start, end, 3)).toEqual({ labelRefs: [1, 2], value: 3, timestampMs: timeMs })
    expect(() => readExemplar2(reader.bytes, start, end, 2)).toThrow('cannot read exemplar: want references below 2, got 2')
    expect(() => readExemplar2(Uint8Array.of(0x0a, 1, 0), 0, 3, 3)).toThrow(WireError)
    reader.read(new Uint8Array(0))
    expect(reader.samples.startTimes).toBeUndefined()
  })
})
