import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { formatFloat, formatTimestampSeconds } from '@narthex/model/number'
import { TimeTexts, writeFloatList } from './matrix-texts.ts'

const step = fc.record({ timeMs: fc.integer({ min: 1, max: 100_000 }), value: fc.oneof(fc.double(), fc.integer()) })

it('floats of several series have their own times, whichever of them earlier series had', () => {
  const series = fc.array(fc.array(step, { maxLength: 300 }), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(series, fc.integer({ min: -(10 ** 15), max: 10 ** 15 }), (lists, beginMs) => {
      const writer = new ByteWriter(1)
      const timeTexts = new TimeTexts()
      let expected = ''
      for (const list of lists) {
        let timeMs = beginMs
        const points = list.map(({ timeMs: later, value }) => ({ timeMs: (timeMs += later), value }))
        const times = Float64Array.from(points, (point) => point.timeMs)
        const values = Float64Array.from(points, ({ value }) => value)
        expect(
          writeFloatList(
            writer,
            { labels: [], offsets: new Uint32Array(1), times, values, histograms: undefined },
            0,
            points.length,
            timeTexts,
          ),
        ).toBe(points.length)
        expected += points.map((point) => `[${formatTimestampSeconds(point.timeMs)},"${formatFloat(point.value)}"]`).join(',')
      }
      expect(new TextDecoder().decode(writer.view())).toBe(expected)
    }),
    { numRuns: 200 },
  )
})

it('times are shared by the series of a long range query, past what is kept', () => {
  const count = 16_400
  const writer = new ByteWriter()
  const timeTexts = new TimeTexts()
  const times = Float64Array.from({ length: count }, (_, i) => 1_700_000_000_000 + i * 1001)
  const series = { labels: [], offsets: new Uint32Array(1), times, values: new Float64Array(count).fill(-0.5), histograms: undefined }
  const texts = [0, 1].map(() => {
    writer.length = 0
    writeFloatList(writer, series, 0, count, timeTexts)
    return new TextDecoder().decode(writer.view())
  })
  expect(texts[0]).toBe([...times].map((timeMs) => `[${formatTimestampSeconds(timeMs)},"-0.5"]`).join(','))
  expect(texts[1]).toBe(texts[0])
})
