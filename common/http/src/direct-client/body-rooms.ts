/** What is longer goes on in pieces where its reader takes them, else into memory of its own. */
export const roomBytes = 256 * 1024
/** Most rooms that are kept for later, 4 MiB: bodies of so many connections come at once without new memory. */
export const roomsKept = 16

/**
 * Rooms for bodies that come in several reads, shared by all connections: a room is taken with the second read and given back when the
 * answer was taken. All have one size, so that none is too small for what comes next; memory that no body reached is not the process'.
 */
export class BodyRooms {
  readonly #free: Uint8Array[] = []

  take(): Uint8Array {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(roomBytes)
  }

  /** Takes back what `take` gave; nobody may look into it afterwards. */
  give(room: Uint8Array): void {
    if (this.#free.length < roomsKept) this.#free.push(room)
  }

  get kept(): number {
    return this.#free.length
  }
}

export const bodyRooms = new BodyRooms()
