import type { KubernetesDiscovery, KubernetesRole } from '@narthex/config/discovery-config'
import type { Timer } from '../../clock.ts'
import type { DiscoveryContext } from '../mechanisms.ts'
import type { Discoverer, TargetGroup } from '../target-groups.ts'
import type { Surroundings } from './attach.ts'
import { findConnection, readOwnNamespace, serviceAccountDirectory, type ApiConnection } from './connection.ts'
import { expandSelector } from './expand-selector.ts'
import { kinds, type KindName, type KindObjects } from './kinds.ts'
import { createKubeletDiscoverer } from './kubelet.ts'
import { listKinds, roles, type Role } from './roles.ts'
import { watchPoolOf, type WatchHandle, type WatchScope } from './watch-pool.ts'

/** Changes are gathered this long: a rollout is thousands of events. */
const gatherMs = 100

/** kubernetes_sd_configs. Throws, with the reason in one line, when the configuration leads to no server or names unset variables. */
export function createKubernetesDiscoverer(
  config: KubernetesDiscovery,
  context: DiscoveryContext,
  account = serviceAccountDirectory,
): Discoverer {
  const { role } = config
  if (role === 'kubelet') return createKubeletDiscoverer(config, context, account)
  const connection = findConnection(config, context.env, account)
  const own = config.ownNamespace ? [readOwnNamespace(account)] : []
  const namespaces = [...new Set([...config.namespaces, ...own])]
  const scopes = listKinds(role, config.attach).flatMap((kind) => listScopes(kind, namespaces, config.selectors, context.env))
  return new KubernetesDiscoverer(role, config.attach, connection, scopes, context)
}

function listScopes(
  kind: KindName,
  namespaces: readonly string[],
  selectors: KubernetesDiscovery['selectors'],
  env: DiscoveryContext['env'],
): WatchScope[] {
  const selector = selectors.find(({ role }) => role === kind)
  const labelSelector = expandSelector(selector?.label ?? '', env)
  const fieldSelector = expandSelector(selector?.field ?? '', env)
  if (namespaces.length === 0) return [{ kind, namespace: '', labelSelector, fieldSelector }]
  // The labels of a few namespaces can be had without the right to list all.
  if (kind === 'namespace') {
    return namespaces.map((name) => ({ kind, namespace: '', labelSelector: '', fieldSelector: `metadata.name=${name}` }))
  }
  if (!kinds[kind].isNamespaced) return [{ kind, namespace: '', labelSelector, fieldSelector }]
  return namespaces.map((namespace) => ({ kind, namespace, labelSelector, fieldSelector }))
}

/** Makes the groups of one role from watched objects, and again each time an object that a group was made of changes. */
class KubernetesDiscoverer implements Discoverer {
  readonly #role: Role
  readonly #attach: KubernetesDiscovery['attach']
  readonly #connection: ApiConnection
  readonly #scopes: readonly WatchScope[]
  readonly #context: DiscoveryContext
  #handles: WatchHandle[] = []
  #unsubscribes: (() => void)[] = []
  #update: (groups: readonly TargetGroup[]) => void = () => {}
  /** Keys of the role's own objects whose groups must be made anew. */
  #dirty = new Set<string>()
  /** `kind key` of an object → keys of the groups that were made with it, or would have been had it been there. */
  #users = new Map<string, Set<string>>()
  /** Key of a group → `kind key` of what it was made with. */
  #uses = new Map<string, readonly string[]>()
  #isReady = false
  #timer: Timer | undefined

  constructor(
    role: KubernetesRole,
    attach: KubernetesDiscovery['attach'],
    connection: ApiConnection,
    scopes: readonly WatchScope[],
    context: DiscoveryContext,
  ) {
    this.#role = roles[role] as unknown as Role
    this.#attach = attach
    this.#connection = connection
    this.#scopes = scopes
    this.#context = context
  }

  start(update: (groups: readonly TargetGroup[]) => void): void {
    this.#update = update
    const pool = watchPoolOf(this.#context.registry)
    this.#handles = this.#scopes.map((scope) => pool.open(this.#connection, scope, this.#context))
    this.#unsubscribes = this.#handles.map(({ scope, watch }) =>
      watch.subscribe({ onChange: (key) => this.#takeChange(scope.kind, key), onSynced: () => this.#beginWhenSynced() }),
    )
    this.#beginWhenSynced()
  }

  stop(): void {
    this.#context.clock.clearTimer(this.#timer)
    for (const unsubscribe of this.#unsubscribes) unsubscribe()
    for (const handle of this.#handles) handle.release()
    this.#handles = []
    this.#unsubscribes = []
  }

  /** Nothing is told before all lists are there: targets without part of their labels would be other targets. */
  #beginWhenSynced(): void {
    if (this.#isReady || !this.#handles.every(({ watch }) => watch.isSynced)) return
    this.#isReady = true
    for (const { scope, watch } of this.#handles) if (scope.kind === this.#role.kind) for (const key of watch.keys()) this.#dirty.add(key)
    this.#flush()
  }

  #takeChange(kind: KindName, key: string): void {
    if (!this.#isReady) return
    if (kind === this.#role.kind) this.#dirty.add(key)
    for (const user of this.#users.get(`${kind} ${key}`) ?? []) this.#dirty.add(user)
    if (this.#dirty.size > 0) this.#timer ??= this.#context.clock.setTimer(() => this.#flush(), gatherMs)
  }

  #flush(): void {
    this.#timer = undefined
    const dirty = this.#dirty
    this.#dirty = new Set()
    const groups: TargetGroup[] = []
    for (const key of dirty) groups.push(this.#build(key))
    this.#update(groups)
  }

  #build(key: string): TargetGroup {
    const object = this.#find(this.#role.kind, key)
    const used: string[] = []
    const surroundings: Surroundings = {
      attach: this.#attach,
      find: (kind, wanted) => {
        used.push(`${kind} ${wanted}`)
        return this.#find(kind, wanted)
      },
    }
    const group =
      object === undefined ? { source: this.#role.source(key), targets: [], labels: {} } : this.#role.build(object, surroundings)
    this.#remember(key, used)
    return group
  }

  #find<Name extends KindName>(kind: Name, key: string): KindObjects[Name] | undefined {
    for (const { scope, watch } of this.#handles) {
      if (scope.kind !== kind) continue
      const object = watch.get(key)
      if (object !== undefined) return object as KindObjects[Name]
    }
    return undefined
  }

  #remember(key: string, used: readonly string[]): void {
    for (const use of this.#uses.get(key) ?? []) {
      const users = this.#users.get(use)
      users?.delete(key)
      if (users?.size === 0) this.#users.delete(use)
    }
    if (used.length === 0) {
      this.#uses.delete(key)
      return
    }
    const unique = [...new Set(used)]
    this.#uses.set(key, unique)
    for (const use of unique) {
      const users = this.#users.get(use)
      if (users === undefined) this.#users.set(use, new Set([key]))
      else users.add(key)
    }
  }
}
