import { Labels } from '@narthex/model/labels'
import { SampleColumns } from '@narthex/model/sample-columns'
import { decodeXorChunk } from '@narthex/tsdb/chunk/xor-chunk'
import type { Queryable } from '@narthex/tsdb/select/queryable'
import { readChunkFrames } from '@narthex/wire/remote-read-chunks'
import { readReadResponse } from '@narthex/wire/remote-read-samples'
import { uncompress } from '@narthex/wire/snappy'
import { describe, expect, test } from 'vitest'
import { answerRemoteRead, type RemoteReadCall } from './answer-remote-read.ts'

const anyTime = { startMs: -Infinity, endMs: Infinity, matchers: [], wantsSamples: true }

/** Series `m{i="0"}`, …, each of as many samples, one a second. */
function storage(seriesCount: number, sampleCount: number): Queryable {
  return {
    select: () => {
      let at = -1
      return {
        next: () => ++at < seriesCount,
        labels: () => Labels.from({ __name__: 'm', i: String(at) }),
        samples: (into) => {
          for (let k = 0; k < sampleCount; k++) into.pushNumber(k * 1000, k + at)
        },
      }
    },
    labelNames: () => [],
    labelValues: () => [],
  }
}

interface Asked extends Partial<RemoteReadCall> {
  readonly bytesMax?: number
  readonly check?: () => void
}

function answer(reader: Queryable, { bytesMax, check = () => {}, ...call }: Asked): Uint8Array[] {
  const whole: RemoteReadCall = {
    kind: 'remoteRead',
    queries: [anyTime],
    streams: true,
    externalLabels: [],
    samplesMax: 0,
    frameBytesMax: 2 ** 20,
    ...call,
  }
  const parts: Uint8Array[] = []
  answerRemoteRead(whole, reader, { send: (part) => void parts.push(part), check }, bytesMax)
  return parts
}

const join = (parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat(parts))

describe('streamed chunks', () => {
  test('have 120 samples each, the last one what is left', () => {
    const sizes: number[] = []
    const bytes = join(answer(storage(1, 250), {}))
    readChunkFrames(bytes, (_query, _labels, chunks) => {
      for (const { data, minTimeMs, maxTimeMs } of chunks) {
        const columns = new SampleColumns()
        decodeXorChunk(data, columns)
        sizes.push(columns.length)
        expect([columns.times[0], columns.times[columns.length - 1]]).toEqual([minTimeMs, maxTimeMs])
      }
    })
    expect(sizes).toEqual([120, 120, 10])
  })

  test('go in parts of whole frames', () => {
    const parts = answer(storage(3000, 30), {})
    expect(parts.length).toBeGreaterThan(3)
    let series = 0
    for (const part of parts) readChunkFrames(part, () => series++)
    expect(series).toBe(3000)
  })

  test('of a series without samples are none', () => {
    expect(answer(storage(3, 0), {})).toEqual([])
  })

  test('are one without samples when only the series are wanted', () => {
    const queries = [{ ...anyTime, startMs: 5, endMs: Infinity, wantsSamples: false }]
    const found: unknown[] = []
    readChunkFrames(join(answer(storage(2, 9), { queries })), (_query, labels, chunks) =>
      found.push(labels[3], [...chunks[0]!.data], chunks[0]!.minTimeMs),
    )
    expect(found).toEqual(['0', [0, 0], 5, '1', [0, 0], 5])
  })

  test('have no limit of samples', () => {
    expect(answer(storage(1, 250), { samplesMax: 1 }).length).toBe(1)
  })
})

describe('samples', () => {
  function collect(parts: readonly Uint8Array[]): string[] {
    const found: string[] = []
    readReadResponse(uncompress(join(parts), 2 ** 25), (query, labels, samples) =>
      found.push(`${query} ${labels.join(',')} ${samples.length}`),
    )
    return found
  }

  test('come query by query, with the external labels that a series does not have', () => {
    const externalLabels = ['dc', 'east', 'i', 'not this one']
    const found = collect(answer(storage(2, 3), { streams: false, queries: [anyTime, anyTime], externalLabels }))
    expect(found).toEqual([
      '0 __name__,m,dc,east,i,0 3',
      '0 __name__,m,dc,east,i,1 3',
      '1 __name__,m,dc,east,i,0 3',
      '1 __name__,m,dc,east,i,1 3',
    ])
  })

  test('are refused above the limit of a query', () => {
    const ask = (samplesMax: number) => collect(answer(storage(2, 3), { streams: false, queries: [anyTime, anyTime], samplesMax }))
    expect(ask(6)).toHaveLength(4)
    expect(ask(0)).toHaveLength(4)
    expect(() => ask(5)).toThrow(expect.objectContaining({ kind: 'bad_data', message: 'exceeded sample limit (5)' }))
  })

  test('are refused above the bytes of an answer, before anything was sent', () => {
    expect(() => answer(storage(2, 3), { streams: false, bytesMax: 10 })).toThrow(expect.objectContaining({ kind: 'execution' }))
  })
})

test('an expression that is none is the mistake of whoever asks', () => {
  const queries = [{ ...anyTime, matchers: [{ type: '=~', name: 'a', value: '(' }] as const }]
  const failure = expect.objectContaining({ kind: 'bad_data', message: 'error parsing regexp: missing closing ): `(`' })
  expect(() => answer(storage(1, 1), { queries })).toThrow(failure)
})

test('a query that has to end does, at the next series', () => {
  let checks = 0
  const check = () => {
    if (++checks === 3) throw new Error('canceled')
  }
  for (const streams of [true, false]) {
    checks = 0
    expect(() => answer(storage(5, 1), { streams, check })).toThrow('canceled')
  }
})

test('an answer of samples counts with its buffers, and ends with the reason above its limit', () => {
  const held: number[] = []
  const call: RemoteReadCall = {
    ...{ kind: 'remoteRead', queries: [anyTime], streams: false, externalLabels: [], samplesMax: 0, frameBytesMax: 2 ** 20 },
  }
  const sink = {
    check: () => {},
    send: () => {},
    cover(bytes: number) {
      held.push(bytes)
      return bytes > 2_000_000 ? 'one query may hold 2000000 bytes' : undefined
    },
  }
  const reason = 'the answer of the read is too large: one query may hold 2000000 bytes'
  expect(() => answerRemoteRead(call, storage(1000, 2_000), sink)).toThrow(reason)
  expect(held.length).toBeGreaterThan(3)
  expect(held.length).toBeLessThan(1000)
})
