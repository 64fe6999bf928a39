import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { FrameLog } from './frame-log.ts'
import { LayoutBuilder } from './layout-builder.ts'
import type { SeriesLayout } from './frame.ts'

// Run by `node frame-log.bench.ts`: 100 targets of 1,000 series, values like node_exporter's; prints CPU per sample of append alone.
const targets = 100
const seriesPerTarget = 1000
const rounds = 30

const layouts: SeriesLayout[] = []
for (let target = 0; target < targets; target++) {
  const builder = new LayoutBuilder()
  for (let i = 0; i < seriesPerTarget; i++) {
    builder.addPairs([
      '__name__',
      `node_metric_${i % 300}_total`,
      'cpu',
      String(i % 8),
      'instance',
      `10.0.0.${target}:9100`,
      'job',
      'node',
      'mode',
      `mode${i % 11}`,
    ])
  }
  layouts.push(builder.build(target))
}
const values = Float64Array.from({ length: seriesPerTarget }, (_, i) => [0, 1, i * 12345, i * 1.01, i * Math.PI, 4096 * i][i % 6]!)
const words = new Uint32Array(values.buffer)
const directory = mkdtempSync(join(tmpdir(), 'narthex-bench-'))
const log = new FrameLog({ directory, remotes: ['a'], events: { onLoss: () => undefined, onProblem: console.log } })
const reader = log.reader('a')
let time = 1.7e12
for (let round = 0; round < rounds; round++) {
  const cpu = process.cpuUsage()
  for (const layout of layouts) {
    log.append({ layout, indexes: undefined, times: time++, words, count: seriesPerTarget })
    log.acknowledge('a', reader.tryNext()!.sequence + 1)
  }
  const used = process.cpuUsage(cpu)
  if (round % 5 === 4)
    console.log(
      `${(((used.user + used.system) / targets / seriesPerTarget) * 1000).toFixed(0)} ns/sample, ${(log.bytes / 1e6).toFixed(1)} MB in ${log.segmentCount} segments`,
    )
  await new Promise((resolve) => setTimeout(resolve, 20))
}
await log.close()
rmSync(directory, { recursive: true })
