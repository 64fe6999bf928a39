/** The least and the greatest value that the parameter of an aggregation has at any step; NaN is neither. */
export function extremes(values: Float64Array): readonly [least: number, most: number] {
  let [least, most] = [Infinity, -Infinity]
  for (const value of values) {
    if (value < least) least = value
    if (value > most) most = value
  }
  return [least, most]
}
