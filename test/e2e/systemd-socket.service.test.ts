import { expect, test } from 'vitest'
import { launcher } from '../kit/narthex.ts'
import { findFreePort, startProcess, waitFor } from '../kit/process.ts'

test('the node exporter serves on sockets that systemd has opened', { timeout: 60_000 }, async () => {
  const [first, second] = [await findFreePort(), await findFreePort()]
  const sockets = [first, second].flatMap((port) => ['--listen', `127.0.0.1:${port}`])
  const running = startProcess('systemd-socket-activate', [...sockets, launcher, 'exporter', 'node', '--web.systemd-socket'])
  try {
    // The first connection starts the program, and is answered by it.
    const scrape = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
    await waitFor('the exporter', async () => (await scrape(first)).includes('node_load1 '), { process: running, timeoutMs: 50_000 })
    expect(await scrape(second)).toContain('node_load1 ')
  } finally {
    await running.stop()
  }
})

test('without such sockets it says what it wants', async () => {
  const running = startProcess(launcher, ['exporter', 'node', '--web.systemd-socket'])
  expect(await running.exited).toBe(1)
  expect(running.output()).toMatch(/cannot use --web.systemd-socket: want 1 to 64 sockets for process \d+, got LISTEN_PID= and LISTEN_FDS=/)
})
