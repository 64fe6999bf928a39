import type { Scan } from '../plan/plan.ts'
import type { Queryable, SeriesSet } from '../storage.ts'

/** The series of a selector with what they have in min ≤ t ≤ max, ms. */
export function openScan(queryable: Queryable, { matchers, anyOrder, labels }: Scan, minTimeMs: number, maxTimeMs: number): SeriesSet {
  return matchers === undefined ? nothing : queryable.select(matchers, minTimeMs, maxTimeMs, { anyOrder, labels })
}

const nothing: SeriesSet = {
  next: () => false,
  labels: () => {
    throw new Error('cannot give labels: there is no series')
  },
  samples: () => {},
}
