import { setPriority } from 'node:os'
import { parentPort } from 'node:worker_threads'
import type { CompactionTask } from './compaction-protocol.ts'
import { doCompaction } from './compaction-work.ts'

// A thread that writes blocks and checkpoints, one after the other. It ends with its last task.

// Yields to ingestion and to queries: on Linux the call sets this thread alone.
const workerNice = 15

const port = parentPort
if (port) {
  try {
    setPriority(workerNice)
  } catch {
    // not allowed here: it then competes as an equal
  }
  port.on('message', (task: CompactionTask) => {
    void doCompaction(task).then((answer) => port.postMessage(answer))
  })
}
