import { findViolations } from '@narthex/exporter-kit/conformance'
import { readInventory } from '@narthex/exporter-kit/inventory'
import { findPeerDifferences, isBetween, type PeerExceptions } from '@narthex/exporter-kit/peer-differences'
import { findProgram } from '@narthex/test/kit/packages'
import { findFreePort, makeTemporaryDirectory, startProcess, waitFor, type RunningProcess } from '@narthex/test/kit/process'
import { startRedis, startRedisExporter, type Service } from '@narthex/test/kit/services'
import { spawnSync } from 'node:child_process'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseRedisAddress } from './redis-address.ts'
import { RedisClient } from './redis-client.ts'
import { RespError, type RespValue } from './resp-reader.ts'
import { createMemoryLogger, createTestExporter, parseText, scrapeOnce, scrapeTargetOf, valueOf } from './test-exporter.ts'

// Debian's redis_exporter 1.45 beside ours, on Redis 7.0 in all its roles.

/** Families that 1.45 lacks. */
const newerFamilies = new RegExp(
  '^redis_(async_loading|commands_latencies_usec|config_client_output_buffer_limit_.*|config_repl_backlog_size|configured_hz|hz|' +
    'current_eviction_exceeded_time_ms|evicted_clients_total|eviction_exceeded_time_ms_total|expire_cycle_cpu_time_ms_total|' +
    'lazyfreed_objects|max_clients|mem_aof_buffer_bytes|mem_cluster_links_bytes|mem_replication_backlog_bytes|' +
    'mem_total_replication_buffers_bytes|memory_used_functions_bytes|memory_used_scripts_eval_bytes|memory_used_vm_.*|' +
    'net_repl_.*_bytes_total|number_of_(functions|libraries)|pubsubshard_channels|rdb_last_load_.*|rdb_saves_total|reply_buffer_.*|' +
    'key_memory_usage_bytes|stream_(entries_added_total|first_entry_id|last_entry_id|max_deleted_entry_id|group_entries_read|group_lag)|' +
    'connected_client_.*|sentinel_(config_.*|peer_info|master_(config_epoch|last_ok_ping_reply_seconds|setting_.*)))$',
)
/** Families that went after it: the details became a group of families of their own. */
const olderFamilies = /^redis_connected_clients_details$/
/** Types that changed since. */
const newerTypes: PeerExceptions['newerTypes'] = new Map([['redis_expired_time_cap_reached_total', 'counter']])
/** Labels that came after it. */
const newerLabels: PeerExceptions['newerLabels'] = [[/^redis_instance_info$/, 'master_replid']]
/** What differs from one scrape to the next, or between two programs: names and labels are compared, values are not. */
const moving =
  /^redis_(exporter_|allocator_|mem_|memory_|cpu_|commands_|connect|net_|total_|slowlog|last_slow|latency_|start_time|uptime|client|errors|master_last_io|.*offset|repl_backlog_history|stream_group_consumer_idle|unexpected|db_avg_ttl|keyspace_|last_key_groups|key_group_memory|pubsub|cluster_messages|sentinel_master_(ok_)?slaves)/
/** Labels whose values differ between two programs. */
const otherLabelValues = /^redis_(exporter_build_info|connected_clients_details)$/
/** Commands and errors that only one of the two programs brings about; a sentinel publishes when it likes. */
const ownCommands = /cmd="(memory\|usage|eval|evalsha|latency\|histogram|sentinel\|config|ping|publish)"/

const exceptions: PeerExceptions = {
  ignoredFamilies: /^(go_|process_)/,
  newerFamilies,
  olderFamilies,
  newerTypes,
  newerLabels,
  otherLabelValues,
  otherSamples: [ownCommands],
  isRight: (compared) => moving.test(compared.family.name) || isBetween(compared),
}

let peer: Service
let primary: Service
let replica: Service
let cluster: Service
let sentinel: RunningProcess
let sentinelUrl: string
const directory = makeTemporaryDirectory('narthex-redis-service-')

beforeAll(async () => {
  primary = await startRedis([
    '--latency-tracking',
    'yes',
    '--latency-monitor-threshold',
    '1',
    '--slowlog-log-slower-than',
    '0',
    '--repl-diskless-sync-delay',
    '0',
    '--enable-debug-command',
    'local',
  ])
  ;[replica, cluster] = await Promise.all([
    startRedis(['--replicaof', '127.0.0.1', String(primary.port)]),
    startRedis(['--cluster-enabled', 'yes']),
  ])
  const port = await findFreePort()
  sentinelUrl = `redis://127.0.0.1:${port}`
  writeFileSync(
    `${directory.path}/sentinel.conf`,
    `port ${port}\nbind 127.0.0.1\ndir ${directory.path}\nsentinel monitor mymaster 127.0.0.1 ${primary.port} 1\n`,
  )
  sentinel = startProcess(findProgram('redis-server')!, [`${directory.path}/sentinel.conf`, '--sentinel'])
  peer = await startRedisExporter(primary)
  const isLinked = /^redis_master_link_up\{.*\} 1$/m
  await waitFor('the replica to be linked', async () => isLinked.test(await scrapeOnce({ 'redis.addr': replica.url })))
  await waitFor('the sentinel', async () => (await scrapeOnce({ 'redis.addr': sentinelUrl })).includes('redis_sentinel_masters 1'))
  await run(cluster.url, ['CLUSTER', 'ADDSLOTSRANGE', '0', '16383'])
  await waitFor('the cluster to be ok', async () => (await scrapeOnce({ 'redis.addr': cluster.url })).includes('redis_cluster_state 1'))
  await run(
    primary.url,
    // A spike of latency that both see; on a busy machine one may come between the two scrapes.
    ['DEBUG', 'SLEEP', '0.002'],
    ['SET', 'number', '1.5'],
    ['SET', 'text', 'hello'],
    ['RPUSH', 'list', '1', '2', '3'],
    ['SADD', 'set', 'x'],
    ['HSET', 'hash', 'f', 'v'],
    ['ZADD', 'zset', '1', 'm'],
    ['PFADD', 'hll', 'a', 'b', 'c'],
    ['XADD', 'stream', '5-1', 'f', 'v'],
    ['XADD', 'stream', '6-0', 'f', 'v'],
    ['XGROUP', 'CREATE', 'stream', 'g', '0'],
    ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', '1', 'STREAMS', 'stream', '>'],
    ['SELECT', '3'],
    ['SET', 'user:1', 'abc', 'EX', '1000'],
    ['SET', 'user:2', 'abc'],
  )
})

afterAll(async () => {
  await Promise.all([peer, primary, replica, cluster].map((service) => service?.stop()))
  await sentinel?.stop()
  directory.remove()
})

describe('families, types, labels and steady values are those of redis_exporter 1.45', () => {
  test.each([
    ['a primary', () => primary.url, ''],
    ['a replica', () => replica.url, ''],
    ['a cluster node', () => cluster.url, ''],
    ['a sentinel', () => sentinelUrl, ''],
    [
      'keys and streams',
      () => primary.url,
      '&check-keys=*,db3=user:*,nokey&check-single-keys=number&check-streams=s*&check-single-streams=stream&count-keys=*,db3=user:*',
    ],
  ])('%s', async (_, url, query) => {
    const search = `target=${url()}${query}`
    // The first scrape is the first use of several commands, which INFO then lists.
    const exporter = createTestExporter({})
    await (await fetch(`${peer.url}/scrape?${search}`)).text()
    await scrapeTargetOf(exporter, search)
    const theirs = parseText(await (await fetch(`${peer.url}/scrape?${search}`)).text())
    const ours = parseText((await scrapeTargetOf(exporter, search)).text)
    expect(findPeerDifferences(ours, theirs, theirs, exceptions)).toEqual([])
  })

  test('all that flags switch on', async () => {
    const flags = {
      'export-client-list': true,
      'include-system-metrics': true,
      'include-config-metrics': true,
      'ping-on-connect': true,
      'check-key-groups': '^(user):,^(.)',
      namespace: 'redis',
    }
    const port = await findFreePort()
    const args = Object.entries(flags).map(([name, value]) => `-${name}=${value}`)
    const other = startProcess(findProgram('prometheus-redis-exporter')!, [
      `-web.listen-address=127.0.0.1:${port}`,
      `-redis.addr=${primary.url}`,
      ...args,
    ])
    const url = `http://127.0.0.1:${port}/metrics`
    try {
      await waitFor('the peer', async () => (await fetch(url)).ok)
      const exporter = createTestExporter({ 'redis.addr': primary.url, ...flags })
      await exporter.handleMetrics()
      const theirs = parseText(await (await fetch(url)).text())
      const ours = parseText(Buffer.from((await exporter.handleMetrics()).body).toString())
      expect(findPeerDifferences(ours, theirs, theirs, exceptions)).toEqual([])
      expect(valueOf(ours, 'redis_key_group_count', 'db', 'db3', 'key_group', 'user')).toBe(2)
    } finally {
      await other.stop()
    }
  })
})

test.each([
  ['a primary', () => primary.url],
  ['a replica', () => replica.url],
  ['a cluster node', () => cluster.url],
  ['a sentinel', () => sentinelUrl],
])('on %s the exporter conforms and has only families of the inventory', async (_, url) => {
  const flags = { 'redis.addr': url(), 'export-client-list': true, 'include-config-metrics': true, 'include-system-metrics': true }
  const violations = await findViolations(createTestExporter({ ...flags, 'include-modules-metrics': true, 'check-keys': '*' }), {
    collector: 'info',
    inventory: readInventory('redis')!.map((row) => ({ ...row, isDefault: true })),
    isDynamicName: (name) => name.startsWith('redis_cluster_stats_messages_'),
  })
  expect(violations).toEqual([])
})

test('histograms of latency are whole: their counts are those of the calls', async () => {
  const families = parseText(await scrapeOnce({ 'redis.addr': primary.url }))
  const histogram = families.get('redis_commands_latencies_usec')!
  expect(histogram.type).toBe('histogram')
  const buckets = histogram.samples.filter(({ labels, suffix }) => suffix === '_bucket' && labels[1] === 'set').map(({ value }) => value)
  expect(buckets.length).toBeGreaterThan(1)
  expect(buckets).toEqual(buckets.toSorted((a, b) => a - b))
  expect(buckets.at(-1)).toBe(valueOf(families, 'redis_commands_total', 'cmd', 'set'))
})

test('keys that are no text and keys of many kinds have their size', async () => {
  await run(primary.url, ['SELECT', '5'], ['SET', Buffer.from([0xff, 0x61]), '1'], ['SET', 'big', 'x'.repeat(100_000)])
  const families = parseText(await scrapeOnce({ 'redis.addr': primary.url, 'check-keys': 'db5=*' }))
  expect(valueOf(families, 'redis_key_size', 'db', 'db5', 'key', '\ufffda')).toBe(1)
  expect(valueOf(families, 'redis_key_value', 'db', 'db5', 'key', '\ufffda')).toBe(1)
  expect(valueOf(families, 'redis_key_size', 'db', 'db5', 'key', 'big')).toBe(100_000)
  // A value of more than 64 KiB is not fetched.
  expect(families.has('redis_key_value_as_string')).toBe(false)
})

test('SCAN finds all keys in small batches, and KEYS is never sent', async () => {
  await run(primary.url, ['SELECT', '6'], ...Array.from({ length: 300 }, (_, index) => ['SET', `batch:${index}`, 'x']))
  const flags = { 'redis.addr': primary.url, 'check-keys': 'db6=batch:*', 'count-keys': 'db6=batch:*', 'check-keys-batch-size': 7 }
  const families = parseText(await scrapeOnce({ ...flags, 'disable-exporting-key-values': true }))
  expect(families.get('redis_key_size')!.samples).toHaveLength(300)
  expect(valueOf(families, 'redis_keys_count', 'db', 'db6', 'key', 'batch:*')).toBe(300)
  expect(families.has('redis_key_value_as_string')).toBe(false)
  expect(valueOf(families, 'redis_commands_total', 'cmd', 'keys')).toBeUndefined()
})

test('10,000 keys are 10,000 series', async () => {
  await run(primary.url, ['SELECT', '7'], ...Array.from({ length: 10_000 }, (_, index) => ['SET', `many:${index}`, String(index)]))
  const { lines, log } = createMemoryLogger()
  const families = parseText(await scrapeOnce({ 'redis.addr': primary.url, 'check-keys': 'db7=many:*' }, { log }))
  expect(families.get('redis_key_size')!.samples).toHaveLength(10_000)
  expect(valueOf(families, 'redis_key_value', 'db', 'db7', 'key', 'many:9999')).toBe(9_999)
  expect(valueOf(families, 'redis_exporter_last_scrape_error', 'err', '')).toBe(0)
  expect(lines).toEqual([])
})

test('keys of a cluster are found on the node that has them', async () => {
  await run(cluster.url, ['SET', '{a}1', 'x'], ['SET', 'b', '2'])
  const exporter = createTestExporter({
    'redis.addr': cluster.url,
    'redis-only-metrics': true,
    'is-cluster': true,
    'check-keys': '*',
    'check-single-keys': 'b,none',
    'count-keys': '*',
  })
  const families = parseText(Buffer.from((await exporter.handleMetrics()).body).toString())
  expect(families.get('redis_key_size')!.samples.map(({ labels, value }) => [labels[3], value])).toEqual([
    ['b', 1],
    ['none', 0],
    ['{a}1', 1],
  ])
  expect(valueOf(families, 'redis_keys_count', 'db', 'db0', 'key', '*')).toBe(2)
  const { body } = await exporter.discoverClusterNodes()
  expect(JSON.parse(Buffer.from(body).toString())).toEqual([{ targets: [cluster.url], labels: {} }])
})

test('key groups beyond the wanted number are one group', async () => {
  const flags = { 'redis.addr': primary.url, 'check-key-groups': '^(user):,^(b)', 'max-distinct-key-groups': 1 }
  const families = parseText(await scrapeOnce(flags))
  const groups = families.get('redis_key_group_count')!.samples.filter(({ labels }) => labels[1] === 'db0')
  expect(valueOf(families, 'redis_number_of_distinct_key_groups', 'db', 'db0')).toBe(1)
  expect(groups.map(({ labels }) => labels[3])).toEqual(['unclassified'])
  const wide = parseText(await scrapeOnce({ ...flags, 'check-key-groups': '^(.)' }))
  const names = wide.get('redis_key_group_count')!.samples.flatMap(({ labels }) => (labels[1] === 'db0' ? [labels[3]] : []))
  expect(names).toEqual(['overflow', 's'])
})

test('scripts add families of their own', async () => {
  const good = `${directory.path}/good.lua`
  const bad = `${directory.path}/bad.lua`
  const empty = `${directory.path}/empty.lua`
  writeFileSync(good, "return {'a', '1.5', 'b', 2}")
  writeFileSync(bad, 'this is no Lua')
  writeFileSync(empty, 'return {}')
  const text = await scrapeOnce({ 'redis.addr': primary.url, script: `${good},${bad},${empty}` })
  expect(text.match(/^redis_script.*$/gm)).toEqual([
    `redis_script_result{filename="${bad}"} 0`,
    `redis_script_result{filename="${empty}"} 2`,
    `redis_script_result{filename="${good}"} 1`,
    `redis_script_values{filename="${good}",key="a"} 1.5`,
    `redis_script_values{filename="${good}",key="b"} 2`,
  ])
})

test('the size of the RDB file is that of the file', async () => {
  await run(replica.url, ['SAVE'])
  const text = await scrapeOnce({ 'redis.addr': replica.url, 'include-rdb-file-size-metric': true })
  expect(text).toContain(`redis_rdb_current_size_bytes ${statSync(`${replica.directory}/dump.rdb`).size}\n`)
  const families = parseText(await scrapeOnce({ 'redis.addr': cluster.url, 'include-rdb-file-size-metric': true }))
  expect(valueOf(families, 'redis_rdb_current_size_bytes')).toBe(0)
})

describe('a user with the rights that README.md names, and no other, gets all of', () => {
  // What `collect[]` and flags ask for, and a family that shows that it was answered.
  const options: readonly (readonly [option: string, step: string, flags: Readonly<Record<string, unknown>>, family: string])[] = [
    ['always', 'info', {}, 'redis_connected_clients'],
    ['`config-command`', 'config', {}, 'redis_config_maxclients'],
    ['latency', 'latency', {}, 'redis_commands_latencies_usec'],
    ['slow log', 'slowlog', {}, 'redis_slowlog_length'],
    ['`check-keys`', 'check-keys', { 'check-keys': 's*' }, 'redis_key_size'],
    ['`check-streams`', 'check-streams', { 'check-streams': 's*' }, 'redis_stream_group_consumers'],
    ['`count-keys`', 'count-keys', { 'count-keys': '*' }, 'redis_keys_count'],
    ['`check-key-groups`', 'check-key-groups', { 'check-key-groups': '^(.)' }, 'redis_key_group_count'],
    ['`export-client-list`', 'client-list', { 'export-client-list': true }, 'redis_connected_client_info'],
    ['`include-modules-metrics`', 'modules', { 'include-modules-metrics': true }, 'redis_up'],
  ]
  const readme = readFileSync(`${import.meta.dirname}/../README.md`, 'utf8')
  const rightsOf = (option: string): string[] => {
    const row = readme.split('\n').find((line) => line.startsWith(`- ${option}: `))
    expect(row, option).toBeDefined()
    return /`([^`]*)`$/.exec(row!)![1]!.split(' ')
  }

  test.each(options)('%s', async (option, step, flags, family) => {
    const rights = [...rightsOf('always'), ...(option === 'always' ? [] : rightsOf(option))]
    await run(primary.url, ['ACL', 'SETUSER', 'narrow', 'reset', 'on', '>word', ...rights])
    const { lines, log } = createMemoryLogger()
    const exporter = createTestExporter({ 'redis.addr': primary.url, 'redis.user': 'narrow', 'redis.password': 'word', ...flags }, { log })
    const query = new URLSearchParams([...new Set(['info', step])].map((name) => ['collect[]', name]))
    const families = parseText(Buffer.from((await exporter.handleMetrics({ query })).body).toString())
    await exporter.close()
    expect(lines).toEqual([])
    expect(valueOf(families, 'redis_exporter_last_scrape_error', 'err', '')).toBe(0)
    expect(families.get(family)!.samples.length).toBeGreaterThan(0)
    const answer = await run(primary.url, ['ACL', 'LOG'])
    expect(answer[0]).toEqual([])
  })

  test('a cluster', async () => {
    await run(cluster.url, ['ACL', 'SETUSER', 'narrow', 'reset', 'on', '>word', ...rightsOf('always'), ...rightsOf('cluster nodes')])
    const flags = { 'redis.addr': cluster.url, 'redis.user': 'narrow', 'redis.password': 'word', 'is-cluster': true }
    const exporter = createTestExporter(flags)
    const query = new URLSearchParams([
      ['collect[]', 'info'],
      ['collect[]', 'cluster'],
    ])
    const families = parseText(Buffer.from((await exporter.handleMetrics({ query })).body).toString())
    expect(valueOf(families, 'redis_cluster_state')).toBe(1)
    expect((await exporter.discoverClusterNodes()).status).toBe(200)
    await exporter.close()
    expect((await run(cluster.url, ['ACL', 'LOG']))[0]).toEqual([])
  })
})

describe('getting in', () => {
  let locked: Service
  beforeAll(async () => {
    const pem = makeCertificate(directory.path)
    const tlsPort = await findFreePort()
    locked = await startRedis([
      ...['--requirepass', 'secret', '--user', 'monitor', 'on', '>word', '+@all', '~*', '--user', 'weak', 'on', '>word', '+info', '+auth'],
      ...[
        '--unixsocket',
        `${directory.path}/r.sock`,
        '--tls-port',
        String(tlsPort),
        '--tls-cert-file',
        pem.cert,
        '--tls-key-file',
        pem.key,
      ],
      ...['--tls-ca-cert-file', pem.cert, '--tls-auth-clients', 'yes'],
    ])
    tlsUrl = `rediss://127.0.0.1:${tlsPort}`
  })
  afterAll(() => locked?.stop())
  let tlsUrl: string

  const isUp = async (flags: Readonly<Record<string, unknown>>): Promise<string> => {
    const text = await scrapeOnce(flags)
    return `${/^redis_up (.)$/m.exec(text)?.[1]} ${/last_scrape_error\{err="(.*)"\}/.exec(text)?.[1]}`
  }

  test('a password is needed and has to be right', async () => {
    expect(await isUp({ 'redis.addr': locked.url })).toBe('0 NOAUTH Authentication required.')
    expect(await isUp({ 'redis.addr': locked.url, 'redis.password': 'wrong' })).toMatch(/^0 WRONGPASS /)
    expect(await isUp({ 'redis.addr': locked.url, 'redis.password': 'secret' })).toBe('1 ')
    expect(await isUp({ 'redis.addr': locked.url.replace('://', '://:secret@') })).toBe('1 ')
    expect(await isUp({ 'redis.addr': locked.url, 'redis.user': 'monitor', 'redis.password': 'word' })).toBe('1 ')
    expect(await isUp({ 'redis.addr': locked.url.replace('://', '://monitor:word@') })).toBe('1 ')
  })

  test('a user who may do no more than INFO gets what INFO tells', async () => {
    const text = await scrapeOnce({ 'redis.addr': locked.url, 'redis.user': 'weak', 'redis.password': 'word', 'check-keys': '*' })
    expect(text).toContain('redis_up 1\n')
    expect(text).toContain('redis_exporter_last_scrape_error{err=""} 0\n')
    expect(text).toContain('redis_connected_clients ')
  })

  test('a unix socket is as good as an address', async () => {
    expect(await isUp({ 'redis.addr': `unix://${directory.path}/r.sock`, 'redis.password': 'secret' })).toBe('1 ')
    expect(await isUp({ 'redis.addr': `unix://:secret@${directory.path}/r.sock` })).toBe('1 ')
  })

  test('TLS is checked, with a certificate of our own', async () => {
    const client = { 'tls-client-cert-file': `${directory.path}/cert.pem`, 'tls-client-key-file': `${directory.path}/key.pem` }
    const flags = { 'redis.addr': tlsUrl, 'redis.password': 'secret' }
    expect(await isUp({ ...flags, ...client })).toMatch(/^0 dial tcp 127.0.0.1:\d+: x509: certificate signed by unknown authority$/)
    expect(await isUp({ ...flags, ...client, 'skip-tls-verification': true })).toBe('1 ')
    const ca = { 'tls-ca-cert-file': `${directory.path}/cert.pem` }
    expect(await isUp({ ...flags, ...client, ...ca, 'tls-server-name': 'redis.test' })).toBe('1 ')
    expect(await isUp({ ...flags, ...client, ...ca, 'tls-server-name': 'other.test' })).toMatch(/^0 .*other\.test/)
    expect(await isUp({ ...flags, ...ca, 'tls-server-name': 'redis.test' })).toMatch(/^0 /)
  })
})

test('a server that is stopped costs one deadline each time, and answers again when it goes on', async () => {
  const stopped = await startRedis()
  const exporter = createTestExporter({ 'redis.addr': stopped.url, 'redis-only-metrics': true })
  const ask = async (): Promise<string> => {
    const answer = await exporter.handleMetrics({ headers: { 'x-prometheus-scrape-timeout-seconds': '0.6' } })
    return Buffer.from(answer.body).toString()
  }
  try {
    process.kill(stopped.process.pid, 'SIGSTOP')
    for (let attempt = 0; attempt < 3; attempt++) {
      const startMs = performance.now()
      expect(await ask()).toContain('redis_up 0\n')
      // Its own limit is 15 s; that the answer comes before the client's is tested with a clock of the test's.
      expect(performance.now() - startMs).toBeLessThan(10_000)
    }
    process.kill(stopped.process.pid, 'SIGCONT')
    expect(await ask()).toContain('redis_up 1\n')
  } finally {
    process.kill(stopped.process.pid, 'SIGCONT')
    await stopped.stop()
  }
})

async function run(url: string, ...commands: (readonly (string | Uint8Array)[])[]): Promise<RespValue[]> {
  const client = await RedisClient.open({
    address: parseRedisAddress(url),
    tls: {},
    timeoutMs: 5_000,
    signal: new AbortController().signal,
  })
  const replies = await client.callAll(commands)
  client.close()
  for (const reply of replies) if (reply instanceof RespError) throw new Error(reply.message)
  return replies
}

function makeCertificate(path: string): { cert: string; key: string } {
  const files = { cert: `${path}/cert.pem`, key: `${path}/key.pem` }
  const subject = ['-subj', '/CN=redis.test', '-addext', 'subjectAltName=DNS:redis.test']
  const made = spawnSync(
    'openssl',
    [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-days',
      '2',
      ...subject,
      '-keyout',
      files.key,
      '-out',
      files.cert,
    ],
    { encoding: 'utf8' },
  )
  if (made.status !== 0) throw new Error(`cannot make a certificate: ${made.stderr}`)
  return files
}
