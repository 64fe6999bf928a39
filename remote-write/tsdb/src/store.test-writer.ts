// A writer for the tests to kill: node store.test-writer.ts DIRECTORY SERIES. Prints the number of each round when its commit returned.
import { writeSync } from 'node:fs'
import { Labels } from '@narthex/model/labels'
import { silentLogger } from '@narthex/service/logger'
import { openStore } from './open-store.ts'

const directory = process.argv[2]!
const series = Number(process.argv[3])
const { head } = openStore({ directory, log: silentLogger })
const value = new Float64Array(1)
const words = new Uint32Array(value.buffer)
const newestMs = head.memory.maxTime
const firstMs = newestMs === -Infinity ? Date.now() - 3_000_000 : newestMs + 1

for (let round = 0; round < 3_000_000; round++) {
  for (let i = 0; i < series; i++) {
    value[0] = i + (firstMs + round) / 1000
    const ref = head.refByLabels(Labels.from({ __name__: 'killed', i: String(i) }))
    const result = head.append(ref, firstMs + round, words[0]!, words[1]!)
    if (result !== 0) throw new Error(`refused: ${result} ${head.refusal()}`)
  }
  head.commit()
  writeSync(1, `${firstMs + round}\n`)
}
