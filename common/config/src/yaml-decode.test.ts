import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { boolean, durationMs, float, integer, list, map, sizeBytes, string, unsigned } from './codec.ts'
import { ConfigError } from './config-error.ts'
import { field, object, optional } from './object-codec.ts'
import { decodeYaml, type Codec } from './yaml-decode.ts'

interface Inner {
  readonly on: boolean
  readonly count: number
}

const inner = object<Inner>('config.plain', { on: field('on', boolean, false), count: field('count', integer, 7) })

interface Outer {
  readonly name: string
  readonly size?: number
  readonly ratio: number
  readonly limit: number
  readonly intervalMs: number
  readonly inner: Inner
  readonly names: readonly string[]
  readonly labels: Readonly<Record<string, string>>
}

const outer = object<Outer>(
  'config.Outer',
  {
    name: field('name', string, 'none'),
    size: optional('size', sizeBytes),
    ratio: field('ratio', float, 1),
    limit: field('limit', unsigned, 0),
    intervalMs: field('interval', durationMs, 60_000),
    inner: field('inner', inner, inner.defaults()),
    names: field('names', list(string), []),
    labels: field('labels', map(string), {}),
  },
  { check: ({ limit }, { fail }) => void (limit < 100 || fail('limit is too high', 'limit')) },
)

const decode = (text: string): Outer => decodeYaml(text, outer, () => outer.defaults(), { path: 'a.yml' })

function problem(text: string): ConfigError {
  try {
    decode(text)
  } catch (error) {
    if (error instanceof ConfigError) return error
    throw error
  }
  return expect.fail('no error')
}

describe('the decoder', () => {
  it('fills in defaults, also for null sections and an empty document', () => {
    expect(decode('')).toEqual({
      name: 'none',
      ratio: 1,
      limit: 0,
      intervalMs: 60_000,
      inner: { on: false, count: 7 },
      names: [],
      labels: {},
    })
    expect(decode('inner:\nlimit: ~\n')).toEqual(decode(''))
  })

  it('reads scalars by the type they go into, as go-yaml does', () => {
    const read = decode(
      'name: 0777\nsize: 1GiB512MB\nratio: 1e3\nlimit: 0x10\ninterval: 1h30m\ninner: {on: yes, count: 0777}\nnames: [on, 1, ~, "x"]',
    )
    expect(read).toMatchObject({
      name: '0777',
      size: 1.5 * 2 ** 30,
      ratio: 1000,
      limit: 16,
      intervalMs: 5_400_000,
      inner: { on: true, count: 511 },
    })
    expect(read.names).toEqual(['on', '1', '~', 'x'])
  })

  it('merges anchors with <<, own keys first', () => {
    const read = decode('labels: &l {a: x, b: y}\ninner: {on: true}\nname: z\n')
    expect(read.labels).toEqual({ a: 'x', b: 'y' })
    interface Two {
      readonly base: Readonly<Record<string, string>>
      readonly own: Readonly<Record<string, string>>
    }
    const two: Codec<Two> = object<Two>('t', { base: field('base', map(string), {}), own: field('own', map(string), {}) })
    const merged = decodeYaml('base: &b {a: x, b: y}\nown:\n  <<: *b\n  b: z\n', two, () => expect.fail(), { path: 'a' })
    expect(merged.own).toEqual({ b: 'z', a: 'x' })
  })

  it('names file, line and column of an unknown key, and Go`s type', () => {
    const error = problem('name: x\ninner:\n  on: true\n  of: 1\n')
    expect(error.message).toBe('a.yml:4:3: field of not found in type config.plain')
    expect([error.line, error.column]).toEqual([4, 3])
    expect(error.goText).toBe('yaml: unmarshal errors:\n  line 4: field of not found in type config.plain')
  })

  it('collects all wrong types and keys, in the words of Go', () => {
    const error = problem('nam: 1\nlimit: -1\nnames: a\nlimit: 3\ninner: {on: "true", count: [1]}\nlabels: {a: b, a: c}\nratio: {}\n')
    expect(error.report.split('\n')).toEqual([
      'a.yml:1:1: field nam not found in type config.Outer',
      'a.yml:2:8: cannot unmarshal !!int `-1` into uint',
      'a.yml:3:8: cannot unmarshal !!str `a` into []string',
      'a.yml:4:1: field limit already set in type config.Outer',
      'a.yml:5:13: cannot unmarshal !!str `true` into bool',
      'a.yml:5:28: cannot unmarshal !!seq into int',
      'a.yml:6:16: key "a" already set in map',
      'a.yml:7:8: cannot unmarshal !!map into float64',
    ])
    expect(error.message).toContain('(and 7 more)')
  })

  it('places a failed check at its key', () => {
    expect(decode('limit: 99').limit).toBe(99)
    expect(problem('name: x\nlimit: 100\n').message).toBe('a.yml:2:1: limit is too high')
    expect(problem('interval: 5 minutes').message).toMatch(/^a.yml:1:11: /)
  })

  it('reports text that is not YAML with its place', () => {
    expect(problem('name: [a\nsize: 1\n').kind).toBe('syntax')
    expect(problem('name: a: b\n').message).toMatch(/^a.yml:1:\d+: mapping values are not allowed in this context/)
    expect(problem('name: *x\n').message).toContain("unknown anchor 'x' referenced")
    expect(problem('name:\n\t- x\n').message).toMatch(/^a.yml:2:/)
  })

  it('refuses an alias bomb', () => {
    let text = 'a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n'
    for (let i = 1; i < 9; i++) text += `a${i}: &a${i} [${`*a${i - 1}, `.repeat(9)}*a${i - 1}]\n`
    const nested: Codec<unknown> = {
      goType: 'any',
      decode: (node, context) => ('items' in node ? list(nested).decode(node, context) : 1),
      encode: () => 1,
    }
    expect(() => decodeYaml(text, map(nested), () => ({}), { path: 'a' })).toThrow('document contains excessive aliasing')
  })

  it('never fails in another way than with a ConfigError', () => {
    const word = fc.constantFrom(
      'name',
      'size',
      'inner',
      'names',
      ':',
      ' ',
      '\n',
      '  ',
      '- ',
      '[',
      ']',
      '{',
      '}',
      '&a',
      '*a',
      '"',
      "'",
      '<<',
      '!!binary',
      '|',
      '?',
      ',',
      '#',
      '~',
      '1',
      '\t',
    )
    fc.assert(
      fc.property(fc.array(word, { maxLength: 40 }), (words) => {
        try {
          decode(words.join(''))
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error
        }
      }),
      { numRuns: 2_000 },
    )
  })
})
