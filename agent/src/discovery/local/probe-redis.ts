import type { Credentials } from './credentials.ts'
import type { Endpoint } from './endpoints.ts'
import { ProbeConnection } from './probe-connection.ts'
import { addressOf, oneLine } from './probe-result.ts'
import type { ProbeResult } from './probe-result.ts'

/** A longer line is no answer of Redis. */
const lineBytesMax = 1024

/** PING, after AUTH where there are credentials. Redis' own refusals are answers too: of one that is loading, or has no master. */
export async function probeRedis(endpoint: Endpoint, credentials: Credentials | undefined, timeoutMs: number): Promise<ProbeResult> {
  const connection = await ProbeConnection.open(endpoint, timeoutMs)
  const address = addressOf(endpoint)
  try {
    if (credentials !== undefined) {
      const { username, password } = credentials
      connection.send(command(['AUTH', ...(username === '' ? [] : [username]), password]))
      const answer = await readLine(connection)
      if (answer === undefined) return { kind: 'other', reason: 'it does not answer as Redis does' }
      // A server without a password refuses one; it lets everybody in.
      const isOpen = /^-ERR .*(without any password|no password is set)/i.test(answer)
      if (answer.startsWith('-') && !isOpen)
        return { kind: 'needs-credentials', reason: `${credentials.source}: ${oneLine(answer.slice(1))}`, address }
      if (isOpen) return { kind: 'confirmed', address }
    }
    connection.send(command(['PING']))
    const answer = await readLine(connection)
    if (answer === undefined) return { kind: 'other', reason: 'it does not answer as Redis does' }
    if (/^-(NOAUTH|WRONGPASS)\b/.test(answer)) return { kind: 'needs-credentials', reason: oneLine(answer.slice(1)), address }
    if (/^-DENIED\b/.test(answer)) return { kind: 'needs-credentials', reason: 'it runs in protected mode', address }
    const known = credentials === undefined ? {} : { username: credentials.username, password: credentials.password }
    return { kind: 'confirmed', address: { ...address, ...known } }
  } finally {
    connection.close()
  }
}

/** The array of bulk strings that every version of the protocol takes. */
function command(parts: readonly string[]): Buffer {
  const encoded = parts.map((part) => `$${Buffer.byteLength(part)}\r\n${part}\r\n`)
  return Buffer.from(`*${parts.length}\r\n${encoded.join('')}`)
}

/** A simple string or an error; undefined for anything else. */
async function readLine(connection: ProbeConnection): Promise<string | undefined> {
  const message = await connection.receive((received) => {
    const end = received.indexOf('\r\n')
    if (end >= 0) return end + 2
    return received.length > lineBytesMax || (received.length > 0 && !isStart(received[0]!)) ? received.length : undefined
  })
  return isStart(message[0]!) && message.length <= lineBytesMax ? message.toString('utf8').trimEnd() : undefined
}

function isStart(byte: number): boolean {
  return byte === 0x2b || byte === 0x2d
}
