// node src/head/head.bench.ts [series] [rounds] [snappy|raw|none]: CPU nanoseconds per sample of refByWire + append + commit with its log.
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { bodyBytesMax, compress, useUncompressed } from '@narthex/wire/snappy'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { WalWriter } from '../wal/wal-writer.ts'
import { Head } from './head.ts'

const seriesCount = Number(process.argv[2] ?? 100_000)
const rounds = Number(process.argv[3] ?? 40)
const warmUp = Math.min(10, rounds >> 2)
const perRequest = 2000

const labels = new ByteWriter(seriesCount * 220)
const starts = new Uint32Array(seriesCount + 1)
for (let i = 0; i < seriesCount; i++) {
  starts[i] = labels.length
  const flat = [
    ['__name__', `http_requests_total_${i % 100}`],
    ['cluster', 'production-eu-west-1'],
    ['code', String(200 + (i % 7))],
    ['container', `app-${i % 13}`],
    ['handler', `/api/v1/path/${i % 50}`],
    ['instance', `10.0.${(i >> 8) & 255}.${i & 255}:9100`],
    ['job', `job-${i % 20}`],
    ['method', ['GET', 'POST', 'PUT'][i % 3]!],
    ['namespace', `namespace-${i % 30}`],
    ['pod', `pod-${i}-abcdef`],
  ] as const
  for (const [name, value] of flat) {
    labels.u8(0x0a)
    labels.uvarint(4 + name.length + value.length)
    labels.u8(0x0a)
    labels.uvarint(name.length)
    labels.utf8(name)
    labels.u8(0x12)
    labels.uvarint(value.length)
    labels.utf8(value)
  }
}
starts[seriesCount] = labels.length
const allBytes = labels.bytes
// A request's bytes were just uncompressed, so they are in the cache: each request is copied to where that is before the clock starts.
// Nothing else is uncompressed here.
const bytes = useUncompressed(compress(new Uint8Array(perRequest * 400)), bodyBytesMax, (view) => view)

const directory = mkdtempSync(join(tmpdir(), 'head-bench-'))
const log = new WalWriter({ directory, firstSegment: 0, compresses: process.argv[4] !== 'raw' })
const head = new Head({ memoryBytesMax: 4 * 2 ** 30 })
if (process.argv[4] !== 'none') head.startLogging(log)
const counters = new Float64Array(seriesCount)
const value = new Float64Array(1)
const words = new Uint32Array(value.buffer)
const ids = new Uint32Array(64)

function createSeries(start: number, end: number): number {
  let count = 0
  for (let at = start; at < end;) {
    const nameStart = at + 4
    const nameEnd = nameStart + bytes[at + 3]!
    const valueStart = nameEnd + 2
    const valueEnd = valueStart + bytes[nameEnd + 1]!
    ids[2 * count] = head.internSymbol(bytes, nameStart, nameEnd)
    ids[2 * count + 1] = head.internSymbol(bytes, valueStart, valueEnd)
    count++
    at = valueEnd
  }
  const ref = head.refBySymbols(ids, count)
  head.rememberWire(bytes, start, end, ref)
  return ref
}

/** CPU time of this thread: other processes do not count. */
function readCpuNs(): number {
  const { user, system } = process.threadCpuUsage()
  return (user + system) * 1000
}

const nsByStage = { ref: 0, append: 0, commit: 0 }
const refs = new Uint32Array(perRequest)
const values = new Uint32Array(perRequest * 2)
const startMs = Date.now() - rounds * 15_000
let seriesNs = 0
const random = new Uint32Array(seriesCount)
for (let i = 0; i < seriesCount; i++) random[i] = Math.random() * 2 ** 32
for (let round = 0; round < rounds; round++) {
  if (round === warmUp) nsByStage.ref = nsByStage.append = nsByStage.commit = 0
  const timeMs = startMs + round * 15_000
  for (let from = 0; from < seriesCount; from += perRequest) {
    for (let i = 0; i < perRequest; i++) {
      const r = (random[from + i] = Math.imul(random[from + i]!, 1664525) + 1013904223)
      if ((from + i) % 10 < 7) value[0] = counters[from + i]! += (r >>> 8) % 50
      else value[0] = (r >>> 8) / 1000
      values[2 * i] = words[0]!
      values[2 * i + 1] = words[1]!
    }
    const base = starts[from]!
    bytes.set(allBytes.subarray(base, starts[from + perRequest]!))
    const t0 = readCpuNs()
    for (let i = 0; i < perRequest; i++) {
      refs[i] = head.refByWire(bytes, starts[from + i]! - base, starts[from + i + 1]! - base)
      if (refs[i] === 0) refs[i] = createSeries(starts[from + i]! - base, starts[from + i + 1]! - base)
    }
    const t1 = readCpuNs()
    for (let i = 0; i < perRequest; i++) {
      if (head.append(refs[i]!, timeMs, values[2 * i]!, values[2 * i + 1]!) !== 0) throw new Error('refused')
    }
    const t2 = readCpuNs()
    head.commit()
    const t3 = readCpuNs()
    nsByStage.ref += t1 - t0
    nsByStage.append += t2 - t1
    nsByStage.commit += t3 - t2
  }
  if (round === 0) seriesNs = nsByStage.ref
}
const samples = seriesCount * (rounds - warmUp)
const print = (name: string, ns: number): void => console.log(`${name.padEnd(12)} ${(ns / samples).toFixed(1)} ns/sample`)
console.log(`${seriesCount} series, label bytes ${(labels.length / seriesCount).toFixed(0)} each, ${samples} samples measured`)
console.log(`new series   ${(seriesNs / seriesCount).toFixed(0)} ns`)
print('refByWire', nsByStage.ref)
print('append', nsByStage.append)
print('commit', nsByStage.commit)
print('total', nsByStage.ref + nsByStage.append + nsByStage.commit)
const { usedBytesByFamily, usedBytes, chunks } = head.stats()
console.log(`${(usedBytes / seriesCount).toFixed(0)} bytes/series, chunks ${chunks}:`)
for (const [family, used] of Object.entries(usedBytesByFamily)) console.log(`  ${family.padEnd(12)} ${(used / seriesCount).toFixed(1)}`)
console.log(`rss ${(process.memoryUsage().rss / 2 ** 20).toFixed(0)} MB`)
console.log(`log ${(log.bytesWritten / (seriesCount * rounds)).toFixed(1)} bytes/sample`)
rmSync(directory, { recursive: true })
