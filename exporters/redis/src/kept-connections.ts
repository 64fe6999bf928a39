import type { Target } from './open-target.ts'
import type { RedisClient } from './redis-client.ts'

/** Connections kept; those of further servers are closed after each scrape. */
export const keptMax = 100
/** A connection that nobody has used for so long is closed: longer than any usual scrape interval. */
export const keptIdleMs = 150_000

interface Kept {
  readonly client: RedisClient
  readonly timer: NodeJS.Timeout
}

/**
 * Connections to servers on this machine, kept from scrape to scrape: opening and closing one costs as much processor time as reading what it
 * answers. Elsewhere a name or a proxy may lead to another server tomorrow, so there each scrape opens its own.
 */
export class KeptConnections {
  readonly #kept = new Map<string, Kept>()

  /** A connection of an earlier scrape with the same login; it may break at the first command. */
  take(target: Target, signal: AbortSignal): RedisClient | undefined {
    const key = keyOf(target)
    const kept = this.#kept.get(key)
    if (kept === undefined) return undefined
    this.#kept.delete(key)
    clearTimeout(kept.timer)
    if (!kept.client.isUsable) return undefined
    kept.client.resume(signal)
    return kept.client
  }

  /** Keeps `client`, in the database and with the name that it was opened with, or closes it. */
  give(target: Target, client: RedisClient): void {
    const key = keyOf(target)
    if (!client.isUsable || !isLocal(target) || this.#kept.has(key) || this.#kept.size >= keptMax) return client.close()
    const timer = setTimeout(() => {
      this.#kept.delete(key)
      client.close()
    }, keptIdleMs)
    timer.unref()
    client.rest()
    this.#kept.set(key, { client, timer })
  }

  close(): void {
    for (const { client, timer } of this.#kept.values()) {
      clearTimeout(timer)
      client.close()
    }
    this.#kept.clear()
  }
}

function isLocal({ address }: Target): boolean {
  return address.socketPath !== undefined || /^(localhost|127\.[0-9.]+|::1)$/.test(address.host)
}

// Other settings do not change what a connection is.
function keyOf({ address, settings, passwords }: Target): string {
  const { text, username, password, database } = address
  return [text, username, password, database, settings.user, settings.password, settings.tls.serverName, passwords.size].join('\0')
}
