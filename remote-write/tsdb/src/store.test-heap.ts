// Prints the bytes of JavaScript heap per series added, 100,000 → 300,000: node --expose-gc store.test-heap.ts DIRECTORY
import { silentLogger } from '@narthex/service/logger'
import { openStore } from './open-store.ts'

const { head } = openStore({ directory: process.argv[2]!, log: silentLogger })
const bytes = new Uint8Array(64)
const ids = new Uint32Array(8)
const wire = new Uint8Array(64)
const encoder = new TextEncoder()
const startMs = Date.now() - 1_000_000

function intern(text: string): number {
  return head.internSymbol(bytes, 0, encoder.encodeInto(text, bytes).written)
}

function addSeries(from: number, to: number): void {
  for (let i = from; i < to; i++) {
    ids[0] = intern('__name__')
    ids[1] = intern(`metric_${i % 100}`)
    ids[2] = intern('instance')
    ids[3] = intern(`instance-${i}`)
    const ref = head.refBySymbols(ids, 2)
    head.rememberWire(wire, 0, encoder.encodeInto(`labels of ${i}`, wire).written, ref)
    if (head.append(ref, startMs, i, i) !== 0) throw new Error('refused')
    if (i % 1000 === 999) head.commit()
  }
  head.commit()
}

function measureHeap(): number {
  for (let i = 0; i < 4; i++) (globalThis as { gc?: () => void }).gc!()
  return process.memoryUsage().heapUsed
}

addSeries(0, 100_000)
const before = measureHeap()
addSeries(100_000, 300_000)
const after = measureHeap()
console.log(((after - before) / 200_000).toFixed(3))
process.exit(0)
