import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { loadClockReader, type ClockState } from './adjust-time.ts'
import type { NodeEnvironment } from './environment.ts'

/** State of a clock that is not synchronized. */
const timeError = 5
/** Bit of the status: offset and jitter are nanoseconds. */
const nanosecondStatus = 0x2000
const microsecondsPerSecond = 1e6
/** Frequencies are parts per million with 16 bits behind the point. */
const frequencyUnit = 1e6 * 65536

interface Family {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge'
  readonly valueOf: (clock: ClockState, unitsPerSecond: number) => number
}

const gauge = (name: string, help: string, valueOf: Family['valueOf']): Family => ({
  name: `node_timex_${name}`,
  help,
  type: 'gauge',
  valueOf,
})
const counter = (name: string, help: string, valueOf: Family['valueOf']): Family => ({
  name: `node_timex_${name}`,
  help,
  type: 'counter',
  valueOf,
})

const families: readonly Family[] = [
  gauge('estimated_error_seconds', 'Estimated error of the clock.', (clock) => clock.estimatedErrorMicroseconds / microsecondsPerSecond),
  gauge('frequency_adjustment_ratio', 'Frequency of the clock as adjusted.', (clock) => 1 + clock.frequency / frequencyUnit),
  gauge('loop_time_constant', 'Time constant of the phase-locked loop.', (clock) => clock.constant),
  gauge('maxerror_seconds', 'Greatest error of the clock.', (clock) => clock.maxErrorMicroseconds / microsecondsPerSecond),
  gauge('offset_seconds', 'Offset between the clock and its reference.', (clock, unitsPerSecond) => clock.offset / unitsPerSecond),
  counter('pps_calibration_total', 'Calibration intervals of the pulse per second.', (clock) => clock.ppsCalibrationCount),
  counter('pps_error_total', 'Calibration errors of the pulse per second.', (clock) => clock.ppsErrorCount),
  gauge('pps_frequency_hertz', 'Frequency of the pulse per second.', (clock) => clock.ppsFrequency / frequencyUnit),
  gauge('pps_jitter_seconds', 'Jitter of the pulse per second.', (clock, unitsPerSecond) => clock.ppsJitter / unitsPerSecond),
  counter('pps_jitter_total', 'Times that the jitter of the pulse per second was beyond its limit.', (clock) => clock.ppsJitterCount),
  gauge('pps_shift_seconds', 'Interval of the pulse per second.', (clock) => clock.ppsShift),
  counter('pps_stability_exceeded_total', 'Times that the pulse per second was not stable.', (clock) => clock.ppsStabilityCount),
  gauge('pps_stability_hertz', 'Stability of the pulse per second.', (clock) => clock.ppsStability / frequencyUnit),
  gauge('status', 'Status of the clock as a bit field (STA_*).', (clock) => clock.status),
  gauge('sync_status', 'Whether the clock is synchronized to a reliable server.', (clock) => (clock.state === timeError ? 0 : 1)),
  gauge('tai_offset_seconds', 'Offset of International Atomic Time.', (clock) => clock.taiOffsetSeconds),
  gauge('tick_seconds', 'Seconds between clock ticks.', (clock) => clock.tickMicroseconds / microsecondsPerSecond),
]

/** `load` gives what reads the clock's state; it is called by the first scrape, so that who switches the collector off loads nothing. */
export function createTimexCollector(environment: NodeEnvironment, _: unknown, load = loadClockReader): Collector {
  let readClock: (() => ClockState) | undefined
  let refusal: unknown

  function collect({ writer }: CollectContext): void {
    const clock = openClock()()
    const unitsPerSecond = (clock.status & nanosecondStatus) === 0 ? 1e6 : 1e9
    for (const { name, help, type, valueOf } of families) {
      writer.family(name, help, type)
      writer.sample(valueOf(clock, unitsPerSecond))
    }
  }

  /** A refusal is for good, and logged once. */
  function openClock(): () => ClockState {
    if (readClock !== undefined) return readClock
    if (refusal === undefined) {
      try {
        return (readClock = load())
      } catch (error) {
        refusal = error
        environment.log.warn('no clock metrics', { name: 'timex', err: error })
      }
    }
    throw new NoDataError('foreign functions cannot be called', { cause: refusal })
  }

  return { name: 'timex', defaultOn: true, collect }
}
