import { parentPort, workerData } from 'node:worker_threads'
import { buffersOf, isOrdinary, makeBatch } from './log-batch.ts'
import type { LogBatch } from './log-batch.ts'
import { decodeLog } from './log-decoder.ts'
import type { LogDecodingTask } from './log-decoding-thread.ts'

// Takes a log apart ahead of the thread that puts it into the head. A batch that comes back is used again. So many are on the way at most, 20 MB;
// they last for longer than a turn of that thread, in which it sees no message.
const batchesMax = 12

const port = parentPort
if (port === null) throw new Error('cannot read a log: log-decoding-worker.ts is to be started as a worker thread')
const free: LogBatch[] = []
let made = 0
const { segments, others } = workerData as LogDecodingTask
const parts = decodeLog(segments, () => {
  const batch = free.pop()
  if (batch !== undefined) return batch
  made++
  return makeBatch()
})

function work(to: NonNullable<typeof parentPort>): void {
  while (free.length > 0 || made < batchesMax) {
    const step = parts.next()
    if (step.done === true) {
      to.postMessage(undefined)
      to.close()
      others.close()
      return
    }
    to.postMessage(step.value, step.value.kind === 'batch' ? buffersOf(step.value.batch) : [])
  }
}

function takeBack(batch: LogBatch): void {
  if (isOrdinary(batch)) free.push(batch)
  else made--
  work(port!)
}

port.on('message', takeBack)
others.on('message', takeBack)
work(port)
