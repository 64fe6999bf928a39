import type { SystemCalls } from './system-calls.ts'

/** Protocols (<linux/netlink.h>). */
export const routeProtocol = 0
export const socketDiagProtocol = 4
export const genericProtocol = 16

const netlinkDomain = 16
/** SOCK_RAW and SOCK_CLOEXEC. */
const socketType = 3 | 0x80000
const doNotWait = 0x40

// ┌ length 4 B ┬ type 2 B ┬ flags 2 B ┬ sequence 4 B ┬ port id 4 B ┬ payload ┐, padded to 4 B; a datagram holds several
const headerBytes = 16
const requestFlag = 1
const ackFlag = 4
/** NLM_F_ROOT and NLM_F_MATCH. */
const dumpFlags = 0x300
const dumpInterruptedFlag = 0x10
const errorType = 2
const doneType = 3

/** The kernel fills at most 32 KiB in one piece of a dump. */
const receiveBytes = 64 * 1024
/** Shared by all sockets: what is received is taken before the next call. */
const buffer = Buffer.allocUnsafeSlow(receiveBytes)
/** A table that changes while it is dumped is asked for again, so often. */
const attemptsMax = 5

/** Takes one message's payload: the bytes from `start` to `end`, valid during the call. */
export type TakeMessage = (bytes: Buffer, start: number, end: number, type: number) => void

/** The kernel refused a request. */
export class NetlinkError extends Error {
  override name = 'NetlinkError'
  readonly errno: number

  constructor(message: string, errno: number) {
    super(message)
    this.errno = errno
  }
}

/**
 * A netlink socket: asks the kernel for its tables. The kernel makes each piece of an answer when it is fetched, so no call ever waits.
 */
export class NetlinkSocket {
  readonly #calls: SystemCalls
  readonly #descriptor: number
  #sequence = 0

  /** Throws a NetlinkError if the kernel has no such protocol, or does not let us. */
  constructor(calls: SystemCalls, protocol: number) {
    this.#calls = calls
    this.#descriptor = calls.socket(netlinkDomain, socketType, protocol)
    if (this.#descriptor < 0) throw this.#failure('open netlink socket')
  }

  /**
   * Fetches a whole table. `turn` is awaited between pieces of it. A table that changed meanwhile is fetched again, after `restart`. Throws a
   * NetlinkError if the kernel refuses.
   */
  async dump(type: number, payload: Buffer, take: TakeMessage, turn: () => Promise<void> | undefined, restart: () => void): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      this.#send(type, requestFlag | dumpFlags, payload)
      let wasInterrupted = false
      for (;;) {
        const state = this.#receive(take)
        wasInterrupted ||= state.wasInterrupted
        if (state.isDone) break
        await turn()
      }
      if (!wasInterrupted) return
      // The last attempt may lack or repeat a row, which is better than nothing.
      if (attempt === attemptsMax) return
      restart()
    }
  }

  /** Asks for one thing: takes the answers until the kernel acknowledges. */
  ask(type: number, payload: Buffer, take: TakeMessage): void {
    this.#send(type, requestFlag | ackFlag, payload)
    while (!this.#receive(take).isDone) {
      // Answer and acknowledgement may come in two pieces.
    }
  }

  close(): void {
    this.#calls.close(this.#descriptor)
  }

  #send(type: number, flags: number, payload: Buffer): void {
    const message = Buffer.alloc(headerBytes + payload.length)
    message.writeUInt32LE(message.length, 0)
    message.writeUInt16LE(type, 4)
    message.writeUInt16LE(flags, 6)
    message.writeUInt32LE(++this.#sequence, 8)
    payload.copy(message, headerBytes)
    if (this.#calls.send(this.#descriptor, message, message.length, 0) < 0) throw this.#failure('send netlink request')
  }

  #receive(take: TakeMessage): { isDone: boolean; wasInterrupted: boolean } {
    const bytes = buffer
    const length = this.#calls.recv(this.#descriptor, bytes, bytes.length, doNotWait)
    if (length < 0) throw this.#failure('read netlink answer')
    let wasInterrupted = false
    for (let start = 0; start + headerBytes <= length;) {
      const messageLength = bytes.readUInt32LE(start)
      const end = start + messageLength
      if (messageLength < headerBytes || end > length) {
        throw new Error(`cannot read netlink answer: want a message within ${length} bytes, got one of ${messageLength} at ${start}`)
      }
      const type = bytes.readUInt16LE(start + 4)
      if ((bytes.readUInt16LE(start + 6) & dumpInterruptedFlag) !== 0) wasInterrupted = true
      if (bytes.readUInt32LE(start + 8) === this.#sequence) {
        if (type === doneType || type === errorType) {
          const errno = end - start >= headerBytes + 4 ? -bytes.readInt32LE(start + headerBytes) : 0
          if (errno > 0) throw new NetlinkError(`cannot get netlink answer: the kernel gave errno ${errno}`, errno)
          return { isDone: true, wasInterrupted }
        }
        take(bytes, start + headerBytes, end, type)
      }
      start += Math.ceil(messageLength / 4) * 4
    }
    return { isDone: false, wasInterrupted }
  }

  #failure(what: string): NetlinkError {
    const errno = this.#calls.errno()
    return new NetlinkError(`cannot ${what}: errno ${errno}`, errno)
  }
}

/** Walks over the attributes from `start` to `end`: `take` gets each one's type and where its value is. */
export function forEachAttribute(
  bytes: Buffer,
  start: number,
  end: number,
  take: (type: number, start: number, end: number) => void,
): void {
  // ┌ length 2 B, with this header ┬ type 2 B, the upper two bits are flags ┬ value ┐, padded to 4 B
  while (start + 4 <= end) {
    const length = bytes.readUInt16LE(start)
    if (length < 4 || start + length > end) return
    take(bytes.readUInt16LE(start + 2) & 0x3fff, start + 4, start + length)
    start += Math.ceil(length / 4) * 4
  }
}
