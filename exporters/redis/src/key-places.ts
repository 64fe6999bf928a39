import type { KeyArgument } from './key-arguments.ts'
import { isGlob } from './key-arguments.ts'
import type { ClusterNodes } from './cluster-nodes.ts'
import type { RedisClient } from './redis-client.ts'
import { countKeys, findKeys, keysMax, selectDatabase } from './scan-keys.ts'

/** Where keys are looked for: one server, or all masters of a cluster. */
export interface KeyPlaces {
  readonly client: RedisClient
  /** Of a cluster whose masters are all asked. */
  readonly nodes: ClusterNodes | undefined
  readonly batchSize: number
  /** One line that is worth a warning. */
  readonly warn: (message: string) => void
}

/** Keys that one connection answers for. */
export interface KeyBatch {
  readonly client: RedisClient
  readonly database: number
  readonly keys: readonly Buffer[]
}

/**
 * The keys of `patterns` (globs are searched for, others taken as they are) and of `singles`, in batches by connection and database. Before
 * a batch is handed out its database is selected. A pattern that fails is warned of and costs itself only.
 */
export async function* locateKeys(
  places: KeyPlaces,
  patterns: readonly KeyArgument[],
  singles: readonly KeyArgument[],
): AsyncGenerator<KeyBatch> {
  const plain = [...singles, ...patterns.filter(({ pattern }) => !isGlob(pattern))]
  for (const [database, keys] of groupByDatabase(plain)) {
    for (const [client, owned] of await assignToClients(places, keys)) {
      if (await isSelected(places, client, database)) yield { client, database, keys: owned }
    }
  }
  for (const { database, pattern } of patterns.filter((argument) => isGlob(argument.pattern))) {
    for (const client of await clientsOf(places)) {
      if (!(await isSelected(places, client, database))) continue
      try {
        const { keys, isCut } = await findKeys(client, pattern, places.batchSize)
        if (isCut) places.warn(`more than ${keysMax} keys match ${JSON.stringify(pattern)}: only the first ones are shown`)
        yield { client, database, keys }
      } catch (error) {
        if (!isRefusal(error)) throw error
        places.warn(error.message)
      }
    }
  }
}

/** How many keys match a pattern, over all places. */
export async function countEverywhere(places: KeyPlaces, { database, pattern }: KeyArgument): Promise<number> {
  let count = 0
  for (const client of await clientsOf(places)) {
    await selectIn(places, client, database)
    count += await countKeys(client, pattern, places.batchSize)
  }
  return count
}

async function clientsOf({ client, nodes }: KeyPlaces): Promise<readonly RedisClient[]> {
  return nodes === undefined ? [client] : nodes.masters()
}

async function assignToClients({ client, nodes }: KeyPlaces, keys: readonly Buffer[]): Promise<ReadonlyMap<RedisClient, Buffer[]>> {
  if (nodes === undefined) return new Map([[client, [...keys]]])
  const assigned = new Map<RedisClient, Buffer[]>()
  for (const key of keys) {
    const owner = await nodes.ownerOf(key)
    const known = assigned.get(owner)
    if (known === undefined) assigned.set(owner, [key])
    else known.push(key)
  }
  return assigned
}

function groupByDatabase(list: readonly KeyArgument[]): ReadonlyMap<number, Buffer[]> {
  const groups = new Map<number, Buffer[]>()
  for (const { database, pattern } of list) {
    const known = groups.get(database)
    if (known === undefined) groups.set(database, [Buffer.from(pattern)])
    else known.push(Buffer.from(pattern))
  }
  return groups
}

async function isSelected(places: KeyPlaces, client: RedisClient, database: number): Promise<boolean> {
  try {
    await selectIn(places, client, database)
    return true
  } catch (error) {
    if (!isRefusal(error)) throw error
    places.warn(error.message)
    return false
  }
}

// A cluster has one database and refuses SELECT of any other.
async function selectIn({ nodes }: KeyPlaces, client: RedisClient, database: number): Promise<void> {
  if (nodes === undefined || database !== 0) await selectDatabase(client, database)
}

/** True for what the server refused; a broken connection is no such thing and ends the scrape. */
export function isRefusal(error: unknown): error is Error {
  return error instanceof Error && error.name === 'Error'
}
