export type MetricType = 'unknown' | 'counter' | 'gauge' | 'histogram' | 'gaugehistogram' | 'summary' | 'info' | 'stateset'

export const metricTypes: readonly MetricType[] = [
  'unknown',
  'counter',
  'gauge',
  'histogram',
  'gaugehistogram',
  'summary',
  'info',
  'stateset',
]

/** Narrows a text of a `# TYPE` line or of an API parameter. */
export function isMetricType(text: string): text is MetricType {
  return (metricTypes as readonly string[]).includes(text)
}
