import type { EtcdChange } from './etcd-client.ts'
import type { EtcdEntry } from './etcd-answers.ts'
import { readEtcdValue } from './etcd-values.ts'
import { endGroups } from './read-target-groups.ts'
import type { TargetGroup } from './target-groups.ts'

/** Bounds of what one prefix may hold; beyond them it is refused and what was known stays. */
export const etcdKeysMax = 100_000
export const etcdValueBytesMax = 64 * 2 ** 20

interface KnownKey {
  groupCount: number
  valueBytes: number
  /** Revision of the value that was last found bad, so that it is told once. */
  badRevision: bigint
}

/** What a value says: its groups, or what is wrong with it. */
interface KeyValue {
  readonly keyText: string
  readonly modRevision: bigint
  readonly valueBytes: number
  readonly groups?: TargetGroup[]
  readonly error?: unknown
}

/** Which groups each key has given. A bad value leaves the key's last good groups as they are. */
export class EtcdKeys {
  readonly #prefix: string
  readonly #onBadValue: (key: string, error: unknown) => void
  #known = new Map<string, KnownKey>()
  #valueBytes = 0

  constructor(prefix: string, onBadValue: (key: string, error: unknown) => void) {
    this.#prefix = prefix
    this.#onBadValue = onBadValue
  }

  /** Begins to take the whole prefix, page by page; `finish` gives what changes, and until then nothing does. */
  startReading(): { take(entries: readonly EtcdEntry[]): void; finish(): TargetGroup[] } {
    const values = new Map<string, KeyValue>()
    let valueBytes = 0
    return {
      // Values are read as pages come, so that no single step takes long.
      take: (page) => {
        for (const { value } of page) valueBytes += value.length
        checkBounds(values.size + page.length, valueBytes)
        for (const entry of page) values.set(identify(entry.key), this.#read(entry))
      },
      finish: () => {
        const groups: TargetGroup[] = []
        for (const [id, value] of values) groups.push(...this.#set(id, value))
        for (const id of this.#known.keys()) if (!values.has(id)) groups.push(...this.#remove(id))
        return groups
      },
    }
  }

  /** The groups that changes of a watch make new or end. Throws when the prefix grows beyond its bounds. */
  apply(changes: readonly EtcdChange[]): TargetGroup[] {
    const groups = changes.flatMap(({ entry, isDelete }) => {
      const id = identify(entry.key)
      return isDelete ? this.#remove(id) : this.#set(id, this.#read(entry))
    })
    checkBounds(this.#known.size, this.#valueBytes)
    return groups
  }

  #read({ key, value, modRevision }: EtcdEntry): KeyValue {
    const keyText = Buffer.from(key).toString('utf8')
    const labels = {
      __meta_etcd_key: keyText,
      __meta_etcd_prefix: this.#prefix,
      __meta_etcd_name: keyText.slice(this.#prefix.length).replace(/^\/+/, ''),
    }
    const read = { keyText, modRevision, valueBytes: value.length }
    try {
      return { ...read, groups: readEtcdValue(value, identify(key), labels) }
    } catch (error) {
      return { ...read, error }
    }
  }

  #set(id: string, { keyText, modRevision, valueBytes, groups, error }: KeyValue): TargetGroup[] {
    const known = this.#known.get(id) ?? { groupCount: 0, valueBytes: 0, badRevision: -1n }
    this.#known.set(id, known)
    this.#valueBytes += valueBytes - known.valueBytes
    known.valueBytes = valueBytes
    if (groups === undefined) {
      if (known.badRevision !== modRevision) this.#onBadValue(keyText, error)
      known.badRevision = modRevision
      return []
    }
    const ended = endGroups(id, known.groupCount, groups.length)
    known.groupCount = groups.length
    return ended.length === 0 ? groups : [...groups, ...ended]
  }

  #remove(id: string): TargetGroup[] {
    const known = this.#known.get(id)
    if (known === undefined) return []
    this.#known.delete(id)
    this.#valueBytes -= known.valueBytes
    return endGroups(id, known.groupCount, 0)
  }
}

// Keys are bytes: as Latin-1 each has a text of its own.
function identify(key: Uint8Array): string {
  return Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString('latin1')
}

function checkBounds(keys: number, valueBytes: number): void {
  if (keys > etcdKeysMax) throw new Error(`cannot read targets: want at most ${etcdKeysMax} keys under the prefix, got more`)
  if (valueBytes > etcdValueBytesMax) throw new Error(`cannot read targets: want at most ${etcdValueBytesMax} bytes of values, got more`)
}
