import type { CollectContext, MetricWriter } from '@narthex/exporter-kit/collector'
import type { EngineName } from './container-id.ts'
import type { ContainerRow } from './container-row.ts'
import type { EngineEvent } from './engines/engine.ts'
import type { MetadataStore } from './metadata-store.ts'

const eventNames = ['oom', 'restart', 'start', 'stop'] as const

/** Names whose events are counted; beyond, the one without an event for the longest is forgotten. */
export const namesMax = 10_000
/** Stopped containers that are shown, and for how long. */
export const stoppedMax = 1_000
const stoppedShownMs = 3_600_000
/** Longest wait for the engine's answer. */
const waitMsMax = 1_000

interface Counts {
  readonly name: string
  readonly image: string
  readonly counts: Record<(typeof eventNames)[number], number>
}

interface Stopped {
  readonly id: string
  readonly name: string
  readonly image: string
  readonly atMs: number
  readonly exitCode: number | undefined
}

interface Seen {
  readonly incarnation: number
  readonly id: string
  readonly name: string
  readonly image: string
  readonly engine: EngineName
}

/**
 * What happened to containers: the series of a stopped container end, so its stop has a series of its own. Docker and Podman remember
 * their events, which are asked for at each scrape, so that a container that lived between two scrapes counts too; for the others what
 * came and went between two scrapes is compared.
 */
export class ContainerEvents {
  readonly #nowMs: () => number
  readonly #names = new Map<string, Counts>()
  readonly #stopped = new Map<string, Stopped>()
  #seen: ReadonlyMap<string, Seen> | undefined
  /** Until when an engine's events have been read. */
  readonly #readUntilMs = new Map<EngineName, number>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Takes in what has happened since the last scrape. Never rejects. */
  async update(rows: readonly ContainerRow[], store: MetadataStore, context: CollectContext): Promise<void> {
    const nowMs = this.#nowMs()
    const seen = findSeen(rows)
    const told = await this.#readEngines(store, nowMs, context)
    if (this.#seen === undefined) for (const { name, image } of seen.values()) this.#countsOf(name, image)
    else this.#compare(this.#seen, seen, told, nowMs)
    for (const { name, image } of seen.values()) this.#countsOf(name, image)
    this.#seen = seen
    for (const [id, { atMs }] of this.#stopped) if (nowMs - atMs > stoppedShownMs) this.#stopped.delete(id)
  }

  write(writer: MetricWriter): void {
    writer.family('narthex_container_events_total', 'What happened to containers since the start of the exporter.', 'counter')
    for (const { name, image, counts } of this.#names.values()) {
      for (const event of eventNames) writer.sample(counts[event], ['event', event, 'image', image, 'name', name])
    }
    writer.family('narthex_container_exit_code', 'Exit code of a container that has stopped, for an hour.', 'gauge')
    for (const stopped of this.#stopped.values()) {
      if (stopped.exitCode !== undefined) writer.sample(stopped.exitCode, labelsOf(stopped))
    }
    writer.family('narthex_container_stopped_time_seconds', 'Unix time at which a container stopped, for an hour.', 'gauge')
    for (const stopped of this.#stopped.values()) writer.sample(stopped.atMs / 1000, labelsOf(stopped))
  }

  /** The engines whose events are known until now. */
  async #readEngines(store: MetadataStore, nowMs: number, context: CollectContext): Promise<ReadonlySet<EngineName>> {
    const told = new Set<EngineName>()
    await Promise.all(
      store.engines.map(async (engine) => {
        const { findEvents } = engine
        if (findEvents === undefined) return
        const sinceMs = this.#readUntilMs.get(engine.name)
        if (sinceMs === undefined) this.#readUntilMs.set(engine.name, nowMs)
        told.add(engine.name)
        if (sinceMs === undefined || nowMs <= sinceMs) return
        const timeoutMs = Math.min(waitMsMax, context.remainingMs() / 2)
        const events = await store.ask(engine, (signal) => findEvents(sinceMs, nowMs, signal), timeoutMs)
        // What was not told now is asked for again by the next scrape.
        if (events === undefined) return
        this.#readUntilMs.set(engine.name, nowMs)
        for (const event of events) this.#count(event)
      }),
    )
    return told
  }

  #compare(before: ReadonlyMap<string, Seen>, now: ReadonlyMap<string, Seen>, told: ReadonlySet<EngineName>, nowMs: number): void {
    for (const [path, old] of before) {
      const current = now.get(path)
      const isGone = current === undefined || current.incarnation !== old.incarnation
      if (isGone && !told.has(old.engine)) this.#count({ ...old, action: 'stop', atMs: nowMs, exitCode: undefined })
    }
    for (const [path, current] of now) {
      const old = before.get(path)
      const isNew = old === undefined || old.incarnation !== current.incarnation
      if (isNew && !told.has(current.engine)) this.#count({ ...current, action: 'start', atMs: nowMs, exitCode: undefined })
    }
  }

  #count({ action, id, name, image, atMs, exitCode }: EngineEvent): void {
    const { counts } = this.#countsOf(name, image)
    counts[action]++
    if (action === 'stop') {
      this.#stopped.delete(id)
      this.#stopped.set(id, { id, name, image, atMs, exitCode })
      if (this.#stopped.size > stoppedMax) this.#stopped.delete(this.#stopped.keys().next().value!)
    } else if (action === 'start') {
      if (counts.stop > 0) counts.restart++
      this.#stopped.delete(id)
    }
  }

  /** Made if need be, and the last to be forgotten. */
  #countsOf(name: string, image: string): Counts {
    const key = `${name}\0${image}`
    let counts = this.#names.get(key)
    if (counts === undefined) counts = { name, image, counts: { oom: 0, restart: 0, start: 0, stop: 0 } }
    else this.#names.delete(key)
    this.#names.set(key, counts)
    if (this.#names.size > namesMax) this.#names.delete(this.#names.keys().next().value!)
    return counts
  }
}

/** The containers that an engine has named. */
function findSeen(rows: readonly ContainerRow[]): ReadonlyMap<string, Seen> {
  const seen = new Map<string, Seen>()
  for (const { cgroup, container, metadata } of rows) {
    if (container === undefined || metadata === undefined) continue
    const { engine, image, name } = metadata
    seen.set(cgroup.path, { incarnation: cgroup.incarnation, id: container.id, name, image, engine })
  }
  return seen
}

function labelsOf({ id, image, name }: Stopped): readonly string[] {
  return ['container_id', id, 'image', image, 'name', name]
}
