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
/** Of a container that an event has told of, before a scrape has seen its cgroup. */
const unseen = -1
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

/** A container as the scrape saw it. */
interface Seen {
  readonly incarnation: number
  readonly id: string
  readonly name: string
  readonly image: string
}

/**
 * What happened to containers: the series of a stopped container end, so its stop has a series of its own. Docker and Podman remember
 * their last events, which are asked for at each scrape, so that a container that lived between two scrapes counts too. They remember few
 * (256 of all kinds, and every check of a health makes three), and other engines none: so what came and went between two scrapes counts as
 * well, unless an event has told.
 */
export class ContainerEvents {
  readonly #nowMs: () => number
  readonly #names = new Map<string, Counts>()
  readonly #stopped = new Map<string, Stopped>()
  /** By id: what runs, as far as was counted. */
  readonly #running = new Map<string, Seen>()
  #isFirst = true
  /** Until when an engine's events have been read. */
  readonly #readUntilMs = new Map<EngineName, number>()

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs
  }

  /** Takes in what has happened since the last scrape. Never rejects. */
  async update(rows: readonly ContainerRow[], store: MetadataStore, context: CollectContext): Promise<void> {
    const nowMs = this.#nowMs()
    const seen = findSeen(rows)
    const told = new Set<string>()
    for (const event of await this.#readEngines(store, nowMs, context)) {
      told.add(event.id)
      this.#count(event)
    }
    if (this.#isFirst) for (const container of seen.values()) this.#running.set(container.id, container)
    this.#isFirst = false
    this.#compare(seen, told, nowMs)
    // Every container that runs has its series, so that its first event is a rise.
    for (const { name, image } of seen.values()) if (name !== '') this.#countsOf(name, image)
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

  /** What the engines that remember events tell of the time since they were asked last. */
  async #readEngines(store: MetadataStore, nowMs: number, context: CollectContext): Promise<readonly EngineEvent[]> {
    const answers = await Promise.all(
      store.engines.map(async (engine) => {
        const { findEvents } = engine
        const sinceMs = this.#readUntilMs.get(engine.name)
        if (findEvents === undefined) return []
        if (sinceMs === undefined) this.#readUntilMs.set(engine.name, nowMs)
        if (sinceMs === undefined || nowMs <= sinceMs) return []
        const timeoutMs = Math.min(waitMsMax, context.remainingMs() / 2)
        const events = await store.ask(engine, (signal) => findEvents(sinceMs, nowMs, signal), timeoutMs)
        // What was not told now is asked for again by the next scrape.
        if (events !== undefined) this.#readUntilMs.set(engine.name, nowMs)
        return events ?? []
      }),
    )
    return answers.flat()
  }

  #compare(seen: ReadonlyMap<string, Seen>, told: ReadonlySet<string>, nowMs: number): void {
    const countFor = (container: Seen, action: 'start' | 'stop'): void => {
      if (container.name !== '') this.#count({ action, ...container, atMs: nowMs, exitCode: undefined })
      else if (action === 'stop') this.#running.delete(container.id)
    }
    for (const [id, before] of this.#running) {
      if (told.has(id)) continue
      const now = seen.get(id)
      if (now === undefined) countFor(before, 'stop')
      else if (now.incarnation !== before.incarnation && before.incarnation !== unseen) {
        countFor(before, 'stop')
        countFor(now, 'start')
      }
    }
    for (const [id, now] of seen) {
      if (!this.#running.has(id)) {
        // It has stopped, and its cgroup is about to go.
        if (told.has(id)) continue
        countFor(now, 'start')
      }
      this.#running.set(id, now)
    }
  }

  /** What was counted already does not count again: events and cgroups come and go at slightly different times. */
  #count({ action, id, name, image, atMs, exitCode }: EngineEvent): void {
    const known = this.#running.get(id)
    if ((action === 'start') === (known !== undefined) && action !== 'oom') return
    const { counts } = this.#countsOf(known?.name || name, known?.image || image)
    counts[action]++
    if (action === 'stop') {
      this.#running.delete(id)
      this.#stopped.delete(id)
      this.#stopped.set(id, { id, name, image, atMs, exitCode })
      if (this.#stopped.size > stoppedMax) this.#stopped.delete(this.#stopped.keys().next().value!)
    } else if (action === 'start') {
      if (counts.stop > 0) counts.restart++
      this.#running.set(id, { incarnation: unseen, id, name, image })
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

/** All containers by id; the name is empty of those that no engine has named yet. */
function findSeen(rows: readonly ContainerRow[]): ReadonlyMap<string, Seen> {
  const seen = new Map<string, Seen>()
  for (const { cgroup, container, metadata } of rows) {
    if (container === undefined) continue
    const { image = '', name = '' } = metadata ?? {}
    seen.set(container.id, { incarnation: cgroup.incarnation, id: container.id, name, image })
  }
  return seen
}

function labelsOf({ id, image, name }: Stopped): readonly string[] {
  return ['container_id', id, 'image', image, 'name', name]
}
