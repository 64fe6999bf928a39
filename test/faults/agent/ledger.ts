/**
 * What was exposed and what arrived, round by round. A target answers its rounds 1, 2, 3, … with the round as the value of every series, so
 * one number names a sample, whatever the program did with its timestamp.
 */
export interface Shape {
  readonly targets: number
  readonly seriesPerTarget: number
}

/** One series at the receiver. */
export interface ReceivedSeries {
  /** Round → how often it arrived, up to 255. */
  rounds: Uint8Array
  newestMs: number
  newestRound: number
}

export interface ReceiverReport {
  readonly samples: number
  readonly duplicates: number
  /** First deliveries that came behind a newer sample of their series. */
  readonly orderViolations: number
  readonly requests: number
  readonly bytes: number
}

/** An answer that a target gave whole. */
export interface Exposed {
  readonly target: number
  readonly round: number
  /** Milliseconds since 1970. */
  readonly atMs: number
}

/** Stretch of time in which an answer may have died with the program: not yet kept by anybody. */
export interface Blackout {
  readonly fromMs: number
  readonly toMs: number
}

export interface Comparison {
  readonly committed: number
  readonly missing: number
  /** The first few, for people. */
  readonly examples: readonly string[]
}

/** Samples that were exposed outside every blackout and never arrived. */
export function compareLedgers(
  shape: Shape,
  exposed: readonly Exposed[],
  blackouts: readonly Blackout[],
  arrived: (target: number, series: number, round: number) => boolean,
): Comparison {
  let committed = 0
  let missing = 0
  const examples: string[] = []
  for (const { target, round, atMs } of exposed) {
    if (blackouts.some(({ fromMs, toMs }) => atMs >= fromMs && atMs <= toMs)) continue
    for (let series = 0; series < shape.seriesPerTarget; series++) {
      committed++
      if (arrived(target, series, round)) continue
      missing++
      if (examples.length < 5) examples.push(`target ${target} series ${series} round ${round}`)
    }
  }
  return { committed, missing, examples }
}
