import { forEachAttribute, type NetlinkSocket } from './netlink-socket.ts'

const getLinkType = 18
const nameAttribute = 3
const extensionMaskAttribute = 29
const skipStatistics = 8
/** struct ifinfomsg. */
const infoBytes = 16

/** Names of the network devices by their indexes. */
export async function readInterfaceNames(socket: NetlinkSocket, turn: () => Promise<void> | undefined): Promise<Map<number, string>> {
  const names = new Map<number, string>()
  const request = Buffer.alloc(infoBytes + 8)
  request.writeUInt16LE(8, infoBytes)
  request.writeUInt16LE(extensionMaskAttribute, infoBytes + 2)
  request.writeUInt32LE(skipStatistics, infoBytes + 4)
  await socket.dump(
    getLinkType,
    request,
    (bytes, start, end) => {
      const index = bytes.readInt32LE(start + 4)
      forEachAttribute(bytes, start + infoBytes, end, (type, from, to) => {
        // With the zero byte at its end.
        if (type === nameAttribute) names.set(index, bytes.toString('utf8', from, to - 1))
      })
    },
    turn,
    () => names.clear(),
  )
  return names
}
