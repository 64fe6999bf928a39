// A process of compactor.crash.test.ts: DIRECTORY FIRST. Writes a sample of each series at FIRST, FIRST + 1, … ms, says each time when it is
// committed, and compacts, deletes, cleans and makes snapshots on the way, until it is killed.
import { Labels } from '@narthex/model/labels'
import { Matcher } from '@narthex/model/matcher'
import { silentLogger } from '@narthex/service/logger'
import { openStore } from '../open-store.ts'
import {
  crashChunkRangeMs,
  crashDeleted,
  crashDeletedName,
  crashDeleting,
  crashLateMs,
  crashLateName,
  crashRetentionMs,
  crashSeries,
} from './compactor.test-shape.ts'

const [directory = '', first = '0'] = process.argv.slice(2)
const store = openStore({
  directory,
  chunkRangeMs: crashChunkRangeMs,
  maxBlockRangeMs: 9 * crashChunkRangeMs,
  retentionMs: crashRetentionMs,
  memoryBytesMax: 64 * 2 ** 20,
  log: silentLogger,
})
const refs = Array.from({ length: crashSeries }, (_, i) => store.head.refByLabels(Labels.from({ __name__: 'm', i: `${i}` })))
refs.push(store.head.refByLabels(Labels.from({ __name__: crashDeletedName })))
const late = store.head.refByLabels(Labels.from({ __name__: crashLateName }))
const words = new Uint32Array(2)
const doubles = new Float64Array(words.buffer)
let deletions = 0
let isDeleting = false
for (let timeMs = Number(first); ; timeMs++) {
  doubles[0] = timeMs
  for (const ref of refs) store.head.append(ref, timeMs, words[0]!, words[1]!)
  if (timeMs % 2 === 0) {
    store.head.append(late, timeMs, words[0]!, words[1]!)
    doubles[0] = timeMs - crashLateMs
    if (timeMs >= crashLateMs) store.head.append(late, timeMs - crashLateMs, words[0]!, words[1]!)
  }
  store.head.commit()
  process.stdout.write(`${timeMs}\n`)
  if (timeMs % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
  if (timeMs % (crashChunkRangeMs / 4) === 0) void store.compactor.run()
  if (timeMs % 300 === 0 && !isDeleting) {
    isDeleting = true
    void deleteUpTo(timeMs - 100).finally(() => (isDeleting = false))
  }
}

async function deleteUpTo(timeMs: number): Promise<void> {
  process.stdout.write(`${crashDeleting} ${timeMs}\n`)
  await store.admin.deleteSeries([[new Matcher('=', '__name__', crashDeletedName)]], -1e9, timeMs)
  process.stdout.write(`${crashDeleted} ${timeMs}\n`)
  if (++deletions % 3 === 0) await store.admin.cleanTombstones()
  else if (deletions % 3 === 1) await store.admin.snapshot(true)
}
