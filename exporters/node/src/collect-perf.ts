import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import type { FlagSpec } from '@narthex/exporter-kit/flag-spec'
import { closeSync, readSync } from 'node:fs'
import { cpus as listCpus } from 'node:os'
import type { NodeEnvironment } from './environment.ts'
import { KernelCalls, type LoadSystemCalls } from './kernel-calls.ts'
import type { SystemCalls } from './netlink/system-calls.ts'
import { parseInteger } from './number-file.ts'
import {
  cacheEvents,
  encodePerfAttribute,
  hardwareEvents,
  parsePerfCpus,
  softwareEvents,
  tracepointEvent,
  type PerfEvent,
} from './perf-events.ts'

export const perfFlags: readonly FlagSpec[] = [
  { name: 'collector.perf.cpus', type: 'string', default: '', help: 'CPUs to count on (0,2-5,1-9:4); default: all.' },
  { name: 'collector.perf.tracepoint', type: 'string', repeatable: true, help: 'Tracepoint to count (SUBSYSTEM:EVENT).' },
  ...['hardware', 'software', 'cache'].flatMap((kind): FlagSpec[] => [
    { name: `collector.perf.disable-${kind}-profilers`, type: 'boolean', default: false, help: `Count no ${kind} events.` },
    { name: `collector.perf.${kind}-profilers`, type: 'string', repeatable: true, help: `Events of ${kind} to count; default: all.` },
  ]),
]

/** Where the tracing file system is mounted; the second place is that of kernels before 4.1. */
const tracingPaths = ['kernel/tracing', 'kernel/debug/tracing']

interface Counter {
  readonly event: PerfEvent
  readonly labels: readonly string[]
  readonly descriptor: number
}

/** Counters of perf_event_open(2), one per event and CPU, open from the first scrape on. */
export function createPerfCollector(environment: NodeEnvironment, _?: unknown, load?: LoadSystemCalls): Collector {
  const { files, flags, log } = environment
  const calls = new KernelCalls('perf', log, load)
  const cpusText = flags.string('collector.perf.cpus')
  const cpus = cpusText === '' ? listCpus().map((_, index) => index) : parsePerfCpus(cpusText)
  const tracepoints = flags.strings('collector.perf.tracepoint')
  for (const name of tracepoints) {
    if (!/^\w+:\w+$/.test(name)) throw new Error(`cannot use collector.perf.tracepoint: want SUBSYSTEM:EVENT, got ${JSON.stringify(name)}`)
  }
  const kinds = [pickEvents('hardware', hardwareEvents), pickEvents('software', softwareEvents), pickEvents('cache', cacheEvents)]
  const value = Buffer.alloc(8)
  let counters: Counter[] | undefined
  /** Why a kind of events cannot be counted at all: a virtual machine without a performance unit, say. The other kinds are shown. */
  let refusal: Error | undefined

  function collect({ writer }: CollectContext): void {
    counters ??= openAll(calls.get())
    let event: PerfEvent | undefined
    for (const counter of counters) {
      if (counter.event !== event) {
        event = counter.event
        writer.family(event.metric, event.help, 'counter')
      }
      if (readSync(counter.descriptor, value, 0, 8, null) !== 8) throw new Error(`cannot read ${event.name}: want 8 bytes, got fewer`)
      writer.sample(Number(value.readBigUInt64LE()), counter.labels)
    }
    if (counters.length === 0 && refusal !== undefined) throw refusal
  }

  function pickEvents(kind: string, events: readonly PerfEvent[]): readonly PerfEvent[] {
    if (flags.boolean(`collector.perf.disable-${kind}-profilers`)) return []
    const wanted = flags.strings(`collector.perf.${kind}-profilers`)
    if (wanted.length === 0) return events
    for (const name of wanted) {
      if (!events.some((known) => known.name === name)) log.error(`unknown ${kind} profiler`, { name })
    }
    return events.filter(({ name }) => wanted.includes(name))
  }

  function openAll(found: SystemCalls): Counter[] {
    const opened: Counter[] = []
    for (const events of [...kinds, tracepoints.map(findTracepoint)]) {
      const before = opened.length
      let reason: Error | undefined
      for (const event of events) {
        for (const cpu of cpus) {
          const descriptor = found.openPerfEvent(encodePerfAttribute(event), cpu)
          if (descriptor >= 0) opened.push({ event, labels: ['cpu', String(cpu)], descriptor })
          else reason ??= new Error(`cannot count ${event.name} on CPU ${cpu}: perf_event_open gave errno ${found.errno()}`)
        }
      }
      // A machine has some events of a kind and not others.
      if (opened.length === before) refusal ??= reason
    }
    if (opened.length > 0 && refusal !== undefined) log.warn('some events cannot be counted on this machine', { err: refusal })
    return opened
  }

  function findTracepoint(name: string): PerfEvent {
    for (const root of tracingPaths) {
      const id = parseInteger(files.readTextIfThere(environment.sysPath(`${root}/events/${name.replace(':', '/')}/id`)) ?? '')
      if (id !== undefined) return tracepointEvent(name, id)
    }
    throw new Error(`cannot count tracepoint ${name}: want its id in ${environment.sysPath(tracingPaths[0]!)}/events, got none`)
  }

  function close(): void {
    for (const { descriptor } of counters ?? []) closeSync(descriptor)
    counters = undefined
  }

  return { name: 'perf', defaultOn: false, collect, close }
}
