import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { Head } from '../head/head.ts'
import { HeadReader } from './head-reader.ts'

const nowMs = 1_800_000_000_000
const everything = [new Matcher('=~', '__name__', '.*')]

function fill(labelSets: readonly Labels[]): HeadReader {
  return new HeadReader(fillHead(labelSets).descriptor())
}

function fillHead(labelSets: readonly Labels[]): Head {
  const head = new Head({ memoryBytesMax: 2 ** 28, now: () => nowMs })
  for (const labels of labelSets) head.append(head.refByLabels(labels), nowMs, 0, 0)
  head.commit()
  return head
}

function selectAll(reader: HeadReader): Labels[] {
  const found: Labels[] = []
  for (const set = reader.select(everything, -Infinity, Infinity); set.next();) found.push(set.labels())
  reader.release()
  return found
}

// Names and values of which one begins another, and some whose order in UTF-16 is not that of their UTF-8.
const text = fc.constantFrom('a', 'ab', 'aba', 'b', 'é', '\uffee', '\u{1f600}', 'z')
const labelSet = fc.dictionary(text, text, { minKeys: 1, maxKeys: 6 }).map((record) => Labels.from(record))

describe('the order of selected series', () => {
  it('is that of their labels', () => {
    fc.assert(
      fc.property(fc.uniqueArray(labelSet, { selector: (labels) => labels.key(), maxLength: 60 }), (sets) => {
        const wanted = [...sets].sort(Labels.compare).map(String)
        expect(selectAll(fill(sets)).map(String)).toEqual(wanted)
      }),
    )
  })

  it('is found also for few series of many pairs and for many series of few', () => {
    const wide = Array.from({ length: 3 }, (_, i) => {
      return Labels.from(Object.fromEntries(Array.from({ length: 50 }, (_, k) => [`name_${k}`, `value_${(i * 7 + k) % 5}_${i}`])))
    })
    expect(selectAll(fill(wide)).map(String)).toEqual([...wide].sort(Labels.compare).map(String))
    const many = Array.from({ length: 5_000 }, (_, i) => Labels.from({ a: String((i * 7919) % 100), b: String((i * 31) % 50) + String(i) }))
    expect(selectAll(fill(many)).map(String)).toEqual([...many].sort(Labels.compare).map(String))
  })
})

describe('a selection', () => {
  it('can be given up while it goes on, and the reader serves the next', () => {
    const head = fillHead(Array.from({ length: 10_000 }, (_, i) => Labels.from({ a: `value ${i}` })))
    const countCalls = (reader: HeadReader): number => {
      let calls = 0
      reader.onProgress = () => void calls++
      expect(selectAll(reader).length).toBe(10_000)
      return calls
    }
    const giveUpAt = (reader: HeadReader, last: number): void => {
      let calls = 0
      reader.onProgress = () => {
        if (++calls === last) throw new Error('given up')
      }
      expect(() => reader.select(everything, -Infinity, Infinity)).toThrow('given up')
      reader.release()
    }
    const known = new HeadReader(head.descriptor())
    const callsOfFirst = countCalls(known)
    // The values of labels are known then.
    const callsOfNext = countCalls(known)
    expect(callsOfNext).toBeGreaterThan(5)
    expect(callsOfFirst).toBeGreaterThan(callsOfNext)
    for (let last = 1; last <= callsOfNext; last++) giveUpAt(known, last)
    expect(countCalls(known)).toBe(callsOfNext)
    for (let last = 1; last <= callsOfFirst; last++) {
      const descriptor = head.descriptor()
      const reader = new HeadReader(descriptor)
      giveUpAt(reader, last)
      expect(countCalls(reader)).toBeGreaterThan(0)
      head.releaseReader(descriptor)
    }
  })
})
