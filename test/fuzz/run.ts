import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runFuzz } from './fuzz-run.ts'
import { fuzzTargets } from './targets.ts'
import { fuzzTrials } from './trials.ts'

// npm run fuzz [-- NAME|all [COUNT [SEED]] [--peer PATH]]: lists the targets and trials, or feeds COUNT mutated inputs (a million by default) to a target,
// or runs a trial, against the program at PATH. A find is kept under test/fuzz/corpus/NAME, where `npm test` tries it again.

const { values, positionals } = parseArgs({ allowPositionals: true, options: { peer: { type: 'string' } } })
const [name, givenCount, seedText = String(Date.now() % 1_000_000)] = positionals
const countText = givenCount ?? '1000000'

async function main(): Promise<number> {
  if (name === undefined) {
    for (const target of fuzzTargets) console.log(target.name)
    for (const trial of fuzzTrials) console.log(`${trial.name} (a trial of ${trial.count})`)
    return 0
  }
  const trial = fuzzTrials.find((candidate) => candidate.name === name)
  if (trial !== undefined) return (await trial.run(Number(seedText), Number(givenCount ?? trial.count), values.peer)) === 0 ? 0 : 1
  const chosen = name === 'all' ? fuzzTargets : fuzzTargets.filter((target) => target.name === name)
  if (chosen.length === 0) {
    console.error(
      `cannot fuzz ${JSON.stringify(name)}: want all or one of ${[...fuzzTargets, ...fuzzTrials].map((target) => target.name).join(', ')}`,
    )
    return 1
  }
  let finds = 0
  for (const target of chosen) {
    const started = performance.now()
    const find = await runFuzz(target, Number(seedText), Number(countText))
    await target.close?.()
    const rate = Math.round(Number(countText) / ((performance.now() - started) / 1000))
    if (!find) {
      console.log(`${target.name}: ${countText} inputs, seed ${seedText}, no find (${rate}/s)`)
      continue
    }
    finds++
    const directory = join(import.meta.dirname, 'corpus', target.name)
    mkdirSync(directory, { recursive: true })
    const file = join(directory, createHash('sha256').update(find.input).digest('hex').slice(0, 16))
    writeFileSync(file, find.input)
    console.log(
      `${target.name}: FIND at input ${find.index}, seed ${seedText}, kept as ${file}\n${find.error instanceof Error ? find.error.stack : String(find.error)}`,
    )
  }
  return finds === 0 ? 0 : 1
}

void main().then((code) => {
  process.exitCode = code
})
