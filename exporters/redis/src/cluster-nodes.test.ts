import { expect, test } from 'vitest'
import { parseClusterNodes, slotOf } from './cluster-nodes.ts'

test('a slot is that of the part in braces, or of the whole key', () => {
  // From the cluster specification and from CLUSTER KEYSLOT of Redis 7.0.
  expect(slotOf(Buffer.from('123456789'))).toBe(0x31c3)
  expect(slotOf(Buffer.from('foo'))).toBe(12_182)
  expect(slotOf(Buffer.from('{foo}bar'))).toBe(12_182)
  expect(slotOf(Buffer.from('x{foo}{y}'))).toBe(12_182)
  expect(slotOf(Buffer.from('foo{}bar'))).not.toBe(slotOf(Buffer.from('bar')))
  expect(slotOf(Buffer.from(''))).toBe(0)
})

test('nodes that can be asked are read, with their slots', () => {
  const text = `07c37df 127.0.0.1:30004@31004,hostname4 slave e7d1eec 0 1426238317239 4 connected
67ed2db 10.0.0.2:30002@31002 master - 0 1426238316232 2 connected 5461-10922 16000 [93-<-292f8b3]
292f8b3 ::1:30003@31003 myself,master - 0 0 3 connected 0-5460
aaa :30009@31009 myself,master - 0 0 3 connected
bbb 10.0.0.9:30009@31009 master,fail - 0 0 3 disconnected
ccc 10.0.0.8:30009@31009 slave,fail? - 0 0 3 disconnected
ddd :0@0 noaddr,master - 0 0 3 disconnected

`
  expect(parseClusterNodes(text, 'asked')).toEqual([
    { address: '127.0.0.1:30004', named: 'hostname4:30004', isMaster: false, slots: [] },
    {
      address: '10.0.0.2:30002',
      named: '10.0.0.2:30002',
      isMaster: true,
      slots: [
        [5461, 10_922],
        [16_000, 16_000],
      ],
    },
    { address: '[::1]:30003', named: '[::1]:30003', isMaster: true, slots: [[0, 5460]] },
    { address: 'asked:30009', named: 'asked:30009', isMaster: true, slots: [] },
    { address: '10.0.0.8:30009', named: '10.0.0.8:30009', isMaster: false, slots: [] },
  ])
})

test('a node has a port up to 65535', () => {
  const text = ['65535', '65536', '3000001', '0'].map((port, index) => `n${index} 10.0.0.1:${port}@1 master - 0 0 1 connected`).join('\n')
  expect(parseClusterNodes(text, 'asked')).toEqual([{ address: '10.0.0.1:65535', named: '10.0.0.1:65535', isMaster: true, slots: [] }])
})
