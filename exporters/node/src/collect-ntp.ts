import type { CollectContext, Collector, MetricWriter } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { isIP } from 'node:net'
import type { NodeEnvironment } from './environment.ts'
import { querySntp, type SntpAnswer } from './sntp-query.ts'

export const ntpFlags: readonly FlagSpec[] = [
  { name: 'collector.ntp.server', type: 'string', default: '127.0.0.1', help: 'NTP server to use for ntp collector.' },
  { name: 'collector.ntp.server-port', type: 'number', default: 123, help: 'UDP port number to connect to on NTP server.' },
  { name: 'collector.ntp.protocol-version', type: 'number', default: 4, help: 'NTP protocol version (2 to 4).' },
  {
    name: 'collector.ntp.server-is-local',
    type: 'boolean',
    default: false,
    help: 'Certify that collector.ntp.server address is not a public ntp server.',
  },
  { name: 'collector.ntp.ip-ttl', type: 'number', default: 1, help: 'IP TTL to use while sending NTP query.' },
  { name: 'collector.ntp.max-distance', type: 'string', default: '3.46608s', help: 'Max accumulated distance to the root.' },
  {
    name: 'collector.ntp.local-offset-tolerance',
    type: 'string',
    default: '1ms',
    help: 'Offset between local clock and local ntpd time to tolerate.',
  },
]

const timeoutMs = 1000
const second = 1_000_000_000n
const day = 86_400n * second
/** RFC 5905: 2^17 s, and 16 s. */
const freshnessMax = 131_072n * second
const dispersionMax = 16n * second
const stratumMax = 16

export function createNtpCollector(environment: NodeEnvironment): Collector {
  const { flags, nowMs } = environment
  const host = flags.string('collector.ntp.server')
  const port = readInteger('server-port', 1, 65_535)
  const version = readInteger('protocol-version', 2, 4)
  const timeToLive = readInteger('ip-ttl', 0, 255)
  const distanceMax = readDuration('max-distance')
  const offsetTolerance = readDuration('local-offset-tolerance')
  if (!flags.boolean('collector.ntp.server-is-local') && !isLoopback(host)) {
    throw new Error(`cannot use collector.ntp.server: want the IP address of a local server (or server-is-local), got ${host}`)
  }
  environment.log.warn('collector ntp is deprecated: the original will remove it in its next major version')
  /** End of the day with the leap second: servers drop their flag right at midnight. */
  let leapMidnight: bigint | undefined

  async function collect({ writer, signal }: CollectContext): Promise<void> {
    const answer = await querySntp({ host, port, version, timeToLive, timeoutMs, signal, nowMs })
    writeAnswer(writer, answer, isSane(answer))
  }

  function isSane(answer: SntpAnswer): boolean {
    const { leap, minimumError, transmitTime } = answer
    if (leap === 1 || leap === 2) leapMidnight = transmitTime - (transmitTime % day) + day
    // Around a leap second clocks may be smeared.
    const isNearLeap = leapMidnight !== undefined && transmitTime > leapMidnight - day && transmitTime < leapMidnight + day
    const distance = (answer.roundTrip + answer.rootDelay) / 2n + answer.rootDispersion
    return isValid(answer) && distance <= distanceMax && minimumError <= offsetTolerance + (isNearLeap ? second : 0n)
  }

  function readInteger(name: string, low: number, high: number): number {
    const value = flags.number(`collector.ntp.${name}`)
    if (Number.isInteger(value) && value >= low && value <= high) return value
    throw new Error(`cannot use collector.ntp.${name}: want ${low} to ${high}, got ${value}`)
  }

  function readDuration(name: string): bigint {
    return parseGoDuration(`collector.ntp.${name}`, flags.string(`collector.ntp.${name}`))
  }

  return { name: 'ntp', defaultOn: false, collect }
}

function isValid({ leap, referenceTime, rootDelay, rootDispersion, stratum, transmitTime }: SntpAnswer): boolean {
  if (stratum === 0 || stratum >= stratumMax || leap === 3) return false
  const age = transmitTime - referenceTime
  return age >= 0n && age <= freshnessMax && rootDelay / 2n + rootDispersion <= dispersionMax
}

function writeAnswer(writer: MetricWriter, answer: SntpAnswer, isSane: boolean): void {
  const write = (name: string, help: string, value: number): void => {
    writer.family(`node_ntp_${name}`, help, 'gauge')
    writer.sample(value)
  }
  write('leap', 'Leap second: none (0), one more (1), one less (2), clock not in sync (3).', answer.leap)
  write('offset_seconds', 'What the local clock lacks.', toSeconds(answer.offset))
  // Servers without a reference give a time before 1970.
  const reference = answer.referenceTime >= second ? answer.referenceTime : 0n
  write('reference_timestamp_seconds', 'Unix time at which the server last set its clock.', Number(reference) / 1e9)
  write('root_delay_seconds', 'Round trip from the server to the reference clock.', toSeconds(answer.rootDelay))
  write('root_dispersion_seconds', 'Dispersion from the server to the reference clock.', toSeconds(answer.rootDispersion))
  write('rtt_seconds', 'Round trip to the server.', toSeconds(answer.roundTrip))
  write('sanity', 'Whether the answer passes the checks of RFC 5905 and the limits of the flags.', isSane ? 1 : 0)
  write('stratum', 'Stratum of the server.', answer.stratum)
}

// As Go's Duration.Seconds: whole seconds and the rest apart.
function toSeconds(nanoseconds: bigint): number {
  return Number(nanoseconds / second) + Number(nanoseconds % second) / 1e9
}

function isLoopback(host: string): boolean {
  return isIP(host) === 4 ? host.startsWith('127.') : host === '::1' || /^::ffff:127\./i.test(host)
}

const unitNanoseconds: Readonly<Record<string, number>> = { ns: 1, us: 1e3, µs: 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 }

/** Go's time.ParseDuration without signs: decimal numbers with units. */
function parseGoDuration(flagName: string, text: string): bigint {
  if (text === '0') return 0n
  if (!/^(?:[0-9]*\.?[0-9]+(?:ns|us|µs|ms|s|m|h))+$/.test(text)) {
    throw new Error(`cannot use ${flagName}: want a duration as 3.5s, got ${JSON.stringify(text)}`)
  }
  let nanoseconds = 0
  for (const [, amount, unit] of text.matchAll(/([0-9]*\.?[0-9]+)([a-zµ]+)/g)) nanoseconds += Number(amount) * unitNanoseconds[unit!]!
  return BigInt(Math.round(nanoseconds))
}
