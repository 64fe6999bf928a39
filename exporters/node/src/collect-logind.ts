import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { DbusError, type DbusConnection, type DbusObject, type DbusReply } from './dbus/connection.ts'
import { findSystemBus, SharedConnection, withConnection } from './dbus/shared-connection.ts'
import type { NodeEnvironment } from './environment.ts'

const busName = 'org.freedesktop.login1'
const manager: DbusObject = { destination: busName, path: '/org/freedesktop/login1', interface: `${busName}.Manager` }

// The original's lists (logind 229), in which later words count as `other`.
const classes = ['background', 'greeter', 'lock-screen', 'other', 'user']
const types = ['mir', 'other', 'tty', 'unspecified', 'wayland', 'web', 'x11']

interface Session {
  readonly seat: string
  readonly path: string
}

export function createLogindCollector(_environment: NodeEnvironment): Collector {
  const connection = new SharedConnection([findSystemBus()])

  async function collect({ writer, signal }: CollectContext): Promise<void> {
    const { seats, counts } = await withConnection(connection, signal, countSessions)
    writer.family('node_logind_sessions', 'Sessions by seat, class, type, and whether they are remote.', 'gauge')
    for (const className of classes) {
      for (const remote of ['false', 'true']) {
        for (const seat of seats) {
          for (const type of types) {
            const labels = ['class', className, 'remote', remote, 'seat', seat, 'type', type]
            writer.sample(counts.get(keyOf(className, remote, seat, type)) ?? 0, labels)
          }
        }
      }
    }
  }

  return { name: 'logind', defaultOn: false, collect, close: () => connection.reset(new Error('the exporter was closed')) }
}

async function countSessions(bus: DbusConnection): Promise<{ seats: string[]; counts: Map<string, number> }> {
  const [seatList, sessionList] = await Promise.all([bus.call(manager, 'ListSeats'), bus.call(manager, 'ListSessions')])
  // Remote sessions have none.
  const seats = ['', ...readSeats(seatList)]
  const counts = new Map<string, number>()
  const keys = await Promise.all(readSessions(sessionList).map((session) => readSession(bus, session)))
  for (const key of keys) if (key !== undefined) counts.set(key, (counts.get(key) ?? 0) + 1)
  return { seats, counts }
}

// a(so): name, path
function readSeats({ reader, signature }: DbusReply): string[] {
  if (signature !== 'a(so)') throw new Error(`cannot read logind's seats: want a(so), got ${signature}`)
  const seats: string[] = []
  const length = reader.uint32()
  reader.align(8)
  for (const end = reader.offset + length; reader.offset < end;) {
    reader.align(8)
    seats.push(reader.string())
    reader.skipString()
  }
  return seats
}

// a(susso): name, user id, user name, seat, path
function readSessions({ reader, signature }: DbusReply): Session[] {
  if (signature !== 'a(susso)') throw new Error(`cannot read logind's sessions: want a(susso), got ${signature}`)
  const sessions: Session[] = []
  const length = reader.uint32()
  reader.align(8)
  for (const end = reader.offset + length; reader.offset < end;) {
    reader.align(8)
    reader.skipString()
    reader.uint32()
    reader.skipString()
    const seat = reader.string()
    sessions.push({ seat, path: reader.string() })
  }
  return sessions
}

/** Undefined for a session that ended meanwhile. */
async function readSession(bus: DbusConnection, { path, seat }: Session): Promise<string | undefined> {
  const target: DbusObject = { destination: busName, path, interface: `${busName}.Session` }
  try {
    const get = (name: string): Promise<unknown> => bus.getProperty(target, name)
    const [remote, type, className] = await Promise.all([get('Remote'), get('Type'), get('Class')])
    return keyOf(knownOrOther(className, classes), String(remote), seat, knownOrOther(type, types))
  } catch (error) {
    if (error instanceof DbusError) return undefined
    throw error
  }
}

function knownOrOther(value: unknown, known: readonly string[]): string {
  return typeof value === 'string' && known.includes(value) ? value : 'other'
}

function keyOf(...parts: readonly string[]): string {
  return parts.join('\0')
}
