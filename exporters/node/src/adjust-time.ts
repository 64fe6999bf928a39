import { loadForeignLibrary } from './foreign-library.ts'

/** Bytes of `struct timex` where long has 64 bits (<linux/timex.h>): the same on all of those. */
const timexBytes = 208

/** What the kernel's clock discipline says, in the kernel's units: nanoseconds or microseconds, and 2^-16 parts per million. */
export interface ClockState {
  /** `TIME_OK` and the like; 5, `TIME_ERROR`, if the clock is not synchronized. */
  readonly state: number
  readonly offset: number
  readonly frequency: number
  readonly maxErrorMicroseconds: number
  readonly estimatedErrorMicroseconds: number
  /** Bits `STA_*`. */
  readonly status: number
  readonly constant: number
  readonly tickMicroseconds: number
  readonly ppsFrequency: number
  readonly ppsJitter: number
  readonly ppsShift: number
  readonly ppsStability: number
  readonly ppsJitterCount: number
  readonly ppsCalibrationCount: number
  readonly ppsErrorCount: number
  readonly ppsStabilityCount: number
  readonly taiOffsetSeconds: number
}

/**
 * A function that reads the state of the kernel's clock by adjtimex(2), without changing it. Throws, saying why, where foreign functions
 * cannot be called; what it returns throws if the kernel refuses.
 */
export function loadClockReader(): () => ClockState {
  if (process.platform !== 'linux' || !['x64', 'arm64', 'riscv64', 'ppc64', 'loong64'].includes(process.arch)) {
    throw new Error(`cannot call adjtimex: want 64-bit Linux, got ${process.platform} ${process.arch}`)
  }
  const koffi = loadForeignLibrary()
  const adjtimex = koffi.load(null).func('int adjtimex(void *timex)')
  const bytes = Buffer.alloc(timexBytes)
  return () => {
    bytes.fill(0)
    const state = adjtimex(bytes)
    if (state < 0) throw new Error(`cannot read the kernel's clock state: adjtimex gave errno ${koffi.errno()}`)
    return decodeClockState(state, bytes)
  }
}

// ┌ modes 8 B ┬ offset, freq, maxerror, esterror 8 B each ┬ status 8 B ┬ constant, precision, tolerance 8 B each ┬ time 16 B ┬ tick,
// ppsfreq, jitter 8 B each ┬ shift 8 B ┬ stabil, jitcnt, calcnt, errcnt, stbcnt 8 B each ┬ tai 4 B ┐: an int is padded to 8 bytes.
export function decodeClockState(state: number, bytes: Buffer): ClockState {
  // In two halves: a BigInt would be an object for each.
  const long = (offset: number): number => bytes.readInt32LE(offset + 4) * 2 ** 32 + bytes.readUInt32LE(offset)
  return {
    state,
    offset: long(8),
    frequency: long(16),
    maxErrorMicroseconds: long(24),
    estimatedErrorMicroseconds: long(32),
    status: bytes.readInt32LE(40),
    constant: long(48),
    tickMicroseconds: long(88),
    ppsFrequency: long(96),
    ppsJitter: long(104),
    ppsShift: bytes.readInt32LE(112),
    ppsStability: long(120),
    ppsJitterCount: long(128),
    ppsCalibrationCount: long(136),
    ppsErrorCount: long(144),
    ppsStabilityCount: long(152),
    taiOffsetSeconds: bytes.readInt32LE(160),
  }
}
