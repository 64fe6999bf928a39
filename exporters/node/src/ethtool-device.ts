import type { SystemCalls } from './netlink/system-calls.ts'

const ethtoolRequest = 0x8946
const getSettings = 0x01
const getDriverInfo = 0x03
const getStrings = 0x1b
const getStatistics = 0x1d
const statisticsStrings = 1
const stringBytes = 32
/** struct ifreq: ┌ name 16 B ┬ pointer 8 B ┬ … ┐ */
const requestBytes = 40
const nameBytes = 16
/** struct ethtool_cmd. */
const settingsBytes = 44
/** struct ethtool_drvinfo: ┌ command 4 B ┬ driver, version, firmware, bus, ROM 32 B each ┬ reserved 12 B ┬ flags 4 B ┬ statistics 4 B ┬ … ┐ */
const driverInfoBytes = 196
const statisticsCountAt = 180
/** A driver with more than this is wrong, or changed under our hands. */
const statisticsMax = 65_536

/** <errno.h> */
const operationNotSupported = 95

export interface EthtoolSettings {
  /** Bits of link modes, the first 32. */
  readonly supported: number
  readonly advertised: number
  readonly autonegotiation: number
}

export interface EthtoolDriver {
  readonly driver: string
  readonly version: string
  readonly firmware: string
  readonly bus: string
  readonly rom: string
  readonly statisticsCount: number
}

/** Asks the drivers of network devices, by ioctl(2) on a socket. What a driver does not support is undefined; other refusals throw. */
export class EthtoolDevice {
  readonly #calls: SystemCalls
  readonly #descriptor: number
  readonly #request = Buffer.allocUnsafeSlow(requestBytes)
  readonly #name: string

  constructor(calls: SystemCalls, descriptor: number, name: string) {
    this.#calls = calls
    this.#descriptor = descriptor
    this.#name = name
  }

  readSettings(): EthtoolSettings | undefined {
    const bytes = Buffer.allocUnsafeSlow(settingsBytes).fill(0)
    if (!this.#ask(getSettings, bytes)) return undefined
    return { supported: bytes.readUInt32LE(4), advertised: bytes.readUInt32LE(8), autonegotiation: bytes[18]! }
  }

  readDriver(): EthtoolDriver | undefined {
    const bytes = Buffer.allocUnsafeSlow(driverInfoBytes).fill(0)
    if (!this.#ask(getDriverInfo, bytes)) return undefined
    const [driver, version, firmware, bus, rom] = [4, 36, 68, 100, 132].map((offset) => readText(bytes, offset))
    return {
      driver: driver!,
      version: version!,
      firmware: firmware!,
      bus: bus!,
      rom: rom!,
      statisticsCount: bytes.readUInt32LE(statisticsCountAt),
    }
  }

  /** The driver's own statistics in its order; names may repeat. `count` is the driver's, from `readDriver`. */
  readStatistics(count: number): { names: string[]; values: number[] } | undefined {
    if (count === 0) return undefined
    if (count > statisticsMax) throw new Error(`cannot read statistics of ${this.#name}: want at most ${statisticsMax}, got ${count}`)
    // ┌ command 4 B ┬ set 4 B ┬ count 4 B ┬ names 32 B each ┐ and ┌ command 4 B ┬ count 4 B ┬ values 8 B each ┐
    const strings = Buffer.allocUnsafeSlow(12 + count * stringBytes).fill(0)
    strings.writeUInt32LE(statisticsStrings, 4)
    strings.writeUInt32LE(count, 8)
    const values = Buffer.allocUnsafeSlow(8 + count * 8).fill(0)
    values.writeUInt32LE(count, 4)
    if (!this.#ask(getStrings, strings) || !this.#ask(getStatistics, values)) return undefined
    const known = Math.min(count, strings.readUInt32LE(8), values.readUInt32LE(4))
    return {
      names: Array.from({ length: known }, (_, index) => readText(strings, 12 + index * stringBytes)),
      values: Array.from({ length: known }, (_, index) => Number(values.readBigUInt64LE(8 + index * 8))),
    }
  }

  #ask(command: number, argument: Buffer): boolean {
    argument.writeUInt32LE(command, 0)
    this.#request.fill(0)
    this.#request.write(this.#name, 0, nameBytes - 1)
    this.#request.writeBigUInt64LE(this.#calls.addressOf(argument), nameBytes)
    if (this.#calls.ioctl(this.#descriptor, ethtoolRequest, this.#request) >= 0) return true
    const errno = this.#calls.errno()
    if (errno === operationNotSupported) return false
    throw new Error(`cannot ask ethtool of ${this.#name} for 0x${command.toString(16)}: errno ${errno}`)
  }
}

/** Up to 32 bytes, ended by a zero byte. */
function readText(bytes: Buffer, offset: number): string {
  const end = bytes.indexOf(0, offset)
  return bytes.toString('utf8', offset, end < 0 || end > offset + stringBytes ? offset + stringBytes : end)
}
