import { ByteWriter } from '@narthex/bytes/byte-writer'
import { describe, expect, it } from 'vitest'
import { encodeResult } from './encode-result.ts'
import { evaluateInstant, evaluateRange } from './engine.ts'
import type { QueryResult } from './query-result.ts'
import { listSeries } from './testing/listed-series.ts'

const storage = listSeries(1500, { 'm{a="1",b="ü\\"\\n"}': [1, 0.1], 'm{a="2"}': [NaN, 1e21], n: [Infinity, -0] })

function encode(result: QueryResult, extraFields?: string): string {
  const writer = new ByteWriter()
  encodeResult(result, writer, extraFields)
  return new TextDecoder().decode(writer.view())
}

describe('encodeResult', () => {
  it('writes vectors with times in seconds and values as texts', () => {
    expect(encode(evaluateInstant({}, storage, 'm', 1500))).toBe(
      '{"resultType":"vector","result":[{"metric":{"__name__":"m","a":"1","b":"ü\\"\\n"},"value":[1.500,"0.1"]},' +
        '{"metric":{"__name__":"m","a":"2"},"value":[1.500,"1e+21"]}]}',
    )
  })

  it('writes matrices', () => {
    expect(encode(evaluateRange({}, storage, 'n', 0, 1500, 1500))).toBe(
      '{"resultType":"matrix","result":[{"metric":{"__name__":"n"},"values":[[0,"+Inf"],[1.500,"-0"]]}]}',
    )
    expect(encode(evaluateInstant({}, storage, 'm{a="2"}[1m]', 0))).toBe(
      '{"resultType":"matrix","result":[{"metric":{"__name__":"m","a":"2"},"values":[[0,"NaN"]]}]}',
    )
  })

  it('writes scalars and strings', () => {
    expect(encode(evaluateInstant({}, storage, '1 / 3', 0))).toBe('{"resultType":"scalar","result":[0,"0.3333333333333333"]}')
    expect(encode(evaluateInstant({}, storage, '"a\\"b"', 2000))).toBe('{"resultType":"string","result":[2,"a\\"b"]}')
  })

  it('writes empty results, and fields behind the result', () => {
    expect(encode(evaluateInstant({}, storage, 'nothing', 0), '"stats":{}')).toBe('{"resultType":"vector","result":[],"stats":{}}')
  })
})
