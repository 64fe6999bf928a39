import { ByteWriter } from '@narthex/bytes/byte-writer'
import { SampleColumns } from '@narthex/model/sample-columns'
import { describe, expect, test } from 'vitest'
import { readChunkFrames } from './remote-read-chunks.ts'
import { ChunkFrameWriter } from './remote-read-chunks-writer.ts'
import {
  encodeReadRequest,
  readMatchersMax,
  readQueriesMax,
  readReadRequest,
  type ReadQuery,
  type ReadRequest,
} from './remote-read-request.ts'
import { readReadResponse } from './remote-read-samples.ts'
import { ReadResponseTooLargeError, ReadResponseWriter } from './remote-read-samples-writer.ts'
import { uncompress } from './snappy.ts'

function concat(pieces: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(pieces))
}

describe('request', () => {
  const request: ReadRequest = {
    queries: [
      {
        startMs: -5,
        endMs: 1_700_000_000_123,
        matchers: [
          { type: '=', name: '__name__', value: 'up' },
          { type: '!=', name: 'a', value: '' },
          { type: '=~', name: 'b', value: 'x|é' },
          { type: '!~', name: 'c', value: '\ufeffy' },
        ],
        hints: { function: 'rate', startMs: 3, endMs: 4 },
      },
      { startMs: 0, endMs: 0, matchers: [] },
    ],
    acceptedResponses: [1, 0],
  }

  test('comes back as it was written', () => {
    expect(readReadRequest(encodeReadRequest(request))).toEqual(request)
  })

  test('has the bytes that Prometheus gives it', () => {
    const small = {
      queries: [{ startMs: 1, endMs: 2, matchers: [{ type: '=~', name: 'a', value: 'b' }] }],
      acceptedResponses: [1],
    } as const
    const bytes = [0x0a, 14, 0x08, 1, 0x10, 2, 0x1a, 8, 0x08, 2, 0x12, 1, 0x61, 0x1a, 1, 0x62, 0x12, 1, 1]
    expect([...encodeReadRequest(small)]).toEqual(bytes)
  })

  test('may name response types one a field', () => {
    expect(readReadRequest(Uint8Array.of(0x10, 1, 0x10, 0)).acceptedResponses).toEqual([1, 0])
  })

  test('is refused with a matcher type that there is not', () => {
    expect(() => readReadRequest(Uint8Array.of(0x0a, 4, 0x1a, 2, 0x08, 4))).toThrow('invalid matcher type')
  })

  test('has bounds on queries and matchers', () => {
    const query = (count: number): ReadQuery => {
      return { startMs: 0, endMs: 0, matchers: new Array(count).fill({ type: '=', name: 'a', value: 'b' }) }
    }
    const encode = (queries: ReadQuery[]) => encodeReadRequest({ queries, acceptedResponses: [] })
    expect(readReadRequest(encode(new Array(readQueriesMax).fill(query(0)))).queries).toHaveLength(readQueriesMax)
    expect(() => readReadRequest(encode(new Array(readQueriesMax + 1).fill(query(0))))).toThrow('want at most 1000 queries')
    expect(readReadRequest(encode([query(readMatchersMax)])).queries[0]!.matchers).toHaveLength(readMatchersMax)
    expect(() => readReadRequest(encode([query(readMatchersMax - 1), query(2)]))).toThrow('want at most 10000 matchers')
  })
})

describe('answer of samples', () => {
  function collect(bytes: Uint8Array) {
    const found: { query: number; labels: readonly string[]; samples: [number, number, number][] }[] = []
    const results = readReadResponse(bytes, (query, labels, { times, words, length }) => {
      found.push({ query, labels, samples: Array.from({ length }, (_, i) => [times[i]!, words[2 * i]!, words[2 * i + 1]!]) })
    })
    return { results, found }
  }

  test('keeps bits, times before 1970 and empty results', () => {
    const writer = new ReadResponseWriter(2 ** 20)
    const samples = new SampleColumns()
    samples.push(-1000, 2, 0x7ff00000)
    samples.push(0, 0, 0)
    samples.push(1_700_000_000_000, 1, 0x80000000)
    writer.endQuery()
    writer.addSeries(['__name__', 'up', 'job', 'é'], samples)
    writer.addSeries(['a', 'b'], new SampleColumns())
    writer.endQuery()
    const { results, found } = collect(uncompress(concat(writer.finish()), 2 ** 20))
    expect(results).toBe(2)
    const bits = [
      [-1000, 2, 0x7ff00000],
      [0, 0, 0],
      [1_700_000_000_000, 1, 0x80000000],
    ]
    expect(found).toEqual([
      { query: 1, labels: ['__name__', 'up', 'job', 'é'], samples: bits },
      { query: 1, labels: ['a', 'b'], samples: [] },
    ])
  })

  test('of several pieces is one block', () => {
    const writer = new ReadResponseWriter(2 ** 26)
    const samples = new SampleColumns()
    for (let i = 0; i < 150_000; i++) samples.pushNumber(1_700_000_000_000 + i * 15_000, Math.sin(i))
    for (const name of ['a', 'b']) writer.addSeries(['__name__', name], samples)
    writer.endQuery()
    const pieces = writer.finish()
    expect(pieces.length).toBeGreaterThan(4)
    const { found } = collect(uncompress(concat(pieces), 2 ** 25))
    expect(found.map(({ labels }) => labels[1])).toEqual(['a', 'b'])
    for (const series of found) {
      expect(series.samples.length).toBe(150_000)
      expect(series.samples[149_999]).toEqual([samples.times[149_999], samples.words[299_998], samples.words[299_999]])
    }
  })

  test('without a query is an empty block', () => {
    expect(concat(new ReadResponseWriter(10).finish())).toEqual(Uint8Array.of(0))
  })

  test('is refused above its bytes', () => {
    const samples = new SampleColumns()
    for (let i = 0; i < 100; i++) samples.pushNumber(i * 1000, Math.sin(i))
    const write = (bytesMax: number): number => {
      const writer = new ReadResponseWriter(bytesMax)
      writer.addSeries(['a', 'b'], samples)
      writer.endQuery()
      return writer.finish().at(-1)!.length
    }
    const bytes = write(10_000)
    expect(write(bytes)).toBe(bytes)
    expect(() => write(bytes - 1)).toThrow(ReadResponseTooLargeError)
  })
})

describe('frames of chunks', () => {
  const data = Uint8Array.from({ length: 50 }, (_, i) => i)

  function collect(bytes: Uint8Array) {
    const found: { query: number; labels: readonly string[]; times: number[][] }[] = []
    readChunkFrames(bytes, (query, labels, chunks) => {
      for (const chunk of chunks) {
        expect([...chunk.data]).toEqual([...data])
        expect(chunk.encoding).toBe(1)
      }
      found.push({ query, labels, times: chunks.map(({ minTimeMs, maxTimeMs }) => [minTimeMs, maxTimeMs]) })
    })
    return found
  }

  test('have the bytes that Prometheus gives them', () => {
    const writer = new ChunkFrameWriter(2 ** 20)
    writer.openSeries(2, ['a', 'b'])
    writer.addChunk(1, 2, 1, Uint8Array.of(7))
    writer.closeSeries()
    const message = [0x0a, 19, 0x0a, 6, 0x0a, 1, 0x61, 0x12, 1, 0x62, 0x12, 9, 8, 1, 16, 2, 24, 1, 34, 1, 7, 16, 2]
    const bytes = writer.take()
    expect(bytes[0]).toBe(message.length)
    expect([...bytes.subarray(5)]).toEqual(message)
    expect(writer.length).toBe(0)
  })

  test('close with the chunk that fills them, and each begins with the labels', () => {
    // Of the bytes 6 are the label's; a chunk has 59 with its times and its length.
    const write = (frameBytesMax: number) => {
      const writer = new ChunkFrameWriter(frameBytesMax)
      writer.openSeries(0, ['a', 'b'])
      for (let i = 1; i <= 5; i++) writer.addChunk(i, i + 1, 1, data)
      writer.closeSeries()
      return collect(writer.take()).map(({ times }) => times.length)
    }
    expect(write(6 + 2 * 58)).toEqual([2, 2, 1])
    expect(write(6 + 2 * 58 + 1)).toEqual([3, 2])
    expect(write(1)).toEqual([1, 1, 1, 1, 1])
  })

  test('of a series without chunks are none', () => {
    const writer = new ChunkFrameWriter(100)
    writer.openSeries(0, ['a', 'b'])
    writer.closeSeries()
    expect(writer.length).toBe(0)
  })

  test('are refused with another checksum or cut off', () => {
    const writer = new ChunkFrameWriter(100)
    writer.openSeries(0, ['a', 'b'])
    writer.addChunk(-5, 5, 1, data)
    writer.closeSeries()
    const bytes = writer.take()
    expect(collect(bytes)).toEqual([{ query: 0, labels: ['a', 'b'], times: [[-5, 5]] }])
    for (let end = 1; end < bytes.length; end++) expect(() => collect(bytes.subarray(0, end))).toThrow('cannot read')
    bytes[20]! ^= 1
    expect(() => collect(bytes)).toThrow('cannot read frame 0: want checksum')
    const long = new ByteWriter()
    long.uvarint(50_000_001)
    expect(() => collect(long.view())).toThrow('want at most 50000000 bytes, got 50000001')
  })
})
