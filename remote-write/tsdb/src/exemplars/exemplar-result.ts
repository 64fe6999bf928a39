/** What became of an exemplar. */
export const exemplarResult = {
  accepted: 0,
  /** The newest one of its series, again: nothing happens, and nobody has to be told. */
  duplicate: 1,
  outOfOrder: 2,
  labelsTooLong: 3,
  /** No exemplars are kept. */
  off: 4,
  unknownSeries: 5,
  /** The bytes that the labels of all exemplars may take are used up. */
  noRoom: 6,
  invalidLabels: 7,
} as const

export type ExemplarResult = (typeof exemplarResult)[keyof typeof exemplarResult]
