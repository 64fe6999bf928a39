import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import type { NodeEnvironment } from './environment.ts'
import { createNameFilter } from './name-filter-flags.ts'
import { EventLoopTurn } from './event-loop-turn.ts'
import { KernelCalls, type LoadSystemCalls } from './kernel-calls.ts'
import { readInterfaceNames } from './netlink/interface-names.ts'
import { NetlinkSocket, routeProtocol } from './netlink/netlink-socket.ts'
import { readRootDisciplines, type QueueingDiscipline } from './netlink/queueing-disciplines.ts'

export const qdiscFlags: readonly FlagSpec[] = [
  {
    name: 'collector.qdisc.device-include',
    type: 'string',
    help: 'Regexp of qdisc devices to include (mutually exclusive to device-exclude).',
  },
  {
    name: 'collector.qdisc.device-exclude',
    type: 'string',
    help: 'Regexp of qdisc devices to exclude (mutually exclusive to device-include).',
  },
  { name: 'collector.qdisk.device-include', type: 'string', hidden: true, help: 'Old name of qdisc.device-include.' },
  { name: 'collector.qdisk.device-exclude', type: 'string', hidden: true, help: 'Old name of qdisc.device-exclude.' },
]

const families: readonly (readonly [name: string, help: string, type: 'counter' | 'gauge', pick: (row: QueueingDiscipline) => number])[] = [
  ['backlog', 'Bytes in the queue.', 'gauge', ({ backlogBytes }) => backlogBytes],
  ['bytes_total', 'Bytes sent.', 'counter', ({ bytes }) => bytes],
  ['current_queue_length', 'Packets in the queue.', 'gauge', ({ queueLength }) => queueLength],
  ['drops_total', 'Packets dropped.', 'counter', ({ drops }) => drops],
  ['overlimits_total', 'Packets over the limit.', 'counter', ({ overlimits }) => overlimits],
  ['packets_total', 'Packets sent.', 'counter', ({ packets }) => packets],
  ['requeues_total', 'Packets put back into the queue.', 'counter', ({ requeues }) => requeues],
]

/** Queueing disciplines at the roots of network devices, by netlink: no file tells them. */
export function createQdiscCollector(environment: NodeEnvironment, _?: unknown, load?: LoadSystemCalls): Collector {
  const { flags, log } = environment
  const calls = new KernelCalls('qdisc', log, load)
  const filter = createNameFilter(flags, {
    exclude: 'collector.qdisc.device-exclude',
    include: 'collector.qdisc.device-include',
    oldExclude: 'collector.qdisk.device-exclude',
    oldInclude: 'collector.qdisk.device-include',
  })

  async function collect({ writer }: CollectContext): Promise<void> {
    const rows = (await readRows()).map((row) => ({ row, labels: ['device', row.device, 'kind', row.discipline.kind] }))
    for (const [name, help, type, pick] of families) {
      writer.family(`node_qdisc_${name}`, help, type)
      for (const { row, labels } of rows) writer.sample(pick(row.discipline), labels)
    }
  }

  async function readRows(): Promise<{ device: string; discipline: QueueingDiscipline }[]> {
    const socket = new NetlinkSocket(calls.get(), routeProtocol)
    try {
      const turn = EventLoopTurn.start()
      const names = await readInterfaceNames(socket, turn)
      return (await readRootDisciplines(socket, turn))
        .map((discipline) => ({ device: names.get(discipline.interfaceIndex) ?? '', discipline }))
        .filter(({ device }) => !filter.isIgnored(device))
        .sort((a, b) => (a.device < b.device ? -1 : 1))
    } finally {
      socket.close()
    }
  }

  return { name: 'qdisc', defaultOn: false, collect }
}
