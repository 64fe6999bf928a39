import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Head } from '../head/head.ts'
import { ByteReader } from '@narthex/bytes/byte-reader'
import { copiedPlace, emptyLabel, labelOffset, LabelPlanner, namePlace } from './label-plan.ts'
import { LogReferences } from './log-references.ts'
import { readRecord } from './read-record.ts'
import { RecordBuilder } from './record-builder.ts'
import { RecordEntries } from './record-entries.ts'
import { RecordReader } from './record-reader.ts'
import { SeriesMap } from './series-map.ts'
import { seriesRecord } from './wal-format.ts'

// Names in any order, repeated ones and empty values too: a log may be of anybody.
const name = fc.oneof(fc.constantFrom('__name__', 'cpu', 'instance', 'job', 'mode'), fc.string({ minLength: 1, maxLength: 200 }))
const label = fc.tuple(name, fc.oneof(fc.constantFrom('', 'a', 'b', 'user'), fc.string({ maxLength: 300 })))
const series = fc.oneof(
  fc.array(label, { maxLength: 8 }),
  fc.array(label, { maxLength: 8 }).map((labels) => labels.sort(([a], [b]) => (a < b ? -1 : 1))),
  fc.array(label, { minLength: 60, maxLength: 70 }),
)

function recordOf(all: readonly (readonly (readonly [string, string])[])[]): Uint8Array {
  const builder = new RecordBuilder()
  builder.begin(seriesRecord)
  for (const [i, labels] of all.entries()) builder.addSeries(i + 1, labels.flat())
  return builder.view()
}

test('the words of a plan say every label of every series, whatever the one before had', () => {
  fc.assert(
    fc.property(fc.array(series, { minLength: 1, maxLength: 12 }), (all) => {
      const record = recordOf(all)
      const entries = new RecordEntries()
      readRecord(record, entries)
      const planner = new LabelPlanner()
      planner.begin(record)
      const plan = new Uint32Array(2000)
      let before: string[][] = []
      let end = 0
      for (const [i, labels] of all.entries()) {
        const from = end
        end = planner.plan(entries.starts[i]!, plan, from)
        const found = Array.from(plan.subarray(from, end), (word) => {
          if (word === emptyLabel) return ['', '']
          const place = copiedPlace(word)
          if (place >= 0) return before[place]!
          const reader = new ByteReader(record, labelOffset(word), record.length)
          const text = [reader.utf8(reader.uvarint()), reader.utf8(reader.uvarint())]
          const like = namePlace(word) < 0 ? undefined : before[namePlace(word)]![0]
          // Of a label without value the name is not kept here.
          if (like !== undefined && like !== '') expect(like).toBe(text[0])
          return text
        })
        // A label without value is none; of one that is copied its name is still told.
        expect(found.map(([key, text]) => (text === '' ? '' : `${key}=${text}`))).toEqual(
          labels.map(([key, text]) => (text === '' ? '' : `${key.toWellFormed()}=${text.toWellFormed()}`)),
        )
        before = found
      }
    }),
    { numRuns: 300 },
  )
})

test('series of a log get the labels that it says, and the same ones again are the same series', () => {
  const unique = fc.uniqueArray(label, { selector: ([key]) => key.toWellFormed(), maxLength: 8 })
  fc.assert(
    fc.property(fc.array(unique, { minLength: 1, maxLength: 50 }), (all) => {
      const head = new Head({ memoryBytesMax: 2 ** 27 })
      head.startReplay()
      const map = new SeriesMap()
      const counts = { series: 0, samples: 0, seriesRefused: 0, samplesUnknown: 0, samplesOutOfOrder: 0, samplesRefused: 0 }
      const reader = new RecordReader(head, map, new LogReferences(), 0, counts)
      const entries = new RecordEntries()
      const record = recordOf(all)
      readRecord(record, entries)
      reader.take(seriesRecord, record, entries)
      const byLabels = new Map<string, number>()
      for (const [i, labels] of all.entries()) {
        const present = labels.filter(([, text]) => text !== '').map(([key, text]) => [key.toWellFormed(), text.toWellFormed()])
        const ref = map.get(i + 1)
        if (present.length === 0) {
          expect(ref).toBe(0)
          continue
        }
        const wanted = Labels.fromPairs(present.sort(([a], [b]) => Buffer.compare(Buffer.from(a!), Buffer.from(b!))).flat())
        expect(head.labelsOf(ref).key()).toBe(wanted.key())
        expect(byLabels.get(wanted.key()) ?? ref).toBe(ref)
        byLabels.set(wanted.key(), ref)
      }
      expect(head.seriesCount).toBe(byLabels.size)
    }),
    { numRuns: 150 },
  )
})
