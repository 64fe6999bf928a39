import { HistogramColumns } from '@narthex/model/histogram-columns'
import { Matcher } from '@narthex/model/matcher'
import { MemoryStorage } from '@narthex/promql/testing/memory-storage'
import { parseSeriesDescription } from '@narthex/promql/testing/series-notation'
import { readJsonLine } from '@narthex/receive/import-formats'
import { describe, expect, it } from 'vitest'
import { answerExport } from './answer-export.ts'

function load(...lines: readonly string[]): MemoryStorage {
  const storage = new MemoryStorage()
  for (const line of lines) {
    const { labels, values } = parseSeriesDescription(line)
    values.forEach((value, i) => {
      if (typeof value === 'number') storage.series(labels).appendNumber(i, value)
      else if (typeof value === 'object') storage.series(labels).appendHistogram(i, value)
    })
  }
  return storage
}

function exportLines(storage: MemoryStorage, bytesMax = Infinity): string[] {
  let text = ''
  const sets = [[new Matcher('=~', '__name__', '.+')]]
  answerExport({ sets, startMs: 0, endMs: 1e9, format: { kind: 'json', rowsMax: 10_000 } }, storage, {
    check: () => {},
    send: (part) => void (text += Buffer.from(part).toString()),
    cover: (bytes) => (bytes > bytesMax ? `want at most ${bytesMax} bytes` : undefined),
  })
  return text.split('\n').slice(0, -1)
}

describe('an export', () => {
  it('has histograms in lines of their own, which an import reads as they were', () => {
    const sides = 'z_bucket:2 z_bucket_w:0.001 offset:-1 buckets:[1 0 2] n_offset:1 n_buckets:[3]'
    const storage = load(
      `x 7 {{schema:2 count:8 sum:NaN ${sides}}} 8 {{count:1 sum:-Inf counter_reset_hint:gauge buckets:[1]}}`,
      'y {{schema:-53 count:3 sum:3 custom_values:[0.5 2] buckets:[1 2]}} {{schema:-53 count:1 sum:1 custom_values:[0.5 2] buckets:[1]}}',
    )
    const lines = exportLines(storage)
    expect(lines.map((line) => Object.keys(JSON.parse(line) as object)[1])).toEqual(['values', 'histograms', 'histograms'])
    const read = (line: string) => {
      const columns = new HistogramColumns()
      const pieces = readJsonLine(line, (_labels, timeMs, value) => {
        if (typeof value === 'object') columns.pushHistogram(timeMs, 0, value.histogram, value.isReset ? 2 : 0)
      })
      for (const _piece of pieces!);
      return Array.from({ length: columns.length }, (_, i) => [columns.times[i], columns.histogram(i), columns.hints[i]])
    }
    const stored = (name: string) => {
      const columns = new HistogramColumns()
      storage.series(parseSeriesDescription(name).labels).copyHistograms(0, 1e9, columns)
      return Array.from({ length: columns.length }, (_, i) => [columns.times[i], columns.histogram(i), columns.hints[i]])
    }
    expect([read(lines[1]!), read(lines[2]!)]).toEqual([stored('x'), stored('y')])
    expect(stored('y')[1]![2]).toBe(2)
  })

  it('ends lines of histograms before they are long', () => {
    const lines = exportLines(load(`x {{count:50 buckets:[${'1234567890 '.repeat(50)}]}}x3000`))
    expect(lines.length).toBeGreaterThan(5)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(400 * 1024)
  })

  it.each(['x 1x9999', 'x {{count:1 buckets:[1 2 3]}}x9999'])('holds no series that is larger than it may: %s', (series) => {
    expect(exportLines(load(series), 4e6)).not.toHaveLength(0)
    expect(() => exportLines(load(series), 200_000)).toThrow(
      'a series of the export is too large, ask for less time: want at most 200000 bytes',
    )
  })
})
