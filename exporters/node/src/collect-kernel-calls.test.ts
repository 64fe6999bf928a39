import { createLogger } from '@narthex/service/logger'
import { createServer, connect } from 'node:net'
import { expect, test, vi } from 'vitest'
import { createEthtoolCollector } from './collect-ethtool.ts'
import { createNetworkRouteCollector } from './collect-network-route.ts'
import { createPerfCollector } from './collect-perf.ts'
import { createQdiscCollector } from './collect-qdisc.ts'
import { createTcpstatCollector } from './collect-tcpstat.ts'
import { createWifiCollector } from './collect-wifi.ts'
import { loadSystemCalls, type SystemCalls } from './netlink/system-calls.ts'
import { collectText, createEnvironment } from './test-collect.ts'
import { unpackTestTrees } from './test-tree.ts'

// Collectors that ask the kernel directly: on this machine, with made-up answers, and without foreign functions.

const refuse = (): SystemCalls => {
  throw new Error('not installed')
}

/** A kernel that gives these datagrams in turn, whatever it is asked. */
function answerWith(...datagrams: readonly Buffer[]): () => SystemCalls {
  const waiting = [...datagrams]
  return () => ({
    socket: () => 7,
    send: () => 0,
    recv: (_, bytes) => {
      const datagram = waiting.shift()
      return datagram === undefined ? -1 : datagram.copy(bytes)
    },
    ioctl: () => -1,
    close: () => 0,
    openPerfEvent: () => -1,
    addressOf: () => 0n,
    errno: () => 11,
  })
}

/** One netlink message; the sequence numbers of a socket count from 1. */
function message(type: number, sequence: number, payload: Buffer, flags = 2): Buffer {
  const bytes = Buffer.alloc(Math.ceil((16 + payload.length) / 4) * 4)
  bytes.writeUInt32LE(16 + payload.length, 0)
  bytes.writeUInt16LE(type, 4)
  bytes.writeUInt16LE(flags, 6)
  bytes.writeUInt32LE(sequence, 8)
  payload.copy(bytes, 16)
  return bytes
}

const done = (sequence: number): Buffer => message(3, sequence, Buffer.alloc(4))
const failure = (sequence: number, errno: number): Buffer => {
  const payload = Buffer.alloc(20)
  payload.writeInt32LE(-errno, 0)
  return message(2, sequence, payload)
}

function socketRow(state: number, receive: number, transmit: number): Buffer {
  const row = Buffer.alloc(72)
  row[1] = state
  row.writeUInt32LE(receive, 56)
  row.writeUInt32LE(transmit, 60)
  return row
}

const environmentOfTrees = (trees: ReturnType<typeof unpackTestTrees>) => createEnvironment(trees.flags)

test('TCP sockets of this machine are counted, with what a listening one may hold', async () => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen({ port: 0, host: '127.0.0.1', backlog: 17 }, resolve))
  const { port } = server.address() as { port: number }
  const client = connect(port, '127.0.0.1')
  await new Promise((resolve) => client.on('connect', resolve))
  const text = await collectText(createTcpstatCollector(createEnvironment({})))
  const value = (state: string): number => Number(new RegExp(`state="${state}"} (\\d+)`).exec(text)?.[1])
  expect(value('listen')).toBeGreaterThanOrEqual(1)
  expect(value('established')).toBeGreaterThanOrEqual(2)
  expect(value('tx_queued_bytes')).toBeGreaterThanOrEqual(17)
  client.destroy()
  server.close()
})

test('without foreign functions TCP sockets come from /proc/net, and one log line says so', async () => {
  const trees = unpackTestTrees('optional')
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() }
  const collector = createTcpstatCollector(createEnvironment(trees.flags, log as never), undefined, refuse)
  const lines = [
    'node_tcp_connection_states{state="unknown"} 1',
    'node_tcp_connection_states{state="established"} 2',
    'node_tcp_connection_states{state="syn_recv"} 1',
    'node_tcp_connection_states{state="time_wait"} 1',
    'node_tcp_connection_states{state="close_wait"} 1',
    'node_tcp_connection_states{state="listen"} 2',
    'node_tcp_connection_states{state="rx_queued_bytes"} 6',
    'node_tcp_connection_states{state="tx_queued_bytes"} 65556',
  ]
  for (let scrape = 0; scrape < 2; scrape++) {
    expect((await collectText(collector)).trim().split('\n')).toEqual(['# TYPE node_tcp_connection_states gauge', ...lines])
  }
  expect(log.warn.mock.calls).toEqual([
    ['collector cannot ask the kernel directly', { name: 'tcpstat', err: expect.objectContaining({ message: 'not installed' }) }],
  ])
  trees.remove()
})

test('a table that changed while it was read is read again, and rows of other questions are skipped', async () => {
  const trees = unpackTestTrees('optional')
  const interrupted = 0x10 | 2
  const load = answerWith(
    Buffer.concat([message(20, 1, socketRow(1, 1, 2)), message(20, 9, socketRow(1, 1, 2))]),
    message(3, 1, Buffer.alloc(4), interrupted),
    Buffer.concat([message(20, 2, socketRow(1, 3, 4)), message(20, 2, socketRow(10, 0, 128))]),
    done(2),
    Buffer.concat([message(20, 1, socketRow(6, 0, 0)), done(1)]),
  )
  expect(await collectText(createTcpstatCollector(environmentOfTrees(trees), undefined, load)))
    .toBe(`# TYPE node_tcp_connection_states gauge
node_tcp_connection_states{state="established"} 1
node_tcp_connection_states{state="time_wait"} 1
node_tcp_connection_states{state="listen"} 1
node_tcp_connection_states{state="rx_queued_bytes"} 3
node_tcp_connection_states{state="tx_queued_bytes"} 132
`)
  trees.remove()
})

test.each([
  ['a refusal', [failure(1, 1)], 'the kernel gave errno 1'],
  ['no answer', [], 'cannot read netlink answer: errno 11'],
  ['half a message', [message(20, 1, socketRow(1, 0, 0)).subarray(0, 40)], 'want a message within 40 bytes, got one of 88 at 0'],
])('%s of the kernel is told', async (_, datagrams, reason) => {
  await expect(collectText(createTcpstatCollector(createEnvironment({}), undefined, answerWith(...datagrams)))).rejects.toThrow(reason)
})

test('routes without foreign functions are those of /proc/net, rejects and other kinds left out', async () => {
  const trees = unpackTestTrees('optional')
  const text = await collectText(createNetworkRouteCollector(environmentOfTrees(trees), undefined, refuse))
  const info = (dest: string, device: string, gateway: string, priority: number): string =>
    `node_network_route_info{dest="${dest}",device="${device}",gw="${gateway}",priority="${priority}",proto="unknown",src="",weight=""} 1`
  expect(text.trim().split('\n')).toEqual([
    '# TYPE node_network_route_info gauge',
    info('default', 'eth0', '192.0.2.1', 100),
    info('192.0.2.0/24', 'eth0', '', 0),
    info('192.168.0.0/16', 'eth1', '', 0),
    info('2001:db8:0:1::/64', 'eth0', '', 256),
    info('default', 'eth0', 'fe80::1', 1024),
    info('fe80::/64', 'eth1', '', 256),
    '# TYPE node_network_routes gauge',
    'node_network_routes{device="eth0"} 4',
    'node_network_routes{device="eth1"} 2',
  ])
  trees.remove()
})

function attribute(type: number, value: Buffer): Buffer {
  const bytes = Buffer.alloc(Math.ceil((4 + value.length) / 4) * 4)
  bytes.writeUInt16LE(4 + value.length, 0)
  bytes.writeUInt16LE(type, 2)
  value.copy(bytes, 4)
  return bytes
}

const word = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value)
  return bytes
}
const text = (value: string): Buffer => Buffer.from(`${value}\0`)

function link(index: number, name: string): Buffer {
  const info = Buffer.alloc(16)
  info.writeInt32LE(index, 4)
  return Buffer.concat([info, attribute(3, text(name))])
}

function route(bits: number, protocol: number, type: number, ...attributes: readonly Buffer[]): Buffer {
  return Buffer.concat([Buffer.from([2, bits, 0, 0, 254, protocol, 0, type, 0, 0, 0, 0]), ...attributes])
}

function hop(index: number, weight: number, gateway: readonly number[]): Buffer {
  const gate = gateway.length === 0 ? Buffer.alloc(0) : attribute(5, Buffer.from(gateway))
  const head = Buffer.alloc(8)
  head.writeUInt16LE(8 + gate.length, 0)
  head[3] = weight - 1
  head.writeInt32LE(index, 4)
  return Buffer.concat([head, gate])
}

test('routes of several hops show each with its weight; only unicast ones are shown', async () => {
  const load = answerWith(
    Buffer.concat([message(16, 1, link(1, 'lo')), message(16, 1, link(2, 'eth0')), done(1)]),
    Buffer.concat([
      message(24, 2, route(0, 4, 1, attribute(5, Buffer.from([192, 0, 2, 1])), attribute(4, word(2)), attribute(6, word(42)))),
      message(
        24,
        2,
        route(
          24,
          186,
          1,
          attribute(1, Buffer.from([198, 51, 100, 0])),
          attribute(9, Buffer.concat([hop(2, 3, [192, 0, 2, 9]), hop(7, 1, [])])),
        ),
      ),
      message(24, 2, route(32, 2, 2, attribute(1, Buffer.from([127, 0, 0, 1])), attribute(4, word(1)))),
      message(
        24,
        2,
        route(8, 99, 1, attribute(1, Buffer.from([10, 0, 0, 0])), attribute(7, Buffer.from([10, 0, 0, 5])), attribute(4, word(1))),
      ),
    ]),
    done(2),
  )
  const lines = (await collectText(createNetworkRouteCollector(createEnvironment({}), undefined, load))).split('\n')
  expect(lines.filter((line) => line.startsWith('node_network_route_info'))).toEqual([
    'node_network_route_info{dest="default",device="eth0",gw="192.0.2.1",priority="42",proto="static",src="",weight=""} 1',
    'node_network_route_info{dest="198.51.100.0/24",device="eth0",gw="192.0.2.9",priority="0",proto="bgp",src="",weight="3"} 1',
    'node_network_route_info{dest="198.51.100.0/24",device="",gw="",priority="0",proto="bgp",src="",weight="1"} 1',
    'node_network_route_info{dest="10.0.0.0/8",device="lo",gw="",priority="0",proto="unknown",src="10.0.0.5",weight=""} 1',
  ])
})

test('queueing disciplines are those at the roots of devices, by old statistics where there are no new ones', async () => {
  const discipline = (index: number, parent: number, ...attributes: readonly Buffer[]): Buffer => {
    const head = Buffer.alloc(20)
    head.writeInt32LE(index, 4)
    head.writeUInt32LE(parent, 12)
    return message(36, 2, Buffer.concat([head, ...attributes]))
  }
  const long = (value: bigint): Buffer => {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(value)
    return bytes
  }
  const basic = attribute(1, Buffer.concat([long(2n ** 40n), word(7)]))
  const queue = attribute(3, Buffer.concat([1, 2, 3, 4, 5].map(word)))
  const old = Buffer.concat([long(99n), ...[1, 2, 3, 4, 5, 6, 7].map(word)])
  const load = (): (() => SystemCalls) =>
    answerWith(
      Buffer.concat([message(16, 1, link(1, 'lo')), message(16, 1, link(2, 'eth0')), done(1)]),
      Buffer.concat([
        discipline(2, 0xffffffff, attribute(1, text('fq_codel')), attribute(7, Buffer.concat([basic, queue]))),
        discipline(2, 0x10001, attribute(1, text('inner'))),
        discipline(1, 0, attribute(1, text('noqueue')), attribute(3, old)),
        done(2),
      ]),
    )
  const lines = (await collectText(createQdiscCollector(createEnvironment({}), undefined, load()))).split('\n')
  const labels = '{device="eth0",kind="fq_codel"}'
  expect(lines.filter((line) => line.includes('eth0'))).toEqual([
    `node_qdisc_backlog${labels} 2`,
    `node_qdisc_bytes_total${labels} 1.099511627776e+12`,
    `node_qdisc_current_queue_length${labels} 1`,
    `node_qdisc_drops_total${labels} 3`,
    `node_qdisc_overlimits_total${labels} 5`,
    `node_qdisc_packets_total${labels} 7`,
    `node_qdisc_requeues_total${labels} 4`,
  ])
  expect(lines).toContain('node_qdisc_current_queue_length{device="lo",kind="noqueue"} 6')
  const only = createQdiscCollector(createEnvironment({ 'collector.qdisk.device-exclude': '^lo$' }), undefined, load())
  expect(await collectText(only)).not.toContain('noqueue')
  expect(() =>
    createQdiscCollector(createEnvironment({ 'collector.qdisc.device-exclude': 'a', 'collector.qdisc.device-include': 'b' })),
  ).toThrow('want it or collector.qdisc.device-include, got both')
})

test('qdisc, ethtool, perf and wifi have no data without foreign functions', async () => {
  for (const create of [createQdiscCollector, createEthtoolCollector, createPerfCollector, createWifiCollector]) {
    await expect(collectText(create(createEnvironment({}), undefined, refuse))).rejects.toThrow(
      expect.objectContaining({ name: 'NoDataError' }),
    )
  }
})

// A driver with statistics whose names become one, one that has nothing, and one that fails.
test('what a driver says becomes families; of names that become one, none is shown', async () => {
  const names = ['rx_bytes', 'rx0_kicks', 'TX timeouts', 'tx_errors', 'a.b', 'a-b', '__odd', 'rx_rx_x']
  const trees = unpackTestTrees('optional')
  const { mkdirSync } = await import('node:fs')
  for (const device of ['broken0', 'eth0', 'mute0']) mkdirSync(`${trees.directory}/sys/class/net/${device}`, { recursive: true })
  const buffers: Buffer[] = []
  let errno = 0
  const fill = (bytes: Buffer, device: string): number => {
    if (device !== 'eth0') return (errno = device === 'mute0' ? 95 : 5)
    const command = bytes.readUInt32LE(0)
    if (command === 1) {
      bytes.writeUInt32LE((1 << 5) | (1 << 6) | (1 << 7), 4)
      bytes.writeUInt32LE(2 ** 31 + (1 << 13), 8)
      bytes[18] = 1
    } else if (command === 3) {
      bytes.write('e1000e', 4)
      bytes.write('0000:00:19.0', 100)
      bytes.writeUInt32LE(names.length, 180)
    } else if (command === 0x1b) names.forEach((name, index) => bytes.write(name, 12 + index * 32))
    else names.forEach((_, index) => bytes.writeBigUInt64LE(BigInt(index + 1), 8 + index * 8))
    return 0
  }
  const load = (): SystemCalls => ({
    ...answerWith()(),
    addressOf: (bytes) => BigInt(buffers.push(bytes)),
    ioctl: (_, __, request) => {
      const device = request.toString('latin1', 0, request.indexOf(0))
      return fill(buffers[Number(request.readBigUInt64LE(16)) - 1]!, device) === 0 ? 0 : -1
    },
    errno: () => errno,
  })
  const flags = { ...trees.flags, 'collector.ethtool.metrics-include': '^[^_]|^__' }
  const lines: string[] = []
  const log = createLogger({ write: (line) => void lines.push(line), source: 'test' })
  const collector = createEthtoolCollector(createEnvironment(flags, log), undefined, load)
  const output = await collectText(collector)
  expect(await collectText(collector)).toBe(output)
  // Of two scrapes; what a driver does not have is no failure.
  expect(lines.map((line) => /device=.*/.exec(line)![0])).toEqual([
    'device=broken0 wanted=settings err="cannot ask ethtool of broken0 for 0x1: errno 5"',
    'device=broken0 wanted=driver err="cannot ask ethtool of broken0 for 0x3: errno 5"',
  ])
  expect(
    output
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .sort(),
  ).toEqual(
    [
      'node_ethtool_info{bus_info="0000:00:19.0",device="eth0",driver="e1000e",expansion_rom_version="",firmware_version="",version=""} 1',
      'node_ethtool_odd{device="eth0"} 7',
      'node_ethtool_received_bytes_total{device="eth0"} 1',
      'node_ethtool_received_rx_x{device="eth0"} 8',
      'node_ethtool_rx0_kicks{device="eth0"} 2',
      'node_ethtool_transmitted_errors_total{device="eth0"} 4',
      'node_ethtool_transmitted_timeouts{device="eth0"} 3',
      'node_network_advertised_speed_bytes{device="eth0",duplex="full",mode="25000baseCR"} 3.125e+09',
      'node_network_asymmetricpause_advertised{device="eth0"} 0',
      'node_network_asymmetricpause_supported{device="eth0"} 0',
      'node_network_autonegotiate{device="eth0"} 1',
      'node_network_autonegotiate_advertised{device="eth0"} 0',
      'node_network_autonegotiate_supported{device="eth0"} 1',
      'node_network_pause_advertised{device="eth0"} 1',
      'node_network_pause_supported{device="eth0"} 0',
      'node_network_supported_port_info{device="eth0",type="TP"} 1',
      'node_network_supported_speed_bytes{device="eth0",duplex="full",mode="1000baseT"} 1.25e+08',
    ].sort(),
  )
  trees.remove()
})

test('the devices of this machine tell their drivers', async () => {
  const output = await collectText(createEthtoolCollector(createEnvironment({})))
  // The loopback device has no driver to ask.
  expect(output).not.toContain('device="lo",driver')
  expect(output).toMatch(/^node_ethtool_info\{/m)
})

const softwareOnly = { 'collector.perf.disable-hardware-profilers': true, 'collector.perf.disable-cache-profilers': true }

test('events of this machine are counted from the first scrape on', async () => {
  const collector = createPerfCollector(createEnvironment({ ...softwareOnly, 'collector.perf.cpus': '0' }))
  const switches = async (): Promise<number> =>
    Number(/node_perf_context_switches_total\{cpu="0"\} (\d+)/.exec(await collectText(collector))?.[1])
  const first = await switches()
  await expect.poll(switches).toBeGreaterThan(first)
  await collector.close!()
})

test('a kind of events that cannot be counted costs itself and one line; nothing to count at all is a failure', async () => {
  const calls = loadSystemCalls()
  const load = (): SystemCalls => ({
    ...calls,
    openPerfEvent: (attribute, cpu) => (attribute.readUInt32LE(0) === 1 ? calls.openPerfEvent(attribute, cpu) : -1),
    errno: () => 2,
  })
  const log = { debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() }
  const flags = {
    'collector.perf.cpus': '0',
    'collector.perf.software-profilers': ['MajorFault', 'Nonsense'],
    'collector.perf.cache-profilers': ['LLReadHit'],
  }
  const collector = createPerfCollector(createEnvironment(flags, log as never), undefined, load)
  for (let scrape = 0; scrape < 2; scrape++) expect(await collectText(collector)).toContain('node_perf_major_faults_total{cpu="0"} ')
  const reason = 'cannot count CpuCycles on CPU 0: perf_event_open gave errno 2'
  const err = expect.objectContaining({ message: reason })
  expect(log.warn.mock.calls).toEqual([['some events cannot be counted on this machine', { err }]])
  expect(log.error.mock.calls).toEqual([['unknown software profiler', { name: 'Nonsense' }]])
  await collector.close!()
  const nothing = createPerfCollector(createEnvironment({ ...flags, 'collector.perf.disable-software-profilers': true }), undefined, load)
  await expect(collectText(nothing)).rejects.toThrow(reason)
})

test('a tracepoint has to be one, and to be there', async () => {
  expect(() => createPerfCollector(createEnvironment({ 'collector.perf.tracepoint': ['sched'] }))).toThrow(
    'want SUBSYSTEM:EVENT, got "sched"',
  )
  expect(() => createPerfCollector(createEnvironment({ 'collector.perf.cpus': '1-x' }))).toThrow('want CPUs as 0,2-5,1-9:4, got "1-x"')
  const collector = createPerfCollector(
    createEnvironment({ ...softwareOnly, 'path.sysfs': '/nowhere', 'collector.perf.tracepoint': ['a:b'] }),
  )
  await expect(collectText(collector)).rejects.toThrow(
    'cannot count tracepoint a:b: want its id in /nowhere/kernel/tracing/events, got none',
  )
})

const half = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16LE(value)
  return bytes
}
const generic = (sequence: number, ...attributes: readonly Buffer[]): Buffer =>
  message(28, sequence, Buffer.concat([Buffer.alloc(4), ...attributes]))
const familyFound = Buffer.concat([generic(1, attribute(2, text('nl80211')), attribute(1, half(28))), message(2, 1, Buffer.alloc(20))])

test('a wireless device shows its network and its stations; networks that were only heard of are left out', async () => {
  const address = Buffer.from([1, 35, 69, 103, 137, 171])
  const name = Buffer.from('Café')
  const elements = Buffer.concat([Buffer.from([1, 2, 0, 0, 0, name.length]), name])
  const wide = Buffer.alloc(8)
  wide.writeBigUInt64LE(2n ** 33n)
  const numbers = [
    attribute(1, word(1500)),
    attribute(16, word(60)),
    attribute(9, word(7)),
    attribute(10, word(8)),
    attribute(11, word(9)),
    attribute(12, word(10)),
    attribute(18, word(11)),
  ]
  const station = [...numbers, attribute(2, word(99)), attribute(23, wide), attribute(3, word(98)), attribute(7, Buffer.from([0xce]))]
  const rates = [
    attribute(8, attribute(1, half(540))),
    attribute(14, Buffer.concat([attribute(1, half(65_535)), attribute(5, word(70_000))])),
  ]
  const load = answerWith(
    familyFound,
    Buffer.concat([
      generic(2, attribute(3, word(5)), attribute(4, text('wlan0')), attribute(38, word(2437))),
      generic(2, attribute(3, word(6))),
      done(2),
    ]),
    Buffer.concat([
      generic(3, attribute(47, attribute(6, elements))),
      generic(3, attribute(47, Buffer.concat([attribute(1, address), attribute(6, elements), attribute(9, word(1))]))),
      done(3),
    ]),
    Buffer.concat([generic(4, attribute(6, address), attribute(21, Buffer.concat([...station, ...rates]))), done(4)]),
  )
  const output = await collectText(createWifiCollector(createEnvironment({}), undefined, load))
  const value = (family: string): string | undefined => new RegExp(`^node_wifi_${family}\\{(.*)$`, 'm').exec(output)?.[1]
  expect(value('interface_frequency_hertz')).toBe('device="wlan0"} 2.437e+09')
  expect(value('station_info')).toBe('bssid="01:23:45:67:89:ab",device="wlan0",mode="client",ssid="Café"} 1')
  const labels = 'device="wlan0",mac_address="01:23:45:67:89:ab"}'
  const expected = {
    beacon_loss_total: '11',
    connected_seconds_total: '60',
    inactive_seconds: '1.5',
    receive_bits_per_second: '7e+09',
    receive_bytes_total: '8.589934592e+09',
    received_packets_total: '7',
    signal_dbm: '-50',
    transmit_bits_per_second: '5.4e+07',
    transmit_bytes_total: '98',
    transmit_failed_total: '10',
    transmit_retries_total: '9',
    transmitted_packets_total: '8',
  }
  for (const [family, text] of Object.entries(expected)) expect(value(`station_${family}`), family).toBe(`${labels} ${text}`)
})

test('a device that has no stations to tell is no error, another refusal is', async () => {
  const device = Buffer.concat([generic(2, attribute(3, word(5)), attribute(4, text('mon0'))), done(2)])
  const monitor = answerWith(familyFound, device, failure(3, 95), failure(4, 95))
  expect(await collectText(createWifiCollector(createEnvironment({}), undefined, monitor))).toBe(
    '# TYPE node_wifi_interface_frequency_hertz gauge\nnode_wifi_interface_frequency_hertz{device="mon0"} 0\n',
  )
  const refused = answerWith(familyFound, device, failure(3, 1))
  await expect(collectText(createWifiCollector(createEnvironment({}), undefined, refused))).rejects.toThrow('the kernel gave errno 1')
  await expect(collectText(createWifiCollector(createEnvironment({}), undefined, answerWith(failure(1, 2))))).rejects.toThrow(
    expect.objectContaining({ name: 'NoDataError' }),
  )
})
