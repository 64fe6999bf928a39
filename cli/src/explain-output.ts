import type { ExplainedMeasures, ExplainedPart } from '@narthex/promql/plan/explain-plan'

/** A line for each part of the plan, those below it indented; what was done to it stands behind dots. */
export function printExplanation(part: ExplainedPart): string {
  return linesOf(part, '').join('\n')
}

function linesOf({ operator, detail, rewrites, measures, children }: ExplainedPart, indent: string): string[] {
  const head = `${indent}${operator} ${detail}${measures === undefined ? '' : ` — ${describeMeasures(measures)}`}`
  const inner = `${indent}  `
  return [head, ...rewrites.map((text) => `${inner}· ${text}`), ...children.flatMap((child) => linesOf(child, inner))]
}

function describeMeasures(measures: ExplainedMeasures): string {
  const { steps, seconds, ownSeconds, series, samples, samplesRead, bytes } = measures
  const read = samplesRead === undefined ? [] : [`${samplesRead} samples read`]
  const times = `${milliseconds(seconds)} ms (own ${milliseconds(ownSeconds)} ms)`
  return [times, `${steps} steps`, `${series} series`, `${samples} samples`, ...read, `${bytes} bytes`].join(', ')
}

function milliseconds(seconds: number): string {
  return (seconds * 1000).toFixed(3)
}
