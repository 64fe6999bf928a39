import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareBytewise } from '@narthex/model/compare'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { Head } from '../head/head.ts'
import { HeadReader } from './head-reader.ts'

const nowMs = 1_800_000_000_000

function createHead(): { head: Head; reader: HeadReader; add: (values: readonly string[]) => void } {
  const head = new Head({ memoryBytesMax: 2 ** 28, now: () => nowMs + 2e9, chunkRangeMs: 1e9 })
  const add = (values: readonly string[]): void => {
    for (const value of values)
      head.append(head.refByLabels(Labels.from({ __name__: 'm', a: value, even: String(value.length % 2) })), nowMs, 0, 0)
    head.commit()
  }
  return { head, reader: new HeadReader(head.descriptor()), add }
}

function valuesOf(reader: HeadReader, matchers: readonly Matcher[] = []): string[] {
  const values = reader.labelValues('a', matchers, -Infinity, Infinity)
  reader.release()
  return values
}

const sorted = (values: Iterable<string>): string[] => [...new Set(values)].filter((value) => value !== '').sort(compareBytewise)

// Of which one begins another, and some whose order in UTF-16 is not that of their UTF-8.
const value = fc.stringMatching(/^[ab\u00e9\uffee]{0,4}$/).map((text) => text.replaceAll('b', '\u{1f600}'))
const values = fc.array(value, { maxLength: 30 })

describe('the values of a label', () => {
  it('are given in order, those that came after the last question among them', () => {
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 4 }), (batches) => {
        const { reader, add } = createHead()
        const seen: string[] = []
        for (const batch of batches) {
          add(batch)
          seen.push(...batch)
          expect(valuesOf(reader)).toEqual(sorted(seen))
        }
      }),
      { numRuns: 100 },
    )
  })

  it('are those that a matcher of the label, or of another one, leaves', () => {
    const patterns = fc.constantFrom('a.*', 'a[a\u00e9].*', '.*\u00e9', '\u{1f600}.+', '\u00e9|a', '', '.+', 'a?')
    const types = fc.constantFrom('=~' as const, '!~' as const)
    fc.assert(
      fc.property(fc.array(values, { minLength: 1, maxLength: 3 }), types, patterns, fc.boolean(), (batches, type, pattern, isFirst) => {
        const { reader, add } = createHead()
        const matchers = [new Matcher(type, 'a', pattern), new Matcher('=', 'even', '0')]
        const seen: string[] = []
        for (const batch of batches) {
          add(batch)
          seen.push(...batch)
          // Whether the order is known already must make no difference.
          if (isFirst) valuesOf(reader)
          expect(valuesOf(reader, matchers)).toEqual(sorted(seen.filter((text) => text.length % 2 === 0 && matchers[0]!.matches(text))))
        }
      }),
      { numRuns: 200 },
    )
  })

  it('are given also where they are too many to be kept, or too long', () => {
    for (const texts of [
      Array.from({ length: 130_000 }, (_, i) => `value-${(i * 7919) % 130_000}`),
      Array.from({ length: 100 }, (_, i) => `${(i * 37) % 100}-${'x'.repeat(100_000)}`),
    ]) {
      const { reader, add } = createHead()
      add(texts)
      for (let i = 0; i < 2; i++) {
        expect(valuesOf(reader)).toEqual(sorted(texts))
        const matcher = new Matcher('=~', 'a', '.*1.*7.*')
        expect(valuesOf(reader, [matcher])).toEqual(sorted(texts.filter((text) => matcher.matches(text))))
      }
    }
  })

  it('are not those whose series are gone, and are again those that came again', () => {
    const { head, reader } = createHead()
    const add = (text: string, timeMs: number): void => {
      head.append(head.refByLabels(Labels.from({ __name__: 'm', a: text })), timeMs, 0, 0)
      head.commit()
    }
    const cut = (beforeMs: number): void => {
      for (let ref = 1; ref !== 0;) ref = head.dropBefore(beforeMs, ref, 1000)
      while (head.collectSeries());
    }
    for (const text of ['x', 'gone', 'y']) add(text, nowMs)
    expect(valuesOf(reader)).toEqual(['gone', 'x', 'y'])
    const laterMs = nowMs + 1e9
    add('x', laterMs)
    cut(laterMs)
    expect(valuesOf(reader)).toEqual(['x'])
    for (const text of ['b', 'gone']) add(text, laterMs + 1)
    expect(valuesOf(reader)).toEqual(['b', 'gone', 'x'])
    expect(valuesOf(reader, [new Matcher('=~', 'a', 'g.*')])).toEqual(['gone'])
  })
})
