/** A counter of perf_event_open(2) (<linux/perf_event.h>). */
export interface PerfEvent {
  /** As in `--collector.perf.…-profilers`; of a tracepoint `SUBSYSTEM:EVENT`. */
  readonly name: string
  readonly metric: string
  readonly help: string
  readonly type: number
  readonly config: number
}

const hardwareType = 0
const softwareType = 1
const tracepointType = 2
const cacheType = 3

const event = (type: number, name: string, metric: string, help: string, config: number): PerfEvent => {
  return { name, metric: `node_perf_${metric}_total`, help, type, config }
}

export const hardwareEvents: readonly PerfEvent[] = [
  event(hardwareType, 'CpuCycles', 'cpucycles', 'Cycles.', 0),
  event(hardwareType, 'CpuInstr', 'instructions', 'Instructions.', 1),
  event(hardwareType, 'CacheRef', 'cache_refs', 'Cache references.', 2),
  event(hardwareType, 'CacheMisses', 'cache_misses', 'Cache misses.', 3),
  event(hardwareType, 'BranchInstr', 'branch_instructions', 'Branch instructions.', 4),
  event(hardwareType, 'BranchMisses', 'branch_misses', 'Branches that were predicted wrongly.', 5),
  event(hardwareType, 'StalledCyclesFrontend', 'stalled_cycles_frontend', 'Cycles in which fetching stalled.', 7),
  event(hardwareType, 'StalledCyclesBackend', 'stalled_cycles_backend', 'Cycles in which retiring stalled.', 8),
  event(hardwareType, 'RefCpuCycles', 'ref_cpucycles', 'Cycles of a clock that does not change.', 9),
]

export const softwareEvents: readonly PerfEvent[] = [
  event(softwareType, 'PageFault', 'page_faults', 'Page faults.', 2),
  event(softwareType, 'ContextSwitch', 'context_switches', 'Context switches.', 3),
  event(softwareType, 'CpuMigration', 'cpu_migrations', 'Tasks that moved to another CPU.', 4),
  event(softwareType, 'MinorFault', 'minor_faults', 'Page faults without I/O.', 5),
  event(softwareType, 'MajorFault', 'major_faults', 'Page faults with I/O.', 6),
]

// The configuration of a cache event is its cache, operation and result in a byte each.
const caches = { L1Data: 0, L1Instr: 1, LL: 2, DataTLB: 3, InstrTLB: 4, BPU: 5 } as const
const write = 1 << 8
const miss = 1 << 16

const cache = (name: keyof typeof caches, suffix: string, metric: string, bits: number): PerfEvent => {
  return event(cacheType, name + suffix, `cache_${metric}`, `Cache events ${metric.replaceAll('_', ' ')}.`, caches[name] | bits)
}

export const cacheEvents: readonly PerfEvent[] = [
  cache('BPU', 'ReadHit', 'bpu_read_hits', 0),
  cache('BPU', 'ReadMiss', 'bpu_read_misses', miss),
  cache('DataTLB', 'ReadHit', 'tlb_data_read_hits', 0),
  cache('DataTLB', 'ReadMiss', 'tlb_data_read_misses', miss),
  cache('DataTLB', 'WriteHit', 'tlb_data_write_hits', write),
  cache('DataTLB', 'WriteMiss', 'tlb_data_write_misses', write | miss),
  cache('InstrTLB', 'ReadHit', 'tlb_instr_read_hits', 0),
  cache('InstrTLB', 'ReadMiss', 'tlb_instr_read_misses', miss),
  cache('L1Data', 'ReadHit', 'l1d_read_hits', 0),
  cache('L1Data', 'ReadMiss', 'l1d_read_misses', miss),
  cache('L1Data', 'WriteHit', 'l1d_write_hits', write),
  cache('L1Instr', 'ReadMiss', 'l1_instr_read_misses', miss),
  cache('LL', 'ReadHit', 'll_read_hits', 0),
  cache('LL', 'ReadMiss', 'll_read_misses', miss),
  cache('LL', 'WriteHit', 'll_write_hits', write),
  cache('LL', 'WriteMiss', 'll_write_misses', write | miss),
]

/** `id` is the kernel's number for `SUBSYSTEM:EVENT`. */
export function tracepointEvent(name: string, id: number): PerfEvent {
  return { name, metric: `node_perf_${name.replace(':', '_')}`, help: `Passes of tracepoint ${name}.`, type: tracepointType, config: id }
}

// ┌ type 4 B ┬ size 4 B ┬ config 8 B ┬ sample period 8 B ┬ sample type 8 B ┬ read format 8 B ┬ flags 8 B ┬ … ┐, the first version's size
const attributeBytes = 64
const flagsAt = 40
const excludeHypervisor = 1 << 6

/** struct perf_event_attr of an event that counts from the moment it is opened, and whose file reads as one 64-bit number. */
export function encodePerfAttribute({ config, type }: PerfEvent): Buffer {
  const bytes = Buffer.alloc(attributeBytes)
  bytes.writeUInt32LE(type, 0)
  bytes.writeUInt32LE(attributeBytes, 4)
  bytes.writeBigUInt64LE(BigInt(config), 8)
  bytes.writeUInt32LE(excludeHypervisor, flagsAt)
  return bytes
}

/** CPUs of `--collector.perf.cpus`: `0,2-5`, and `1-9:4` for every fourth. */
export function parsePerfCpus(text: string): number[] {
  return text.split(',').flatMap((part) => {
    const match = /^(\d{1,5})(?:-(\d{1,5})(?::(\d{1,5}))?)?$/.exec(part)
    const [first, last, stride] = [match?.[1], match?.[2] ?? match?.[1], match?.[3] ?? '1'].map(Number)
    if (match === null || stride === 0)
      throw new Error(`cannot use collector.perf.cpus: want CPUs as 0,2-5,1-9:4, got ${JSON.stringify(text)}`)
    const cpus: number[] = []
    for (let cpu = first!; cpu <= last!; cpu += stride!) cpus.push(cpu)
    return cpus
  })
}
