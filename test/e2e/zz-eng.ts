import { openStore } from '@narthex/tsdb/store'
import { silentLogger } from '@narthex/service/logger'
import { Receiver } from '@narthex/receive/receive'
import { HeadReader } from '@narthex/tsdb/select/head-reader'
import { evaluateRange } from '@narthex/promql/engine'
import { RemoteWriteLoad } from '../bench/remote-write-load.ts'
import snappy from 'snappy'
import { mkdtempSync, rmSync } from 'node:fs'
const dir = mkdtempSync('/tmp/zz-')
const store = openStore({ directory: dir, log: silentLogger })
const receiver = new Receiver({ appender: store.head, metadata: { setMetadata() {} }, now: Date.now })
const load = new RemoteWriteLoad(100_000, 2000, Date.now() - 900_000)
for (let r = 0; r < 8; r++) { load.step(); for (let i = 0; i < load.requestCount; i++) receiver.receive('application/x-protobuf', 'snappy', snappy.compressSync(load.encode(i)) as Buffer) }
const reader = new HeadReader(store.head.descriptor())
const q = process.argv[2]!, steps = Number(process.argv[3])
for (const [t, rep] of [[500,0],[500,1],[3000,2]] as const) {
  const t0 = performance.now()
  try { evaluateRange({ timeoutMs: t, samplesMax: 5e6 }, reader, q, load.timeMs - 300_000, load.timeMs, 300_000 / steps); console.log('done') } catch (e) { console.log((e as Error).message) }
  console.log('timeout', t, 'took', performance.now() - t0)
  reader.release()
}
await store.close(); rmSync(dir, { recursive: true })
