import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { Head } from '../head/head.ts'
import { LogReferences } from './log-references.ts'
import { readRecord } from './read-record.ts'
import { RecordEntries } from './record-entries.ts'
import { RecordWriter } from './record-writer.ts'
import { readLabels } from './text-payload.ts'
import { seriesRecord } from './wal-format.ts'

const name = fc.constantFrom('__name__', 'cluster', 'instance', 'job', 'pod', 'zone')
const value = fc.oneof(fc.constantFrom('a', 'b'), fc.string({ minLength: 1, maxLength: 200, unit: 'grapheme' }))
const few = fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key, minLength: 1, maxLength: 6 })
const many = fc
  .integer({ min: 60, max: 140 })
  .map((count) => Array.from({ length: count }, (_, i) => [`l${i}`, String(i % 7)] as [string, string]))

test('series in a record have their labels, whatever those before them have', () => {
  fc.assert(
    fc.property(
      fc.array(fc.oneof({ weight: 9, arbitrary: few }, { weight: 1, arbitrary: many }), { minLength: 1, maxLength: 30 }),
      (all) => {
        const head = new Head({ memoryBytesMax: 2 ** 27 })
        const references = new LogReferences()
        const wanted = all.map((labels) => Labels.from(Object.fromEntries(labels)))
        const refs = Uint32Array.from(wanted, (labels) => head.refByLabels(labels))
        for (let ref = 1; ref <= head.places; ref++) references.assign(ref)
        const writer = new RecordWriter()
        const entries = new RecordEntries()
        const found: string[] = []
        for (let from = 0; from < refs.length;) {
          from = writer.writeSeries(head, refs, from, references, 4096)
          const record = writer.bytes.slice(0, writer.length)
          expect(readRecord(record, entries)).toBe(seriesRecord)
          for (let i = 0; i < entries.length; i++)
            found.push(Labels.fromPairs(readLabels(record, entries.starts[i]!, entries.ends[i]!)).key())
        }
        expect(found).toEqual(wanted.map((labels) => labels.key()))
      },
    ),
    { numRuns: 200 },
  )
})
