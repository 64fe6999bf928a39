import { findViolations } from '@narthex/exporter-kit/conformance'
import { readInventory } from '@narthex/exporter-kit/inventory'
import type { FlagValues } from '@narthex/exporter-kit/flag-spec'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { answerInfo, array, bulk, startFakeRedis, unknownCommand, type FakeAnswer, type FakeRedis } from './fake-redis.ts'
import { redisExporterEnvironment, redisExporterFlags } from './flags.ts'
import { requestsMax } from './redis-exporter.ts'
import { refusalMs, RefusalMemory } from './refusal-memory.ts'
import { stepNames } from './scrape-target.ts'
import { createMemoryLogger, createTestExporter, parseText, scrapeOnce, scrapeTargetOf, valueOf } from './test-exporter.ts'

const info = '# Server\nredis_version:7.0.0\nuptime_in_seconds:5\n# Replication\nrole:master\n# Keyspace\ndb0:keys=1,expires=0,avg_ttl=0\n'

const servers: FakeRedis[] = []
afterEach(async () => {
  vi.useRealTimers()
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function start(answer: FakeAnswer): Promise<FakeRedis> {
  const server = await startFakeRedis(answer)
  servers.push(server)
  return server
}

test('the exporter conforms and has only families, types and labels of the original', async () => {
  const inventory = readInventory('redis')
  expect(inventory, 'want parity/redis.tsv in the shared folder (NARTHEX_SHARED)').toBeDefined()
  const { url } = await start(
    answerInfo(info, ([first, second]) => {
      if (first === 'SLOWLOG')
        return second === 'LEN' ? ':1\r\n' : array(array(':7\r\n', ':1700000000\r\n', ':1500\r\n', array(bulk('GET'))))
      if (first === 'CONFIG') return array(bulk('maxclients'), bulk('100'), bulk('requirepass'), bulk('hidden'))
      if (first === 'LATENCY' && second === 'LATEST') return array(array(bulk('fork'), ':1700000000\r\n', ':12\r\n', ':20\r\n'))
      return undefined
    }),
  )
  const violations = await findViolations(createTestExporter({ 'redis.addr': url, 'include-config-metrics': true }), {
    collector: 'slowlog',
    inventory: inventory!.map((row) => ({ ...row, isDefault: true })),
  })
  expect(violations).toEqual([])
})

test('settings that hold secrets are left out unless that is switched off', async () => {
  const { url } = await start(answerInfo(info, ([first]) => (first === 'CONFIG' ? array(bulk('requirepass'), bulk('hidden')) : undefined)))
  expect(await scrapeOnce({ 'redis.addr': url, 'include-config-metrics': true })).not.toContain('hidden')
  expect(await scrapeOnce({ 'redis.addr': url, 'include-config-metrics': true, 'redact-config-metrics': false })).toContain('hidden')
})

test('all that a default scrape asks for goes out before the first answer is read', async () => {
  const { commands, url } = await start(answerInfo(info))
  await scrapeOnce({ 'redis.addr': url })
  expect(commands).toEqual([
    'CLIENT SETNAME redis_exporter',
    'INFO ALL',
    'CONFIG GET *',
    'LATENCY LATEST',
    'LATENCY HISTOGRAM',
    'SLOWLOG LEN',
    'SLOWLOG GET 1',
  ])
})

test('a command that the server does not know is warned of once and not sent again', async () => {
  const { commands, url } = await start(answerInfo(info))
  const { lines, log } = createMemoryLogger()
  const exporter = createTestExporter({ 'redis.addr': url, 'set-client-name': false }, { log })
  await exporter.handleMetrics()
  commands.length = 0
  const { body } = await exporter.handleMetrics()
  expect(commands).toEqual(['INFO ALL'])
  expect(lines.filter((line) => line.includes('CONFIG GET'))).toHaveLength(1)
  expect(lines.every((line) => line.includes('level=WARN'))).toBe(true)
  const families = parseText(Buffer.from(body).toString())
  expect(valueOf(families, 'redis_up')).toBe(1)
  // Without CONFIG the server has as many databases as by default.
  expect(families.get('redis_db_keys')!.samples).toHaveLength(16)
})

test('a refused command is asked for again after ten minutes', () => {
  let now = 0
  const memory = new RefusalMemory(() => now)
  expect(memory.remember('a', 'X')).toBe(true)
  expect(memory.remember('a', 'X')).toBe(false)
  expect(memory.isRefused('b', 'X')).toBe(false)
  now = refusalMs - 1
  expect(memory.isRefused('a', 'X')).toBe(true)
  now = refusalMs
  expect(memory.isRefused('a', 'X')).toBe(false)
  expect(memory.remember('a', 'X')).toBe(false)
  expect(memory.isRefused('a', 'X')).toBe(true)
})

test('a refusal that goes on is told once, and again when it had been over', () => {
  let now = 0
  const memory = new RefusalMemory(() => now)
  expect(memory.remember('a', 'X')).toBe(true)
  for (now = refusalMs; now < 5 * refusalMs; now += refusalMs + 15_000) expect(memory.remember('a', 'X')).toBe(false)
  now += 2 * refusalMs
  expect(memory.remember('a', 'X')).toBe(true)
})

test('a server that knows INFO but not INFO ALL is asked for INFO', async () => {
  const { commands, url } = await start(([first, second]) => (first === 'INFO' && second === undefined ? bulk(info) : unknownCommand))
  const families = parseText(await scrapeOnce({ 'redis.addr': url }))
  expect(valueOf(families, 'redis_uptime_in_seconds')).toBe(5)
  expect(commands.at(-1)).toBe('INFO')
})

test('a server that answers nothing costs one deadline, and no connection is left', async () => {
  const asked = Promise.withResolvers<void>()
  const server = await start(() => {
    asked.resolve()
    return undefined
  })
  const exporter = createTestExporter({ 'redis.addr': server.url, 'redis-only-metrics': true })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
  const answer = exporter.handleMetrics({ headers: { 'x-prometheus-scrape-timeout-seconds': '0.5' } })
  await asked.promise
  await vi.advanceTimersByTimeAsync(490)
  const { body } = await answer
  vi.useRealTimers()
  const families = parseText(Buffer.from(body).toString())
  expect(valueOf(families, 'redis_up')).toBe(0)
  expect(valueOf(families, 'redis_exporter_last_scrape_error', 'err', 'context deadline exceeded')).toBe(1)
  await expect.poll(() => server.connections()).toBe(0)
})

test('silence longer than the connection timeout ends the scrape', async () => {
  const { url } = await start(() => undefined)
  const text = await scrapeOnce({ 'redis.addr': url, 'connection-timeout': '50ms' })
  expect(text).toContain(`redis_exporter_last_scrape_error{err="read ${url}: i/o timeout"} 1\n`)
})

test('what was read before a connection broke is kept, and the server is up', async () => {
  const { url } = await start(
    answerInfo(info, ([first], socket) => {
      if (first === 'SELECT') return '+OK\r\n'
      if (first === 'TYPE') socket.destroy()
      return undefined
    }),
  )
  const families = parseText(await scrapeOnce({ 'redis.addr': url, 'check-single-keys': 'a' }))
  expect(valueOf(families, 'redis_up')).toBe(1)
  expect(families.get('redis_exporter_last_scrape_error')!.samples[0]!.value).toBe(1)
  expect(valueOf(families, 'redis_uptime_in_seconds')).toBe(5)
})

test.each([
  ['bytes that are no RESP', 'HTTP/1.1 400 Bad Request\r\n', 'cannot read reply: want one of + - : $ *, got H'],
  [
    'a reply without a command',
    '+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n+OK\r\n',
    'cannot read reply: want one reply per command, got more',
  ],
])('%s end the scrape with one line', async (_, bytes, error) => {
  const { url } = await start(() => bytes)
  const text = await scrapeOnce({ 'redis.addr': url })
  expect(text).toContain(`redis_exporter_last_scrape_error{err=${JSON.stringify(error)}} 1\n`)
  expect(text).toContain('redis_up 0\n')
})

test('a refused login is told in the words of the server, and passwords are in no line', async () => {
  const { commands, url } = await start(([first]) => (first === 'AUTH' ? '-WRONGPASS invalid\r\n' : unknownCommand))
  const { lines, log } = createMemoryLogger()
  const text = await scrapeOnce({ 'redis.addr': url.replace('://', '://user:hidden@') }, { log })
  expect(commands).toEqual(['AUTH user hidden'])
  expect(text).toContain('redis_exporter_last_scrape_error{err="WRONGPASS invalid"} 1\n')
  expect(text + lines.join('')).not.toContain('hidden')
})

test('the password file is used by address, beats the flag and can be read again', async () => {
  const { commands, url } = await start(answerInfo(info, ([first]) => (first === 'AUTH' ? '+OK\r\n' : undefined)))
  const directory = mkdtempSync(join(tmpdir(), 'narthex-redis-exporter-'))
  const path = join(directory, 'passwords.json')
  writeFileSync(path, JSON.stringify({ [url]: 'one', [url.replace('://', '://u@')]: 'two' }))
  const exporter = createTestExporter({ 'redis.addr': url, 'redis.password': 'flag', 'redis.password-file': path })
  const logins = (): string[] => commands.splice(0).filter((command) => command.startsWith('AUTH'))
  await exporter.handleMetrics()
  expect(logins()).toEqual(['AUTH one'])
  // As in the original, a password in the target does not count.
  await scrapeTargetOf(exporter, `target=${url.replace('://', '://u:typed@')}`)
  expect(logins()).toEqual(['AUTH u two'])
  writeFileSync(path, JSON.stringify({ [url]: 'three' }))
  exporter.reload()
  await exporter.handleMetrics()
  expect(logins()).toEqual(['AUTH three'])
  writeFileSync(path, '{')
  expect(() => exporter.reload()).toThrow('cannot read password file')
  await exporter.handleMetrics()
  expect(logins()).toEqual(['AUTH three'])
  rmSync(directory, { recursive: true })
})

test('a server that stays down is one line in the log, and one more when it answers again', async () => {
  let isDown = true
  const { url } = await start(answerInfo(info, ([first]) => (first !== 'AUTH' ? undefined : isDown ? '-WRONGPASS invalid\r\n' : '+OK\r\n')))
  const { lines, log } = createMemoryLogger()
  const exporter = createTestExporter({ 'redis.addr': url, 'redis.password': 'x', 'set-client-name': false }, { log })
  const query = new URLSearchParams('collect[]=info')
  for (let i = 0; i < 3; i++) {
    const { status, body } = await exporter.handleMetrics({ query })
    expect(status).toBe(200)
    expect(Buffer.from(body).toString()).toContain('redis_up 0\n')
  }
  expect(lines.filter((line) => line.includes('WRONGPASS invalid'))).toHaveLength(1)
  isDown = false
  for (let i = 0; i < 2; i++) await exporter.handleMetrics({ query })
  expect(lines.filter((line) => line.includes('redis answers again'))).toHaveLength(1)
  expect(lines).toHaveLength(2)
  await exporter.close()
})

test('/scrape asks the target of the query and counts the requests that it cannot read', async () => {
  const { url } = await start(answerInfo(info))
  const exporter = createTestExporter({ 'redis.addr': '' })
  expect(await scrapeTargetOf(exporter, '')).toEqual({ status: 400, text: "'target' parameter must be specified\n" })
  expect((await scrapeTargetOf(exporter, 'target=http://h')).text).toContain(
    "Invalid 'target' parameter, parse err: cannot parse redis address",
  )
  expect((await scrapeTargetOf(exporter, `target=${url}&check-keys=dbx=y`)).status).toBe(400)
  const { status, text } = await scrapeTargetOf(exporter, `target=${url}`)
  expect(status).toBe(200)
  expect(text).toContain('redis_up 1\n')
  expect(text).toContain('redis_exporter_scrapes_total 1\n')
  expect(text).not.toMatch(/^process_/m)
  // Once, not with each target.
  expect(text).toContain('redis_target_scrape_request_errors_total 0\n')
  expect(Buffer.from((await exporter.handleMetrics()).body).toString()).toContain('redis_target_scrape_request_errors_total 3\n')
})

test('of a server that wants a login there is one line, not one for each command', async () => {
  const { url } = await start(() => '-NOAUTH Authentication required.\r\n')
  const { lines, log } = createMemoryLogger()
  const text = await scrapeOnce({ 'redis.addr': url }, { log })
  expect(text).toContain('redis_exporter_last_scrape_error{err="NOAUTH Authentication required."} 1\n')
  expect(lines).toEqual([expect.stringContaining('msg="cannot scrape redis"')])
})

test('with redis-only-metrics the exporter says neither of its process nor of its build', async () => {
  const { url } = await start(answerInfo(info))
  const exporter = createTestExporter({ 'redis.addr': url, 'redis-only-metrics': true })
  for (const text of [
    Buffer.from((await exporter.handleMetrics()).body).toString(),
    (await scrapeTargetOf(exporter, `target=${url}`)).text,
  ]) {
    expect(text).toContain('redis_up 1\n')
    expect(text).not.toMatch(/^(process_|redis_exporter_build_info)/m)
  }
})

test('without an address /metrics shows the exporter alone', async () => {
  const text = await scrapeOnce({ 'redis.addr': '' })
  expect(text).not.toContain('redis_up')
  expect(text).toContain('redis_exporter_scrapes_total 0\n')
})

test('the namespace stands before every name but those of the process', async () => {
  const { url } = await start(answerInfo(info))
  const exporter = createTestExporter({ 'redis.addr': url, namespace: 'cache' })
  const names = [...parseText(Buffer.from((await exporter.handleMetrics()).body).toString()).keys()]
  expect(names.filter((name) => !/^(cache|process)_/.test(name))).toEqual([])
  expect(names).toContain('cache_exporter_build_info')
})

test('one scrape more than the limit at a time is refused with 503', async () => {
  const { url } = await start(() => undefined)
  const exporter = createTestExporter({ 'redis.addr': url })
  const running = Array.from({ length: requestsMax }, () => exporter.handleMetrics())
  expect((await exporter.handleMetrics()).status).toBe(503)
  await exporter.close()
  expect((await Promise.all(running)).every(({ status }) => status === 200)).toBe(true)
})

test('a connection is kept for the next scrape, and one that the server has closed is opened anew in the same scrape', async () => {
  let isClosing = false
  const server = await start(
    answerInfo(info, ([first], socket) => {
      if (first !== 'INFO' || !isClosing) return undefined
      isClosing = false
      socket.destroy()
      return ''
    }),
  )
  const exporter = createTestExporter({ 'redis.addr': server.url, 'redis-only-metrics': true })
  const scrape = async (): Promise<string> => Buffer.from((await exporter.handleMetrics()).body).toString()
  await scrape()
  expect(await scrape()).toContain('redis_exporter_last_scrape_connect_time_seconds 0\n')
  expect(server.commands.filter((command) => command.startsWith('CLIENT SETNAME'))).toHaveLength(1)
  isClosing = true
  expect(await scrape()).toContain('redis_up 1\n')
  expect(server.commands.filter((command) => command.startsWith('CLIENT SETNAME'))).toHaveLength(2)
  await exporter.close()
  await expect.poll(() => server.connections()).toBe(0)
})

test('a connection that had other databases selected is not kept', async () => {
  const server = await start(answerInfo(info, ([first]) => (first === 'SELECT' ? '+OK\r\n' : undefined)))
  const exporter = createTestExporter({ 'redis.addr': server.url, 'check-single-keys': 'db3=a' })
  await exporter.handleMetrics()
  await expect.poll(() => server.connections()).toBe(0)
})

test('what came before a connection broke is written whole', async () => {
  const { url } = await start(
    answerInfo(info, ([first], socket) => {
      if (first === 'CONFIG') setImmediate(() => socket.destroy())
      return first === 'INFO' || first === 'CLIENT' ? undefined : ''
    }),
  )
  const families = parseText(await scrapeOnce({ 'redis.addr': url }))
  expect(valueOf(families, 'redis_up')).toBe(1)
  expect(valueOf(families, 'redis_uptime_in_seconds')).toBe(5)
  expect(families.get('redis_exporter_last_scrape_error')!.samples[0]!.value).toBe(1)
})

test('scripts may be told to write nothing', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-redis-exporter-'))
  const path = join(directory, 'a.lua')
  writeFileSync(path, 'return {}')
  const { commands, url } = await start(answerInfo(info, ([first]) => (first === 'EVAL_RO' ? '*0\r\n' : undefined)))
  expect(await scrapeOnce({ 'redis.addr': url, script: path, 'lua-script-read-only': true })).toContain('redis_script_result')
  expect(commands).toContain('EVAL_RO return {} 0')
  rmSync(directory, { recursive: true })
})

test('nodes of a cluster are told by host name where that is wanted', async () => {
  const nodes =
    'a 10.0.0.1:7000@17000,one.test,shard-id=x myself,master - 0 0 1 connected 0-5\nb 10.0.0.2:7000@17000,,shard-id=y slave a 0 0 1 connected\n'
  const { url } = await start(([first]) => (first === 'CLUSTER' ? bulk(nodes) : unknownCommand))
  const discover = async (flags: FlagValues): Promise<unknown> => {
    const { body } = await createTestExporter({ 'redis.addr': url, 'is-cluster': true, ...flags }).discoverClusterNodes()
    return JSON.parse(Buffer.from(body).toString())
  }
  expect(await discover({})).toEqual([{ targets: ['redis://10.0.0.1:7000', 'redis://10.0.0.2:7000'], labels: {} }])
  expect(await discover({ 'cluster-discover-hostnames': true })).toEqual([
    { targets: ['redis://one.test:7000', 'redis://10.0.0.2:7000'], labels: {} },
  ])
})

test('Valkey is asked for its three command logs', async () => {
  const { url } = await start(
    answerInfo(info + '# Server\nvalkey_version:8.1.0\n', ([first, second, third]) => {
      if (first === 'COMMANDLOG') return { slow: ':1\r\n', 'large-request': ':2\r\n', 'large-reply': ':3\r\n' }[third ?? '']
      if (first === 'CONFIG' && third === 'commandlog-*') return array(bulk('commandlog-reply-larger-than'), bulk('1048576'))
      return first === 'CONFIG' && second === 'GET' ? array() : undefined
    }),
  )
  const text = await scrapeOnce({ 'redis.addr': url })
  expect(text.match(/^redis_commandlog.*$/gm)).toEqual([
    'redis_commandlog_large_reply_length 3',
    'redis_commandlog_large_request_length 2',
    'redis_commandlog_reply_larger_than 1.048576e+06',
    'redis_commandlog_slow_length 1',
  ])
})

test('search indexes whose names match are shown in bytes', async () => {
  const { commands, url } = await start(
    answerInfo(info, ([first]) => {
      if (first === 'FT._LIST') return array(bulk('idx:a'), bulk('other'))
      return first === 'FT.INFO' ? array('+num_docs\r\n', bulk('3'), '+inverted_sz_mb\r\n', bulk('0.5'), '+fields\r\n', array()) : undefined
    }),
  )
  const text = await scrapeOnce({ 'redis.addr': url, 'include-search-indexes-metrics': true, 'check-search-indexes': '^idx' })
  expect(text.match(/^redis_search_index.*$/gm)).toEqual([
    'redis_search_index_inverted_size_bytes{index_name="idx:a"} 524288',
    'redis_search_index_num_docs{index_name="idx:a"} 3',
  ])
  expect(commands.filter((command) => command.startsWith('FT.INFO'))).toEqual(['FT.INFO idx:a'])
})

test('Tile38 is asked for its state, and a server that is none costs one warning', async () => {
  const tile = await start(answerInfo(info, ([first]) => (first === 'SERVER' ? array(bulk('tile38_num_points'), bulk('7')) : undefined)))
  expect(await scrapeOnce({ 'redis.addr': tile.url, 'is-tile38': true })).toContain('redis_tile38_num_points_total 7\n')
  const { url } = await start(answerInfo(info))
  const { lines, log } = createMemoryLogger()
  const exporter = createTestExporter({ 'redis.addr': url, 'is-tile38': true }, { log })
  await exporter.handleMetrics()
  await exporter.handleMetrics()
  expect(lines.filter((line) => line.includes('Tile38'))).toHaveLength(1)
})

test('a sentinel is asked for the peers, replicas and quorum of each master', async () => {
  const fields = (pairs: Readonly<Record<string, string>>): string => array(...Object.entries(pairs).flat().map(bulk))
  const { url } = await start(
    answerInfo('# Server\nredis_mode:sentinel\n# Sentinel\nsentinel_masters:1\n', ([, second]) => {
      if (second === 'MASTERS') return array(fields({ name: 'm', ip: '10.0.0.1', port: '6379', quorum: '2', 'last-ok-ping-reply': '1500' }))
      if (second === 'SENTINELS') {
        const peer = { name: 'p', ip: '10.0.0.2', port: '26379', runid: 'r' }
        return array(fields({ ...peer, flags: 'sentinel' }), fields({ ...peer, runid: 'q', flags: 's_down,sentinel' }))
      }
      if (second === 'SLAVES') return array(fields({ flags: 'slave' }), fields({ flags: 'o_down,slave' }))
      if (second === 'CKQUORUM') return '-NOQUORUM 1 usable Sentinels\r\n'
      return second === 'CONFIG' ? fields({ 'resolve-hostnames': 'no', 'announce-port': '0', 'sentinel-pass': 'hidden' }) : undefined
    }),
  )
  expect(await scrapeOnce({ 'redis.addr': url })).not.toContain('redis_sentinel_peer_info')
  const text = await scrapeOnce({ 'redis.addr': url, 'include-sentinel-peer-info': true })
  const master = 'master_address="10.0.0.1:6379",master_name="m"'
  expect(text.match(/^redis_sentinel.*$/gm)).toEqual([
    'redis_sentinel_config_key_value{key="announce-port",value="0"} 1',
    'redis_sentinel_config_key_value{key="resolve-hostnames",value="no"} 1',
    'redis_sentinel_config_value{key="announce-port"} 0',
    'redis_sentinel_master_ckquorum_status{master_name="m",message="NOQUORUM 1 usable Sentinels"} 0',
    `redis_sentinel_master_last_ok_ping_reply_seconds{${master}} 1.5`,
    `redis_sentinel_master_ok_sentinels{${master}} 2`,
    `redis_sentinel_master_ok_slaves{${master}} 1`,
    `redis_sentinel_master_setting_ckquorum{${master}} 2`,
    'redis_sentinel_masters 1',
    `redis_sentinel_peer_info{flags="s_down,sentinel",ip="10.0.0.2",${master},name="p",port="26379",runid="q"} 1`,
    `redis_sentinel_peer_info{flags="sentinel",ip="10.0.0.2",${master},name="p",port="26379",runid="r"} 1`,
  ])
})

test('keys of masters can be left alone, and the role can be a label', async () => {
  const answer: FakeAnswer = ([first]) =>
    first === 'SELECT' ? '+OK\r\n' : first === 'TYPE' ? '+list\r\n' : first === 'LLEN' ? ':3\r\n' : undefined
  const { commands, url } = await start(answerInfo(info, answer))
  const flags = { 'redis.addr': url, 'check-single-keys': 'a' }
  expect(await scrapeOnce({ ...flags, 'append-instance-role-label': true })).toContain(
    'redis_key_size{db="db0",instance_role="master",key="a"} 3\n',
  )
  commands.length = 0
  expect(await scrapeOnce({ ...flags, 'skip-checkkeys-for-role-master': true })).not.toContain('redis_key_size')
  expect(commands.some((command) => command.startsWith('TYPE'))).toBe(false)
})

test.each([
  [{ 'redis.addr': 'redis://u:hidden@h:x' }, 'cannot use flag --redis.addr redis://u:xxxxx@h:x: cannot parse redis address'],
  [{ namespace: '1' }, 'cannot use flag --namespace: want the beginning of a metric name, got "1"'],
  [{ 'check-keys': 'a=b=c' }, 'cannot parse check-keys: want key or dbN=key, got "a=b=c"'],
  [{ 'check-keys-batch-size': 0 }, 'cannot use flag --check-keys-batch-size: want a whole number from 1 on, got 0'],
  [{ 'connection-timeout': 0 }, 'cannot use flag --connection-timeout: want more than 0, got 0 ms'],
  [{ 'tls-client-cert-file': 'x' }, 'want both or none, got one'],
  [{ script: '/no/such/file' }, 'cannot read the file of --script: ENOENT'],
  [{ 'redis.password-file': '/no/such/file' }, 'cannot read password file /no/such/file: ENOENT'],
])('%j stops the start with one line', (flags, reason) => {
  expect(() => createTestExporter(flags)).toThrow(reason)
})

test('flags and variables are named once, and every step has a name', () => {
  const names = redisExporterFlags.map(({ name }) => name)
  const variables = [...redisExporterEnvironment.values()]
  for (const list of [names, variables]) expect(list.filter((name, index) => list.indexOf(name) !== index)).toEqual([])
  expect(createTestExporter({}).collectorNames.every((name) => stepNames.includes(name))).toBe(true)
})
