import type { Connection } from 'mysql2'

/** What is used of the driver's connection beyond its types. */
interface PacketTaker {
  sequenceId: number
  handlePacket(packet?: Packet): void
}

interface Packet {
  readonly sequenceId: number
  peekByte(): number
}

const errorMarker = 0xff

/**
 * Fails the connection at the first packet that is out of order, and takes no further one. The driver alone would print a line for each such packet
 * and read on: a broken server or proxy could fill a disk with them. A server that ends a connection numbers its error as it likes.
 */
export function endOnDisorder(driver: Connection): void {
  if (!isPacketTaker(driver)) throw new Error('BUG: the MySQL driver takes packets in another way')
  const take = driver.handlePacket.bind(driver)
  let hasEnded = false
  driver.handlePacket = (packet) => {
    if (hasEnded) return
    if (packet === undefined || packet.sequenceId === driver.sequenceId) return take(packet)
    if (packet.peekByte() === errorMarker) {
      driver.sequenceId = packet.sequenceId
      return take(packet)
    }
    hasEnded = true
    driver.emit('error', new Error('the packets of the server are out of order'))
  }
}

function isPacketTaker(driver: Connection): driver is Connection & PacketTaker {
  return 'handlePacket' in driver && typeof driver.handlePacket === 'function' && 'sequenceId' in driver
}
