import { parentPort, workerData } from 'node:worker_threads'
import { buffersOf, isOrdinary, makeBatch } from './log-batch.ts'
import type { LogBatch } from './log-batch.ts'
import { decodeLog } from './log-decoder.ts'
import type { FromDecodingThread, LogDecodingTask, ToDecodingThread } from './log-decoding-thread.ts'
import { LoggedFloats } from './logged-floats.ts'
import { PageToucher } from '../head/page-toucher.ts'

// Takes a log apart ahead of the thread that puts it into the head. A batch that comes back is used again. So many are on the way at most, 17 MB;
// they last for longer than a turn of that thread, in which it sees no message.
const batchesMax = 10

const port = parentPort
if (port === null) throw new Error('cannot read a log: log-decoding-worker.ts is to be started as a worker thread')
const free: LogBatch[] = []
let made = 0
const { segments, arenas } = workerData as LogDecodingTask
const toucher = new PageToucher(arenas)
const parts = decodeLog(segments, () => {
  const batch = free.pop()
  if (batch !== undefined) return batch
  made++
  return makeBatch()
})

/** While the head lends its chunks: who appends, and where it tells the bytes they take. */
let floats: LoggedFloats | undefined
let used: Float64Array = new Float64Array(1)
let isAtEnd = false

function work(to: NonNullable<typeof parentPort>): void {
  while (!isAtEnd && (free.length > 0 || made < batchesMax)) {
    const step = parts.next()
    isAtEnd = step.done === true
    const part: FromDecodingThread = step.done === true ? undefined : step.value
    to.postMessage(part, part?.kind === 'batch' ? buffersOf(part.batch) : [])
  }
}

function takeBatch(batch: LogBatch, usedOf: readonly number[]): void {
  floats?.take(batch)
  if (floats !== undefined) used[0] = floats.usedWords * 4
  toucher.touchAhead(usedOf)
  if (isOrdinary(batch)) free.push(batch)
  else made--
}

port.on('message', (message: ToDecodingThread) => {
  if (message.kind === 'batch') takeBatch(message.batch, message.used)
  else if (message.kind === 'lent') {
    floats = new LoggedFloats(message.loan)
    used = new Float64Array(message.used)
  } else if (floats !== undefined) {
    const answer: FromDecodingThread = { kind: 'chunks', returned: floats.giveBack() }
    floats = undefined
    port.postMessage(answer)
  }
  work(port)
})
work(port)
