import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { applyRelabel } from './relabel.ts'
import { createRelabelRule } from './relabel-rule.ts'
import type { RelabelFields } from './relabel-rule.ts'

type Record_ = Record<string, string>

function relabel(labels: Record_, ...rules: RelabelFields[]): Record_ | undefined {
  const result = applyRelabel(rules.map(createRelabelRule), Labels.from(labels))
  return result === undefined ? undefined : { ...result.toRecord() }
}

describe('replace', () => {
  it('writes what the pattern captured of the joined sources', () => {
    const rule: RelabelFields = { sourceLabels: ['a', 'b'], regexText: 'f(.*);(.*)r', targetLabel: 'a', replacement: 'b${1}${2}m' }
    expect(relabel({ a: 'foo', b: 'bar', c: 'baz' }, rule)).toEqual({ a: 'boobam', b: 'bar', c: 'baz' })
    expect(relabel({ a: 'boo', b: 'bar' }, rule)).toEqual({ a: 'boo', b: 'bar' })
  })

  it('takes an absent source for an empty one', () => {
    expect(relabel({ a: 'x' }, { sourceLabels: ['a', 'none'], targetLabel: 'joined' })).toEqual({ a: 'x', joined: 'x;' })
    expect(relabel({ a: 'x', t: 'y' }, { sourceLabels: ['none'], targetLabel: 't' })).toEqual({ a: 'x' })
  })

  it('sets a constant without sources, and removes with an empty one', () => {
    expect(relabel({ a: 'x' }, { targetLabel: 'b', replacement: 'c' })).toEqual({ a: 'x', b: 'c' })
    expect(relabel({ a: 'x', b: 'y' }, { targetLabel: 'b', replacement: '' })).toEqual({ a: 'x' })
    expect(relabel({ a: 'x' }, { targetLabel: 'b', replacement: 'c', regexText: 'no' })).toEqual({ a: 'x' })
  })

  it('builds the target name from groups', () => {
    const rule: RelabelFields = {
      sourceLabels: ['__meta_sd_tags'],
      regexText: '(?:.+,|^)path:(/[^,]+).*',
      targetLabel: '__metrics_path__',
    }
    expect(relabel({ __meta_sd_tags: 'path:/secret,job:x' }, rule)).toMatchObject({ __metrics_path__: '/secret' })
    const named: RelabelFields = { sourceLabels: ['a'], regexText: '(\\w+):(\\w+)', targetLabel: '${1}_x', replacement: '$2' }
    expect(relabel({ a: 'k:v' }, named)).toEqual({ a: 'k:v', k_x: 'v' })
  })

  it('does nothing when the target turns out to be no name', () => {
    expect(relabel({ a: 'some' }, { sourceLabels: ['a'], regexText: 'some|(x)', targetLabel: '$1', replacement: 'bar' })).toEqual({
      a: 'some',
    })
  })

  it('takes $1x for the group named "1x"', () => {
    expect(relabel({ a: 'foo' }, { sourceLabels: ['a'], targetLabel: 'b', replacement: '$1x' })).toEqual({ a: 'foo' })
    expect(relabel({ a: 'foo' }, { sourceLabels: ['a'], targetLabel: 'b', replacement: '${1}x-$$' })).toEqual({ a: 'foo', b: 'foox-$' })
  })

  it('replaces the whole label, however little the pattern captures, and across lines', () => {
    expect(relabel({ a: 'one\ntwo' }, { sourceLabels: ['a'], regexText: '.*(w).*', targetLabel: 'a' })).toEqual({ a: 'w' })
  })
})

describe('keep and drop', () => {
  it('ask for the whole joined value', () => {
    expect(relabel({ a: 'foo' }, { sourceLabels: ['a'], regexText: 'f', action: 'drop' })).toEqual({ a: 'foo' })
    expect(relabel({ a: 'foo' }, { sourceLabels: ['a'], regexText: '.*o.*', action: 'drop' })).toBeUndefined()
    expect(relabel({ a: 'foo' }, { sourceLabels: ['a'], regexText: 'no-match', action: 'keep' })).toBeUndefined()
    expect(relabel({ a: 'foo' }, { sourceLabels: ['a'], regexText: 'f.*', action: 'keep' })).toEqual({ a: 'foo' })
    expect(relabel({ a: 'foo' }, { sourceLabels: ['none'], regexText: '', action: 'drop' })).toBeUndefined()
  })

  it('the equal ones compare with the target label', () => {
    const labels = { __tmp_port: '1234', port: '1234', other: '1' }
    expect(relabel(labels, { sourceLabels: ['__tmp_port'], targetLabel: 'port', action: 'keepequal' })).toEqual(labels)
    expect(relabel(labels, { sourceLabels: ['other'], targetLabel: 'port', action: 'keepequal' })).toBeUndefined()
    expect(relabel(labels, { sourceLabels: ['__tmp_port'], targetLabel: 'port', action: 'dropequal' })).toBeUndefined()
    expect(relabel(labels, { sourceLabels: ['other'], targetLabel: 'port', action: 'dropequal' })).toEqual(labels)
  })

  it('end the list of rules', () => {
    const drop: RelabelFields = { sourceLabels: ['a'], regexText: '.*', action: 'drop' }
    expect(relabel({ a: 'foo' }, drop, { targetLabel: 'd', replacement: 'x' })).toBeUndefined()
  })
})

describe('hashmod', () => {
  it('gives the shards that Prometheus gives', () => {
    expect(
      relabel({ a: 'foo', b: 'bar', c: 'baz' }, { sourceLabels: ['c'], targetLabel: 'd', action: 'hashmod', modulus: 1000 }),
    ).toMatchObject({
      d: '976',
    })
    expect(relabel({ a: 'foo\nbar' }, { sourceLabels: ['a'], targetLabel: 'b', action: 'hashmod', modulus: 1000 })).toMatchObject({
      b: '734',
    })
  })

  it('is the last half of the MD5 sum for any modulus', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (value, modulus) => {
        const digest = createHash('md5').update(value).digest()
        const expected = String(digest.readBigUInt64BE(8) % BigInt(modulus))
        expect(relabel({ a: value }, { sourceLabels: ['a'], targetLabel: 'b', action: 'hashmod', modulus })?.['b']).toBe(expected)
      }),
    )
  })
})

describe('labelmap, labeldrop, labelkeep', () => {
  it('labelmap copies under new names', () => {
    const labels = { a: 'foo', b1: 'bar', b2: 'baz' }
    expect(relabel(labels, { regexText: '(b.*)', replacement: 'bar_${1}', action: 'labelmap' })).toEqual({
      ...labels,
      bar_b1: 'bar',
      bar_b2: 'baz',
    })
    const meta = { __meta_my_bar: 'aaa', __meta_my_baz: 'bbb', __meta_other: 'ccc' }
    expect(relabel(meta, { regexText: '__meta_(my.*)', action: 'labelmap' })).toEqual({ ...meta, my_bar: 'aaa', my_baz: 'bbb' })
  })

  it('labelmap works on a snapshot, and the later name wins', () => {
    expect(relabel({ a: '1', aa: '2' }, { regexText: 'a(.*)', replacement: 'a$1', action: 'labelmap' })).toEqual({ a: '1', aa: '2' })
    expect(relabel({ a: '1', b: '2' }, { regexText: 'a|b', replacement: 'b', action: 'labelmap' })).toEqual({ a: '1', b: '2' })
    expect(relabel({ a: '1', aa: '2' }, { regexText: '(a+)', replacement: '${1}a', action: 'labelmap' })).toEqual({
      a: '1',
      aa: '1',
      aaa: '2',
    })
  })

  it('labeldrop and labelkeep go by name', () => {
    const labels = { a: 'foo', b1: 'bar', b2: 'baz' }
    expect(relabel(labels, { regexText: 'b.*', action: 'labeldrop' })).toEqual({ a: 'foo' })
    expect(relabel(labels, { regexText: 'b.*', action: 'labelkeep' })).toEqual({ b1: 'bar', b2: 'baz' })
  })
})

it('lowercase and uppercase change the case as Go does', () => {
  expect(relabel({ a: 'bAr123Foo' }, { sourceLabels: ['a'], targetLabel: 'u', action: 'uppercase' })).toMatchObject({ u: 'BAR123FOO' })
  expect(relabel({ a: 'bAr123Foo' }, { sourceLabels: ['a'], targetLabel: 'l', action: 'lowercase' })).toMatchObject({ l: 'bar123foo' })
  expect(relabel({ a: 'ß' }, { sourceLabels: ['a'], targetLabel: 'u', action: 'uppercase' })).toMatchObject({ u: 'ß' })
})

it('gives back the same object when no rule changes anything', () => {
  const labels = Labels.from({ __name__: 'up', job: 'node', instance: 'h:1' })
  const rules = [
    createRelabelRule({ sourceLabels: ['__name__'], regexText: 'go_.*', action: 'drop' }),
    createRelabelRule({ sourceLabels: ['job'], regexText: 'node|redis', action: 'keep' }),
    createRelabelRule({ sourceLabels: ['job'], targetLabel: 'job' }),
    createRelabelRule({ regexText: '__meta_(.*)', action: 'labelmap' }),
    createRelabelRule({ regexText: '(job)', action: 'labelmap' }),
    createRelabelRule({ regexText: 'pod', action: 'labeldrop' }),
    createRelabelRule({ regexText: '.*', action: 'labelkeep' }),
    createRelabelRule({ sourceLabels: ['none'], regexText: '.+', targetLabel: 'x' }),
  ]
  expect(applyRelabel(rules, labels)).toBe(labels)
})

it('hands each rule what the one before has made', () => {
  expect(
    relabel(
      { a: 'foo' },
      { sourceLabels: ['a'], regexText: '(f).*', targetLabel: 'b' },
      { sourceLabels: ['b'], regexText: 'f', targetLabel: 'c', replacement: 'seen' },
    ),
  ).toEqual({ a: 'foo', b: 'f', c: 'seen' })
})
