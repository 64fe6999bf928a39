import { createSocket, type Socket } from 'node:dgram'
import { isIPv6 } from 'node:net'

/** An answer of an NTP server (RFC 5905, section 7.3). Times in nanoseconds. */
export interface SntpAnswer {
  /** 0: none, 1: a second more today, 2: one less, 3: not in sync. */
  readonly leap: number
  readonly stratum: number
  readonly rootDelay: bigint
  readonly rootDispersion: bigint
  /** Unix times. */
  readonly referenceTime: bigint
  readonly transmitTime: bigint
  readonly roundTrip: bigint
  /** What the local clock lacks. */
  readonly offset: bigint
  /** By how much the times contradict causality: the least by which the clocks differ. */
  readonly minimumError: bigint
}

export interface SntpQuery {
  readonly host: string
  readonly port: number
  /** 2 to 4. */
  readonly version: number
  /** 0: the system's default. */
  readonly timeToLive: number
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** Unix milliseconds with a fraction. */
  readonly nowMs: () => number
}

// ┌ leap 2 b ┬ version 3 b ┬ mode 3 b ┬ stratum 1 B ┬ poll 1 B ┬ precision 1 B ┬ root delay 4 B ┬ root dispersion 4 B ┬ reference id 4 B ┐
// ┌ reference time 8 B ┬ origin time 8 B ┬ receive time 8 B ┬ transmit time 8 B ┐
const packetBytes = 48
const transmitTimeAt = 40
const clientMode = 3
const serverMode = 4
const nanosecondsPerSecond = 1_000_000_000n
/** Seconds from 1900 to 1970. */
const unixOffsetSeconds = 2_208_988_800n

/** Asks once. Throws if there is no answer in time, or one that is not to this question. */
export async function querySntp(query: SntpQuery): Promise<SntpAnswer> {
  const packet = Buffer.alloc(packetBytes)
  packet[0] = (query.version << 3) | clientMode
  packet[3] = 0x20
  // Random, so that an answer proves that the server has seen the question.
  process.getBuiltinModule('node:crypto').randomBytes(8).copy(packet, transmitTimeAt)
  const socket = createSocket(isIPv6(query.host) ? 'udp6' : 'udp4')
  try {
    const { answer, sentMs, receivedMs } = await exchange(socket, packet, query)
    return readAnswer(answer, packet.readBigUInt64BE(transmitTimeAt), toNtpTime(sentMs), toNtpTime(receivedMs))
  } finally {
    socket.close()
  }
}

interface Exchange {
  readonly answer: Buffer
  readonly sentMs: number
  readonly receivedMs: number
}

function exchange(socket: Socket, packet: Buffer, { host, nowMs, port, signal, timeToLive, timeoutMs }: SntpQuery): Promise<Exchange> {
  return new Promise((resolve, reject) => {
    const where = `${host} port ${port}`
    const fail = (reason: string, cause?: unknown): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      reject(new Error(`cannot query NTP server ${where}: ${reason}`, { cause }))
    }
    const abort = (): void => fail('want an answer before the scrape ends, got none')
    const timer = setTimeout(() => fail(`want an answer within ${timeoutMs} ms, got none`), timeoutMs)
    signal.addEventListener('abort', abort)
    socket.on('error', (error) => fail(error.message, error))
    // Connected, so that a closed port gives an error and no one else can answer.
    socket.connect(port, host, () => {
      if (timeToLive > 0) socket.setTTL(timeToLive)
      const sentMs = nowMs()
      socket.on('message', (answer) => {
        clearTimeout(timer)
        signal.removeEventListener('abort', abort)
        resolve({ answer, sentMs, receivedMs: Math.max(sentMs, nowMs()) })
      })
      socket.send(packet)
    })
  })
}

function readAnswer(packet: Buffer, nonce: bigint, sent: bigint, received: bigint): SntpAnswer {
  const refuse = (want: string): Error => new Error(`cannot read NTP answer: want ${want}`)
  if (packet.length < packetBytes) throw refuse(`${packetBytes} bytes, got ${packet.length}`)
  if ((packet[0]! & 7) !== serverMode) throw refuse(`mode ${serverMode}, got ${packet[0]! & 7}`)
  const serverReceived = packet.readBigUInt64BE(32)
  const serverSent = packet.readBigUInt64BE(transmitTimeAt)
  if (serverSent === 0n) throw refuse('a transmit time, got none')
  if (packet.readBigUInt64BE(24) !== nonce) throw refuse('the answer to this question, got another')
  if (serverReceived > serverSent) throw refuse('a receive time before the transmit time, got a later one')
  // Differences wrap around at the end of an era (2036).
  const there = BigInt.asIntN(64, serverReceived - sent)
  const back = BigInt.asIntN(64, serverSent - received)
  const roundTrip = BigInt.asIntN(64, received - sent) - BigInt.asIntN(64, serverSent - serverReceived)
  const violations = [-there, back].map((violation) => (violation > 0n ? violation : 0n))
  return {
    leap: packet[0]! >> 6,
    stratum: packet[1]!,
    rootDelay: shortToNanoseconds(packet.readUInt32BE(4)),
    rootDispersion: shortToNanoseconds(packet.readUInt32BE(8)),
    referenceTime: toUnixNanoseconds(packet.readBigUInt64BE(16)),
    transmitTime: toUnixNanoseconds(serverSent),
    roundTrip: toNanoseconds(roundTrip < 0n ? 0n : roundTrip),
    offset: toNanoseconds(there + (back - there) / 2n),
    minimumError: toNanoseconds(violations[0]! > violations[1]! ? violations[0]! : violations[1]!),
  }
}

/** 32 bits of seconds and 32 of their fraction. */
function toNanoseconds(time: bigint): bigint {
  const magnitude = time < 0n ? -time : time
  const nanoseconds = (magnitude * nanosecondsPerSecond + (1n << 31n)) >> 32n
  return time < 0n ? -nanoseconds : nanoseconds
}

/** 16 bits of seconds and 16 of their fraction. */
function shortToNanoseconds(time: number): bigint {
  return (BigInt(time) * nanosecondsPerSecond + (1n << 15n)) >> 16n
}

// A time that would be before 1970 belongs to the era that begins in 2036.
function toUnixNanoseconds(time: bigint): bigint {
  const era = time >> 32n < unixOffsetSeconds ? 1n << 32n : 0n
  return toNanoseconds(time) + (era - unixOffsetSeconds) * nanosecondsPerSecond
}

function toNtpTime(unixMs: number): bigint {
  const seconds = Math.floor(unixMs / 1000)
  const fraction = BigInt(Math.round(((unixMs - seconds * 1000) / 1000) * 2 ** 32))
  return BigInt.asUintN(64, ((BigInt(seconds) + unixOffsetSeconds) << 32n) + fraction)
}
