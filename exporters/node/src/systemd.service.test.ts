import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { startPeer, type Peer } from './test-peer.ts'
import { createTestExporter, parseText, scrapeOnce } from './test-exporter.ts'

// A real systemd (as a user's instance, in a mount namespace where it finds a /run of its own) with its real bus, asked by ours and by
// Debian's node_exporter 1.5.0.

const units: Readonly<Record<string, string>> = {
  'default.target': '[Unit]\nWants=tick.timer echo.socket sleeper.service flappy.service once.service\n',
  'tick.service': '[Service]\nType=oneshot\nExecStart=/bin/true\n',
  'tick.timer': '[Timer]\nOnActiveSec=100ms\nAccuracySec=1ms\n',
  'echo.socket': '[Socket]\nListenStream=%t/echo\nAccept=yes\n',
  'echo@.service': '[Service]\nExecStart=/bin/cat\nStandardInput=socket\n',
  'sleeper.service': '[Service]\nExecStart=/bin/sleep infinity\n',
  'flappy.service': '[Unit]\nStartLimitBurst=3\n[Service]\nExecStart=/bin/false\nRestart=always\nRestartSec=10ms\n',
  'once.service': '[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n',
}

let directory: string
let systemd: ChildProcess
let log = ''

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-systemd-'))
  const runtime = join(directory, 'run')
  mkdirSync(runtime, { mode: 0o700 })
  mkdirSync(join(directory, 'units'))
  for (const [name, text] of Object.entries(units)) writeFileSync(join(directory, 'units', name), text)
  const script = 'mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/system && exec /lib/systemd/systemd --user --log-target=console'
  const namespace = process.getuid?.() === 0 ? ['--mount'] : ['--mount', '--map-root-user']
  systemd = spawn('unshare', [...namespace, 'sh', '-c', script], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, XDG_RUNTIME_DIR: runtime, SYSTEMD_UNIT_PATH: `${join(directory, 'units')}:` },
  })
  systemd.stderr!.on('data', (chunk: Buffer) => (log += chunk.toString()))
  await vi.waitFor(() => expect(existsSync(join(runtime, 'bus')), log).toBe(true), { timeout: 10_000 })
  vi.stubEnv('DBUS_SYSTEM_BUS_ADDRESS', `unix:path=${join(runtime, 'bus')}`)
})

afterAll(async () => {
  vi.unstubAllEnvs()
  systemd.kill('SIGTERM')
  await new Promise((resolve) => systemd.on('exit', resolve))
  rmSync(directory, { recursive: true, force: true })
})

const flags = {
  'collector.disable-defaults': true,
  'collector.systemd': true,
  'collector.systemd.enable-restarts-metrics': true,
  'collector.systemd.enable-start-time-metrics': true,
  'collector.systemd.enable-task-metrics': true,
  'collector.systemd.unit-exclude': '.+\\.(device|scope)',
  'web.disable-exporter-metrics': true,
}

const atRest = [
  'node_systemd_unit_state{name="flappy.service",state="failed",type="simple"} 1',
  'node_systemd_unit_state{name="tick.service",state="inactive",type="oneshot"} 1',
  'node_systemd_unit_state{name="once.service",state="active",type="oneshot"} 1',
  'node_systemd_unit_state{name="echo.socket",state="active",type=""} 1',
]

test('families, labels and values of a live systemd are those of node_exporter 1.5.0', async () => {
  // The machine comes to rest: the timer has run, the service that fails has been given up.
  await expect
    .poll(async () => systemdLines(await scrapeOnce(flags)), { timeout: 20_000, interval: 200 })
    .toEqual(expect.arrayContaining(atRest))
  const peer: Peer = await startPeer(flags)
  try {
    const ours = systemdLines(await scrapeOnce(flags))
    // Came after 1.5.0.
    const shared = ours.filter((line) => !line.startsWith('node_systemd_virtualization_info'))
    expect(shared).toEqual(systemdLines(await peer.scrape()))
    expect(shared.length).toBeGreaterThan(100)
  } finally {
    peer.stop()
  }
})

test('a bus that starts again is asked over a new connection', async () => {
  const exporter = createTestExporter(flags)
  const version = async (): Promise<number | undefined> => {
    const text = Buffer.from((await exporter.handleMetrics()).body).toString()
    return parseText(text).get('node_systemd_version')?.samples[0]?.value
  }
  expect(await version()).toBeGreaterThan(200)
  process.kill(findBus(), 'SIGKILL')
  await expect.poll(version, { timeout: 10_000 }).toBeUndefined()
  await expect.poll(version, { timeout: 20_000 }).toBeGreaterThan(200)
  await exporter.close()
})

/** Process id of the bus, which systemd has started. */
function findBus(): number {
  const children = readFileSync(`/proc/${systemd.pid}/task/${systemd.pid}/children`, 'utf8').trim().split(' ')
  const bus = children.find((id) => readFileSync(`/proc/${id}/comm`, 'utf8') === 'dbus-daemon\n')
  if (bus === undefined) throw new Error(`cannot find dbus-daemon: want it among the children of systemd, got ${children.join()}`)
  return Number(bus)
}

function systemdLines(text: string): string[] {
  return text
    .split('\n')
    .filter((line) => line.startsWith('node_systemd_') || line.startsWith('# TYPE node_systemd_'))
    .filter((line) => !line.includes('virtualization'))
    .sort()
}
