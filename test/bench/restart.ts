import { writeRequest } from '../kit/remote-write.ts'
import { eachKeptServer, type ContenderKey } from './storage-bench.ts'
import { BenchServer, serverContenders } from './server-contenders.ts'

export interface RestartTimes {
  /** From the start of the process to the first right answer. */
  readonly querySeconds: number
  /** From the start of the process to the first 2xx for a sample. */
  readonly writeSeconds: number
}

/** A start and a clean end of ours: pages are built and Node.js has compiled, as on any but the very first start from a clone. */
export async function startOnce(): Promise<void> {
  const server = await BenchServer.start(serverContenders.narthex)
  await server.stop()
}

const pauseMs = 10
const timeoutMs = 300_000

/** A value that a server can only know from its disk. */
export interface Expected {
  readonly query: string
  readonly timeMs: number
  readonly want: number
}

/** Rounds of restarts; the speed of a machine may change from one minute to the next. */
const rounds = 3

/**
 * Kills servers and starts them again, by turns, and gives the medians of each. Each is asked at once, over and over, for a value that it can only
 * know from its disk, and to take a sample. All are dead at the end.
 */
async function restartInTurns(servers: readonly { readonly server: BenchServer; readonly expected: Expected }[]): Promise<RestartTimes[]> {
  const times: RestartTimes[][] = servers.map(() => [])
  for (let round = 0; round < rounds; round++) {
    for (const [i, { server, expected }] of servers.entries()) {
      await server.kill()
      times[i]!.push(await restart(server, expected))
      await server.kill()
    }
  }
  return times.map((each) => ({
    querySeconds: median(each.map(({ querySeconds }) => querySeconds)),
    writeSeconds: median(each.map(({ writeSeconds }) => writeSeconds)),
  }))
}

/**
 * Runs one contender after the other, as `eachServer`, and then restarts those that are to be asked for something, with the data of their runs.
 */
export async function eachServerAndRestarts<Figures extends { readonly expected: Expected | undefined }>(
  keys: readonly ContenderKey[],
  run: (server: BenchServer, key: ContenderKey) => Promise<Figures>,
): Promise<{ figures: Partial<Record<ContenderKey, Figures>>; restarts: Partial<Record<ContenderKey, RestartTimes>> }> {
  const restarts: Partial<Record<ContenderKey, RestartTimes>> = {}
  const restarted: { key: ContenderKey; server: BenchServer; expected: Expected }[] = []
  const figures = await eachKeptServer(
    keys,
    async (server, key) => {
      const measured = await run(server, key)
      const { expected } = measured
      if (expected !== undefined) restarted.push({ key, server, expected })
      // What it holds is not to slow the others down.
      await server.kill()
      return measured
    },
    async () => {
      const times = await restartInTurns(restarted)
      for (const [i, { key }] of restarted.entries()) restarts[key] = times[i]!
    },
  )
  return { figures, restarts }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

async function restart(server: BenchServer, expected: Expected): Promise<RestartTimes> {
  const beginMs = performance.now()
  server.launch()
  const probe = { labels: { __name__: 'bench_restart_probe' }, samples: [[expected.timeMs, 1]] as const }
  const [querySeconds, writeSeconds] = await Promise.all([
    until(beginMs, `${server.contender.name} to answer ${expected.query} with ${expected.want}`, async () => {
      const value = await server.queryValue(expected.query, expected.timeMs)
      if (value !== expected.want) throw new Error(`got ${value}`)
    }),
    until(beginMs, `${server.contender.name} to take a sample`, () => writeRequest(server.url, [probe])),
  ])
  console.error(`${server.contender.name}: after SIGKILL queries in ${querySeconds.toFixed(2)} s, writes in ${writeSeconds.toFixed(2)} s`)
  return { querySeconds, writeSeconds }
}

/** Seconds from `beginMs` until `attempt` did not throw. */
async function until(beginMs: number, what: string, attempt: () => Promise<void>): Promise<number> {
  for (;;) {
    try {
      await attempt()
      return (performance.now() - beginMs) / 1000
    } catch (cause) {
      if (performance.now() - beginMs > timeoutMs) throw new Error(`cannot wait for ${what}: not within ${timeoutMs} ms`, { cause })
      await new Promise((resolve) => setTimeout(resolve, pauseMs))
    }
  }
}
