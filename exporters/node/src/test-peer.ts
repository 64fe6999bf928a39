import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { spawn, type ChildProcess } from 'node:child_process'
import { createServer } from 'node:net'

/** Debian's node_exporter 1.5.0, running. */
export interface Peer {
  scrape(): Promise<string>
  stop(): void
}

/** Starts it with these flags; `--collector.NAME` given as true, false or a text, lists repeated. Throws if it does not come up. */
export async function startPeer(flags: FlagValues): Promise<Peer> {
  const address = `127.0.0.1:${await findFreePort()}`
  const child = spawn('prometheus-node-exporter', [`--web.listen-address=${address}`, ...Object.entries(flags).flatMap(formatFlag)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let log = ''
  child.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()))
  await waitUntilUp(child, address, () => log)
  return {
    scrape: async () => (await fetch(`http://${address}/metrics`)).text(),
    stop: () => child.kill('SIGKILL'),
  }
}

function formatFlag([name, value]: [string, unknown]): string[] {
  if (Array.isArray(value)) return value.map((item) => `--${name}=${String(item)}`)
  return value === true ? [`--${name}`] : value === false ? [`--no-${name}`] : [`--${name}=${String(value)}`]
}

async function waitUntilUp(child: ChildProcess, address: string, readLog: () => string): Promise<void> {
  let failure: Error | undefined
  child.on('error', (error) => (failure = error))
  for (let attempt = 0; attempt < 100; attempt++) {
    if (failure !== undefined) throw new Error('cannot start prometheus-node-exporter: want it installed', { cause: failure })
    if (child.exitCode !== null) throw new Error(`cannot start prometheus-node-exporter: ${readLog()}`)
    try {
      await fetch(`http://${address}/`)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
  throw new Error(`cannot reach prometheus-node-exporter: ${readLog()}`)
}

async function findFreePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('cannot find a free port: want an address with a port, got none')
  return address.port
}
