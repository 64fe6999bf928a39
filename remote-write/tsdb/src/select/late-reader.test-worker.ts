// Reads the head of late-reader.test.ts over and over and checks that every answer is one whole commit, late samples included.
import { parentPort, workerData } from 'node:worker_threads'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import { HistogramColumns } from '@narthex/model/histogram-columns'
import type { HeadDescriptor } from '../head/head-memory.ts'
import { HeadReader } from './head-reader.ts'
import type { SeriesSet } from './queryable.ts'

const { head, kind } = workerData as { readonly head: HeadDescriptor; readonly kind: 'floats' | 'histograms' }
const reader = new HeadReader(head)
const floats = new SampleColumns()
const histograms = new HistogramColumns()
const readTimes = kind === 'floats' ? readFloats : readHistograms
let queries = 0
let lateSamples = 0
let failure = ''

/** The times of the current series, or what is wrong with its samples: the value of each is its time. */
function readFloats(set: SeriesSet): number[] | string {
  floats.clear()
  set.samples(floats)
  const times = Array.from(floats.times.subarray(0, floats.length))
  const wrong = times.findIndex((time, i) => floats.values[i] !== time)
  return wrong < 0 ? times : `value ${floats.values[wrong]} at ${times[wrong]}`
}

/** The same: the sum of each is its time, and so is the count of one of its buckets. */
function readHistograms(set: SeriesSet): number[] | string {
  histograms.clear()
  set.histograms?.(histograms)
  const times = Array.from(histograms.times.subarray(0, histograms.length))
  for (const [i, time] of times.entries()) {
    const buckets = histograms.buckets.subarray(histograms.bucketStart(i), histograms.bucketEnds[i])
    if (histograms.sums[i] !== time || !buckets.includes(time)) return `sum ${histograms.sums[i]}, buckets ${buckets} at ${time}`
  }
  return times
}

/** At commit k each series has 10, 20 … 10k in order, and late ones, which end in 5, from any on up to 10(k - 3) - 5. */
function check(): string {
  const set = reader.select([new Matcher('=', '__name__', 'm')], -Infinity, Infinity)
  let seen = ''
  while (set.next()) {
    const times = readTimes(set)
    if (typeof times === 'string') return times
    for (let i = 1; i < times.length; i++) if (times[i]! <= times[i - 1]!) return `${times[i]} comes after ${times[i - 1]}`
    const inOrder = times.filter((time) => time % 10 === 0)
    const late = times.filter((time) => time % 10 !== 0)
    const lastMs = inOrder.at(-1) ?? 0
    if (inOrder.length * 10 !== lastMs) return `${inOrder.length} samples up to ${lastMs}`
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
