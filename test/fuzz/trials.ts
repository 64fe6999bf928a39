import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Differential, findsDirectory } from '../conformance/differential/differential.ts'
import { ensurePrograms } from '../kit/packages.ts'

/** A long trial beside the targets, which needs more than a reader of bytes. */
export interface FuzzTrial {
  readonly name: string
  readonly count: number
  /** How many finds there were; each is printed and kept. */
  run(seed: number, count: number): Promise<number>
}

export const fuzzTrials: readonly FuzzTrial[] = [{ name: 'promql-differential', count: 20_000, run: runDifferential }]

/** Generated queries, asked of Debian's Prometheus and of ours. */
async function runDifferential(seed: number, count: number): Promise<number> {
  ensurePrograms((line) => console.error(line))
  const differential = await Differential.start()
  try {
    const begunMs = performance.now()
    const { asked, answered, refused, finds } = await differential.run(seed, count)
    const rate = Math.round((asked * 1000) / (performance.now() - begunMs))
    for (const { differences, ...find } of finds) {
      mkdirSync(findsDirectory, { recursive: true })
      const text = `${JSON.stringify(find, undefined, 2)}\n`
      const file = join(findsDirectory, `${createHash('sha256').update(text).digest('hex').slice(0, 16)}.json`)
      writeFileSync(file, text)
      console.log(`FIND, kept as ${file}: ${[find.query, ...differences].join('\n    ')}`)
    }
    const counts = `${answered} answered with series, ${refused} refused by Prometheus, ${finds.length} different`
    console.log(`promql-differential: ${asked} queries, seed ${seed}: ${counts} (${rate}/s)`)
    return finds.length
  } finally {
    await differential.stop()
  }
}
