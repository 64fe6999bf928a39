import type { StepSeries } from './operator.ts'

/** Takes the values away that are histograms; true if there were any. */
export function dropHistograms(series: StepSeries): boolean {
  const { present, histograms } = series
  if (histograms === undefined) return false
  let dropped = false
  for (let i = 0; i < present.length; i++) {
    if (present[i] === 0 || histograms[i] === undefined) continue
    present[i] = 0
    dropped = true
  }
  series.histograms = undefined
  return dropped
}
