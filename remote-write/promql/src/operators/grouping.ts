import type { Labels } from '@narthex/model/labels'

/** Labels of the group that a series belongs to, under `by (…)` or `without (…)`. */
export function makeGrouping(names: readonly string[], without: boolean): (labels: Labels) => Labels {
  if (without) return (labels) => labels.without('__name__', ...names)
  if (names.length === 0) return (labels) => labels.keep()
  return (labels) => labels.keep(...names)
}
