import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { segmentName } from '@narthex/tsdb/wal/wal-format'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { TestLog } from './log.test-writer.ts'
import { SeriesCatalog } from './series-catalog.ts'
import { SeriesFamilies } from './series-families.ts'
import { SeriesLoader } from './series-loader.ts'

let directory: string
let log: TestLog
let catalog: SeriesCatalog
let loader: SeriesLoader

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-loader-'))
  log = new TestLog(directory)
  catalog = new SeriesCatalog(new SeriesFamilies())
  loader = new SeriesLoader(log.directory, catalog)
})

afterEach(() => rmSync(directory, { recursive: true }))

function known(...references: readonly number[]): boolean[] {
  return references.map((reference) => catalog.slotOf(reference) >= 0)
}

/** A checkpoint of what `write` writes, in the place of the segments up to `index`. */
function checkpoint(index: number, write: (log: TestLog) => void): void {
  const name = `checkpoint.${segmentName(index)}`
  const inner = new TestLog(join(directory, 'inner'))
  write(inner)
  mkdirSync(join(log.directory, name))
  renameSync(inner.path, join(log.directory, name, segmentName(0)))
  rmSync(join(directory, 'inner'), { recursive: true })
  for (let segment = 0; segment <= index; segment++) rmSync(join(log.directory, segmentName(segment)), { force: true })
}

test('takes the series of the checkpoint and of the segments up to a place, and goes on from there', async () => {
  log.nextSegment()
  checkpoint(0, (inner) => inner.series({ 1: ['__name__', 'a'] }))
  log.series({ 2: ['__name__', 'b'] })
  // Records of other types are passed over.
  log.samples([1, 1, 1], [2, 1, 1])
  const place = log.end
  log.series({ 3: ['__name__', 'c'] })
  await loader.loadTo(place)
  expect(known(1, 2, 3)).toEqual([true, true, false])
  log.nextSegment()
  log.series({ 4: ['__name__', 'd'] })
  await loader.loadTo(log.end)
  expect(known(1, 2, 3, 4)).toEqual([true, true, true, true])
})

test('forgets what a new checkpoint let go of, when nobody reads the segments before it any more', async () => {
  for (let reference = 1; reference <= 10; reference++) log.series({ [reference]: ['__name__', `m${reference}`] })
  log.nextSegment()
  log.series({ 11: ['__name__', 'new'] })
  await loader.loadTo(log.end)
  checkpoint(0, (inner) => inner.series({ 7: ['__name__', 'm7'] }))
  await loader.forgetDropped(0)
  expect(catalog.size).toBe(11)
  await loader.forgetDropped(1)
  expect(known(1, 7, 11)).toEqual([false, true, true])
  expect(catalog.size).toBe(2)
})

test('a closed one resolves and loads no more', async () => {
  log.series({ 1: ['__name__', 'a'] })
  loader.close()
  await loader.loadTo(log.end)
  expect(known(1)).toEqual([false])
})
