import type { JSX } from 'preact'
import type { ReplayProgress } from '../use-start.ts'

/** Shown in place of all pages while the server reads its log. */
export function StartingPage({ progress }: { progress: ReplayProgress }): JSX.Element {
  const { min, max, current } = progress
  const total = max - min + 1
  const done = Math.min(total, Math.max(0, current - min))
  return (
    <section>
      <h1>Starting up…</h1>
      <p>
        The server reads its write-ahead log: segment {Math.min(done + 1, total)} of {total}. Samples that are sent to it are kept until
        then.
      </p>
      <progress value={done} max={total} aria-label="Segments read" />
    </section>
  )
}
