import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { closeSync, openSync, readSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { NodeEnvironment } from './environment.ts'

/** Labels by the kernel's number (include/net/tcp_states.h); 0 stands for numbers that it has no name for. */
const stateNames = 'unknown established syn_sent syn_recv fin_wait1 fin_wait2 time_wait close close_wait last_ack listen closing'.split(' ')

/** A line of /proc/net/tcp is 150 bytes: this much is read between two turns of the event loop. */
const chunkBytes = 128 * 1024

const space = 32
const colon = 58
const lineFeed = 10

interface Totals {
  /** Sockets by state number. */
  readonly sockets: Float64Array
  receiveQueueBytes: number
  transmitQueueBytes: number
}

export function createTcpstatCollector(environment: NodeEnvironment): Collector {
  const path = environment.procPath('net/tcp')
  const path6 = environment.procPath('net/tcp6')

  async function collect({ writer }: CollectContext): Promise<void> {
    const totals: Totals = { sockets: new Float64Array(stateNames.length), receiveQueueBytes: 0, transmitQueueBytes: 0 }
    const chunk = Buffer.allocUnsafe(chunkBytes)
    await readTable(path, chunk, totals)
    try {
      await readTable(path6, chunk, totals)
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error // a kernel without IPv6
    }
    writer.family('node_tcp_connection_states', 'TCP sockets by state, and the bytes that wait in their queues.', 'gauge')
    let count = 0
    stateNames.forEach((name, state) => {
      const value = totals.sockets[state]!
      count += value
      if (value > 0) writer.sample(value, ['state', name])
    })
    if (count === 0) return
    writer.sample(totals.receiveQueueBytes, ['state', 'rx_queued_bytes'])
    writer.sample(totals.transmitQueueBytes, ['state', 'tx_queued_bytes'])
  }

  return { name: 'tcpstat', defaultOn: false, collect }
}

/** Adds the sockets of one table. It may be far larger than other kernel files (150 bytes a socket), so it is never held whole. */
async function readTable(path: string, chunk: Buffer, totals: Totals): Promise<void> {
  const descriptor = openSync(path, 'r')
  try {
    let length = 0
    let isHeader = true
    for (;;) {
      const count = readSync(descriptor, chunk, length, chunk.length - length, null)
      if (count === 0) return
      length += count
      let start = 0
      for (let end = chunk.indexOf(lineFeed); end >= 0 && end < length; end = chunk.indexOf(lineFeed, start)) {
        if (!isHeader) addSocket(chunk, start, end, path, totals)
        isHeader = false
        start = end + 1
      }
      if (start === 0 && length === chunk.length)
        throw new Error(`cannot read ${path}: want lines below ${chunkBytes} bytes, got a longer one`)
      chunk.copyWithin(0, start, length)
      length -= start
      // Large tables take several chunks; others get their turn in between.
      if (count > chunkBytes / 2) await nextTurn()
    }
  } finally {
    closeSync(descriptor)
  }
}

// `  sl local_address:PORT remote_address:PORT STATE TX_QUEUE:RX_QUEUE …`, numbers hexadecimal
function addSocket(bytes: Buffer, start: number, end: number, path: string, totals: Totals): void {
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
  totals.sockets[state < stateNames.length ? state : 0]!++
  totals.transmitQueueBytes += transmit
  totals.receiveQueueBytes += receive
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
