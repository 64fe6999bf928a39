// A writer for the tests to kill: node head-state.test-writer.ts DIRECTORY SERIES FIRST_MS. Opens, commits a round of samples, closes, and again; prints
// the time of each round when its commit returned, and how each opening went. Ends with an error if an opening has not what was acknowledged before.
import { writeSync } from 'node:fs'
import { Labels } from '@narthex/model/labels'
import { open, takenText } from './head-state.test-store.ts'

const directory = process.argv[2]!
const series = Number(process.argv[3])
const firstMs = Number(process.argv[4])
const value = new Float64Array(1)
const words = new Uint32Array(value.buffer)

for (let timeMs = firstMs; ; timeMs++) {
  const lines: string[] = []
  const store = open(directory, {}, lines)
  const { head } = store
  if (timeMs > firstMs && head.memory.maxTime !== timeMs - 1) throw new Error(`want ${timeMs - 1}, got ${head.memory.maxTime}`)
  writeSync(1, lines.join('').includes(takenText) ? 'state\n' : 'logs\n')
  for (let i = 0; i < series; i++) {
    value[0] = i + timeMs
    const result = head.append(head.refByLabels(Labels.from({ __name__: 'killed', i: String(i) })), timeMs, words[0]!, words[1]!)
    if (result !== 0) throw new Error(`refused: ${result} ${head.refusal()}`)
  }
  head.commit()
  writeSync(1, `${timeMs}\n`)
  await store.close()
}
