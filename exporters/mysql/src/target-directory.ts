import type { Logger } from '@narthex/service/logger'
import { parseTarget, type ConnectionSettings } from './connection-settings.ts'
import type { MysqlCollector } from './mysql-collector.ts'
import { MysqlTarget } from './mysql-target.ts'
import type { ServerVersion } from './server-version.ts'
import type { SessionStatement } from './session-statements.ts'

/** Servers whose connections are kept at the same time; the one that was asked longest ago goes first. */
export const targetsMax = 256
/** Connections to a server that nobody has asked about for this long are closed. */
export const targetIdleMs = 5 * 60_000

/** A query that names a server wrongly: answered with 400 and this text. */
export class TargetError extends Error {
  override name = 'TargetError'
}

export interface TargetDirectoryOptions {
  readonly sections: ReadonlyMap<string, ConnectionSettings>
  readonly collectors: readonly MysqlCollector[]
  readonly statementsFor: (version: ServerVersion) => readonly SessionStatement[]
  readonly connectionsMax: number
  readonly log: Logger
  /** Monotonic clock, milliseconds. */
  readonly nowMs?: () => number
}

interface Entry {
  readonly target: MysqlTarget
  askedMs: number
}

/** The servers that were asked about, by section of the option file and address. */
export class TargetDirectory {
  readonly #options: TargetDirectoryOptions
  readonly #nowMs: () => number
  #sections: ReadonlyMap<string, ConnectionSettings>
  #collectors: readonly MysqlCollector[]
  /** In the order in which they were asked last. */
  readonly #entries = new Map<string, Entry>()

  constructor(options: TargetDirectoryOptions) {
    this.#options = options
    this.#sections = options.sections
    this.#collectors = options.collectors
    this.#nowMs = options.nowMs ?? (() => performance.now())
  }

  get size(): number {
    return this.#entries.size
  }

  /** The server of `/metrics`: that of section `client`, or the address in `target` with its credentials. */
  findDefault(query: URLSearchParams): MysqlTarget {
    return this.#find('client', query.get('target') ?? '')
  }

  /** The server of `/probe`. */
  findProbed(query: URLSearchParams): MysqlTarget {
    const target = query.get('target') ?? ''
    if (target === '') throw new TargetError('target is required\n')
    return this.#find(query.get('auth_module') || 'client', target)
  }

  /** Takes other credentials and collectors; all connections are opened anew. */
  replace(sections: ReadonlyMap<string, ConnectionSettings>, collectors: readonly MysqlCollector[]): void {
    this.#sections = sections
    this.#collectors = collectors
    this.close()
  }

  close(): void {
    for (const { target } of this.#entries.values()) target.close()
    this.#entries.clear()
  }

  #find(section: string, address: string): MysqlTarget {
    const settings = this.#sections.get(section)
    if (settings === undefined) throw new TargetError(`Could not find section [${section}] from config file\n`)
    const key = `${section} ${address}`
    const nowMs = this.#nowMs()
    const known = this.#entries.get(key)
    this.#entries.delete(key)
    this.#evict(nowMs)
    const entry = known ?? { target: this.#create(section, settings, address), askedMs: nowMs }
    entry.askedMs = nowMs
    this.#entries.set(key, entry)
    return entry.target
  }

  #create(section: string, settings: ConnectionSettings, address: string): MysqlTarget {
    const chosen = address === '' ? settings : { ...settings, address: readTarget(address) }
    return new MysqlTarget({ ...this.#options, section, settings: chosen, collectors: this.#collectors })
  }

  #evict(nowMs: number): void {
    for (const [key, { askedMs, target }] of this.#entries) {
      if (this.#entries.size < targetsMax && nowMs - askedMs < targetIdleMs) return
      target.close()
      this.#entries.delete(key)
    }
  }
}

function readTarget(text: string): ConnectionSettings['address'] {
  try {
    return parseTarget(text)
  } catch (error) {
    throw new TargetError(`failed to parse target: ${error instanceof Error ? error.message : String(error)}\n`, { cause: error })
  }
}
