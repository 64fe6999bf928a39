/** Targets that share labels, as a discovery mechanism found them. `source` names the group within its mechanism; an empty group ends it. */
export interface TargetGroup {
  readonly source: string
  /** One record per target with at least `__address__`. */
  readonly targets: readonly Readonly<Record<string, string>>[]
  /** Labels of all targets; a target's own win. */
  readonly labels: Readonly<Record<string, string>>
}

/** One running mechanism of one job. It calls `update` with changed groups; groups that it does not mention stay as they were. */
export interface Discoverer {
  start(update: (groups: readonly TargetGroup[]) => void): void
  stop(): void
}
