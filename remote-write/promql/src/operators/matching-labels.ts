import { compareBytewise } from '@narthex/model/compare'
import type { Labels } from '@narthex/model/labels'
import type { VectorMatching } from '../parse/ast.ts'
import { QueryError } from '../query-error.ts'

/** A text that is the same for series that match each other. */
export function makeSignature({ on, labels: names }: VectorMatching): (labels: Labels) => string {
  if (on) return (labels) => labels.keep(...names).key()
  return (labels) => labels.without('__name__', ...names).key()
}

export function duplicateMatchError(matching: VectorMatching, first: Labels, second: Labels): QueryError {
  const group = matching.on ? second.keep(...matching.labels) : second.without('__name__', ...matching.labels)
  const side = matching.cardinality === 'one-to-many' ? 'left' : 'right'
  const pair = [first.toString(), second.toString()].sort(compareBytewise).join(', ')
  return new QueryError(
    'execution',
    `found duplicate series for the match group ${group.toString()} on the ${side} hand-side of the operation: [${pair}]` +
      ';many-to-many matching not allowed: matching labels must be unique on one side',
  )
}
