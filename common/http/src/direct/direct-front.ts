import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { DirectConnection, type DirectOptions } from './direct-connection.ts'

export type DirectFrontOptions = Omit<DirectOptions, 'handOver' | 'onEnd'>

/** Stands before node:http on a listener: answers direct routes by itself, and gives it all connections that want something else. */
export class DirectFront {
  readonly #connections = new Set<DirectConnection>()

  /** `event`: which of the server's events brings connections that speak HTTP. Its listener is the server's own, and the only one. */
  constructor(server: Server, event: 'connection' | 'secureConnection', options: DirectFrontOptions) {
    const [own] = server.listeners(event) as ((socket: Socket) => void)[]
    if (own === undefined) throw new Error(`cannot stand before a server: want a listener to ${event}, got none`)
    server.off(event, own)
    const connectionOptions: DirectOptions = {
      ...options,
      handOver: (socket) => own.call(server, socket),
      onEnd: (connection) => void this.#connections.delete(connection),
    }
    server.on(event, (socket: Socket) => void this.#connections.add(new DirectConnection(socket, connectionOptions)))
  }

  closeIdleConnections(): void {
    for (const connection of this.#connections) if (connection.isIdle) connection.destroy()
  }

  closeAllConnections(): void {
    for (const connection of this.#connections) connection.destroy()
  }
}
