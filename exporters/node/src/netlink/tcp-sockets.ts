import { socketDiagProtocol, NetlinkSocket } from './netlink-socket.ts'
import type { SystemCalls } from './system-calls.ts'

const socketDiagByFamily = 20
const tcp = 6
/** All states up to TCP_CLOSING: a bit each. */
const allStates = 0xfff
/** struct inet_diag_req_v2. */
const requestBytes = 56
/** Of struct inet_diag_msg: ┌ family, state, timer, retransmits 1 B each ┬ socket id 48 B ┬ expires 4 B ┬ receive queue 4 B ┬ transmit queue 4 B ┬ … ┐ */
const receiveQueueAt = 56
const transmitQueueAt = 60

export const ipv4Family = 2
export const ipv6Family = 10

/** What is known of one TCP socket; for one that listens the queues are its backlog and the most that it may hold. */
export type TakeTcpSocket = (state: number, receiveQueue: number, transmitQueue: number) => void

/** Lists the TCP sockets of one address family, at a fraction of what the kernel needs for /proc/net/tcp. `restart`: all anew. */
export async function readTcpSockets(
  calls: SystemCalls,
  family: number,
  take: TakeTcpSocket,
  turn: () => Promise<void> | undefined,
  restart: () => void,
): Promise<void> {
  const socket = new NetlinkSocket(calls, socketDiagProtocol)
  try {
    const request = Buffer.alloc(requestBytes)
    request[0] = family
    request[1] = tcp
    request.writeUInt32LE(allStates, 4)
    await socket.dump(
      socketDiagByFamily,
      request,
      (bytes, start) => take(bytes[start + 1]!, bytes.readUInt32LE(start + receiveQueueAt), bytes.readUInt32LE(start + transmitQueueAt)),
      turn,
      restart,
    )
  } finally {
    socket.close()
  }
}
