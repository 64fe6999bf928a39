import { expect, it } from 'vitest'
import { checkRelabelRule, createRelabelRule, parseRelabelAction, relabelActions } from './relabel-rule.ts'
import type { RelabelFields } from './relabel-rule.ts'

const check = (fields: RelabelFields, legacyNames?: boolean) => checkRelabelRule(createRelabelRule(fields), legacyNames)

it('fills in the defaults', () => {
  expect(createRelabelRule({ targetLabel: 'x' })).toMatchObject({
    separator: ';',
    regexText: '(.*)',
    replacement: '$1',
    action: 'replace',
    modulus: 0,
  })
})

it('knows eleven actions, in any case', () => {
  expect(relabelActions).toHaveLength(11)
  expect(parseRelabelAction('LabelMap')).toBe('labelmap')
  expect(parseRelabelAction('nope')).toBeUndefined()
})

it.each<[RelabelFields, string]>([
  [{ action: 'replace' }, "relabel configuration for replace action requires 'target_label' value"],
  [{ action: 'hashmod', targetLabel: 'x' }, 'relabel configuration for hashmod requires non-zero modulus'],
  [{ action: 'hashmod', modulus: 1 }, "relabel configuration for hashmod action requires 'target_label' value"],
  [{ action: 'lowercase' }, "relabel configuration for lowercase action requires 'target_label' value"],
  [{ action: 'lowercase', targetLabel: 'x', replacement: 'y' }, "'replacement' can not be set for lowercase action"],
  [{ action: 'labelmap', replacement: '' }, '"" is invalid \'replacement\' for labelmap action'],
  [
    { action: 'keepequal', targetLabel: 'x', separator: ',' },
    "keepequal action requires only 'source_labels' and `target_label`, and no other fields",
  ],
  [{ action: 'labeldrop', targetLabel: 'x' }, "labeldrop action requires only 'regex', and no other fields"],
  [{ action: 'labelkeep', sourceLabels: ['x'] }, "labelkeep action requires only 'regex', and no other fields"],
])('refuses %j', (fields, reason) => {
  expect(check(fields)).toBe(reason)
})

it('allows names by the scheme in force', () => {
  expect(check({ targetLabel: 'a-b' })).toBeUndefined()
  expect(check({ targetLabel: 'a-b' }, true)).toBe('"a-b" is invalid \'target_label\' for replace action')
  expect(check({ targetLabel: 'a_${1}' }, true)).toBeUndefined()
  expect(check({ targetLabel: '$1-x' }, true)).toBe('"$1-x" is invalid \'target_label\' for replace action')
  expect(check({ action: 'labelmap', replacement: '$1' }, true)).toBeUndefined()
})
