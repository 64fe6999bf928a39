import { afterEach, expect, test } from 'vitest'
import { startFakeRedis, type FakeAnswer, type FakeRedis } from './fake-redis.ts'
import { parseRedisAddress } from './redis-address.ts'
import { commandsInFlightMax, RedisClient } from './redis-client.ts'

const servers: FakeRedis[] = []
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close()))
})

async function open(answer: FakeAnswer, signal = new AbortController().signal): Promise<{ client: RedisClient; server: FakeRedis }> {
  const server = await startFakeRedis(answer)
  servers.push(server)
  const client = await RedisClient.open({ address: parseRedisAddress(server.url), tls: {}, timeoutMs: 5_000, signal })
  return { client, server }
}

test('replies belong to commands in their order', async () => {
  const { client } = await open(([, word]) => `+${word}\r\n`)
  expect(await Promise.all(['a', 'b', 'c'].map((word) => client.call('ECHO', word)))).toEqual(['a', 'b', 'c'])
  client.close()
})

test('many commands are sent in batches and answered in order', async () => {
  let waiting = 0
  let most = 0
  const { client } = await open(([, word]) => {
    waiting++
    most = Math.max(most, waiting)
    setImmediate(() => waiting--)
    return `:${word}\r\n`
  })
  const count = commandsInFlightMax * 2 + 1
  const replies = await client.callAll(Array.from({ length: count }, (_, index) => ['ECHO', String(index)]))
  expect(replies).toEqual(Array.from({ length: count }, (_, index) => index))
  expect(most).toBeLessThanOrEqual(commandsInFlightMax)
  client.close()
})

test('a reply that nobody asked for breaks the connection', async () => {
  const { client } = await open(() => '+OK\r\n+more\r\n')
  expect(await client.call('PING')).toBe('OK')
  await expect
    .poll(() => client.call('PING').catch((error: Error) => error.message))
    .toBe('cannot read reply: want one reply per command, got more')
})

test('a connection that the server closes rejects what is on its way and what comes later', async () => {
  const { client } = await open((_, socket) => void socket.end())
  const replies = [client.call('A'), client.call('B')]
  await expect(replies[0]).rejects.toThrow('EOF')
  await expect(replies[1]).rejects.toThrow('EOF')
  await expect(client.call('C')).rejects.toThrow('EOF')
})

test('the signal ends a connection, and one that has ended opens none', async () => {
  const abort = new AbortController()
  const { client, server } = await open(() => undefined, abort.signal)
  const reply = client.call('PING')
  abort.abort()
  await expect(reply).rejects.toThrow('context deadline exceeded')
  const again = RedisClient.open({ address: parseRedisAddress(server.url), tls: {}, timeoutMs: 1_000, signal: abort.signal })
  await expect(again).rejects.toThrow('context deadline exceeded')
})

test('an address that nobody listens on is told as Go tells it', async () => {
  const server = await startFakeRedis(() => undefined)
  await server.close()
  const options = { tls: {}, timeoutMs: 1_000, signal: new AbortController().signal }
  const refused = RedisClient.open({ ...options, address: parseRedisAddress(server.url) })
  await expect(refused).rejects.toThrow(`dial tcp 127.0.0.1:${server.port}: connect: connection refused`)
  const missing = RedisClient.open({ ...options, address: parseRedisAddress('unix:///no/such.sock') })
  await expect(missing).rejects.toThrow('dial unix /no/such.sock: connect: no such file or directory')
})

test('a server without TLS behind rediss:// is refused, not waited for', async () => {
  const server = await startFakeRedis(() => undefined)
  servers.push(server)
  const address = parseRedisAddress(server.url.replace('redis:', 'rediss:'))
  const opened = RedisClient.open({ address, tls: {}, timeoutMs: 100, signal: new AbortController().signal })
  await expect(opened).rejects.toThrow(`dial tcp 127.0.0.1:${server.port}: `)
})
