import { constants, createHash, publicEncrypt } from 'node:crypto'
import { userInfo } from 'node:os'
import type { Credentials } from './credentials.ts'
import type { Endpoint } from './endpoints.ts'
import { ProbeConnection } from './probe-connection.ts'
import { addressOf, oneLine } from './probe-result.ts'
import type { ProbeResult } from './probe-result.ts'

// Client/server protocol, packets: ┌ length 3 B little endian ┬ sequence 1 B ┬ payload ┐

const capabilities = {
  longPassword: 0x1,
  protocol41: 0x200,
  transactions: 0x2000,
  secureConnection: 0x8000,
  pluginAuth: 0x8_0000,
}

/** Turns that a handshake may take: greeting, answer, another plugin, its data, its key, the verdict. */
const turnsMax = 8
const utf8Collation = 33

/** The server speaks the protocol but its verdict is of another kind than who we are. */
const busyCodes: ReadonlySet<number> = new Set([1040, 1053, 1203, 1226])
const hostBlocked = 1129

interface Greeting {
  readonly salt: Buffer
  readonly plugin: string
}

/**
 * Reads the greeting and finishes the handshake that it begins: servers count connections that stop in the middle and in the end block the
 * whole host. Without credentials it comes as the user that this process runs as, without a password: what socket authentication wants.
 */
export async function probeMysql(endpoint: Endpoint, credentials: Credentials | undefined, timeoutMs: number): Promise<ProbeResult> {
  const connection = await ProbeConnection.open(endpoint, timeoutMs)
  try {
    const first = await readPacket(connection)
    if (first.payload[0] === 0xff) return judge(readError(first.payload), endpoint, credentials)
    const greeting = readGreeting(first.payload)
    if (greeting === undefined) return { kind: 'other', reason: 'it does not greet as MySQL does' }
    const username = credentials?.username || ownUserName()
    const password = credentials?.password ?? ''
    const error = await finishHandshake(connection, first.sequence, greeting, { username, password, isPrivate: endpoint.kind === 'unix' })
    if (error !== undefined) return judge(error, endpoint, credentials)
    return { kind: 'confirmed', address: { ...addressOf(endpoint), username, password } }
  } finally {
    connection.close()
  }
}

interface Login {
  readonly username: string
  readonly password: string
  /** Nobody can listen: a password may be sent as it is. */
  readonly isPrivate: boolean
}

interface ServerError {
  readonly code: number
  readonly text: string
}

/** Undefined when the server let us in; then we have said goodbye. */
async function finishHandshake(
  connection: ProbeConnection,
  sequence: number,
  greeting: Greeting,
  login: Login,
): Promise<ServerError | undefined> {
  let { salt, plugin } = greeting
  sendPacket(connection, sequence + 1, makeResponse(login, salt, plugin))
  for (let turn = 0; turn < turnsMax; turn++) {
    const { payload, sequence: last } = await readPacket(connection)
    const answer = (bytes: Uint8Array): void => sendPacket(connection, last + 1, bytes)
    switch (payload[0]) {
      case 0x00:
        // COM_QUIT
        sendPacket(connection, 0, Buffer.from([0x01]))
        return undefined
      case 0xff:
        return readError(payload)
      case 0xfe: {
        // Another plugin: its name, its salt. One that we do not know gets no proof, and the server says no.
        const end = payload.indexOf(0, 1)
        plugin = end < 0 ? '' : payload.toString('latin1', 1, end)
        salt = Buffer.from(payload.subarray(end < 0 ? payload.length : end + 1, end + 21))
        answer(makeProof(login.password, salt, plugin))
        break
      }
      default:
        answerMoreData(payload, plugin, login, salt, answer)
    }
  }
  return { code: 0, text: 'the handshake does not come to an end' }
}

// caching_sha2_password: 3 = known, the verdict follows; 4 = wants the password itself; else its public key.
function answerMoreData(payload: Buffer, plugin: string, login: Login, salt: Buffer, answer: (bytes: Uint8Array) => void): void {
  if (payload[0] !== 0x01 || plugin !== 'caching_sha2_password') throw new Error('it does not answer as MySQL does')
  if (payload.length === 2 && payload[1] === 3) return
  const password = Buffer.from(`${login.password}\0`)
  if (payload.length === 2 && payload[1] === 4) {
    answer(login.isPrivate ? password : Buffer.from([0x02]))
    return
  }
  const hidden = Buffer.from(password.map((byte, index) => byte ^ salt[index % salt.length]!))
  answer(publicEncrypt({ key: payload.toString('latin1', 1), padding: constants.RSA_PKCS1_OAEP_PADDING }, hidden))
}

// ┌ 10 ┬ version … 0 ┬ thread 4 ┬ salt 8 ┬ 0 ┬ capabilities 2 ┬ collation 1 ┬ status 2 ┬ capabilities 2 ┬ salt length 1 ┬ 10 B ┬ salt … 0 ┬ plugin … 0 ┐
function readGreeting(payload: Buffer): Greeting | undefined {
  if (payload[0] !== 10) return undefined
  const versionEnd = payload.indexOf(0, 1)
  const fixed = versionEnd + 1
  if (versionEnd < 0 || payload.length < fixed + 32) return undefined
  const low = payload.readUInt16LE(fixed + 13)
  const high = payload.readUInt16LE(fixed + 18)
  const saltLength = Math.max(13, payload[fixed + 20]! - 8)
  const rest = fixed + 31
  const salt = Buffer.concat([payload.subarray(fixed + 4, fixed + 12), payload.subarray(rest, rest + Math.min(12, saltLength))])
  const hasPlugin = ((low | (high << 16)) & capabilities.pluginAuth) !== 0
  const pluginEnd = payload.indexOf(0, rest + saltLength)
  const plugin = payload.toString('latin1', rest + saltLength, pluginEnd < 0 ? payload.length : pluginEnd)
  return { salt, plugin: hasPlugin && plugin !== '' ? plugin : 'mysql_native_password' }
}

// ┌ capabilities 4 ┬ packet size 4 ┬ collation 1 ┬ 23 B ┬ user … 0 ┬ length 1 ┬ proof ┬ plugin … 0 ┐
function makeResponse(login: Login, salt: Buffer, plugin: string): Buffer {
  const head = Buffer.alloc(32)
  head.writeUInt32LE(Object.values(capabilities).reduce((sum, bit) => sum | bit, 0))
  head.writeUInt32LE(2 ** 24 - 1, 4)
  head[8] = utf8Collation
  const proof = makeProof(login.password, salt, plugin)
  return Buffer.concat([head, Buffer.from(`${login.username}\0`), Buffer.from([proof.length]), proof, Buffer.from(`${plugin}\0`)])
}

/** What shows that the password is known; empty for an empty one and for plugins that want something else. */
function makeProof(password: string, salt: Buffer, plugin: string): Buffer {
  const hash = plugin === 'mysql_native_password' ? 'sha1' : plugin === 'caching_sha2_password' ? 'sha256' : undefined
  if (password === '' || hash === undefined) return Buffer.alloc(0)
  const digest = (...parts: readonly Uint8Array[]): Buffer => {
    const sum = createHash(hash)
    for (const part of parts) sum.update(part)
    return sum.digest()
  }
  const once = digest(Buffer.from(password))
  const twice = digest(once)
  const mask = hash === 'sha1' ? digest(salt, twice) : digest(twice, salt)
  return Buffer.from(once.map((byte, index) => byte ^ mask[index]!))
}

function judge({ code, text: said }: ServerError, endpoint: Endpoint, credentials: Credentials | undefined): ProbeResult {
  const text = oneLine(said)
  if (code === hostBlocked) return { kind: 'not-reachable', reason: text }
  const address = addressOf(endpoint)
  if (busyCodes.has(code)) {
    const login = credentials === undefined ? {} : { username: credentials.username, password: credentials.password }
    return credentials === undefined ? { kind: 'not-reachable', reason: text } : { kind: 'confirmed', address: { ...address, ...login } }
  }
  return { kind: 'needs-credentials', reason: credentials === undefined ? text : `${credentials.source}: ${text}`, address }
}

// ┌ 255 ┬ code 2 ┬ '#' and state 5, after the greeting ┬ text ┐
function readError(payload: Buffer): ServerError {
  if (payload.length < 3) return { code: 0, text: 'an error without a code' }
  const textStart = payload[3] === 0x23 ? 9 : 3
  return { code: payload.readUInt16LE(1), text: JSON.stringify(payload.toString('utf8', textStart, textStart + 512)).slice(1, -1) }
}

async function readPacket(connection: ProbeConnection): Promise<{ payload: Buffer; sequence: number }> {
  const packet = await connection.receive((received) => (received.length < 4 ? undefined : 4 + received.readUIntLE(0, 3)))
  if (packet.length === 4) throw new Error('it does not answer as MySQL does')
  return { payload: packet.subarray(4), sequence: packet[3]! }
}

function sendPacket(connection: ProbeConnection, sequence: number, payload: Uint8Array): void {
  const head = Buffer.alloc(4)
  head.writeUIntLE(payload.length, 0, 3)
  head[3] = sequence & 0xff
  connection.send(Buffer.concat([head, payload]))
}

function ownUserName(): string {
  try {
    return userInfo().username
  } catch {
    // A user id that the list of users does not have.
    return 'narthex'
  }
}
