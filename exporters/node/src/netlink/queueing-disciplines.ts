import { forEachAttribute, type NetlinkSocket } from './netlink-socket.ts'

const getQdiscType = 38
/** struct tcmsg: ┌ family 1 B, padding 3 B ┬ interface index 4 B ┬ handle 4 B ┬ parent 4 B ┬ info 4 B ┐ */
const messageBytes = 20
/** Parent of the one at the root of a device; 0 in old kernels. */
const rootParent = 0xffffffff
const kindAttribute = 1
const oldStatisticsAttribute = 3
const statisticsAttribute = 7
const basicAttribute = 1
const queueAttribute = 3

export interface QueueingDiscipline {
  readonly interfaceIndex: number
  kind: string
  bytes: number
  packets: number
  drops: number
  requeues: number
  overlimits: number
  queueLength: number
  backlogBytes: number
}

/** The queueing disciplines at the roots of the network devices. */
export async function readRootDisciplines(socket: NetlinkSocket, turn: () => Promise<void> | undefined): Promise<QueueingDiscipline[]> {
  let disciplines: QueueingDiscipline[] = []
  await socket.dump(
    getQdiscType,
    Buffer.alloc(messageBytes),
    (bytes, start, end) => {
      const parent = bytes.readUInt32LE(start + 12)
      if (parent === rootParent || parent === 0) disciplines.push(readDiscipline(bytes, start, end))
    },
    turn,
    () => (disciplines = []),
  )
  return disciplines
}

function readDiscipline(bytes: Buffer, start: number, end: number): QueueingDiscipline {
  const zeros = { bytes: 0, packets: 0, drops: 0, requeues: 0, overlimits: 0, queueLength: 0, backlogBytes: 0 }
  const discipline: QueueingDiscipline = { interfaceIndex: bytes.readInt32LE(start + 4), kind: '', ...zeros }
  const long = (offset: number): number => Number(bytes.readBigUInt64LE(offset))
  const word = (offset: number): number => bytes.readUInt32LE(offset)
  forEachAttribute(bytes, start + messageBytes, end, (type, from, to) => {
    if (type === kindAttribute) discipline.kind = bytes.toString('utf8', from, to - 1)
    else if (type === statisticsAttribute) {
      forEachAttribute(bytes, from, to, (inner, at) => {
        if (inner === basicAttribute) Object.assign(discipline, { bytes: long(at), packets: word(at + 8) })
        else if (inner === queueAttribute) {
          Object.assign(discipline, { queueLength: word(at), backlogBytes: word(at + 4), drops: word(at + 8) })
          Object.assign(discipline, { requeues: word(at + 12), overlimits: word(at + 16) })
        }
      })
    } else if (type === oldStatisticsAttribute) {
      Object.assign(discipline, { bytes: long(from), packets: word(from + 8), drops: word(from + 12), overlimits: word(from + 16) })
      Object.assign(discipline, { queueLength: word(from + 28), backlogBytes: word(from + 32) })
    }
  })
  return discipline
}
