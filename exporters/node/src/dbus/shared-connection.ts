import { DbusConnection } from './connection.ts'

const defaultSocketPath = '/var/run/dbus/system_bus_socket'

export interface DbusPlace {
  readonly socketPath: string
  /** False for a program that is spoken to directly. */
  readonly isBus: boolean
}

/** One connection that is made when it is first needed, kept between scrapes, and made anew when it was lost. */
export class SharedConnection {
  readonly #places: readonly DbusPlace[]
  #opening: Promise<DbusConnection> | undefined
  #connection: DbusConnection | undefined

  /** Places are tried in turn. */
  constructor(places: readonly DbusPlace[]) {
    this.#places = places
  }

  /** Scrapes that come while it is being made share it, and the deadline of the first. */
  async get(signal: AbortSignal): Promise<DbusConnection> {
    if (this.#connection?.isOpen === true) return this.#connection
    this.#opening ??= this.#open(signal)
    try {
      return (this.#connection = await this.#opening)
    } finally {
      this.#opening = undefined
    }
  }

  /** Gives up the connection, if there is one: what waits for it fails with this reason. */
  reset(reason: Error): void {
    this.#connection?.close(reason)
    this.#connection = undefined
  }

  async #open(signal: AbortSignal): Promise<DbusConnection> {
    const reasons: string[] = []
    for (const place of this.#places) {
      try {
        return await DbusConnection.open({ ...place, signal })
      } catch (error) {
        reasons.push((error as Error).message)
      }
    }
    throw new Error(reasons.join('; '))
  }
}

/**
 * What `use` gives. When the deadline passes first, the connection is closed: calls that hang end, and the next scrape starts on a new one.
 */
export async function withConnection<T>(
  shared: SharedConnection,
  signal: AbortSignal,
  use: (connection: DbusConnection) => Promise<T>,
): Promise<T> {
  const abort = (): void => shared.reset(new Error('want an answer before the scrape ends, got none'))
  signal.addEventListener('abort', abort)
  try {
    return await use(await shared.get(signal))
  } finally {
    signal.removeEventListener('abort', abort)
  }
}

/** The system bus: where DBUS_SYSTEM_BUS_ADDRESS says if it is set, else the usual place. */
export function findSystemBus(address = process.env['DBUS_SYSTEM_BUS_ADDRESS']): DbusPlace {
  if (address === undefined || address === '') return { socketPath: defaultSocketPath, isBus: true }
  for (const alternative of address.split(';')) {
    const match = /^unix:(?:.*,)?(path|abstract)=([^,]*)/.exec(alternative)
    // A name with a zero byte first is one in the abstract name space.
    if (match !== null) return { socketPath: (match[1] === 'abstract' ? '\0' : '') + decodeURIComponent(match[2]!), isBus: true }
  }
  throw new Error(`cannot use DBUS_SYSTEM_BUS_ADDRESS: want unix:path= or unix:abstract=, got ${JSON.stringify(address)}`)
}
