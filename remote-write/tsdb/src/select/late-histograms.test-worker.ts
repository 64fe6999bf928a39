// Reads the head of late-reader.test.ts over and over and checks that every answer is one whole commit, late histograms included.
import { parentPort, workerData } from 'node:worker_threads'
import { Matcher } from '@narthex/model/matcher'
import { HistogramColumns } from '../chunk/histogram-columns.ts'
import type { HeadDescriptor } from '../head/head-memory.ts'
import { HeadReader } from './head-reader.ts'

const reader = new HeadReader(workerData as HeadDescriptor)
const columns = new HistogramColumns()
let queries = 0
let lateSamples = 0
let failure = ''

/** At commit k each series has 10, 20 … 10k in order, and late ones, which end in 5, from any on up to 10(k - 3) - 5; as many buckets as tens. */
function check(): string {
  const set = reader.select([new Matcher('=', '__name__', 'm')], -Infinity, Infinity)
  let seen = ''
  while (set.next()) {
    columns.clear()
    set.histograms?.(columns)
    const { length } = columns
    const times = Array.from(columns.times.subarray(0, length))
    for (let i = 0; i < length; i++) {
      if (i > 0 && times[i]! <= times[i - 1]!) return `${times[i]} comes after ${times[i - 1]}`
      const buckets = columns.buckets.subarray(columns.bucketStart(i), columns.bucketEnds[i])
      if (columns.sums[i] !== times[i] || !buckets.includes(times[i]!)) return `sum ${columns.sums[i]}, buckets ${buckets} at ${times[i]}`
    }
    const late = times.filter((time) => time % 10 !== 0)
    const lastMs = times.findLast((time) => time % 10 === 0) ?? 0
    if ((length - late.length) * 10 !== lastMs) return `${length - late.length} histograms up to ${lastMs}`
    if (late.length > 0 && late.at(-1) !== lastMs - 35) return `late ones up to ${late.at(-1)}, others up to ${lastMs}`
    if (late.length > 0 && late.at(-1)! - late[0]! !== 10 * (late.length - 1)) return `${late.length} late ones from ${late[0]} on`
    const now = `${lastMs} ${late[0]}`
    if (seen !== '' && now !== seen) return `one series has ${seen}, another ${now}`
    seen = now
    lateSamples += late.length
  }
  reader.release()
  return ''
}

function loop(): void {
  failure = check()
  queries++
  if ((queries > 20 && lateSamples > 100) || failure !== '') {
    parentPort?.postMessage({ queries, lateSamples, failure })
    parentPort?.close()
    return
  }
  setImmediate(loop)
}
loop()
