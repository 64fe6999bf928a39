import type { Logger } from '@narthex/service/logger'
import { DbusError, type DbusConnection, type DbusObject, type DbusReply } from './dbus/connection.ts'

const busName = 'org.freedesktop.systemd1'
const manager: DbusObject = { destination: busName, path: '/org/freedesktop/systemd1', interface: `${busName}.Manager` }

/** SystemState and the timers' LastTriggerUSec came with it. */
const systemStateVersionMin = 212
/** What systemd prints for a number that it does not have or that is without limit. */
const noValue = 2n ** 64n - 1n

// The type of a service stands in its unit file. It is asked anew when systemd has read the files again, and in any case after 5 to 10
// minutes, spread so that thousands of services are not asked in one scrape: that was most of the cost.
const typeAgeMinMs = 5 * 60_000
const typeAgeSpreadMs = 5 * 60_000

export interface SystemdOptions {
  readonly isWanted: (unitName: string) => boolean
  readonly hasTasks: boolean
  readonly hasRestarts: boolean
  readonly hasStartTimes: boolean
  readonly log: Logger
  readonly nowMs: () => number
}

/** A unit that is shown; numbers that were not asked for, or that systemd does not have, are absent. */
export interface SystemdUnit {
  readonly name: string
  readonly path: string
  readonly activeState: string
  /** Of a service (`simple`) or a mount (`ext4`), else ''. */
  type: string
  restarts?: number
  startSeconds?: number
  tasksCurrent?: number
  tasksMax?: number
  lastTriggerSeconds?: number
  accepted?: number
  connections?: number
  refused?: number
}

export interface SystemdState {
  /** 0 and '' if systemd does not tell. */
  readonly version: number
  readonly versionText: string
  readonly virtualization: string
  /** Units by state, all of them. */
  readonly counts: ReadonlyMap<string, number>
  readonly units: readonly SystemdUnit[]
  readonly isRunning: boolean | undefined
  readonly systemStateError: Error | undefined
}

interface KnownType {
  readonly type: string
  readonly validUntilMs: number
}

/** Asks systemd for its units. Many calls are under way at once over one connection. */
export class SystemdReader {
  readonly #options: SystemdOptions
  #types = new Map<string, KnownType>()
  #loadedAt: unknown

  constructor(options: SystemdOptions) {
    this.#options = options
  }

  async read(bus: DbusConnection): Promise<SystemdState> {
    const [versionText, virtualization, loadedAt, list] = await Promise.all([
      this.#tryGet(bus, manager, 'Version'),
      this.#tryGet(bus, manager, 'Virtualization'),
      this.#tryGet(bus, manager, 'UnitsLoadTimestampMonotonic'),
      bus.call(manager, 'ListUnits'),
    ])
    if (loadedAt !== this.#loadedAt) this.#types.clear()
    this.#loadedAt = loadedAt
    const { counts, units } = this.#readList(list)
    const version = parseVersion(versionText)
    const hasSystemState = version >= systemStateVersionMin
    const types = new Map<string, KnownType>()
    const [systemState] = await Promise.all([
      hasSystemState ? this.#getSystemState(bus) : undefined,
      ...units.map((unit, index) => this.#readUnit(bus, unit, index, hasSystemState, types)),
    ])
    this.#types = types
    return {
      version,
      versionText: version === 0 ? '' : String(versionText),
      virtualization: virtualization === undefined ? 'unknown' : virtualization === '' ? 'none' : String(virtualization),
      counts,
      units,
      isRunning: systemState === undefined || systemState instanceof Error ? undefined : systemState === 'running',
      systemStateError: systemState instanceof Error ? systemState : undefined,
    }
  }

  // a(ssssssouso): name, description, load state, active state, sub state, followed unit, path, job id, job type, job path
  #readList({ reader, signature }: DbusReply): { counts: Map<string, number>; units: SystemdUnit[] } {
    if (signature !== 'a(ssssssouso)') throw new Error(`cannot read systemd's units: want a(ssssssouso), got ${signature}`)
    const counts = new Map<string, number>()
    const units: SystemdUnit[] = []
    const length = reader.uint32()
    reader.align(8)
    for (const end = reader.offset + length; reader.offset < end;) {
      reader.align(8)
      const name = reader.string()
      reader.skipString()
      const loadState = reader.string()
      const activeState = reader.string()
      reader.skipString()
      reader.skipString()
      const path = reader.string()
      reader.uint32()
      reader.skipString()
      reader.skipString()
      counts.set(activeState, (counts.get(activeState) ?? 0) + 1)
      if (loadState === 'loaded' && this.#options.isWanted(name)) units.push({ name, path, activeState, type: '' })
    }
    // In the order of names: systemd's own is that of a hash table, and changes when it executes itself anew.
    units.sort((a, b) => (a.name < b.name ? -1 : 1))
    return { counts, units }
  }

  #readUnit(bus: DbusConnection, unit: SystemdUnit, index: number, hasTimers: boolean, types: Map<string, KnownType>): Promise<unknown> {
    const { hasRestarts, hasStartTimes, hasTasks } = this.#options
    const get = (kind: string, property: string): Promise<unknown> =>
      this.#tryGet(bus, { destination: busName, path: unit.path, interface: `${busName}.${kind}` }, property)
    const jobs: Promise<void>[] = []
    const kind = unit.name.slice(unit.name.lastIndexOf('.') + 1)
    if (kind === 'service') {
      jobs.push(this.#readServiceType(unit, index, types, () => get('Service', 'Type')))
      if (hasRestarts) jobs.push(store(get('Service', 'NRestarts'), (value) => (unit.restarts = value)))
      if (hasTasks) {
        jobs.push(store(get('Service', 'TasksCurrent'), (value) => (unit.tasksCurrent = value)))
        jobs.push(store(get('Service', 'TasksMax'), (value) => (unit.tasksMax = value)))
      }
    } else if (kind === 'mount') {
      jobs.push(get('Mount', 'Type').then((type) => void (unit.type = typeof type === 'string' ? type : '')))
    } else if (kind === 'timer' && hasTimers) {
      jobs.push(store(get('Timer', 'LastTriggerUSec'), (value) => (unit.lastTriggerSeconds = value / 1e6)))
    } else if (kind === 'socket') {
      jobs.push(store(get('Socket', 'NAccepted'), (value) => (unit.accepted = value)))
      jobs.push(store(get('Socket', 'NConnections'), (value) => (unit.connections = value)))
      jobs.push(store(get('Socket', 'NRefused'), (value) => (unit.refused = value)))
    }
    if (hasStartTimes) {
      if (unit.activeState !== 'active') unit.startSeconds = 0
      else jobs.push(store(get('Unit', 'ActiveEnterTimestamp'), (value) => (unit.startSeconds = value / 1e6)))
    }
    return jobs.length === 1 ? jobs[0]! : Promise.all(jobs)
  }

  async #readServiceType(unit: SystemdUnit, index: number, types: Map<string, KnownType>, get: () => Promise<unknown>): Promise<void> {
    const nowMs = this.#options.nowMs()
    let known = this.#types.get(unit.name)
    if (known === undefined || nowMs > known.validUntilMs) {
      const type = await get()
      if (typeof type !== 'string') return
      known = { type, validUntilMs: nowMs + typeAgeMinMs + (index % 300) * (typeAgeSpreadMs / 300) }
    }
    unit.type = known.type
    types.set(unit.name, known)
  }

  async #getSystemState(bus: DbusConnection): Promise<unknown> {
    try {
      return await bus.getProperty(manager, 'SystemState')
    } catch (error) {
      if (error instanceof DbusError) return error
      throw error
    }
  }

  /** Undefined for a property that this systemd does not have, or a unit that went meanwhile. */
  async #tryGet(bus: DbusConnection, target: DbusObject, name: string): Promise<string | number | bigint | boolean | undefined> {
    try {
      return await bus.getProperty(target, name)
    } catch (error) {
      if (!(error instanceof DbusError)) throw error
      this.#options.log.debug('cannot get property of systemd', { path: target.path, property: name, err: error })
      return undefined
    }
  }
}

async function store(value: Promise<unknown>, put: (value: number) => void): Promise<void> {
  const result = await value
  if ((typeof result === 'number' || typeof result === 'bigint') && result !== noValue) put(Number(result))
}

/** The first number of three digits or more, as in `systemd 252.38-1` or `v257`; 0 if there is none. */
function parseVersion(text: unknown): number {
  return Number((typeof text === 'string' ? /[0-9]{3,}(?:\.[0-9]+)?/.exec(text)?.[0] : undefined) ?? 0)
}
