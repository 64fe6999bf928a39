import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import type { DnsDiscovery } from '@narthex/config/discovery-config'
import { startDnsmasq, type Service } from '@narthex/test/kit/services'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { createDnsDiscoverer } from './dns.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'
import { until } from './testkit/stub-server.ts'

let dnsmasq: Service
let recorded: RecordedDiscovery

// dnsmasq has no option for NS: a raw record, its data being the name ns1.shop.test as labels.
const nsRecord = `--dns-rr=shop.test,2,${Buffer.from('\x03ns1\x04shop\x04test\x00').toString('hex')}`

beforeAll(async () => {
  dnsmasq = await startDnsmasq(
    [
      '--local=/test/',
      '--srv-host=_metrics._tcp.shop.test,one.shop.test,9100,10,5',
      '--srv-host=_metrics._tcp.shop.test,two.shop.test,9200',
      '--mx-host=shop.test,mail.shop.test,10',
      nsRecord,
    ],
    '10.0.0.1 web.shop.test\n10.0.0.2 web.shop.test\nfd00::1 web.shop.test\n',
  )
})
afterAll(() => dnsmasq.stop())
afterEach(() => recorded.stop())

async function start(type: DnsDiscovery['type'], names: readonly string[], servers = [`127.0.0.1:${dnsmasq.port}`]): Promise<void> {
  recorded = new RecordedDiscovery(new FakeClock())
  const config: DnsDiscovery = { mechanism: 'dns', names, type, port: 80, refreshIntervalMs: 30_000 }
  recorded.start(createDnsDiscoverer(config, recorded.context, { servers, resolvConfPath: '/dev/null' }))
  await until(() => recorded.updates === 1)
}

describe('dns_sd_configs with dnsmasq', () => {
  test('finds SRV records with their ports', async () => {
    await start('SRV', ['_metrics._tcp.shop.test'])
    expect(recorded.targets()).toEqual([
      {
        __address__: 'one.shop.test:9100',
        __meta_dns_name: '_metrics._tcp.shop.test',
        __meta_dns_srv_record_target: 'one.shop.test.',
        __meta_dns_srv_record_port: '9100',
      },
      {
        __address__: 'two.shop.test:9200',
        __meta_dns_name: '_metrics._tcp.shop.test',
        __meta_dns_srv_record_target: 'two.shop.test.',
        __meta_dns_srv_record_port: '9200',
      },
    ])
  })

  test('finds MX and NS records with the port of the configuration', async () => {
    await start('MX', ['shop.test'])
    expect(recorded.targets()).toEqual([
      { __address__: 'mail.shop.test:80', __meta_dns_name: 'shop.test', __meta_dns_mx_record_target: 'mail.shop.test.' },
    ])
    recorded.stop()
    await start('NS', ['shop.test'])
    expect(recorded.targets()).toEqual([
      { __address__: 'ns1.shop.test:80', __meta_dns_name: 'shop.test', __meta_dns_ns_record_target: 'ns1.shop.test.' },
    ])
  })

  test('finds AAAA records', async () => {
    await start('AAAA', ['web.shop.test'])
    expect(recorded.targets()).toEqual([{ __address__: '[fd00::1]:80', __meta_dns_name: 'web.shop.test' }])
  })

  test('follows A records that change, and names that come and go', async () => {
    await start('A', ['web.shop.test', 'new.shop.test'])
    expect(recorded.addresses()).toEqual(['10.0.0.1:80', '10.0.0.2:80'])
    await change('10.0.0.2 web.shop.test\n10.0.0.3 new.shop.test\n', ['10.0.0.2:80', '10.0.0.3:80'])
    await change('10.0.0.3 new.shop.test\n', ['10.0.0.3:80'])
    expect(recorded.lines).toEqual([])
  })

  test('a server that does not answer for the name, or at all, costs no targets', async () => {
    await start('A', ['web.elsewhere.example'])
    expect(recorded.lines).toHaveLength(1)
    recorded.stop()
    await start('A', ['web.shop.test'], ['127.0.0.1:1'])
    expect(recorded.lines).toHaveLength(1)
    expect(recorded.metric('prometheus_sd_dns_lookup_failures_total')).toBe(1)
  })
})

/** dnsmasq reads its hosts a moment after the signal: refresh until it did. */
async function change(hosts: string, addresses: readonly string[]): Promise<void> {
  writeFileSync(join(dnsmasq.directory, 'hosts'), hosts)
  dnsmasq.process.child.kill('SIGHUP')
  for (let i = 0; i < 100 && recorded.addresses().join() !== addresses.join(); i++) {
    const before = recorded.updates
    await recorded.clock.advance(30_000)
    await until(() => recorded.updates > before)
  }
  expect(recorded.addresses()).toEqual(addresses)
}
