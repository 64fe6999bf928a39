import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Differential, findsDirectory, type AskedQuery } from '../conformance/differential/differential.ts'
import { ensurePrograms } from '../kit/packages.ts'

/** A long trial beside the targets, which needs more than a reader of bytes. */
export interface FuzzTrial {
  readonly name: string
  readonly count: number
  /** How many finds there were; each is printed and kept. `peer`: the path of the other program, if not Debian's. */
  run(seed: number, count: number, peer?: string): Promise<number>
}

export const fuzzTrials: readonly FuzzTrial[] = [{ name: 'promql-differential', count: 20_000, run: runDifferential }]

/** Generated queries, asked of a Prometheus and of ours. */
async function runDifferential(seed: number, count: number, peer?: string): Promise<number> {
  if (peer === undefined) ensurePrograms((line) => console.error(line))
  const differential = await Differential.start(peer)
  try {
    const begunMs = performance.now()
    const { asked, answered, refused, finds } = await differential.run(seed, count)
    const rate = Math.round((asked * 1000) / (performance.now() - begunMs))
    for (const { differences, ...find } of finds) {
      // What is kept is asked of Debian's again.
      const place = peer === undefined ? `kept as ${keepFind(find)}` : JSON.stringify(find)
      console.log(`FIND, ${place}: ${[find.query, ...differences].join('\n    ')}`)
    }
    const counts = `${answered} answered with series, ${refused} refused by Prometheus, ${finds.length} different`
    console.log(`promql-differential: ${asked} queries, seed ${seed}: ${counts} (${rate}/s)`)
    return finds.length
  } finally {
    await differential.stop()
  }
}

function keepFind(find: AskedQuery): string {
  mkdirSync(findsDirectory, { recursive: true })
  const text = `${JSON.stringify(find, undefined, 2)}\n`
  const file = join(findsDirectory, `${createHash('sha256').update(text).digest('hex').slice(0, 16)}.json`)
  writeFileSync(file, text)
  return file
}
