import type { Server } from 'node:http'
import type { Socket } from 'node:net'

/** A connection that is answered before node:http. */
export interface FrontConnection {
  /** Whether nobody waits for an answer. */
  readonly isIdle: boolean
  destroy(): void
}

/** What a connection needs of the front. */
export interface FrontUse {
  /** Gives the connection to node:http, for good: what was read of it and not answered comes first. */
  handOver(socket: Socket): void
  /** It is over, or somebody else's. */
  onEnd(connection: FrontConnection): void
}

export type OpenConnection = (socket: Socket) => FrontConnection

/** Stands before node:http on a listener: its connections answer what they can by themselves, and give it those that want something else. */
export class DirectFront {
  readonly #connections = new Set<FrontConnection>()

  /** `event`: which of the server's events brings connections that speak HTTP. Its listener is the server's own, and the only one. */
  constructor(server: Server, event: 'connection' | 'secureConnection', prepare: (use: FrontUse) => OpenConnection) {
    const [own] = server.listeners(event) as ((socket: Socket) => void)[]
    if (own === undefined) throw new Error(`cannot stand before a server: want a listener to ${event}, got none`)
    server.off(event, own)
    const open = prepare({
      handOver: (socket) => own.call(server, socket),
      onEnd: (connection) => void this.#connections.delete(connection),
    })
    server.on(event, (socket: Socket) => void this.#connections.add(open(socket)))
  }

  closeIdleConnections(): void {
    for (const connection of this.#connections) if (connection.isIdle) connection.destroy()
  }

  closeAllConnections(): void {
    for (const connection of this.#connections) connection.destroy()
  }
}
