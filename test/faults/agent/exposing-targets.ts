import { createServer, type Server } from 'node:http'
import type { Exposed } from './ledger.ts'

// Targets on one port of 127.0.0.1 … 127.0.0.N; each answer of a target is its next round. An answer counts as exposed once the program
// has taken the last byte.

export interface ExposingTargets {
  readonly addresses: readonly string[]
  readonly exposed: Exposed[]
  stop(): Promise<void>
}

export async function startTargets(count: number, seriesPerTarget: number): Promise<ExposingTargets> {
  const exposed: Exposed[] = []
  const servers: Server[] = []
  let port = 0
  for (let target = 0; target < count; target++) {
    let round = 0
    const server = createServer((_request, response) => {
      const current = ++round
      const body = Buffer.from(renderAnswer(seriesPerTarget, current))
      response.writeHead(200, { 'Content-Type': 'text/plain; version=0.0.4', 'Content-Length': String(body.length) })
      response.end(body, () => exposed.push({ target, round: current, atMs: Date.now() }))
    })
    server.keepAliveTimeout = 60_000
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, `127.0.0.${target + 1}`, resolve)
    })
    const address = server.address()
    if (address !== null && typeof address === 'object') port = address.port
    servers.push(server)
  }
  return {
    addresses: servers.map((_, target) => `127.0.0.${target + 1}:${port}`),
    exposed,
    async stop() {
      for (const server of servers) {
        server.closeAllConnections()
        await new Promise((resolve) => server.close(resolve))
      }
    },
  }
}

function renderAnswer(series: number, round: number): string {
  let text = '# HELP torture_round Number of the answer.\n# TYPE torture_round counter\n'
  for (let i = 0; i < series; i++) text += `torture_round{series="${i}"} ${round}\n`
  return text
}
