import fc from 'fast-check'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { WireError } from './protobuf-cursor.ts'
import { RemoteWrite2Reader } from './remote-write-2.ts'
import { RemoteWrite2Writer } from './remote-write-2-writer.ts'
import { addTable } from './testdata/symbol-tables.ts'

const Request = protobuf
  .parse(
    `
  syntax = "proto3";
  message Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; bytes extra = 12; }
  message TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3; repeated Exemplar exemplars = 4;
    Metadata metadata = 5; int64 created_timestamp = 6; }
  message Sample { double value = 1; int64 timestamp = 2; int64 start_timestamp = 3; }
  message Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }
  message Histogram { uint64 count_int = 1; double sum = 3; sint32 schema = 4; int64 timestamp = 15; }
  message Metadata { uint32 type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }
`,
  )
  .root.lookupType('Request')

function encodeOracle(message: object): Uint8Array {
  return Request.encode(Request.fromObject(message)).finish()
}

const symbolsArbitrary = fc
  .array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 300 })
  .map((texts) => ['', ...texts])
const timestampArbitrary = fc.oneof(fc.integer({ min: 1.5e12, max: 1.9e12 }), fc.maxSafeInteger())
const sampleArbitrary = fc.record({ value: fc.double({ noNaN: true }), timestamp: timestampArbitrary })

function requestArbitrary() {
  return symbolsArbitrary.chain((symbols) => {
    const ref = fc.nat({ max: symbols.length - 1 })
    const pairs = fc.array(fc.tuple(ref, ref), { maxLength: 10 }).map((list) => list.flat())
    const series = fc.record({
      labelsRefs: pairs,
      samples: fc.array(sampleArbitrary, { maxLength: 3 }),
      metadata: fc.option(fc.record({ type: fc.integer({ min: 1, max: 7 }), helpRef: ref, unitRef: ref }), { nil: undefined }),
      createdTimestamp: fc.option(fc.nat(), { nil: undefined }),
    })
    return fc.record({ symbols: fc.constant(symbols), timeseries: fc.array(series, { maxLength: 8 }) })
  })
}

function readAll(reader: RemoteWrite2Reader) {
  const values = new Float64Array(reader.samples.words.buffer)
  const symbols = Array.from({ length: reader.symbolCount }, (_, i) =>
    Buffer.from(reader.bytes.subarray(reader.symbolStart[i], reader.symbolEnd[i])).toString(),
  )
  const timeseries = Array.from({ length: reader.seriesCount }, (_, i) => {
    const samples = []
    for (let s = i === 0 ? 0 : reader.sampleEnd[i - 1]!; s < reader.sampleEnd[i]!; s++) {
      samples.push({ value: values[s]!, timestamp: reader.samples.times[s]! })
    }
    const labelsRefs = [...reader.labelRefs.subarray(i === 0 ? 0 : reader.labelRefsEnd[i - 1], reader.labelRefsEnd[i])]
    const [type, helpRef, unitRef] = reader.metadata.subarray(3 * i, 3 * i + 3)
    return { labelsRefs, samples, metadata: { type, helpRef, unitRef } }
  })
  return { symbols, timeseries }
}

const noMetadata = { type: 0, helpRef: 0, unitRef: 0 }

describe('RemoteWrite2Reader', () => {
  test('reads what protobufjs writes, and skips the reserved created timestamp', () => {
    const reader = new RemoteWrite2Reader()
    fc.assert(
      fc.property(requestArbitrary(), (request) => {
        reader.read(encodeOracle(request))
        expect(readAll(reader)).toEqual({
          symbols: request.symbols,
          timeseries: request.timeseries.map(({ labelsRefs, samples, metadata }) => ({
            labelsRefs,
            samples,
            metadata: metadata ?? noMetadata,
          })),
        })
      }),
      { numRuns: 200 },
    )
  })

  test('takes unpacked references and symbols behind the series', () => {
    const reader = new RemoteWrite2Reader()
    reader.read(Uint8Array.from([0x2a, 8, 0x08, 1, 0x08, 2, 0x12, 2, 0x10, 9, 0x22, 0, 0x22, 1, 0x61, 0x22, 1, 0x62]))
    expect(readAll(reader)).toEqual({
      symbols: ['', 'a', 'b'],
      timeseries: [{ labelsRefs: [1, 2], samples: [{ value: 0, timestamp: 9 }], metadata: noMetadata }],
    })
  })

  test('takes the last symbol as a reference and refuses the one behind it', () => {
    const reader = new RemoteWrite2Reader()
    const request = (ref: number) =>
      encodeOracle({ symbols: ['', 'a', 'b'], timeseries: [{ labelsRefs: [1, ref], samples: [{ timestamp: 1 }] }] })
    reader.read(request(2))
    expect(() => reader.read(request(3))).toThrow('want references below 3, got 3')
  })

  test.each([
    ['an odd number of references', { symbols: ['', 'a'], timeseries: [{ labelsRefs: [1] }] }, 'want an even number of references, got 1'],
    ['a first symbol that is not empty', { symbols: ['a'], timeseries: [{ labelsRefs: [0, 0] }] }, 'want the empty string first'],
    ['references without symbols', { timeseries: [{ labelsRefs: [1, 1] }] }, 'want references below 0'],
  ])('refuses %s', (_name, message, text) => {
    expect(() => new RemoteWrite2Reader().read(encodeOracle(message))).toThrow(text)
  })

  test('refuses a 1.0 message under its content type', () => {
    expect(() => new RemoteWrite2Reader().read(Uint8Array.from([0x0a, 2, 0x12, 0]))).toThrow('is this a 1.0 message?')
  })

  test('counts histograms and exemplars per series', () => {
    const reader = new RemoteWrite2Reader()
    reader.read(
      encodeOracle({
        symbols: ['', 'a', 'b'],
        timeseries: [
          { labelsRefs: [1, 2], histograms: [{ countInt: 3, sum: 2 }, { countInt: 4 }] },
          { labelsRefs: [1, 2], samples: [{ timestamp: 5 }], exemplars: [{ labelsRefs: [1, 2], value: 2, timestamp: 4 }] },
        ],
      }),
    )
    expect([...reader.histogramsOf.subarray(0, 2), ...reader.exemplarsOf.subarray(0, 2)]).toEqual([2, 0, 0, 1])
  })

  test('refuses damaged requests with WireError only', () => {
    const reader = new RemoteWrite2Reader()
    fc.assert(
      fc.property(
        requestArbitrary(),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
        fc.nat(),
        (request, flips, cut) => {
          const whole = encodeOracle(request)
          const bytes = whole.slice(0, cut % 2 === 0 ? whole.length : cut % (whole.length + 1))
          for (const [at, value] of flips) if (bytes.length > 0) bytes[at % bytes.length] = value
          try {
            reader.read(bytes)
            for (let i = 0; i < reader.symbolCount; i++) expect(reader.symbolEnd[i]).toBeLessThanOrEqual(bytes.length)
          } catch (error) {
            expect(error).toBeInstanceOf(WireError)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})

describe('RemoteWrite2Writer', () => {
  test('writes what protobufjs reads, from several symbol tables', () => {
    const writer = new RemoteWrite2Writer()
    fc.assert(
      fc.property(fc.array(requestArbitrary(), { minLength: 1, maxLength: 3 }), (tables) => {
        writer.reset()
        const maps = tables.map((table) => addTable(writer, symbolFields(table.symbols.slice(1)), table.symbols.length - 1))
        const expected: unknown[] = []
        tables.forEach((table, t) => {
          const texts = (refs: number[]) => refs.map((ref) => table.symbols[ref]!)
          for (const series of table.timeseries) {
            for (const sample of series.samples) {
              const refs = refsField(series.labelsRefs)
              const words = new Uint32Array(Float64Array.of(sample.value).buffer)
              const final = (ref: number) => maps[t]![ref]!
              const { type, helpRef, unitRef } = series.metadata ?? noMetadata
              writer.series(refs, 0, refs.length, maps[t], sample.timestamp, words[0]!, words[1]!, type, final(helpRef), final(unitRef))
              expected.push({ labels: texts(series.labelsRefs), sample, type, help: table.symbols[helpRef], unit: table.symbols[unitRef] })
            }
          }
        })
        const got = Request.toObject(Request.decode(writer.view()), { longs: Number, defaults: true, arrays: true })
        const seen = got.timeseries.map(
          (series: { labelsRefs: number[]; samples: { value: number; timestamp: number }[]; metadata: typeof noMetadata | null }) => ({
            labels: series.labelsRefs.map((ref) => got.symbols[ref]),
            sample: { value: series.samples[0]!.value, timestamp: series.samples[0]!.timestamp },
            type: series.metadata?.type ?? 0,
            help: got.symbols[series.metadata?.helpRef ?? 0],
            unit: got.symbols[series.metadata?.unitRef ?? 0],
          }),
        )
        expect(seen).toEqual(expected)
        const reader = new RemoteWrite2Reader()
        reader.read(writer.view())
        expect(reader.seriesCount).toBe(expected.length)
      }),
      { numRuns: 150 },
    )
  })

  test('counts its bytes', () => {
    const writer = new RemoteWrite2Writer()
    writer.addSymbol('ü')
    writer.series(refsField([1, 1]), 0, 4, undefined, 1.7e12, 2, 0x7ff00000)
    expect(writer.view()).toHaveLength(writer.length)
    expect(writer.sampleCount).toBe(1)
  })
})

function symbolFields(texts: string[]): Uint8Array {
  return Buffer.concat(
    texts.map((text) => {
      const encoded = Buffer.from(text)
      return Buffer.concat([Buffer.from(varint(0x22).concat(varint(encoded.length))), encoded])
    }),
  )
}

function varint(value: number): number[] {
  return value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)]
}

function refsField(refs: number[]): Uint8Array {
  const packed = refs.flatMap(varint)
  return Uint8Array.from([0x0a, ...varint(packed.length), ...packed])
}

describe('seriesRun', () => {
  test.each([0, 1, 127, 1.7e12, 2 ** 41, 2 ** 42, 2 ** 49 - 1, 2 ** 49, 2 ** 52, -5])(
    'writes what seriesNow writes, at time %d',
    (timeMs) => {
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 40 }), fc.double()), { minLength: 1, maxLength: 20 }),
          fc.boolean(),
          (series, isMapped) => {
            const fields = series.map(([refs]) => refsField(refs))
            const refs = Uint8Array.from(fields.flatMap((field) => [...field]))
            const offsets = new Uint32Array(fields.length + 1)
            fields.forEach((field, i) => (offsets[i + 1] = offsets[i]! + field.length))
            const words = new Uint32Array(Float64Array.from(series.map(([, value]) => value)).buffer)
            const map = isMapped ? Uint32Array.from({ length: 301 }, (_, i) => (i === 0 ? 0 : i * 977)) : undefined
            const one = new RemoteWrite2Writer()
            const run = new RemoteWrite2Writer()
            one.setTime(timeMs)
            run.setTime(timeMs)
            const from = series.length > 3 ? 1 : 0
            for (let i = from; i < series.length; i++) {
              one.seriesNow(refs, offsets[i]!, offsets[i + 1]!, map, words[2 * i]!, words[2 * i + 1]!)
            }
            run.seriesRun(refs, offsets, from, series.length, map, words)
            expect(Buffer.compare(run.view(), one.view())).toBe(0)
            expect(run.sampleCount).toBe(one.sampleCount)
          },
        ),
      )
    },
  )
})
