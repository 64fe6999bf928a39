import { DbusConnection } from './connection.ts'

const defaultSocketPath = '/var/run/dbus/system_bus_socket'

/** One connection that is made when it is first needed, kept between scrapes, and made anew when it was lost. */
export class SharedConnection {
  readonly #socketPath: string
  readonly #isBus: boolean
  #opening: Promise<DbusConnection> | undefined
  #connection: DbusConnection | undefined

  constructor(socketPath: string, isBus: boolean) {
    this.#socketPath = socketPath
    this.#isBus = isBus
  }

  async get(signal: AbortSignal): Promise<DbusConnection> {
    if (this.#connection?.isOpen === true) return this.#connection
    this.#opening ??= DbusConnection.open({ socketPath: this.#socketPath, isBus: this.#isBus, signal })
    try {
      return (this.#connection = await this.#opening)
    } finally {
      this.#opening = undefined
    }
  }

  /** Gives up a connection whose peer no longer answers. */
  reset(reason: Error): void {
    this.#connection?.close(reason)
    this.#connection = undefined
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

/** Socket of the system bus: that of DBUS_SYSTEM_BUS_ADDRESS if it names one, else the usual place. */
export function findSystemBus(address = process.env['DBUS_SYSTEM_BUS_ADDRESS']): string {
  if (address === undefined || address === '') return defaultSocketPath
  for (const alternative of address.split(';')) {
    const match = /^unix:(?:.*,)?(path|abstract)=([^,]*)/.exec(alternative)
    if (match !== null) return (match[1] === 'abstract' ? '\0' : '') + decodeURIComponent(match[2]!)
  }
  throw new Error(`cannot use DBUS_SYSTEM_BUS_ADDRESS: want unix:path= or unix:abstract=, got ${JSON.stringify(address)}`)
}
