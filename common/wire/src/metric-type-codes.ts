import type { MetricType } from '@narthex/model/metric-type'

/** The enum MetricType of both remote-write versions, by number. */
const typesByCode: readonly MetricType[] = ['unknown', 'counter', 'gauge', 'histogram', 'gaugehistogram', 'summary', 'info', 'stateset']

/** The type of an enum number; numbers of later versions are `unknown`. */
export function metricTypeOfCode(code: number): MetricType {
  return typesByCode[code] ?? 'unknown'
}

export function codeOfMetricType(type: MetricType): number {
  return Math.max(0, typesByCode.indexOf(type))
}
