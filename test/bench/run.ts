import { ensurePrograms } from '../kit/packages.ts'
import { benchServerScrape } from './server-scrape.ts'
import { benchRate } from './rate.ts'
import { benchLifecycle } from './lifecycle.ts'
import { benchHeld } from './held.ts'
import { benchClients } from './clients.ts'
import { benchChurn } from './churn.ts'
import { benchAppendDelay } from './append-delay.ts'
import { benchIngest } from './ingest.ts'
import { benchExporters } from './exporters.ts'
import { benchDiscovery } from './discovery.ts'
import { benchManyTargets } from './many-targets.ts'
import { benchMillion } from './million.ts'
import { benchParse } from './parse.ts'
import { benchQuery } from './query.ts'
import { benchQueryAtOnce } from './query-at-once.ts'
import { benchQueryCold } from './query-cold.ts'
import { benchQueryInstant } from './query-instant.ts'
import { benchQueryMetadata } from './query-metadata.ts'
import { benchScrape } from './scrape.ts'

// npm run bench [-- NAME [ARG ...]]: lists the benches, or runs one. Exit 1 if a bound of the bench is missed.

const benches: Readonly<Record<string, { what: string; run: (args: readonly string[]) => Promise<boolean> }>> = {
  ingest: { what: 'remote-write ingest: our server, Prometheus, VictoriaMetrics', run: benchIngest },
  'many-targets': { what: '5,000 targets and one body of 50 MB: our agent, vmagent', run: benchManyTargets },
  million: { what: 'a million new series, SIGKILL, restart: our server, Prometheus, VictoriaMetrics', run: benchMillion },
  lifecycle: { what: 'six hours of 20,000 node_exporter series to blocks: our server, Prometheus, VictoriaMetrics', run: benchLifecycle },
  held: { what: 'memory of 200,000 series × 480 samples: our server, VictoriaMetrics', run: benchHeld },
  churn: { what: '100,000 active series, a fifth new every 10 minutes: our server, Prometheus', run: benchChurn },
  clients: { what: '500 clients with TLS and passwords: our server, VictoriaMetrics', run: benchClients },
  'server-scrape': { what: 'scrape to storage: our server, Prometheus, VictoriaMetrics', run: benchServerScrape },
  rate: { what: 'highest sustained rate of remote write: our server, VictoriaMetrics', run: benchRate },
  'append-delay': { what: 'append delay while blocks are cut and merged and dashboards refresh: our server', run: benchAppendDelay },
  query: { what: 'range queries over 5,000 series × 6 hours: our server, Prometheus, VictoriaMetrics', run: benchQuery },
  'query-instant': { what: 'instant queries of a dashboard: our server, Prometheus, VictoriaMetrics', run: benchQueryInstant },
  'query-metadata': { what: 'labels, values and series of a million: our server, Prometheus, VictoriaMetrics', run: benchQueryMetadata },
  'query-cold': {
    what: 'range queries over 30 days of blocks after a start: our server, Prometheus, VictoriaMetrics',
    run: benchQueryCold,
  },
  'query-at-once': { what: 'the range queries, 20 at once: our server, Prometheus, VictoriaMetrics', run: benchQueryAtOnce },
  parse: { what: 'exposition text into samples, one core', run: benchParse },
  discovery: { what: '10,000 discovered targets of which 1,000 change', run: benchDiscovery },
  exporters: { what: 'exporters beside the official ones, and all five in one agent', run: benchExporters },
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
