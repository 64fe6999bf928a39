import { createSocket, type Socket } from 'node:dgram'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DnsDiscovery } from '@narthex/config/discovery-config'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { listNames } from './dns-names.ts'
import { createDnsDiscoverer } from './dns.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'
import { until } from './testkit/stub-server.ts'

const responseCodes = { ok: 0, serverFailure: 2, noName: 3 }

/** A DNS server on loopback UDP: gives each asked name IPv4 addresses or a response code. */
class StubNameServer {
  readonly asked: string[] = []
  answers: Record<string, readonly string[] | keyof typeof responseCodes> = {}
  readonly #socket: Socket = createSocket('udp4')

  async listen(): Promise<string> {
    this.#socket.on('message', (query, from) => this.#socket.send(this.#answer(query), from.port, from.address))
    await new Promise<void>((resolve) => this.#socket.bind(0, '127.0.0.1', resolve))
    return `127.0.0.1:${this.#socket.address().port}`
  }

  close(): void {
    this.#socket.close()
  }

  // ┌ header 12 B ┬ question: labels, 0, type 2 B, class 2 B ┬ answers ┐
  #answer(query: Buffer): Buffer {
    let end = 12
    const labels: string[] = []
    while (query[end] !== 0) {
      labels.push(query.toString('latin1', end + 1, end + 1 + query[end]!))
      end += 1 + query[end]!
    }
    const name = labels.join('.')
    this.asked.push(name)
    const answer = this.answers[name] ?? 'noName'
    const addresses = typeof answer === 'string' ? [] : answer
    const header = Buffer.from(query.subarray(0, 12))
    header.writeUInt16BE(0x8180 | (typeof answer === 'string' ? responseCodes[answer] : 0), 2)
    header.writeUInt16BE(addresses.length, 6)
    header.writeUInt32BE(0, 8)
    const records = addresses.map((address) => Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 9, 0, 4, ...address.split('.').map(Number)]))
    return Buffer.concat([header, query.subarray(12, end + 5), ...records])
  }
}

let recorded: RecordedDiscovery
let server: StubNameServer
let address: string
let directory: string

beforeEach(async () => {
  recorded = new RecordedDiscovery(new FakeClock())
  server = new StubNameServer()
  address = await server.listen()
  directory = mkdtempSync(join(tmpdir(), 'narthex-dns-'))
})
afterEach(() => {
  recorded.stop()
  server.close()
  rmSync(directory, { recursive: true })
})

function start(names: readonly string[], resolvConf = ''): void {
  const path = join(directory, 'resolv.conf')
  writeFileSync(path, resolvConf)
  const config: DnsDiscovery = { mechanism: 'dns', names, type: 'A', port: 9100, refreshIntervalMs: 30_000 }
  recorded.start(createDnsDiscoverer(config, recorded.context, { servers: [address], resolvConfPath: path }))
}

async function refreshed(): Promise<void> {
  const before = recorded.updates
  await recorded.clock.advance(30_000)
  await until(() => recorded.updates > before)
}

describe('dns_sd_configs', () => {
  test('a name without a server that can tell keeps its targets, one that does not exist loses them', async () => {
    server.answers = { 'a.test': ['10.0.0.1', '10.0.0.2'], 'b.test': ['10.0.0.3'] }
    start(['a.test', 'b.test'])
    await until(() => recorded.updates === 1)
    expect(recorded.addresses()).toEqual(['10.0.0.1:9100', '10.0.0.2:9100', '10.0.0.3:9100'])
    expect(recorded.targets()[0]).toEqual({ __address__: '10.0.0.1:9100', __meta_dns_name: 'a.test' })
    server.answers = { 'a.test': 'serverFailure', 'b.test': 'noName' }
    await refreshed()
    expect(recorded.addresses()).toEqual(['10.0.0.1:9100', '10.0.0.2:9100'])
    expect(recorded.lines).toHaveLength(1)
    expect(recorded.lines[0]).toContain('could not resolve')
    expect(recorded.metric('prometheus_sd_dns_lookups_total')).toBe(4)
    expect(recorded.metric('prometheus_sd_dns_lookup_failures_total')).toBe(1)
    server.answers = { 'a.test': 'ok', 'b.test': ['10.0.0.4'] }
    await refreshed()
    expect(recorded.addresses()).toEqual(['10.0.0.4:9100'])
  })

  test('tries the search list of resolv.conf and takes the first name that exists', async () => {
    server.answers = { 'web.two.test': ['10.0.0.1'], web: ['10.9.9.9'] }
    start(['web'], 'search one.test two.test\n')
    await until(() => recorded.updates === 1)
    expect(server.asked).toEqual(['web.one.test', 'web.two.test'])
    expect(recorded.targets()).toEqual([{ __address__: '10.0.0.1:9100', __meta_dns_name: 'web' }])
  })

  test('one domain that cannot tell makes a failure of names that do not exist in the others', async () => {
    server.answers = { 'web.one.test': 'serverFailure' }
    start(['web'], 'search one.test two.test\n')
    await until(() => recorded.updates === 1)
    expect(recorded.metric('prometheus_sd_dns_lookup_failures_total')).toBe(1)
  })

  test('a failure in one domain does not hide an answer of the next', async () => {
    server.answers = { 'web.one.test': 'serverFailure', 'web.two.test': ['10.0.0.1'] }
    start(['web'], 'search one.test two.test\n')
    await until(() => recorded.updates === 1)
    expect(recorded.addresses()).toEqual(['10.0.0.1:9100'])
  })
})

test.each([
  ['a', 1, ['a.x.', 'a.y.', 'a.']],
  ['a.b', 1, ['a.b.', 'a.b.x.', 'a.b.y.']],
  ['a.b', 2, ['a.b.x.', 'a.b.y.', 'a.b.']],
  ['a.b.', 5, ['a.b.']],
])('the name %s with ndots %i is asked as %j', (name, ndots, names) => {
  expect(listNames(name, ['x', 'y'], ndots)).toEqual(names)
})
