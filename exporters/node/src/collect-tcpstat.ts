import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { existsSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'
import { EventLoopTurn } from './event-loop-turn.ts'
import { KernelCalls, type LoadSystemCalls } from './kernel-calls.ts'
import { ipv4Family, ipv6Family, readTcpSockets } from './netlink/tcp-sockets.ts'
import type { SystemCalls } from './netlink/system-calls.ts'
import { readTcpTable } from './tcp-table.ts'

/** Labels by the kernel's number (include/net/tcp_states.h); 0 stands for numbers that it has no name for. */
const stateNames = 'unknown established syn_sent syn_recv fin_wait1 fin_wait2 time_wait close close_wait last_ack listen closing'.split(' ')

/** Asks by netlink as the original does. Without foreign functions /proc/net/tcp, which has not what a listening socket's queue may hold. */
export function createTcpstatCollector(environment: NodeEnvironment, _?: unknown, load?: LoadSystemCalls): Collector {
  const calls = new KernelCalls('tcpstat', environment.log, load)
  const path = environment.procPath('net/tcp')
  const path6 = environment.procPath('net/tcp6')

  async function collect({ writer }: CollectContext): Promise<void> {
    const totals = new Totals()
    const found = calls.find()
    if (found === undefined) await readFiles(totals)
    else await askKernel(found, totals)
    writer.family('node_tcp_connection_states', 'TCP sockets by state, and the bytes that wait in their queues.', 'gauge')
    stateNames.forEach((name, state) => {
      if (totals.sockets[state]! > 0) writer.sample(totals.sockets[state]!, ['state', name])
    })
    if (totals.sockets.every((count) => count === 0)) return
    writer.sample(totals.receiveQueue, ['state', 'rx_queued_bytes'])
    writer.sample(totals.transmitQueue, ['state', 'tx_queued_bytes'])
  }

  async function askKernel(found: SystemCalls, totals: Totals): Promise<void> {
    const turn = EventLoopTurn.start()
    await readTcpSockets(found, ipv4Family, totals.add, turn, () => totals.clear())
    if (!existsSync(path6)) return
    const ipv4 = totals.copy()
    await readTcpSockets(found, ipv6Family, totals.add, turn, () => totals.set(ipv4))
  }

  async function readFiles(totals: Totals): Promise<void> {
    await readTcpTable(path, totals.add)
    try {
      await readTcpTable(path6, totals.add)
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error // a kernel without IPv6
    }
  }

  return { name: 'tcpstat', defaultOn: false, collect }
}

class Totals {
  /** Sockets by state number. */
  readonly sockets = new Float64Array(stateNames.length)
  receiveQueue = 0
  transmitQueue = 0

  readonly add = (state: number, receiveQueue: number, transmitQueue: number): void => {
    this.sockets[state < stateNames.length ? state : 0]!++
    this.receiveQueue += receiveQueue
    this.transmitQueue += transmitQueue
  }

  clear(): void {
    this.set(new Totals())
  }

  copy(): Totals {
    const copy = new Totals()
    copy.set(this)
    return copy
  }

  set(other: Totals): void {
    this.sockets.set(other.sockets)
    this.receiveQueue = other.receiveQueue
    this.transmitQueue = other.transmitQueue
  }
}
