import type { MetricFamily } from '@narthex/exporter-kit/family-parser'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { startFakePeer, type Answer, type FakePeer, type FakeReply } from './dbus/fake-peer.ts'
import { createTestExporter, onlyCollector, parseText, valueOf } from './test-exporter.ts'

// A made-up systemd: what `properties` says by unit and property, everything else is refused.

interface FakeSystemd {
  units: (readonly [name: string, load: string, active: string])[]
  /** By `UNIT PROPERTY`, or the property alone for the manager. */
  properties: Record<string, readonly [type: string, value: unknown]>
}

let systemd: FakeSystemd
let peer: FakePeer
let answer: Answer

beforeEach(async () => {
  systemd = {
    units: [
      ['cron.service', 'loaded', 'active'],
      ['web@1.service', 'loaded', 'failed'],
      ['gone.service', 'not-found', 'inactive'],
      ['-.mount', 'loaded', 'active'],
      ['ssh.socket', 'loaded', 'active'],
      ['daily.timer', 'loaded', 'activating'],
      ['odd.target', 'loaded', 'maintenance'],
    ],
    properties: {
      Version: ['s', '252.38-1~deb12u1'],
      Virtualization: ['s', ''],
      SystemState: ['s', 'running'],
      UnitsLoadTimestampMonotonic: ['t', 17],
      'cron.service Type': ['s', 'forking'],
      'web@1.service Type': ['s', 'notify'],
      'cron.service NRestarts': ['u', 3],
      'cron.service TasksCurrent': ['t', 5],
      'cron.service TasksMax': ['t', 2n ** 64n - 1n],
      'cron.service ActiveEnterTimestamp': ['t', 1_700_000_000_250_000],
      '-.mount Type': ['s', 'ext4'],
      'ssh.socket NAccepted': ['u', 12],
      'ssh.socket NConnections': ['u', 2],
      'ssh.socket NRefused': ['u', 1],
      'daily.timer LastTriggerUSec': ['t', 1_700_000_001_500_000],
    },
  }
  answer = answerAsSystemd
  peer = await startFakePeer({ answer: (call) => answer(call) })
  vi.stubEnv('DBUS_SYSTEM_BUS_ADDRESS', `unix:path=${peer.socketPath}`)
})
afterEach(async () => {
  vi.unstubAllEnvs()
  await peer.close()
})

function answerAsSystemd({ args, member, path }: Parameters<Answer>[0]): ReturnType<Answer> {
  if (member === 'ListUnits') {
    const rows = systemd.units.map(([name, load, active]) => [name, 'what it is', load, active, 'sub', '', `/unit/${name}`, 0, '', '/'])
    return { signature: 'a(ssssssouso)', values: [rows] }
  }
  const unit = path.startsWith('/unit/') ? `${path.slice('/unit/'.length)} ` : ''
  const property = systemd.properties[unit + args[1]]
  return property === undefined ? unknownProperty : ({ signature: 'v', values: [property] } satisfies FakeReply)
}

const unknownProperty = { errorName: 'org.freedesktop.DBus.Error.UnknownProperty', text: 'Unknown property' }

type Families = ReadonlyMap<string, MetricFamily>

function createExporter(flags: FlagValues = {}, nowMs: () => number = () => 0) {
  const exporter = createTestExporter({ ...onlyCollector('systemd'), ...flags }, { nowMs })
  const scrape = async (): Promise<Families> => parseText(Buffer.from((await exporter.handleMetrics()).body).toString())
  return { scrape, close: () => exporter.close() }
}

async function scrapeOnce(flags: FlagValues = {}): Promise<Families> {
  const exporter = createExporter(flags)
  const families = await exporter.scrape()
  await exporter.close()
  return families
}

function namesOf(families: Families, family: string): string[] {
  const names = families.get(family)?.samples.map(({ labels }) => labels[labels.indexOf('name') + 1]!) ?? []
  return [...new Set(names)]
}

test('units, their states and counts are those of systemd', async () => {
  const families = await scrapeOnce()
  expect(valueOf(families, 'node_systemd_version', 'version', '252.38-1~deb12u1')).toBe(252.38)
  expect(valueOf(families, 'node_systemd_virtualization_info', 'virtualization_type', 'none')).toBe(1)
  expect(valueOf(families, 'node_systemd_system_running')).toBe(1)
  const states = Object.fromEntries(families.get('node_systemd_units')!.samples.map(({ labels, value }) => [labels[1], value]))
  expect(states).toEqual({ activating: 1, active: 3, deactivating: 0, failed: 1, inactive: 1, maintenance: 1 })
  expect(namesOf(families, 'node_systemd_unit_state')).toEqual(['cron.service', 'daily.timer', 'odd.target', 'ssh.socket', 'web@1.service'])
  const state = (name: string, active: string, type: string): number | undefined =>
    valueOf(families, 'node_systemd_unit_state', 'name', name, 'state', active, 'type', type)
  expect(state('cron.service', 'active', 'forking')).toBe(1)
  expect(state('cron.service', 'failed', 'forking')).toBe(0)
  expect(state('web@1.service', 'failed', 'notify')).toBe(1)
  expect(['activating', 'active', 'deactivating', 'failed', 'inactive'].map((name) => state('odd.target', name, ''))).toEqual([
    0, 0, 0, 0, 0,
  ])
  expect(valueOf(families, 'node_systemd_socket_accepted_connections_total', 'name', 'ssh.socket')).toBe(12)
  expect(valueOf(families, 'node_systemd_socket_current_connections', 'name', 'ssh.socket')).toBe(2)
  expect(valueOf(families, 'node_systemd_socket_refused_connections_total', 'name', 'ssh.socket')).toBe(1)
  expect(valueOf(families, 'node_systemd_timer_last_trigger_seconds', 'name', 'daily.timer')).toBe(1_700_000_001.5)
  for (const name of ['service_restart_total', 'unit_tasks_current', 'unit_start_time_seconds']) {
    expect(families.has(`node_systemd_${name}`)).toBe(false)
  }
})

test('restarts, tasks and start times come when asked for; a limit that is none is not shown', async () => {
  const families = await scrapeOnce({
    'collector.systemd.enable-restarts-metrics': true,
    'collector.systemd.enable-task-metrics': true,
    'collector.systemd.enable-start-time-metrics': true,
    'collector.systemd.unit-exclude': '',
  })
  expect(valueOf(families, 'node_systemd_service_restart_total', 'name', 'cron.service')).toBe(3)
  expect(namesOf(families, 'node_systemd_service_restart_total')).toEqual(['cron.service'])
  expect(valueOf(families, 'node_systemd_unit_tasks_current', 'name', 'cron.service')).toBe(5)
  expect(families.has('node_systemd_unit_tasks_max')).toBe(false)
  const startTime = (name: string): number | undefined => valueOf(families, 'node_systemd_unit_start_time_seconds', 'name', name)
  expect(startTime('cron.service')).toBe(1_700_000_000.25)
  expect(startTime('web@1.service')).toBe(0)
  expect(startTime('-.mount')).toBeUndefined() // active, but systemd does not tell since when
  expect(valueOf(families, 'node_systemd_unit_state', 'name', '-.mount', 'state', 'active', 'type', 'ext4')).toBe(1)
})

test('patterns stand for whole names, under their old names too', async () => {
  expect(namesOf(await scrapeOnce({ 'collector.systemd.unit-include': 'cron' }), 'node_systemd_unit_state')).toEqual([])
  const flags = { 'collector.systemd.unit-whitelist': 'cron.*|odd.*', 'collector.systemd.unit-blacklist': 'odd' }
  expect(namesOf(await scrapeOnce(flags), 'node_systemd_unit_state')).toEqual(['cron.service', 'odd.target'])
  expect(() => createExporter({ ...flags, 'collector.systemd.unit-exclude': 'x' })).toThrow(
    'cannot start collector.systemd: cannot use collector.systemd.unit-blacklist: want one of it and collector.systemd.unit-exclude, got both',
  )
})

test('the type of a service is asked again when systemd has read its files anew, and after ten minutes', async () => {
  let nowMs = 0
  const exporter = createExporter({}, () => nowMs)
  const typeQuestions = async (): Promise<number> => {
    const before = peer.calls.length
    await exporter.scrape()
    return peer.calls.slice(before).filter(({ args }) => args[1] === 'Type').length
  }
  expect(await typeQuestions()).toBe(2)
  expect(await typeQuestions()).toBe(0)
  systemd.units.push(['new.service', 'loaded', 'active'])
  systemd.properties['new.service Type'] = ['s', 'simple']
  expect(await typeQuestions()).toBe(1)
  systemd.properties['UnitsLoadTimestampMonotonic'] = ['t', 18]
  systemd.properties['cron.service Type'] = ['s', 'exec']
  expect(await typeQuestions()).toBe(3)
  nowMs = 10 * 60_000 + 1
  expect(await typeQuestions()).toBe(3)
  const families = await exporter.scrape()
  expect(valueOf(families, 'node_systemd_unit_state', 'name', 'cron.service', 'state', 'active', 'type', 'exec')).toBe(1)
  expect(peer.connections).toBe(1)
  await exporter.close()
})

test('a systemd before 212 has neither a system state nor times of timers', async () => {
  systemd.properties['Version'] = ['s', 'systemd 204']
  const families = await scrapeOnce()
  expect(valueOf(families, 'node_systemd_version', 'version', 'systemd 204')).toBe(204)
  expect(families.has('node_systemd_system_running')).toBe(false)
  expect(families.has('node_systemd_timer_last_trigger_seconds')).toBe(false)
})

test('a systemd that tells nothing about itself still shows its units', async () => {
  for (const name of ['Version', 'Virtualization']) delete systemd.properties[name]
  const families = await scrapeOnce()
  expect(valueOf(families, 'node_systemd_version', 'version', '')).toBe(0)
  expect(valueOf(families, 'node_systemd_virtualization_info', 'virtualization_type', 'unknown')).toBe(1)
  expect(namesOf(families, 'node_systemd_unit_state')).toContain('cron.service')
})

test('a refused system state costs the success and not the units', async () => {
  delete systemd.properties['SystemState']
  const families = await scrapeOnce()
  expect(valueOf(families, 'node_scrape_collector_success', 'collector', 'systemd')).toBe(0)
  expect(namesOf(families, 'node_systemd_unit_state')).toContain('cron.service')
})

test('a systemd that hangs costs its own collector, and is asked again by the next scrape', async () => {
  const exporter = createTestExporter({ ...onlyCollector('systemd'), 'collector.loadavg': true })
  const scrape = async (timeoutSeconds: string): Promise<Families> => {
    const response = await exporter.handleMetrics({ headers: { 'x-prometheus-scrape-timeout-seconds': timeoutSeconds } })
    return parseText(Buffer.from(response.body).toString())
  }
  answer = () => undefined
  const hung = await scrape('0.4')
  expect(valueOf(hung, 'node_scrape_collector_success', 'collector', 'systemd')).toBe(0)
  expect(valueOf(hung, 'node_scrape_collector_success', 'collector', 'loadavg')).toBe(1)
  answer = answerAsSystemd
  const back = await scrape('10')
  expect(valueOf(back, 'node_scrape_collector_success', 'collector', 'systemd')).toBe(1)
  await exporter.close()
})

test('ten thousand services are shown', async () => {
  systemd.units = Array.from({ length: 10_000 }, (_, index) => [`many${index}.service`, 'loaded', 'active'] as const)
  for (const [name] of systemd.units) systemd.properties[`${name} Type`] = ['s', 'simple']
  const families = await scrapeOnce()
  expect(families.get('node_systemd_unit_state')!.samples).toHaveLength(50_000)
  expect(valueOf(families, 'node_systemd_units', 'state', 'active')).toBe(10_000)
})
