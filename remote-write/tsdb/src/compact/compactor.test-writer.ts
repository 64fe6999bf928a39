// A process of compactor.crash.test.ts: DIRECTORY FIRST. Writes a sample of each series at FIRST, FIRST + 1, … ms, says each time when it is
// committed, and compacts on the way, until it is killed.
import { Labels } from '@narthex/model/labels'
import { silentLogger } from '@narthex/service/logger'
import { openStore } from '../store.ts'
import { crashChunkRangeMs, crashSeries } from './compactor.test-shape.ts'

const [directory = '', first = '0'] = process.argv.slice(2)
const store = openStore({
  directory,
  chunkRangeMs: crashChunkRangeMs,
  maxBlockRangeMs: 9 * crashChunkRangeMs,
  retentionMs: 1e9,
  memoryBytesMax: 64 * 2 ** 20,
  log: silentLogger,
})
const refs = Array.from({ length: crashSeries }, (_, i) => store.head.refByLabels(Labels.from({ __name__: 'm', i: `${i}` })))
const words = new Uint32Array(2)
const doubles = new Float64Array(words.buffer)
for (let timeMs = Number(first); ; timeMs++) {
  doubles[0] = timeMs
  for (const ref of refs) store.head.append(ref, timeMs, words[0]!, words[1]!)
  store.head.commit()
  process.stdout.write(`${timeMs}\n`)
  if (timeMs % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 2))
  if (timeMs % (crashChunkRangeMs / 4) === 0) void store.compactor.run()
}
