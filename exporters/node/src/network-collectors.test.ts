import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { createTestExporter, scrapeTree, valueOf } from './test-exporter.ts'

// Odd cases of the collectors that read /proc/net and /sys/class/net; the usual ones are in the recorded trees.

const arpTable = `== proc/net/arp
IP address       HW type     Flags       HW address            Mask     Device
192.168.1.1      0x1         0x2         cc:aa:dd:ee:aa:bb     *        eth0
172.17.0.2       0x1         0x6         02:42:ac:11:00:02     *        br-7f
192.168.1.9      0x1         0x0         00:00:00:00:00:00     *        eth0
192.168.1.253    0x1         0xc         00:00:00:00:00:00     *        eth0
`

test('addresses that this machine answers for are no ARP entries, unless netlink is off', async () => {
  expect((await scrapeTree('arp', arpTable)).samples).toEqual(['node_arp_entries{device="br-7f"} 1', 'node_arp_entries{device="eth0"} 2'])
  const without = await scrapeTree('arp', arpTable, { flags: { 'collector.arp.netlink': false } })
  expect(without.samples).toEqual(['node_arp_entries{device="br-7f"} 1', 'node_arp_entries{device="eth0"} 3'])
})

test('ARP devices are filtered', async () => {
  const excluded = await scrapeTree('arp', arpTable, { flags: { 'collector.arp.device-exclude': '^br-' } })
  expect(excluded.samples).toEqual(['node_arp_entries{device="eth0"} 2'])
  const included = await scrapeTree('arp', arpTable, { flags: { 'collector.arp.device-include': '^br-' } })
  expect(included.samples).toEqual(['node_arp_entries{device="br-7f"} 1'])
})

test('an ARP table with half a line or none at all fails', async () => {
  expect((await scrapeTree('arp', `${arpTable}192.168.1.77     0x1         0x2         cc:aa\n`)).isSuccess).toBe(false)
  expect((await scrapeTree('arp', '/ proc/net\n')).isSuccess).toBe(false)
  expect(
    await scrapeTree('arp', '== proc/net/arp\nIP address       HW type     Flags       HW address            Mask     Device\n'),
  ).toMatchObject({
    isSuccess: true,
    samples: [],
  })
})

test('rows of softnet_stat are CPUs in their order where the kernel does not number them, and columns it lacks are 0', async () => {
  const row = (processed: string): string => `${processed} 00000001 00000002 00000000 00000000 00000000 00000000 00000000 00000003`
  const { families, isSuccess } = await scrapeTree('softnet', `== proc/net/softnet_stat\n${row('ffffffff')}\n${row('0000000a')}\n`)
  expect(isSuccess).toBe(true)
  expect(valueOf(families, 'node_softnet_processed_total', 'cpu', '0')).toBe(0xffffffff)
  expect(valueOf(families, 'node_softnet_processed_total', 'cpu', '1')).toBe(10)
  expect(valueOf(families, 'node_softnet_cpu_collision_total', 'cpu', '1')).toBe(3)
  expect(valueOf(families, 'node_softnet_received_rps_total', 'cpu', '1')).toBe(0)
})

test.each(['00000001 00000002', '0000000z 0 0 0 0 0 0 0 0'])('softnet_stat with the row %j fails', async (row) => {
  expect((await scrapeTree('softnet', `== proc/net/softnet_stat\n${row}\n`)).isSuccess).toBe(false)
})

const udpHeading = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops'

test('UDP queues of the versions that the kernel has are summed up', async () => {
  const row = (queues: string): string =>
    `    5: 0100007F:0035 00000000:0000 07 ${queues} 00:00000000 00000000   101        0 2741 2 0000000000000000 0`
  const both = await scrapeTree(
    'udp_queues',
    `== proc/net/udp\n${udpHeading}\n${row('00000010:FFFFFFFF')}\n${row('00000001:00000001')}\n== proc/net/udp6\n${udpHeading}\n`,
  )
  expect(both.samples).toEqual([
    'node_udp_queues{ip="v4",queue="rx"} 4.294967296e+09',
    'node_udp_queues{ip="v4",queue="tx"} 17',
    'node_udp_queues{ip="v6",queue="rx"} 0',
    'node_udp_queues{ip="v6",queue="tx"} 0',
  ])
  expect((await scrapeTree('udp_queues', `== proc/net/udp\n${udpHeading}\n`)).samples).toHaveLength(2)
  expect(await scrapeTree('udp_queues', '/ proc/net\n')).toMatchObject({ isSuccess: false, samples: [] })
  for (const broken of [row('00000010'), row('0000001x:0'), '    5: 0100007F:0035']) {
    expect((await scrapeTree('udp_queues', `== proc/net/udp\n${udpHeading}\n${broken}\n`)).isSuccess, broken).toBe(false)
  }
})

const device = (name: string, files: Readonly<Record<string, string>>): string =>
  Object.entries(files)
    .map(([file, text]) => `== sys/class/net/${name}/${file}\n${text}\n`)
    .join('')

test('a speed that is not known is shown as the kernel has it, or left out', async () => {
  const tree = device('eth0', { speed: '-1', operstate: 'down' }) + device('eth1', { speed: '2500', operstate: 'up', flags: '0x1' })
  const shown = await scrapeTree('netclass', tree)
  expect(valueOf(shown.families, 'node_network_speed_bytes', 'device', 'eth0')).toBe(-125_000)
  expect(valueOf(shown.families, 'node_network_speed_bytes', 'device', 'eth1')).toBe(312_500_000)
  expect(valueOf(shown.families, 'node_network_up', 'device', 'eth0')).toBe(0)
  expect(valueOf(shown.families, 'node_network_up', 'device', 'eth1')).toBe(1)
  const ignored = await scrapeTree('netclass', tree, { flags: { 'collector.netclass.ignore-invalid-speed': true } })
  expect(valueOf(ignored.families, 'node_network_speed_bytes', 'device', 'eth0')).toBeUndefined()
})

test('a device that is down is not asked for carrier, speed and duplex, nor the loopback device for the last two', async () => {
  const files = { carrier: '1', duplex: 'full', speed: '10' }
  const tree =
    device('down0', { ...files, flags: '0x1002' }) + device('lo', { ...files, flags: '0x9' }) + device('up0', { ...files, flags: '0x1003' })
  const { families } = await scrapeTree('netclass', tree)
  const devicesOf = (name: string): unknown[] => families.get(name)!.samples.map(({ labels }) => labels[1])
  expect(devicesOf('node_network_carrier')).toEqual(['lo', 'up0'])
  expect(devicesOf('node_network_speed_bytes')).toEqual(['up0'])
  expect(families.get('node_network_info')!.samples.map(({ labels }) => labels[labels.indexOf('duplex') + 1])).toEqual(['', '', 'full'])
})

test('devices are ignored, and plain files are no devices', async () => {
  const tree = `${device('eth0', { ifindex: '2' })}${device('veth1', { ifindex: '3' })}== sys/class/net/bonding_masters\nbond0\n`
  const { samples } = await scrapeTree('netclass', tree, { flags: { 'collector.netclass.ignored-devices': '^veth' } })
  expect(samples.filter((sample) => sample.startsWith('node_network_iface_id'))).toEqual(['node_network_iface_id{device="eth0"} 2'])
  expect(await scrapeTree('netclass', '/ sys/class\n')).toMatchObject({ isSuccess: false, samples: [] })
})

test('an alias that is no UTF-8 does not break the answer', async () => {
  const { families } = await scrapeTree('netclass', device('eth0', { ifalias: 'x', address: '02:00' }), {
    prepare: (directory) => writeFileSync(`${directory}/sys/class/net/eth0/ifalias`, Buffer.from([0xff, 0x41, 0x0a])),
  })
  expect(families.get('node_network_info')!.samples[0]!.labels).toEqual(
    expect.arrayContaining(['ifalias', '\ufffdA', 'adminstate', 'unknown']),
  )
})

test('a file that gives an error when it is read is left out', async () => {
  const { families, isSuccess } = await scrapeTree('netclass', device('eth0', { mtu: '1500', speed: '10' }), {
    prepare: (directory) => {
      rmSync(`${directory}/sys/class/net/eth0/speed`)
      mkdirSync(`${directory}/sys/class/net/eth0/speed`)
    },
  })
  expect(isSuccess).toBe(true)
  expect(families.has('node_network_speed_bytes')).toBe(false)
  expect(valueOf(families, 'node_network_mtu_bytes', 'device', 'eth0')).toBe(1500)
})

test('a slave that left its bond meanwhile counts as one that is down', async () => {
  const tree = `== sys/class/net/bonding_masters
bond1 bond0
== sys/class/net/bond0/bonding/slaves
eth0 eth1
== sys/class/net/bond0/lower_eth0/bonding_slave/mii_status
up
`
  const { samples } = await scrapeTree('bonding', tree)
  expect(samples).toEqual([
    'node_bonding_active{master="bond0"} 1',
    'node_bonding_active{master="bond1"} 0',
    'node_bonding_slaves{master="bond0"} 2',
    'node_bonding_slaves{master="bond1"} 0',
  ])
  expect((await scrapeTree('bonding', '/ sys/class/net\n')).isSuccess).toBe(false)
})

const ipvsStats = `== proc/net/ip_vs_stats
   Total Incoming Outgoing         Incoming         Outgoing
   Conns  Packets  Packets            Bytes            Bytes
       A       FF        0 FFFFFFFFFFFFFFFF                0

`
const ipvsTable = `== proc/net/ip_vs
IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port Forward Weight ActiveConn InActConn
TCP  C0A80016:0CEA wlc
  -> C0A85216:0CEA      Tunnel  100    248        2
  -> C0A85318:0CEA      Tunnel  100    2        1
`

test('IPVS backends that differ in no label shown are added up', async () => {
  const { samples } = await scrapeTree('ipvs', ipvsStats + ipvsTable, { flags: { 'collector.ipvs.backend-labels': 'local_address,proto' } })
  expect(samples.filter((sample) => sample.includes('backend'))).toEqual([
    'node_ipvs_backend_connections_active{local_address="192.168.0.22",proto="TCP"} 250',
    'node_ipvs_backend_connections_inactive{local_address="192.168.0.22",proto="TCP"} 3',
    'node_ipvs_backend_weight{local_address="192.168.0.22",proto="TCP"} 200',
  ])
  expect(samples).toContain('node_ipvs_incoming_bytes_total 1.8446744073709552e+19')
})

test('a label that IPVS does not have stops the start', () => {
  expect(() => createTestExporter({ 'collector.ipvs.backend-labels': 'proto,colour' })).toThrow(
    'cannot start collector.ipvs: cannot read flag --collector.ipvs.backend-labels: want some of local_address,local_mark,local_port,proto,remote_address,remote_port, got colour',
  )
})

test.each(['TCP  C0A800:0CEA wlc', 'TCP  [2001]:0CEA wlc', '  -> C0A85216:0CEA      Tunnel  100    x        2', '  -> C0A85216:0CEA'])(
  'IPVS with the line %j fails, but for its totals',
  async (line) => {
    const { families, isSuccess } = await scrapeTree('ipvs', `${ipvsStats}${ipvsTable}${line}\n`)
    expect(isSuccess).toBe(false)
    expect(valueOf(families, 'node_ipvs_connections_total')).toBe(10)
  },
)

test('IPVS that is cut short or not loaded has no samples', async () => {
  expect(await scrapeTree('ipvs', '== proc/net/ip_vs_stats\n   Total\n   Conns\n')).toMatchObject({ isSuccess: false, samples: [] })
  expect(await scrapeTree('ipvs', '/ proc/net\n')).toMatchObject({ isSuccess: false, samples: [] })
})

test('lines of the NFS client that the kernel lacks count as zeros', async () => {
  const { families } = await scrapeTree('nfs', '== proc/net/rpc/nfs\nnet 18628 1 18628 6\nrpc 4329785 0 4338291\nproc4 3 1 2 3\n')
  expect(valueOf(families, 'node_nfs_requests_total', 'method', 'Write', 'proto', '4')).toBe(3)
  expect(valueOf(families, 'node_nfs_requests_total', 'method', 'Commit', 'proto', '4')).toBe(0)
  expect(valueOf(families, 'node_nfs_requests_total', 'method', 'Write', 'proto', '3')).toBe(0)
  expect(valueOf(families, 'node_nfs_packets_total', 'protocol', 'udp')).toBe(1)
})

test('the newest operation of the NFS server stands on a line of its own', async () => {
  const { families } = await scrapeTree('nfsd', '== proc/net/rpc/nfsd\nproc4ops 3 9 8 7\nwdeleg_getattr 16\n')
  expect(valueOf(families, 'node_nfsd_requests_total', 'method', 'WdelegGetattr', 'proto', '4')).toBe(16)
})

test.each(['net 1 2 x', 'net', 'th'])('NFS statistics with the line %j fail', async (line) => {
  expect((await scrapeTree('nfs', `== proc/net/rpc/nfs\n${line}\n`)).isSuccess).toBe(false)
  expect((await scrapeTree('nfsd', `== proc/net/rpc/nfsd\n${line}\n`)).isSuccess).toBe(false)
})

test.each([
  ['a kernel without IPv4', '', '== proc/net/sockstat6\nTCP6: inuse 3\n', ['TCP6_inuse 3']],
  [
    'memory that was given back twice',
    '== proc/net/sockstat\nUDP: inuse 1 mem -1\n',
    '',
    ['UDP_inuse 1', 'UDP_mem -1', 'UDP_mem_bytes -4096'],
  ],
  ['a protocol whose name is no name', '== proc/net/sockstat\nA.B: inuse 1\n', '', ['A_B_inuse 1']],
])('sockstat shows %s', async (_, tree, tree6, expected) => {
  const { isSuccess, samples } = await scrapeTree('sockstat', tree + tree6)
  expect(isSuccess).toBe(true)
  expect(samples).toEqual(expected.map((sample) => `node_sockstat_${sample}`))
})
