import type { MatchCardinality, VectorMatching } from './ast.ts'
import { readGroupingLabels } from './label-parser.ts'
import { mayBeginOperand } from './token.ts'
import type { TokenStream } from './token-stream.ts'

/** Everything between a binary operator and its right side: bool, on, ignoring, group_left, group_right, fill. */
export function readBinaryModifiers(tokens: TokenStream): { returnBool: boolean; matching: VectorMatching } {
  const returnBool = tokens.accept('bool') !== undefined
  let cardinality: MatchCardinality = 'one-to-one'
  let labels: readonly string[] = []
  let include: readonly string[] = []
  const on = tokens.accept('on') !== undefined
  if (on || tokens.accept('ignoring') !== undefined) {
    labels = readGroupingLabels(tokens)
    const group = tokens.accept('group_left') ?? tokens.accept('group_right')
    if (group !== undefined) {
      cardinality = group.type === 'group_left' ? 'many-to-one' : 'one-to-many'
      const { type } = tokens.peek()
      if (type === '(' || !mayBeginOperand(type)) include = readGroupingLabels(tokens)
    }
  }
  return { returnBool, matching: { cardinality, on, labels, include, ...readFills(tokens) } }
}

/** `fill`, `fill_left`, `fill_right` are modifiers only before a parenthesis; else they are metric names. */
function readFills(tokens: TokenStream): { fillLeft?: number; fillRight?: number } {
  const fills: { fillLeft?: number; fillRight?: number } = {}
  for (;;) {
    const word = tokens.peek()
    const left = word.type === 'fill' || word.type === 'fill_left'
    const right = word.type === 'fill' || word.type === 'fill_right'
    if ((!left && !right) || tokens.peek(1).type !== '(') return fills
    // One of both sides stands alone, of the others there is one each: what follows is a name.
    if ((left && fills.fillLeft !== undefined) || (right && fills.fillRight !== undefined)) return fills
    const value = readFill(tokens)
    if (left) fills.fillLeft = value
    if (right) fills.fillRight = value
  }
}

function readFill(tokens: TokenStream): number {
  tokens.next()
  tokens.next()
  const value = tokens.signedNumber()
  tokens.require(')')
  return value
}
