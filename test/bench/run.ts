import { ensurePrograms } from '../kit/packages.ts'
import { benchIngest } from './ingest.ts'
import { benchDiscovery } from './discovery.ts'
import { benchManyTargets } from './many-targets.ts'
import { benchParse } from './parse.ts'
import { benchScrape } from './scrape.ts'

// npm run bench [-- NAME [ARG ...]]: lists the benches, or runs one. Exit 1 if a bound of the bench is missed.

const benches: Readonly<Record<string, { what: string; run: (args: readonly string[]) => Promise<boolean> }>> = {
  ingest: { what: 'remote-write ingest: our server, Prometheus, VictoriaMetrics', run: benchIngest },
  'many-targets': { what: '5,000 targets and one body of 50 MB: our agent, vmagent', run: benchManyTargets },
  parse: { what: 'exposition text into samples, one core', run: benchParse },
  discovery: { what: '10,000 discovered targets of which 1,000 change', run: benchDiscovery },
  scrape: { what: 'scrape to remote write: our agent, Prometheus agent, vmagent', run: benchScrape },
}

const [name, ...args] = process.argv.slice(2)
if (name === undefined) {
  for (const [key, { what }] of Object.entries(benches)) console.log(`${key.padEnd(14)} ${what}`)
} else if (!(name in benches)) {
  console.error(`cannot run bench ${JSON.stringify(name)}: want one of ${Object.keys(benches).join(', ')}`)
  process.exitCode = 1
} else {
  ensurePrograms((line) => console.error(line))
  process.exitCode = (await benches[name]!.run(args)) ? 0 : 1
}
