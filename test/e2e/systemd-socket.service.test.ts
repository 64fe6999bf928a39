import { expect, test } from 'vitest'
import { launcher } from '../kit/narthex.ts'
import { findFreePort, startProcess, waitFor } from '../kit/process.ts'

// What the exporters of MySQL and NGINX ask is not there: they say so.
test.each<readonly [string, string, Readonly<Record<string, string>>]>([
  ['node', 'node_load1 ', {}],
  ['mysql', 'mysql_up 0', { DATA_SOURCE_NAME: 'exporter@(127.0.0.1:1)/' }],
  ['nginx', 'nginx_up 0', { SCRAPE_URI: 'http://127.0.0.1:1/stub_status' }],
])('the %s exporter serves on sockets that systemd has opened', { timeout: 60_000 }, async (name, family, env) => {
  const [first, second] = [await findFreePort(), await findFreePort()]
  const sockets = [first, second].flatMap((port) => ['--listen', `127.0.0.1:${port}`])
  const variables = Object.entries(env).flatMap(([variable, value]) => ['--setenv', `${variable}=${value}`])
  const running = startProcess('systemd-socket-activate', [...variables, ...sockets, launcher, 'exporter', name, '--web.systemd-socket'])
  try {
    // The first connection starts the program, and is answered by it.
    const scrape = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    await waitFor('the exporter', async () => (await scrape(first)).includes(family), { process: running, timeoutMs: 50_000 })
    expect(await scrape(second)).toContain(family)
  } finally {
    await running.stop()
  }
})

test.each(['node', 'mysql', 'nginx'])('without such sockets the %s exporter says what it wants', async (name) => {
  const env = { ...process.env, DATA_SOURCE_NAME: 'exporter@(127.0.0.1:1)/' }
  const running = startProcess(launcher, ['exporter', name, '--web.systemd-socket'], { env })
  expect(await running.exited).toBe(1)
  expect(running.output()).toMatch(/cannot use --web.systemd-socket: want 1 to 64 sockets for process \d+, got LISTEN_PID= and LISTEN_FDS=/)
})
