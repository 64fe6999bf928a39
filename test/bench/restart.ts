import { writeRequest } from '../kit/remote-write.ts'
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

/** Kills a server, starts it again at once and asks it, over and over, for a value that it can only know from its disk, and to take a sample. */
export async function restartAfterKill(
  server: BenchServer,
  expected: { readonly query: string; readonly timeMs: number; readonly want: number },
): Promise<RestartTimes> {
  await server.kill()
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
