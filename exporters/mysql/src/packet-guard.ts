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
 * Fails the connection at the first packet that is out of order, and takes no further one; what else is wrong with a packet becomes an error and nothing
 * else. The driver alone would print a line for each packet that is out of order and read on, and a stack trace for a value that it cannot read: a
 * broken server or proxy could fill a disk with them. A server that ends a connection numbers its error as it likes.
 */
export function guardPackets(driver: Connection): void {
  if (!isPacketTaker(driver)) throw new Error('BUG: the MySQL driver takes packets in another way')
  const handle = driver.handlePacket.bind(driver)
  const take = (packet: Packet | undefined): void => silently(() => handle(packet))
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

const silence = { error: () => {}, log: () => {}, trace: () => {}, warn: () => {} }

/** `act` is synchronous, and what it calls of ours has a log of its own. */
function silently(act: () => void): void {
  const { error, log, trace, warn } = console
  Object.assign(console, silence)
  try {
    act()
  } finally {
    Object.assign(console, { error, log, trace, warn })
  }
}
