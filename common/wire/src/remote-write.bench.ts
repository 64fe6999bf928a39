import { snappyUncompressor } from 'hysnappy'
import protobuf from 'protobufjs'
import { LabelHasher } from './label-hasher.ts'
import { RemoteWrite1Reader } from './remote-write-1.ts'
import { RemoteWrite1Writer } from './remote-write-1-writer.ts'
import { RemoteWrite2Reader } from './remote-write-2.ts'
import { RemoteWrite2Writer } from './remote-write-2-writer.ts'
import { compress, uncompress, useUncompressed } from './snappy.ts'
import { locateSymbols } from './symbol-table.ts'
import { addTable } from './testdata/symbol-tables.ts'

// Run by `node remote-write.bench.ts`: 2,000 series of 10 labels with one sample each; the rival is protobufjs with objects.
const seriesCount = 2000
const symbols: string[] = []
const symbolRefs = new Map<string, number>()
const refs: number[][] = []

for (let i = 0; i < seriesCount; i++) {
  const labels = [
    '__name__',
    `http_server_requests_duration_seconds_total_${i % 40}`,
    'instance',
    `node-${i % 7}.cluster.example.org:9100`,
    'job',
    'integrations/web-frontend',
  ]
  for (const [name, values] of [
    ['cluster', 3],
    ['method', 4],
    ['namespace', 11],
    ['pod', seriesCount],
    ['region', 3],
    ['status_code', 9],
    ['team', 5],
  ] as const) {
    labels.push(name, `${name}-value-of-some-length-${i % values}`)
  }
  refs.push(labels.map(intern))
}

function intern(text: string): number {
  let ref = symbolRefs.get(text)
  if (ref === undefined) {
    symbols.push(text)
    symbolRefs.set(text, (ref = symbols.length))
  }
  return ref
}

const varint = (value: number): number[] => (value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)])
const symbolBytes = Buffer.concat(symbols.map((text) => Buffer.concat([Buffer.from([0x22, ...varint(text.length)]), Buffer.from(text)])))
const offsets = locateSymbols(symbolBytes, symbols.length)
const fields = refs.map((list) => {
  const packed = list.flatMap(varint)
  return Uint8Array.from([0x0a, ...varint(packed.length), ...packed])
})

const writer1 = new RemoteWrite1Writer()
const writer2 = new RemoteWrite2Writer()
const words = new Uint32Array(Float64Array.from({ length: seriesCount }, (_, i) => i * 1.5).buffer)

function write1(): Uint8Array {
  writer1.reset()
  for (let i = 0; i < seriesCount; i++) {
    const field = fields[i]!
    writer1.series(symbolBytes, offsets, field, 0, field.length, 1.7e12, words[2 * i]!, words[2 * i + 1]!)
  }
  return writer1.view()
}

function write2(shift: number): Uint8Array {
  writer2.reset()
  for (let i = 0; i < shift; i++) writer2.addSymbol('x')
  const map = addTable(writer2, symbolBytes, symbols.length)
  for (let i = 0; i < seriesCount; i++) {
    const field = fields[i]!
    writer2.series(field, 0, field.length, map, 1.7e12, words[2 * i]!, words[2 * i + 1]!)
  }
  return writer2.view()
}

const Rival = protobuf
  .parse(
    `syntax = "proto3"; message WriteRequest { repeated TimeSeries timeseries = 1; } message TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; }
     message Label { string name = 1; string value = 2; } message Sample { double value = 1; int64 timestamp = 2; }`,
  )
  .root.lookupType('WriteRequest')

const body1 = write1().slice()
const body2 = write2(0).slice()
const block1 = compress(body1)
const block2 = compress(body2)
const reader1 = new RemoteWrite1Reader()
const reader2 = new RemoteWrite2Reader()
// Stands for a head that knows every series by its bytes: the hash alone.
const hasher = new LabelHasher()
const aliases = {
  refByWire(bytes: Uint8Array, start: number, end: number): number {
    hasher.hash(bytes, start, end)
    return hasher.words[0]! + 1
  },
}
const rivalObject = Rival.decode(body1)

console.log(`1.0: ${body1.length} B, snappy ${block1.length} B · 2.0: ${body2.length} B, snappy ${block2.length} B`)
const baselineNs = run('read 1.0, protobufjs', () => void Rival.decode(body1))
run('read 1.0, labels walked', () => reader1.read(body1), baselineNs)
run('read 1.0, known by bytes', () => reader1.read(body1, 0, body1.length, aliases), baselineNs)
const open1 = (bytes: Uint8Array): void => reader1.read(bytes, 0, bytes.length, aliases)
run('… uncompressed in place', () => useUncompressed(block1, 1 << 25, open1), baselineNs)
run('read 2.0', () => reader2.read(body2), baselineNs)
run('write 1.0, protobufjs', () => void Rival.encode(rivalObject).finish(), baselineNs)
run('write 1.0', () => void write1(), baselineNs)
run('write 2.0, first table', () => void write2(0), baselineNs)
run('write 2.0, later table', () => void write2(150), baselineNs)
const hysnappy = snappyUncompressor()
const ignore = (): void => {}
run('hysnappy uncompress 1.0', () => void hysnappy(block1, body1.length), baselineNs)
run('snappy uncompress 1.0', () => void uncompress(block1, 1 << 25), baselineNs)
run('snappy in place 1.0', () => useUncompressed(block1, 1 << 25, ignore), baselineNs)
run('snappy uncompress 2.0', () => void uncompress(block2, 1 << 25), baselineNs)
run('snappy compress 1.0', () => void compress(body1), baselineNs)
run('snappy compress 2.0', () => void compress(body2), baselineNs)

function run(name: string, work: () => void, baseNs?: number): number {
  for (let i = 0; i < 60; i++) work()
  let best = Infinity
  for (let round = 0; round < 5; round++) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < 40; i++) work()
    best = Math.min(best, Number(process.hrtime.bigint() - start) / 40 / seriesCount)
  }
  const ratio = baseNs === undefined ? '' : ` ${(best / baseNs).toFixed(2)}×`
  console.log(`${name.padEnd(28)} ${best.toFixed(0).padStart(6)} ns/sample${ratio}`)
  return best
}
