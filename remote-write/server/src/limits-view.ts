import type { Registry } from '@narthex/service/metrics'
import type { Head } from '@narthex/tsdb/head/head'
import type { MemoryGuard } from './memory-guard.ts'
import type { MemoryPlan } from './memory-plan.ts'
import type { QueryMemory } from './query-memory.ts'

export interface LimitParts {
  readonly head: Head
  readonly plan: MemoryPlan
  readonly guard: MemoryGuard
  readonly queries: QueryMemory
}

/** What `/api/v1/narthex/limits` tells: bytes and limits by part, and the newest refusal of each kind. */
export function viewLimits({ head, plan, guard, queries }: LimitParts): unknown {
  const { limits, refused } = head
  const orNone = (limit: number): number | null => (limit === Infinity ? null : limit)
  return {
    memory: {
      process: { bytes: guard.bytes, peakBytes: guard.bytesPeak, limitBytes: plan.processBytesMax, refusal: guard.refusal() ?? null },
      head: { bytes: head.usedBytes, limitBytes: plan.headBytes },
      queries: { bytes: queries.bytes, limitBytes: queries.limitBytes, plannedBytes: plan.queryBytes, limitBytesOfOne: plan.queryBytesMax },
      receive: { limitBytes: plan.receiveBytes },
      blockCaches: { limitBytes: plan.cacheBytes },
      queryThreads: { limitBytes: plan.threadBytes, threads: plan.queryThreads, readThreads: plan.readThreads },
      compaction: { limitBytes: plan.compactionBytes },
      base: { limitBytes: plan.baseBytes },
    },
    series: { count: head.seriesCount, limit: orNone(limits.seriesMax), limitPerMetric: orNone(limits.seriesPerMetricMax) },
    refusedSeries: refused.newest.map((refusal) => ({ ...refusal, count: refused.count(refusal.kind) })),
  }
}

export function registerLimitMetrics(registry: Registry, { head, plan, guard, queries }: LimitParts): void {
  const limit = registry.gauge('narthex_memory_limit_bytes', 'Most bytes that a part of the process may take; process is all of it.', [
    'part',
  ])
  const limits: Readonly<Record<string, number>> = {
    process: plan.processBytesMax,
    head: plan.headBytes,
    queries: plan.queryBytes,
    query: plan.queryBytesMax,
    receive: plan.receiveBytes,
    block_caches: plan.cacheBytes,
    query_threads: plan.threadBytes,
    compaction: plan.compactionBytes,
    base: plan.baseBytes,
  }
  for (const [part, bytes] of Object.entries(limits)) limit.set(bytes, part)
  const used = registry.gauge('narthex_memory_used_bytes', 'Bytes in use, of the process and of the parts that count them.', ['part'])
  const reached = registry.counter('narthex_memory_ceiling_reached_total', 'Times that the process came to its memory ceiling.').labels()
  registry.onCollect(() => {
    used.set(guard.bytes, 'process')
    used.set(head.usedBytes, 'head')
    used.set(queries.bytes, 'queries')
    reached.setTotal(guard.timesReached)
  })
}
