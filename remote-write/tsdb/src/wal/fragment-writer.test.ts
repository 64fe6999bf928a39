import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FragmentWriter } from './fragment-writer.ts'
import { SegmentReader } from './segment-reader.ts'
import { fragmentHeaderBytes, pageBytes, segmentBytesMax } from './wal-format.ts'

/** Records of these lengths, each filled with its number, as a segment. */
function write(lengths: readonly number[]): Uint8Array {
  const writer = new FragmentWriter(segmentBytesMax, false)
  for (const [i, length] of lengths.entries()) {
    writer.prepare(new Uint8Array(length).fill(i + 1), length)
    writer.put()
  }
  return writer.bytes.slice(0, writer.length)
}

test('a record is read back whatever is left of the page before it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-fragments-'))
  const path = join(directory, '00000000')
  try {
    for (let left = 0; left <= 2 * fragmentHeaderBytes + 1; left++) {
      for (const second of [1, 100, pageBytes, 3 * pageBytes]) {
        const first = pageBytes - fragmentHeaderBytes - left
        writeFileSync(path, write([first, second, 5]))
        const reader = new SegmentReader(path)
        const lengths: number[] = []
        for (let record = reader.next(); record !== undefined; record = reader.next()) {
          expect(record.every((byte) => byte === lengths.length + 1)).toBe(true)
          lengths.push(record.length)
        }
        reader.close()
        expect([left, ...lengths]).toEqual([left, first, second, 5])
      }
    }
  } finally {
    rmSync(directory, { recursive: true })
  }
})
