import { waitFor } from '../kit/process.ts'
import type { BenchServer } from './server-contenders.ts'

const rangeMs = 2 * 3600_000
const headRangesMax = 1.5
// Ours looks every minute, Prometheus after each commit and every minute; then each block takes its time.
const timeoutMs = 300_000

/** Waits until the head of a server with Prometheus' storage has let go of all ranges that it should have cut from samples of [firstMs, lastMs]. */
export async function waitUntilCompacted(server: BenchServer, firstMs: number, lastMs: number): Promise<void> {
  const minMs = headBegin(firstMs, lastMs)
  if (minMs === firstMs) return
  await waitFor(
    `${server.contender.name} to have cut its head`,
    async () => ((await server.metric('prometheus_tsdb_head_min_time')) ?? -Infinity) >= minMs,
    { timeoutMs, intervalMs: 500 },
  )
}

/** Where a head begins that was cut as often as samples of this range ask for. */
export function headBegin(firstMs: number, lastMs: number): number {
  let beginMs = firstMs
  while (lastMs - beginMs > headRangesMax * rangeMs) beginMs = (Math.floor(beginMs / rangeMs) + 1) * rangeMs
  return beginMs
}
