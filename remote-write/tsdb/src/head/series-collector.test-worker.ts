// Reads the head of series-collector.test.ts over and over and checks that every series is whole and under its own labels.
import { parentPort, workerData } from 'node:worker_threads'
import { Matcher } from '@narthex/model/matcher'
import { SampleColumns } from '@narthex/model/sample-columns'
import type { HeadDescriptor } from './head-memory.ts'
import { HeadReader } from '../select/head-reader.ts'

const reader = new HeadReader(workerData as HeadDescriptor)
const columns = new SampleColumns()
let queries = 0
let series = 0
let failure = ''
let isStopped = false
parentPort?.on('message', () => (isStopped = true))

function check(matcher: Matcher): string {
  for (const set = reader.select([matcher], -Infinity, Infinity); set.next();) {
    columns.clear()
    set.samples(columns)
    const labels = set.labels()
    const batch = labels.get('batch')
    const wanted = Number(batch) * 1000 + Number(labels.get('i'))
    if (columns.length !== 1 || columns.values[0] !== wanted)
      return `${labels.toString()}: want one sample of ${wanted}, got ${columns.length}, the first of ${columns.values[0]}`
    if (labels.get(`n${Number(batch) % 3}`) !== 'x') return `${labels.toString()} has not the labels of its batch`
    series++
  }
  reader.release()
  return ''
}

function loop(): void {
  failure = check(new Matcher('=', '__name__', 'm')) || check(new Matcher('=~', 'i', '1.*')) || check(new Matcher('!=', 'nothing', 'x'))
  queries++
  if (queries === 1) parentPort?.postMessage('began')
  if (isStopped || failure !== '') {
    if (failure !== '' && queries === 1) parentPort?.postMessage('began')
    parentPort?.postMessage({ queries, series, failure })
    parentPort?.close()
    return
  }
  setImmediate(loop)
}
loop()
