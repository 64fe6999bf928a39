import { closeSync, openSync, readSync } from 'node:fs'
import { EventLoopTurn } from './event-loop-turn.ts'

/** Takes one socket of a table. */
export type TakeTcpRow = (state: number, receiveQueue: number, transmitQueue: number) => void

/** The kernel gives a page at a time. */
const chunkBytes = 16 * 1024

const space = 32
const colon = 58
const lineFeed = 10

/**
 * Lists the sockets of /proc/net/tcp or tcp6. It may be far larger than other kernel files (150 bytes a socket), so it is never held whole.
 * Throws the system's error, or one of its own for a line that is not as the kernel prints it.
 */
export async function readTcpTable(path: string, take: TakeTcpRow): Promise<void> {
  const descriptor = openSync(path, 'r')
  const chunk = Buffer.allocUnsafe(chunkBytes)
  const turn = new EventLoopTurn()
  try {
    let length = 0
    let isHeader = true
    for (;;) {
      const count = readSync(descriptor, chunk, length, chunk.length - length, null)
      if (count === 0) return
      length += count
      let start = 0
      for (let end = chunk.indexOf(lineFeed); end >= 0 && end < length; end = chunk.indexOf(lineFeed, start)) {
        if (!isHeader) takeRow(chunk, start, end, path, take)
        isHeader = false
        start = end + 1
      }
      if (start === 0 && length === chunk.length)
        throw new Error(`cannot read ${path}: want lines below ${chunkBytes} bytes, got a longer one`)
      chunk.copyWithin(0, start, length)
      length -= start
      if (turn.isOver()) await turn.next()
    }
  } finally {
    closeSync(descriptor)
  }
}

// `  sl local_address:PORT remote_address:PORT STATE TX_QUEUE:RX_QUEUE …`, numbers hexadecimal
function takeRow(bytes: Buffer, start: number, end: number, path: string, take: TakeTcpRow): void {
  let offset = start
  for (let field = 0; field < 3; field++) offset = skipField(bytes, offset, end)
  offset = skipSpaces(bytes, offset, end)
  const stateEnd = skipField(bytes, offset, end)
  const state = parseHex(bytes, offset, stateEnd)
  const queueStart = skipSpaces(bytes, stateEnd, end)
  const queueEnd = skipField(bytes, queueStart, end)
  const separator = bytes.indexOf(colon, queueStart)
  const transmit = parseHex(bytes, queueStart, separator)
  const receive = parseHex(bytes, separator + 1, queueEnd)
  if (Number.isNaN(state + transmit + receive) || separator > queueEnd) {
    throw new Error(`cannot read ${path}: want a state and queue lengths, got ${JSON.stringify(bytes.toString('latin1', start, end))}`)
  }
  take(state, receive, transmit)
}

function skipSpaces(bytes: Buffer, offset: number, end: number): number {
  while (offset < end && bytes[offset] === space) offset++
  return offset
}

/** Behind the next field. */
function skipField(bytes: Buffer, offset: number, end: number): number {
  offset = skipSpaces(bytes, offset, end)
  while (offset < end && bytes[offset] !== space) offset++
  return offset
}

/** NaN if the bytes are no hexadecimal number of up to 13 digits. */
function parseHex(bytes: Buffer, start: number, end: number): number {
  if (end <= start || end - start > 13) return NaN
  let value = 0
  for (let offset = start; offset < end; offset++) {
    const digit = hexDigit(bytes[offset]!)
    if (digit < 0) return NaN
    value = value * 16 + digit
  }
  return value
}

function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const letter = code | 32
  return letter >= 97 && letter <= 102 ? letter - 87 : -1
}
