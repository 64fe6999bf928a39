import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EtcdDiscovery } from '@narthex/config/etcd-discovery'
import { defaultHttpClientConfig } from '@narthex/config/http-client-config'
import { Secret } from '@narthex/config/secret'
import { FakeClock } from '../scrape/testkit/fake-clock.ts'
import { EtcdKeys, etcdKeysMax, etcdValueBytesMax } from './etcd-keys.ts'
import { readEtcdValue } from './etcd-values.ts'
import { createEtcdDiscoverer } from './etcd.ts'
import { LineSplitter } from './line-splitter.ts'
import { RecordedDiscovery } from './testkit/recorded-discovery.ts'
import { deletion, keyValue, StubEtcd } from './testkit/stub-etcd.ts'
import { until } from './testkit/stub-server.ts'

let recorded: RecordedDiscovery
let etcd: StubEtcd

beforeEach(async () => {
  recorded = new RecordedDiscovery(new FakeClock())
  etcd = new StubEtcd()
  await etcd.listen()
})
afterEach(async () => {
  recorded.stop()
  await etcd.close()
})

function start(changes: Partial<EtcdDiscovery> = {}): void {
  const config: EtcdDiscovery = {
    mechanism: 'etcd',
    endpoints: [`${etcd.url}/`],
    prefix: '/t/',
    username: '',
    refreshIntervalMs: 60_000,
    http: defaultHttpClientConfig,
    ...changes,
  }
  recorded.start(createEtcdDiscoverer(config, recorded.context))
}

const failures = (): number => recorded.metric('narthex_sd_etcd_failures_total')
const holds = (revision: number, ...kvs: unknown[]): void => {
  etcd.range = () => ({ body: { header: { revision: String(revision) }, kvs, count: String(kvs.length) } })
}
const events = (revision: number, ...list: unknown[]): unknown => ({ header: { revision: String(revision) }, events: list })
const addresses = (): string => recorded.addresses().join()
/** The server has the n-th watch and the client knows: only the refresh is still timed. */
const untilWatching = (count: number): Promise<void> => until(() => etcd.watches.length === count && recorded.clock.timerCount === 1)

describe('a watch', () => {
  test('begins behind what was read and goes on where a broken one was', async () => {
    holds(7, keyValue('/t/a', 'a:1', 5))
    start()
    await untilWatching(1)
    expect(addresses()).toBe('a:1')
    expect(etcd.watches[0]!.startRevision).toBe('8')
    // The header is ahead of the events: the watch is still catching up.
    etcd.watches[0]!.send(events(99, { kv: keyValue('/t/b', 'b:1', 9) }, { kv: keyValue('/t/c', 'c:1', 12) }))
    await until(() => addresses() === 'a:1,b:1,c:1')
    etcd.watches[0]!.response.destroy()
    await until(() => failures() === 1 && recorded.clock.timerCount === 1)
    await recorded.clock.advance(999)
    expect(etcd.watches).toHaveLength(1)
    await recorded.clock.advance(1)
    await untilWatching(2)
    expect(etcd.watches[1]!.startRevision).toBe('13')
    expect(etcd.ranges).toHaveLength(1)
    etcd.watches[1]!.send(events(14, deletion('/t/a', 14), { kv: keyValue('/t/b', 'x', 14) }, { kv: keyValue('/t/c', 'c:2', 14) }))
    await until(() => addresses() === 'b:1,c:2')
  })

  test('asks for a split revision again, and believes a progress report', async () => {
    start()
    await untilWatching(1)
    etcd.watches[0]!.send({ ...(events(5, { kv: keyValue('/t/a', 'a:1', 5) }) as object), fragment: true })
    await until(() => addresses() === 'a:1')
    etcd.watches[0]!.end()
    await until(() => failures() === 1 && recorded.clock.timerCount === 1)
    await recorded.clock.advance(1_000)
    await untilWatching(2)
    expect(etcd.watches[1]!.startRevision).toBe('5')
    etcd.watches[1]!.send(events(40))
    etcd.watches[1]!.end()
    await until(() => failures() === 2 && recorded.clock.timerCount === 1)
    await recorded.clock.advance(30_000)
    await untilWatching(3)
    expect(etcd.watches[2]!.startRevision).toBe('41')
  })

  test('a revision that was compacted away means reading all keys again, at once', async () => {
    holds(7, keyValue('/t/a', 'a:1', 5), keyValue('/t/b', 'b:1', 6))
    start()
    await untilWatching(1)
    await recorded.clock.advance(5_000)
    holds(30, keyValue('/t/b', 'b:2', 29))
    etcd.watches[0]!.send({ canceled: true, compact_revision: '25' })
    await untilWatching(2)
    expect(addresses()).toBe('b:2')
    expect(etcd.watches[1]!.startRevision).toBe('31')
    expect(failures()).toBe(0)
    // Again in the same moment: that would never end.
    etcd.watches[1]!.send({ canceled: true, compact_revision: '32' })
    await until(() => failures() === 1)
    await recorded.clock.advance(1_000)
    await untilWatching(3)
    expect(etcd.ranges).toHaveLength(3)
  })

  test('that nobody confirms is given up after ten seconds', async () => {
    etcd.onWatch = () => {}
    start()
    await until(() => etcd.watches.length === 1)
    await recorded.clock.advance(9_999)
    expect(failures()).toBe(0)
    await recorded.clock.advance(1)
    await until(() => failures() === 1)
    expect(recorded.lines[0]).toContain('no answer to a watch within 10000 ms')
  })

  test.each<[string, (response: { write(text: string): unknown }) => void, string]>([
    ['a refusal', (response) => response.write('{"result":{"canceled":true,"cancel_reason":"permission denied"}}\n'), 'permission denied'],
    ['an error', (response) => response.write('{"error":{"grpc_code":14,"message":"no leader"}}\n'), 'no leader'],
    ['no JSON', (response) => response.write('<html>\n'), 'want JSON'],
    ['an event without a key', (response) => response.write('{"result":{"events":[{"type":"DELETE"}]}}\n'), 'want an object with a key'],
    ['a bad revision', (response) => response.write('{"result":{"header":{"revision":"x"}}}\n'), 'cannot read a revision'],
  ])('that brings %s is a failure and costs no targets', async (_what, write, text) => {
    holds(7, keyValue('/t/a', 'a:1', 5))
    start()
    await untilWatching(1)
    write(etcd.watches[0]!.response)
    await until(() => failures() === 1)
    expect(recorded.lines[0]).toContain(text)
    expect(addresses()).toBe('a:1')
  })

  test('lasts until the refresh interval is over, then all keys are read again', async () => {
    holds(7, keyValue('/t/a', 'a:1', 5), keyValue('/t/b', 'b:1', 5))
    start()
    await untilWatching(1)
    holds(3, keyValue('/t/a', 'a:2', 2))
    await recorded.clock.advance(59_999)
    expect(etcd.ranges).toHaveLength(1)
    await recorded.clock.advance(1)
    await untilWatching(2)
    expect([addresses(), etcd.watches[1]!.startRevision, failures()]).toEqual(['a:2', '4', 0])
  })
})

describe('reading all keys', () => {
  test('goes page by page at one revision', async () => {
    const keys = Array.from({ length: 2500 }, (_, i) => keyValue(`/t/${String(i).padStart(4, '0')}`, `h${i}:1`, 5))
    etcd.range = ({ key, limit }) => {
      const from = keys.findIndex(
        (kv) => Buffer.compare(Buffer.from((kv as { key: string }).key, 'base64'), Buffer.from(key as string, 'base64')) >= 0,
      )
      const kvs = keys.slice(from, from + Number(limit))
      return { body: { header: { revision: String(40 + etcd.ranges.length) }, kvs, more: from + Number(limit) < keys.length } }
    }
    start()
    await untilWatching(1)
    expect(recorded.addresses()).toHaveLength(2500)
    expect(etcd.ranges.map(({ limit, revision }) => [limit, revision])).toEqual([
      ['1000', undefined],
      ['1000', '41'],
      ['1000', '41'],
    ])
    expect(etcd.watches[0]!.startRevision).toBe('42')
  })

  test('asks for fewer keys when their values are too long for one answer', async () => {
    const long = 'x'.repeat(17 * 2 ** 20)
    etcd.range = ({ limit }) => ({
      body: Number(limit) > 60 ? { padding: long } : { header: { revision: '2' }, kvs: [keyValue('/t/a', 'a:1', 2)] },
    })
    start()
    await untilWatching(1)
    expect(etcd.ranges.map(({ limit }) => limit)).toEqual(['1000', '250', '63', '16'])
  })

  test('goes to the next endpoint at once, and pauses when all have failed, longer each time', async () => {
    etcd.range = () => ({ status: 503, body: { error: 'etcdserver: no leader', code: 14, message: 'etcdserver: no leader' } })
    const other = new StubEtcd()
    await other.listen()
    try {
      other.range = etcd.range
      start({ endpoints: [etcd.url, other.url] })
      await until(() => failures() === 2)
      expect([etcd.ranges.length, other.ranges.length]).toEqual([1, 1])
      await recorded.clock.advance(1_000)
      await until(() => failures() === 4 && recorded.clock.timerCount === 1)
      await recorded.clock.advance(1_999)
      expect(failures()).toBe(4)
      await recorded.clock.advance(1)
      await until(() => failures() === 6)
      expect(recorded.lines[0]).toContain('etcdserver: no leader')
      expect(recorded.metric('prometheus_sd_refresh_failures_total{mechanism="etcd",config="j"}')).toBe(6)
    } finally {
      recorded.stop()
      await other.close()
    }
  })

  test('asks for a token once, and for another when it is refused', async () => {
    let good = 'tok1'
    etcd.authenticate = () => ({ body: { token: good } })
    etcd.range = (_request, { authorization }) =>
      authorization === good
        ? { body: { header: { revision: '2' }, kvs: [keyValue('/t/a', 'a:1', 2)] } }
        : { status: 401, body: { error: 'etcdserver: invalid auth token', code: 16 } }
    start({ username: 'u', password: new Secret('p') })
    await untilWatching(1)
    expect(etcd.watches[0]!.headers.authorization).toBe('tok1')
    good = 'tok2'
    await recorded.clock.advance(60_000)
    await untilWatching(2)
    expect(etcd.watches[1]!.headers.authorization).toBe('tok2')
    expect([etcd.ranges.length, failures()]).toEqual([3, 0])
  })

  test('tells a bad value once, not with every refresh', async () => {
    holds(7, keyValue('/t/a', '{"targets": 1}', 5))
    start()
    await untilWatching(1)
    await recorded.clock.advance(60_000)
    await untilWatching(2)
    expect(recorded.lines).toHaveLength(1)
    expect(recorded.lines[0]).toContain('want a list of targets, got number')
  })

  test('stopped, it leaves nothing behind', async () => {
    start()
    await untilWatching(1)
    recorded.stop()
    await until(() => etcd.watches[0]!.response.destroyed)
    expect([recorded.clock.timerCount, recorded.lines]).toEqual([0, []])
  })
})

describe('a value', () => {
  const read = (text: string): unknown => readEtcdValue(Buffer.from(text), 'k', { l: 'v' })

  test.each([
    ['a.test:9100', ['a.test:9100']],
    [' 10.0.0.1:80\n', ['10.0.0.1:80']],
    ['[fd00::1]:80', ['[fd00::1]:80']],
    ['{"targets":["a:1","b:1"]}', ['a:1', 'b:1']],
    ['[{"targets":["a:1"]},{"targets":["b:1"]}]', ['a:1', 'b:1']],
    ['[]', []],
  ])('%j gives %j', (text, expected) => {
    const groups = read(text) as { source: string; targets: { __address__: string }[] }[]
    expect(groups.flatMap(({ targets }) => targets.map(({ __address__ }) => __address__))).toEqual(expected)
    expect(groups.map(({ source }) => source)).toEqual(groups.map((_, i) => `k:${i}`))
  })

  test.each([
    ['', 'want JSON or host:port, got ""'],
    ['a.test', 'want JSON or host:port'],
    ['http://a:1', 'want JSON or host:port'],
    ['a:123456', 'want JSON or host:port'],
    ['{', 'JSON'],
    ['[fd00::1]', 'JSON'],
    ['["a:1"]', 'nil target group item found (index 0)'],
    ['{"target":[]}', 'field target not found'],
  ])('%j is refused', (text, message) => {
    expect(() => read(text)).toThrow(message)
  })
})

describe('bounds', () => {
  const entry = (key: string, bytes: number) => ({ key: Buffer.from(key), value: Buffer.alloc(bytes, 'a:1'), modRevision: 1n })
  const reading = () => new EtcdKeys('/', () => {}).startReading()

  test('the most keys are taken, one more is refused', () => {
    const keys = Array.from({ length: etcdKeysMax }, (_, i) => entry(`/${i}`, 3))
    expect(() => reading().take(keys)).not.toThrow()
    expect(() => reading().take([...keys, entry('/more', 3)])).toThrow('want at most 100000 keys')
  })

  test('the most bytes are taken, one more is refused', () => {
    const half = etcdValueBytesMax / 2
    expect(() => reading().take([entry('/a', half), entry('/b', half)])).not.toThrow()
    expect(() => reading().take([entry('/a', half), entry('/b', half + 1)])).toThrow('want at most 67108864 bytes of values')
  })

  test('a line of the most bytes is taken whole from any chunks, a longer one is refused', () => {
    const lines: string[] = []
    const splitter = new LineSplitter(4, (line) => void lines.push(Buffer.from(line).toString()))
    for (const chunk of ['ab', 'cd', '\n\ne', '\nfg\nh']) splitter.push(Buffer.from(chunk))
    expect(lines).toEqual(['abcd', 'e', 'fg'])
    expect(() => splitter.push(Buffer.from('ijkl'))).toThrow('want at most 4 bytes')
  })
})
