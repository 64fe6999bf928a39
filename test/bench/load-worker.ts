import { setPriority } from 'node:os'
import { parentPort, workerData } from 'node:worker_threads'
import snappy from 'snappy'
import { makeLoad, type LoadSpec } from './load-spec.ts'

// Makes the request bodies of a load ahead of the thread that sends them: as many as that has asked for.

// On Linux this is of the calling thread alone.
setPriority(10)

const port = parentPort
if (port === null) throw new Error('cannot make a load: load-worker.ts is to be started as a worker thread')
const spec = workerData as LoadSpec
const load = makeLoad(spec)
let step = 0
let index = load.requestCount

port.on('message', (count: number) => {
  for (let i = 0; i < count && step <= spec.steps; i++) {
    if (index === load.requestCount) {
      if (step === spec.steps) break
      load.step()
      step++
      index = 0
    }
    const body = Uint8Array.from(snappy.compressSync(load.encode(index++)) as Buffer)
    port.postMessage({ body, timeMs: load.timeMs }, [body.buffer])
  }
  if (step === spec.steps && index === load.requestCount) {
    port.postMessage(undefined)
    port.close()
  }
})
port.postMessage({ requestCount: load.requestCount })
