import { parentPort, workerData } from 'node:worker_threads'
import { buffersOf } from './log-batch.ts'
import { LoggedFloats } from './logged-floats.ts'
import type { LoggedFloatsTask, ToFloatsThread } from './logged-floats-thread.ts'

// Appends the floats of a log, batch by batch, to the chunks that the head lends, and gives the batches to the thread that fills them.

const port = parentPort
if (port === null) throw new Error('cannot append floats of a log: logged-floats-worker.ts is to be started as a worker thread')
const { loan, used, back } = workerData as LoggedFloatsTask
const floats = new LoggedFloats(loan)
const usedBytes = new Float64Array(used)

port.on('message', (batch: ToFloatsThread) => {
  if (batch === undefined) {
    port.postMessage(floats.giveBack())
    port.close()
    back.close()
    return
  }
  floats.take(batch)
  usedBytes[0] = floats.usedWords * 4
  back.postMessage(batch, buffersOf(batch))
})
