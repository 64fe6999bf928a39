import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FamilyWriter } from './family-writer.ts'
import { entryEnd, entrySample } from './parser.ts'
import { parseSeriesText } from './series-text.ts'
import { TextParser } from './text-parser.ts'

const text = (writer: FamilyWriter) => Buffer.from(writer.finish()).toString('utf8')

describe('FamilyWriter', () => {
  test('prints families sorted by name with HELP and TYPE', () => {
    const writer = new FamilyWriter()
    writer.family('b_total', 'Bees.', 'counter')
    writer.sample(3, ['kind', 'honey'])
    writer.family('a', '', 'gauge')
    writer.sample(0.25)
    expect(text(writer)).toBe('# HELP a \n# TYPE a gauge\na 0.25\n# HELP b_total Bees.\n# TYPE b_total counter\nb_total{kind="honey"} 3\n')
  })

  test('leaves out families without samples', () => {
    const writer = new FamilyWriter()
    writer.family('a', 'A', 'gauge')
    writer.family('b', 'B', 'gauge')
    writer.sample(1)
    expect(text(writer)).toBe('# HELP b B\n# TYPE b gauge\nb 1\n')
  })

  test('merges families of one name under the first HELP and TYPE', () => {
    const writer = new FamilyWriter()
    writer.family('m', 'first', 'gauge')
    writer.sample(1, ['a', '1'])
    writer.family('n', 'other', 'gauge')
    writer.sample(2)
    writer.family('m', 'second', 'counter')
    writer.sample(3, ['a', '2'])
    expect(text(writer)).toBe('# HELP m first\n# TYPE m gauge\nm{a="1"} 1\nm{a="2"} 3\n# HELP n other\n# TYPE n gauge\nn 2\n')
  })

  test('drops a repeated sample, keeps the first and counts', () => {
    const writer = new FamilyWriter()
    writer.family('m', '', 'untyped')
    writer.sample(1, ['a', '1'])
    writer.sample(2, ['a', '1'])
    writer.sample(3, ['a', '11'])
    expect(text(writer)).toBe('# HELP m \n# TYPE m untyped\nm{a="1"} 1\nm{a="11"} 3\n')
    expect(writer.duplicates).toBe(1)
  })

  test('escapes HELP and label values, quotes names outside the legacy charset', () => {
    const writer = new FamilyWriter()
    writer.family('m', 'a "quoted" \\ and\nnext', 'unknown')
    writer.sample(1, ['path', 'C:\\x\n"ü"', 'dotted.name', 'v'])
    writer.family('my.metric', '', 'gauge')
    writer.sample(1, ['a', 'b'], '_sum')
    expect(text(writer)).toBe(
      '# HELP m a "quoted" \\\\ and\\nnext\n# TYPE m untyped\nm{path="C:\\\\x\\n\\"ü\\"","dotted.name"="v"} 1\n' +
        '# HELP "my.metric" \n# TYPE "my.metric" gauge\n{"my.metric_sum",a="b"} 1\n',
    )
  })

  test('prints suffixes, timestamps and special values', () => {
    const writer = new FamilyWriter()
    writer.family('h', 'H', 'histogram')
    writer.sample(1, ['le', '+Inf'], '_bucket')
    writer.sample(NaN, undefined, '_sum', 1_700_000_000_123)
    writer.sample(-Infinity, undefined, '_count')
    expect(text(writer)).toBe('# HELP h H\n# TYPE h histogram\nh_bucket{le="+Inf"} 1\nh_sum NaN 1700000000123\nh_count -Inf\n')
  })

  test('keeps its buffer over resets and grows past it', () => {
    const writer = new FamilyWriter(16)
    for (let round = 0; round < 3; round++) {
      writer.reset()
      writer.family('m', 'x', 'gauge')
      for (let i = 0; i < 3000; i++) writer.sample(i, ['i', String(i)])
      const lines = text(writer).trimEnd().split('\n')
      expect(lines.length).toBe(3002)
      expect(lines[3001]).toBe('m{i="2999"} 2999')
      expect(writer.duplicates).toBe(0)
    }
  })

  test('a writer that was used before writes what a new one does: other families, another order, other texts', () => {
    const family = fc.record({
      name: fc.constantFrom('a', 'b_total', 'c', 'dd', 'my.metric'),
      help: fc.constantFrom('', 'first', 'second'),
      type: fc.constantFrom('gauge' as const, 'counter' as const),
      labels: fc.array(fc.constantFrom('0', '1', '2'), { maxLength: 3 }),
    })
    const used = new FamilyWriter(16)
    fc.assert(
      fc.property(fc.array(family, { maxLength: 12 }), (families) => {
        const fresh = new FamilyWriter()
        used.reset()
        for (const writer of [used, fresh]) {
          for (const { name, help, type, labels } of families) {
            writer.family(name, help, type)
            for (const value of labels) writer.sample(Number(value), ['of', value])
          }
        }
        expect(text(used)).toBe(text(fresh))
        expect(used.duplicates).toBe(fresh.duplicates)
      }),
      { numRuns: 2000 },
    )
  })

  test('tells the type with which a family was started first, until the reset', () => {
    const writer = new FamilyWriter()
    writer.family('m', '', 'gauge')
    writer.family('m', '', 'counter')
    expect([writer.typeOf('m'), writer.typeOf('n')]).toEqual(['gauge', undefined])
    writer.reset()
    expect(writer.typeOf('m')).toBeUndefined()
  })

  test('forgets families when they are more than a few thousand, and goes on', () => {
    const writer = new FamilyWriter()
    for (let round = 0; round < 3; round++) {
      writer.reset()
      for (let i = 0; i < 5000; i++) {
        writer.family(`m${round}_${i}`, 'x', 'gauge')
        writer.sample(i)
      }
      const lines = text(writer).split('\n')
      expect([lines.length, lines[2], lines.at(-2)]).toEqual([15_001, `m${round}_0 0`, `m${round}_999 999`])
    }
  })

  test('writes what the parser reads back, whatever the names and values', () => {
    const name = fc.string({ minLength: 1, unit: 'grapheme' })
    const pairs = fc.uniqueArray(fc.tuple(name, fc.string({ minLength: 1, unit: 'grapheme' })), {
      maxLength: 4,
      selector: ([label]) => label,
    })
    fc.assert(
      fc.property(name, pairs, fc.double(), fc.string(), (metric, labels, value, help) => {
        const writer = new FamilyWriter(16)
        writer.family(metric, help, 'gauge')
        writer.sample(value, labels.flat())
        const bytes = writer.finish()
        const parser = new TextParser()
        parser.begin(bytes, 0, bytes.length)
        for (let kind = parser.next(); kind !== entrySample; kind = parser.next())
          if (kind === entryEnd) throw new Error('want a sample, got the end')
        const read = parseSeriesText(bytes, parser.seriesStart, parser.seriesEnd, parser.type)
        expect(read.toRecord()).toEqual(Object.fromEntries([['__name__', metric], ...labels]))
        expect(parser.value).toBe(value === 0 ? 0 : value)
        expect(parser.next()).toBe(entryEnd)
      }),
      { numRuns: 1000 },
    )
  })
})
