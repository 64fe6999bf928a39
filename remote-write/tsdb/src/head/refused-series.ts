/** Why a new series was refused. */
export type SeriesRefusalKind = 'series_limit' | 'metric_limit' | 'memory'

export const seriesRefusalKinds: readonly SeriesRefusalKind[] = ['series_limit', 'metric_limit', 'memory']

/** The newest refusal of a kind. */
export interface SeriesRefusal {
  readonly kind: SeriesRefusalKind
  /** One line that names the limit. */
  readonly reason: string
  /** The metric's name; '' if the series has none. */
  readonly metric: string
  /** Labels of the series, cut to `exampleLengthMax`. */
  readonly series: string
  readonly timeMs: number
}

const exampleLengthMax = 1024
// Under a flood of new series one example a second is enough; each makes strings.
const exampleEveryMs = 1_000
const tellEveryMs = 60_000

/** Counts the series that were refused, with an example of each kind. */
export class RefusedSeries {
  /** Called at the first refusal of a kind, and then at most once a minute while they go on; `count` since the last call. */
  onTell: ((refusal: SeriesRefusal, count: number) => void) | undefined
  readonly #now: () => number
  readonly #counts = new Map<SeriesRefusalKind, number>()
  readonly #newest = new Map<SeriesRefusalKind, SeriesRefusal>()
  readonly #told = new Map<SeriesRefusalKind, { timeMs: number; count: number }>()

  constructor(now: () => number) {
    this.#now = now
  }

  count(kind: SeriesRefusalKind): number {
    return this.#counts.get(kind) ?? 0
  }

  /** One of each kind that has happened. */
  get newest(): readonly SeriesRefusal[] {
    return [...this.#newest.values()]
  }

  /** `describe` is called for a few of many. */
  note(kind: SeriesRefusalKind, reason: string, describe: () => { readonly metric: string; readonly series: string }): void {
    const count = this.count(kind) + 1
    this.#counts.set(kind, count)
    const timeMs = this.#now()
    const known = this.#newest.get(kind)
    if (known !== undefined && timeMs - known.timeMs < exampleEveryMs && timeMs >= known.timeMs) return
    const { metric, series } = describe()
    const refusal = { kind, reason, metric: cut(metric), series: cut(series), timeMs }
    this.#newest.set(kind, refusal)
    const told = this.#told.get(kind)
    if (told !== undefined && timeMs - told.timeMs < tellEveryMs) return
    this.#told.set(kind, { timeMs, count })
    this.onTell?.(refusal, count - (told?.count ?? 0))
  }
}

function cut(text: string): string {
  return text.length <= exampleLengthMax ? text : `${text.slice(0, exampleLengthMax)}…`
}
