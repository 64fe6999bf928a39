import { readTreeUsage } from './measure.ts'

/** Longest wait for a program that never comes to rest. */
const idleTimeoutMs = 120_000
/** Longer than the five seconds after which VictoriaMetrics writes what it holds back. */
const windowMs = 6_000
/** Of one core: what the programs take for their timers and collections alone is a tenth of it. */
const idleShare = 0.05

/**
 * Waits until a program has taken next to no processor time for six seconds; what it takes until then belongs to the work before. False at the time
 * limit.
 */
export async function waitUntilIdle(pid: number): Promise<boolean> {
  const deadlineMs = performance.now() + idleTimeoutMs
  for (let before = readTreeUsage(pid).cpuSeconds; performance.now() < deadlineMs;) {
    await new Promise((resolve) => setTimeout(resolve, windowMs))
    const after = readTreeUsage(pid).cpuSeconds
    if (after - before <= (idleShare * windowMs) / 1000) return true
    before = after
  }
  return false
}
