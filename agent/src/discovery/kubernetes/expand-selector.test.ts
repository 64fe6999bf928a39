import { expect, test } from 'vitest'
import { expandSelector } from './expand-selector.ts'

const env = { NODE_NAME: 'node-a', A: 'x', EMPTY: '' }

test.each([
  ['spec.nodeName=$NODE_NAME', 'spec.nodeName=node-a'],
  ['spec.nodeName=${NODE_NAME},a=$A', 'spec.nodeName=node-a,a=x'],
  ['a=${A}B', 'a=xB'],
  ['a=$$A', 'a=$A'],
  ['a=$', 'a=$'],
  ['a in (b,c),!d', 'a in (b,c),!d'],
  ['', ''],
])('%s becomes %s', (selector, expanded) => {
  expect(expandSelector(selector, env)).toBe(expanded)
})

// An empty node name would select the pods that no node has.
test.each(['a=$MISSING', 'a=${MISSING}'])('%s names the variable that is missing', (selector) => {
  expect(() => expandSelector(selector, env)).toThrow(/environment variable MISSING is not set/)
})

test('an empty variable is as good as none', () => {
  expect(() => expandSelector('spec.nodeName=$EMPTY', env)).toThrow(/environment variable EMPTY is not set/)
})
