import type { RedisClient } from './redis-client.ts'
import { errorOf, itemsOf, textOf } from './resp-value.ts'
import { RespError } from './resp-reader.ts'

/** Keys taken from one pattern; more are counted but not looked at. */
export const keysMax = 100_000

/** Selects a database of this connection; throws the server's own words. */
export async function selectDatabase(client: RedisClient, database: number): Promise<void> {
  const failure = errorOf(await client.call('SELECT', String(database)))
  if (failure !== undefined) throw new Error(`cannot select database ${database}: ${failure}`)
}

/**
 * Walks over the keys that match a pattern with SCAN, `batchSize` looked at per call: never KEYS, which stops the server for as long as it
 * takes. A key may come twice, as SCAN says. `onKeys` gets each batch and ends the walk by giving false.
 */
export async function scanKeys(
  client: RedisClient,
  pattern: string,
  batchSize: number,
  onKeys: (keys: readonly Buffer[]) => boolean,
): Promise<void> {
  let cursor = '0'
  do {
    const reply = await client.call('SCAN', cursor, 'MATCH', pattern, 'COUNT', String(batchSize))
    if (reply instanceof RespError) throw new Error(`cannot scan for ${JSON.stringify(pattern)}: ${reply.message}`)
    const [next, keys] = itemsOf(reply)
    cursor = textOf(next) ?? '0'
    if (!onKeys(itemsOf(keys).filter((key) => Buffer.isBuffer(key)))) return
  } while (cursor !== '0')
}

/** All keys of a pattern once, up to `keysMax`; `isCut` tells that there were more. */
export async function findKeys(
  client: RedisClient,
  pattern: string,
  batchSize: number,
): Promise<{ readonly keys: readonly Buffer[]; readonly isCut: boolean }> {
  const found = new Map<string, Buffer>()
  let isCut = false
  await scanKeys(client, pattern, batchSize, (keys) => {
    for (const key of keys) {
      if (found.size >= keysMax) {
        isCut = true
        return false
      }
      found.set(key.toString('latin1'), key)
    }
    return true
  })
  return { keys: [...found.values()], isCut }
}

/** How many keys match a pattern. */
export async function countKeys(client: RedisClient, pattern: string, batchSize: number): Promise<number> {
  let count = 0
  await scanKeys(client, pattern, batchSize, (keys) => {
    count += keys.length
    return true
  })
  return count
}
