const intervalMs = 10_000
const weight = 0.2
const deadBand = 0.3
/** Share of the backlog that the shards should take off per second. */
const backlogShare = 0.05

/** Decides how many shards a remote needs, by the rules that Prometheus' users know from its documentation. */
export class ShardCount {
  readonly #min: number
  readonly #max: number
  #inRate: number | undefined
  #outRate = 0
  #secondsPerSample = 0
  #current: number
  desired: number

  constructor(min: number, max: number) {
    this.#min = min
    this.#max = max
    this.#current = min
    this.desired = min
  }

  get current(): number {
    return this.#current
  }

  static readonly intervalMs = intervalMs

  /**
   * Takes the numbers of the last interval: samples that came in and went out, seconds spent sending them, samples that wait.
   * Returns the number of shards to have; a remote that is throttling or does not answer never gets more.
   */
  update(samplesIn: number, samplesOut: number, sendSeconds: number, backlog: number, isThrottled: boolean): number {
    const seconds = intervalMs / 1000
    this.#inRate = this.#inRate === undefined ? samplesIn / seconds : average(this.#inRate, samplesIn / seconds)
    this.#outRate = average(this.#outRate, samplesOut / seconds)
    if (samplesOut > 0) {
      const perSample = sendSeconds / samplesOut
      this.#secondsPerSample = this.#secondsPerSample === 0 ? perSample : average(this.#secondsPerSample, perSample)
    }
    if (this.#secondsPerSample === 0) return this.#current
    this.desired = this.#secondsPerSample * (this.#inRate + backlogShare * backlog)
    const isBehind = backlog > this.#inRate * seconds
    if (this.desired > this.#current * (1 - deadBand) && this.desired < this.#current * (1 + deadBand)) return this.#current
    const wanted = Math.max(this.#min, Math.min(this.#max, Math.ceil(this.desired)))
    if (wanted > this.#current && (isThrottled || samplesOut === 0)) return this.#current
    if (wanted < this.#current && isBehind) return this.#current
    return wanted
  }

  /** The shards were changed. */
  apply(count: number): void {
    this.#current = count
  }
}

function average(previous: number, value: number): number {
  return previous + weight * (value - previous)
}
