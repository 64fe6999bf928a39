import { createRelabelRule } from '@narthex/relabel/relabel-rule'
import { describe, expect, test } from 'vitest'
import { describeConfig } from './describe-config.ts'
import { Secret } from './secret.ts'

describe('describeConfig', () => {
  test('changes when a secret does, at any depth', () => {
    const text = (password: string) => describeConfig({ url: 'http://a', http: { basicAuth: { password: new Secret(password) } } })
    expect(text('one')).toBe(text('one'))
    expect(text('one')).not.toBe(text('two'))
    expect(describeConfig([new Secret('one')])).not.toBe(describeConfig([new Secret('two')]))
    expect(describeConfig(new Secret('one'))).not.toBe(describeConfig(new Secret('two')))
  })

  test('tells a secret from none and from an empty one', () => {
    const texts = [{}, { token: new Secret('') }, { token: new Secret('x') }].map((config) => describeConfig(config))
    expect(new Set(texts).size).toBe(3)
  })

  test('changes with the text of a relabel rule, and knows the same one again', () => {
    const text = (regexText: string) => describeConfig({ rules: [createRelabelRule({ sourceLabels: ['a'], regexText, action: 'drop' })] })
    expect(text('a.*')).toBe(text('a.*'))
    expect(text('a.*')).not.toBe(text('b.*'))
  })

  test('a label or parameter that is called like a pattern or a left-out key counts', () => {
    const labels = (regex: string) => describeConfig({ groups: [{ targets: ['a:1'], labels: { regex } }] })
    expect(labels('x')).not.toBe(labels('y'))
    const params = (value: string) => describeConfig({ discovery: [], params: { discovery: [value] } }, new Set(['discovery']))
    expect(params('x')).not.toBe(params('y'))
  })

  test('keys that are left out make no difference', () => {
    const text = (discovery: string) => describeConfig({ jobName: 'j', discovery }, new Set(['discovery']))
    expect(text('x')).toBe(text('y'))
    expect(text('x')).not.toContain('x')
  })
})
