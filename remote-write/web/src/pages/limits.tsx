export interface LimitsView {
  readonly memory: Readonly<Record<string, { readonly bytes?: number; readonly limitBytes: number; readonly refusal?: string | null }>>
  readonly series: { readonly count: number; readonly limit: number | null; readonly limitPerMetric: number | null }
  readonly refusedSeries: readonly {
    readonly kind: string
    readonly reason: string
    readonly metric: string
    readonly series: string
    readonly count: number
  }[]
}

const mib = 1024 * 1024

/** What each part of the server may take, what it takes, and what was refused for it. */
export function Limits({ limits: { memory, series, refusedSeries } }: { limits: LimitsView }) {
  return (
    <section class="panel">
      <h2>Memory and limits</h2>
      <table>
        <tbody>
          {Object.entries(memory).map(([part, { bytes, limitBytes, refusal }]) => (
            <tr key={part}>
              <td>{part}</td>
              <td class="value">
                {bytes === undefined ? '' : `${Math.round(bytes / mib)} of `}
                {Math.round(limitBytes / mib)} MiB
                {refusal && <p class="error">{refusal}</p>}
              </td>
            </tr>
          ))}
          <tr>
            <td>series</td>
            <td class="value">
              {series.count} of {series.limit ?? 'any number'}, {series.limitPerMetric ?? 'any number'} of a metric
            </td>
          </tr>
        </tbody>
      </table>
      {refusedSeries.map(({ kind, reason, series: example, count }) => (
        <p class="error" key={kind}>
          {count} new series refused: {reason}; the newest: {example}
        </p>
      ))}
    </section>
  )
}
