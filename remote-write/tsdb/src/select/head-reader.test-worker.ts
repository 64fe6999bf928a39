// Reads the head of head-reader.test.ts over and over and checks that every answer is one whole commit.
import { parentPort, workerData } from 'node:worker_threads'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import type { HeadDescriptor } from '../head/head-memory.ts'
import { HeadReader } from './head-reader.ts'

const reader = new HeadReader(workerData as HeadDescriptor)
const columns = new SampleColumns()
let queries = 0
let samples = 0
let failure = ''
let isStopped = false
parentPort?.on('message', () => (isStopped = true))

function check(): string {
  const set = reader.select([new Matcher('=', '__name__', 'm')], -Infinity, Infinity)
  let lastTimeMs = -1
  let series = 0
  while (set.next()) {
    columns.clear()
    set.samples(columns)
    const i = Number(set.labels().get('i'))
    const start = Number(set.labels().get('start'))
    const end = columns.times[columns.length - 1]!
    if (lastTimeMs === -1) lastTimeMs = end
    if (end !== lastTimeMs) return `series ${i} ends at ${end}, another at ${lastTimeMs}`
    const firstMs = columns.times[0]!
    for (let k = 0; k < columns.length; k++) {
      const round = start + k
      if (columns.times[k] !== firstMs + k) return `series ${i}: sample ${k} of ${columns.length} has time ${columns.times[k]}`
      if (columns.values[k] !== i * 1000 + round / 7) return `series ${i}: sample ${k} has value ${columns.values[k]}`
    }
    series++
    samples += columns.length
  }
  reader.release()
  return series < 200 && series !== 1 ? `want at least 200 series, got ${series}` : ''
}

function loop(): void {
  failure = check()
  queries++
  if (isStopped || failure !== '') {
    parentPort?.postMessage({ queries, samples, failure })
    parentPort?.close()
    return
  }
  setImmediate(loop)
}
loop()
