import { LoadSource } from './load-source.ts'
import type { LoadSpec } from './load-spec.ts'
import type { ByContender } from './query-turns.ts'
import { sendLoad } from './send-load.ts'
import type { BenchServer, ServerOptions } from './server-contenders.ts'
import { eachKeptServer, type ContenderKey } from './storage-bench.ts'
import { waitUntilCompacted } from './wait-until-compacted.ts'
import { waitUntilIdle } from './wait-until-idle.ts'

const connections = 2

/** Sends the same load to each program, waits until its blocks are cut and it rests, and gives them all to `ask`; they end after it. */
export async function withLoadedServers(
  keys: readonly ContenderKey[],
  spec: LoadSpec,
  ask: (servers: ByContender<BenchServer>) => Promise<void>,
  optionsOf?: (key: ContenderKey) => ServerOptions,
): Promise<void> {
  const servers: ByContender<BenchServer> = {}
  await eachKeptServer(
    keys,
    async (server, key) => {
      servers[key] = server
      await sendQueriedLoad(server, key, spec)
    },
    () => ask(servers),
    optionsOf,
  )
}

/** Sends a load, and waits until there is nothing left to do about it. */
export async function sendQueriedLoad(server: BenchServer, key: ContenderKey, spec: LoadSpec): Promise<void> {
  const { startMs, stepMs } = spec.options
  const source = await LoadSource.start(spec)
  try {
    await sendLoad(source, server, { connections })
    if (key !== 'victoria') await waitUntilCompacted(server, startMs + stepMs, startMs + spec.steps * stepMs)
    if (!(await waitUntilIdle(server.pid))) console.error(`${server.contender.name}: not at rest after two minutes`)
  } finally {
    await source.stop()
  }
}
