import { createHttpClient, type HttpClient } from '@narthex/http/client'
import type { Registry } from '@narthex/service/metrics'
import type { DiscoveryContext } from '../mechanisms.ts'
import type { ApiConnection } from './connection.ts'
import { kindPath, kinds, type KindName, type KindObjects } from './kinds.ts'
import { createKubernetesMetrics } from './kubernetes-metrics.ts'
import { WatchList } from './watch-list.ts'

/** Which objects one list asks for. */
export interface WatchScope<Name extends KindName = KindName> {
  readonly kind: Name
  /** Empty for all namespaces. */
  readonly namespace: string
  readonly labelSelector: string
  readonly fieldSelector: string
}

export interface WatchHandle<Name extends KindName = KindName> {
  readonly scope: WatchScope<Name>
  readonly watch: WatchList<KindObjects[Name]>
  /** Called exactly once; the last holder's ends the watch. */
  release(): void
}

interface SharedClient {
  readonly client: HttpClient
  holders: number
}

interface SharedWatch {
  readonly watch: WatchList<KindObjects[KindName]>
  holders: number
}

const pools = new WeakMap<Registry, WatchPool>()

/** The pool of one process, known by its metrics. */
export function watchPoolOf(registry: Registry): WatchPool {
  const known = pools.get(registry)
  if (known !== undefined) return known
  const pool = new WatchPool()
  pools.set(registry, pool)
  return pool
}

/** Watches by what they ask and whom: jobs that ask the same share one. A watch logs as the job that came first. */
export class WatchPool {
  readonly #clients = new Map<string, SharedClient>()
  readonly #watches = new Map<string, SharedWatch>()

  /** Watches running. */
  get size(): number {
    return this.#watches.size
  }

  /** Throws when the connection's settings cannot be used. */
  open<Name extends KindName>(connection: ApiConnection, scope: WatchScope<Name>, context: DiscoveryContext): WatchHandle<Name> {
    const key = JSON.stringify([connection.key, scope.kind, scope.namespace, scope.labelSelector, scope.fieldSelector])
    let shared = this.#watches.get(key)
    if (shared === undefined) {
      shared = { watch: this.#create(connection, scope, context), holders: 0 }
      this.#watches.set(key, shared)
      shared.watch.start()
    }
    shared.holders++
    const held = shared
    return {
      scope,
      watch: shared.watch as unknown as WatchList<KindObjects[Name]>,
      release: () => {
        if (--held.holders > 0) return
        this.#watches.delete(key)
        held.watch.stop()
        this.#releaseClient(connection.key)
      },
    }
  }

  #create(connection: ApiConnection, scope: WatchScope, context: DiscoveryContext): WatchList<KindObjects[KindName]> {
    const { clock, log, registry, userAgent } = context
    let shared = this.#clients.get(connection.key)
    if (shared === undefined) {
      shared = { client: createHttpClient(connection.http, { userAgent }), holders: 0 }
      this.#clients.set(connection.key, shared)
    }
    shared.holders++
    return new WatchList<KindObjects[KindName]>({
      client: shared.client,
      url: connection.server + kindPath(scope.kind, scope.namespace),
      // As the original names it, so that there are not as many as namespaces.
      endpoint: kindPath(scope.kind, scope.namespace === '' ? '' : '{namespace}'),
      kindName: scope.kind,
      kind: kinds[scope.kind],
      labelSelector: scope.labelSelector,
      fieldSelector: scope.fieldSelector,
      clock,
      log,
      metrics: createKubernetesMetrics(registry),
    })
  }

  #releaseClient(key: string): void {
    const shared = this.#clients.get(key)!
    if (--shared.holders > 0) return
    this.#clients.delete(key)
    // Ending connections cannot fail in a way that matters to anyone.
    shared.client.close().catch(() => undefined)
  }
}
