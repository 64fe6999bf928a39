import { customBucketsSchema } from './native-histogram.ts'

/**
 * The upper bound of a native histogram's bucket `index`: base ^ index, where base is 2 ^ (2 ^ -schema). Bucket `index - 1` ends where it begins;
 * negative buckets mirror the positive ones.
 */
export function findBound(index: number, schema: number, customValues: ArrayLike<number>): number {
  if (schema === customBucketsSchema) return index < 0 ? -Infinity : (customValues[index] ?? Infinity)
  const steps = 2 ** schema
  // The last bucket ends at the largest number instead of beyond it.
  if (index === 1024 * steps) return Number.MAX_VALUE
  if (schema <= 0) return 2 ** (index / steps)
  // Finer than any that is written: a table would be too long.
  if (schema > schemaMax) return 2 ** (index / steps)
  const part = ((index % steps) + steps) % steps
  return findBounds(schema)[part]! * 2 * 2 ** ((index - part) / steps)
}

const boundsBySchema: Float64Array[] = [Float64Array.of(0.5), Float64Array.of(0.5, 0.7071067811865475)]
const schemaMax = 8

/**
 * Bounds in [0.5, 1) as Prometheus has them in a table: not all are the nearest doubles. Every second one is of the coarser schema, each other
 * the one before it times the base.
 */
function findBounds(schema: number): Float64Array {
  const known = boundsBySchema[schema]
  if (known !== undefined) return known
  const coarser = findBounds(schema - 1)
  const base = 2 ** (2 ** -schema)
  const bounds = new Float64Array(2 ** schema)
  for (let i = 0; i < bounds.length; i++) bounds[i] = i % 2 === 0 ? coarser[i / 2]! : bounds[i - 1]! * base
  boundsBySchema[schema] = bounds
  return bounds
}
