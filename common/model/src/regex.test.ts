import fc from 'fast-check'
import { RE2JS } from 're2js'
import { describe, expect, it } from 'vitest'
import { parseCapturePattern } from './capture-pattern.ts'
import { compileRegex, RegexSyntaxError, SearchRegex } from './regex.ts'
import { parseSimplePattern } from './simple-pattern.ts'

describe('compileRegex', () => {
  it('anchors at both ends and lets the dot match a newline', () => {
    expect(compileRegex('b').test('abc')).toBe(false)
    expect(compileRegex('a.c').test('a\nc')).toBe(true)
    expect(compileRegex('[a].c').test('a\nc')).toBe(true)
    expect(compileRegex('a.c', { dotMatchesNewline: false }).test('a\nc')).toBe(false)
    expect(compileRegex('a|b').test('ab')).toBe(false)
  })

  it('knows the values of an alternation of words', () => {
    expect(compileRegex('a|b|c').literals()).toEqual(['a', 'b', 'c'])
    expect(compileRegex('prod-(eu|us)-[12]').literals()).toBeUndefined()
    expect(compileRegex('prod-(eu|us)-(1|2)').literals()).toEqual(['prod-eu-1', 'prod-eu-2', 'prod-us-1', 'prod-us-2'])
    expect(compileRegex('10\\.0\\.0\\.1').literals()).toEqual(['10.0.0.1'])
    expect(compileRegex('|a').literals()).toEqual(['', 'a'])
    expect(compileRegex('^a$').literals()).toEqual(['a'])
    expect(compileRegex('(?i)a').literals()).toBeUndefined()
    expect(compileRegex('').literals()).toEqual([''])
  })

  it('takes a list of thousands of words without an automaton', () => {
    const words = Array.from({ length: 20_000 }, (_, i) => `instance-${i}:9100`)
    const regex = compileRegex(words.join('|'))
    expect(regex.isSimple).toBe(true)
    expect(regex.test('instance-19999:9100')).toBe(true)
    expect(regex.test('instance-20000:9100')).toBe(false)
  })

  it('knows what matching values begin with', () => {
    expect(compileRegex('node_.*').prefix).toBe('node_')
    expect(compileRegex('node_(cpu|memory).*').prefix).toBe('node_')
    expect(compileRegex('node_[a-z]+').prefix).toBe('node_')
    expect(compileRegex('node_x?').prefix).toBe('node_')
    expect(compileRegex('node_a|x[a]').prefix).toBe('')
    expect(compileRegex('(?i)node').prefix).toBe('')
    expect(compileRegex('😀|😁').prefix).toBe('')
  })

  it('says which patterns match everything', () => {
    expect(compileRegex('.*').matchesAll).toBe(true)
    expect(compileRegex('(.*)').matchesAll).toBe(true)
    expect(compileRegex('.+').matchesAll).toBe(false)
    expect(compileRegex('.*', { dotMatchesNewline: false }).matchesAll).toBe(false)
  })

  it('gives the groups of a match, and undefined for a group that took no part', () => {
    expect(compileRegex('(.*)').match('x')).toEqual(['x', 'x'])
    expect(compileRegex('(a)|(b)').match('b')).toEqual(['b', undefined, 'b'])
    expect(compileRegex('abc').match('abc')).toEqual(['abc'])
    expect(compileRegex('abc').match('abd')).toBeUndefined()
    expect(compileRegex('(?P<host>[^:]+):.*').groupNames.get('host')).toBe(1)
    expect(compileRegex('([^:]+)(?::\\d+)?').match('host:80')).toEqual(['host:80', 'host'])
    expect(compileRegex('(a|ab)(c|bcd)(d*)').match('abcd')).toEqual(['abcd', 'a', 'bcd', ''])
  })

  // Texts and verdicts as Go 1.26's regexp/syntax gives them.
  it.each([
    ['(', 'error parsing regexp: missing closing ): `(`'],
    ['a)', 'error parsing regexp: unexpected ): `a)`'],
    ['a**', 'error parsing regexp: invalid nested repetition operator: `**`'],
    ['*a', 'error parsing regexp: missing argument to repetition operator: `*`'],
    ['[a', 'error parsing regexp: missing closing ]: `[a`'],
    ['[z-a]', 'error parsing regexp: invalid character class range: `z-a`'],
    ['a{1001}', 'error parsing regexp: invalid repeat count: `{1001}`'],
    ['\\8', 'error parsing regexp: invalid escape sequence: `\\8`'],
    ['\\', 'error parsing regexp: trailing backslash at end of expression: ``'],
    ['(?=a)', 'error parsing regexp: invalid or unsupported Perl syntax: `(?=`'],
    ['\\p{Nope}', 'error parsing regexp: invalid character class range: `\\p{Nope}`'],
    ['(?P<n', 'error parsing regexp: invalid named capture: `(?P<n`'],
  ])('refuses %s with the text of Go', (pattern, message) => {
    expect(() => compileRegex(pattern)).toThrow(new RegexSyntaxError(message))
  })

  it.each(['a{1000}', '[[:alpha:]]+', '\\pL', '(?i)x', '(?P<n>x)', '(?U)a+', '\\Qa.b\\E', 'a{,2}', '\\z', '[]a]', '}', '(?s).'])(
    'accepts %s',
    (pattern) => {
      expect(() => compileRegex(pattern)).not.toThrow()
    },
  )

  it('stays linear where backtracking would explode', () => {
    const value = 'a'.repeat(50_000) + '!'
    // Processor time: a busy machine makes it no longer.
    const before = process.cpuUsage()
    for (const pattern of ['(a+)+', '(a|a)*b', '.*a.*a.*a.*b', '(.*)(.*)(.*)(.*)c', 'a.*a.*aa.a.*b.']) {
      expect(compileRegex(pattern).test(value)).toBe(false)
    }
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(2000)
  })

  it('gives the same object for a pattern used before', () => {
    expect(compileRegex('x.*y')).toBe(compileRegex('x.*y'))
  })

  it('forgets what has not been used for long', () => {
    const first = compileRegex('first[0-9]')
    for (let i = 0; i < 70; i++) compileRegex(`other${i}[0-9]`)
    expect(compileRegex('first[0-9]')).not.toBe(first)
  })
})

describe('simple patterns', () => {
  const piece = fc.constantFrom(
    'a',
    'b',
    '\\.',
    '.',
    '.*',
    '.+',
    '.*?',
    '|',
    '(',
    ')',
    '(?:',
    '😀',
    '^',
    '$',
    '*',
    'ab',
    '[a]',
    '\\d',
    '\n',
  )
  const pattern = fc.array(piece, { maxLength: 10 }).map((pieces) => pieces.join(''))
  const value = fc.array(fc.constantFrom('a', 'b', '.', '😀', '\n', 'c'), { maxLength: 8 }).map((pieces) => pieces.join(''))

  it('match what RE2 matches, and are patterns that RE2 accepts', () => {
    fc.assert(
      fc.property(pattern, fc.array(value, { maxLength: 6 }), (text, values) => {
        const simple = parseSimplePattern(text)
        if (simple === undefined) return
        const engine = RE2JS.compile(text, RE2JS.DOTALL)
        expect(simple.captureCount).toBe(engine.groupCount())
        for (const candidate of [...values, ...(simple.literals ?? [])]) {
          const isMatch = engine.testExact(candidate)
          expect([text, candidate, simple.test(candidate)]).toEqual([text, candidate, isMatch])
          if (simple.literals !== undefined) expect(simple.literals.includes(candidate)).toBe(isMatch)
          if (isMatch) expect(candidate.startsWith(simple.prefix)).toBe(true)
        }
      }),
      { numRuns: 3000 },
    )
  })

  it('give up on what would multiply without end', () => {
    expect(parseSimplePattern('(a|b)'.repeat(10))?.literals).toHaveLength(1024)
    expect(parseSimplePattern('(a|b)'.repeat(11))).toBeUndefined()
    expect(parseSimplePattern('('.repeat(15) + 'a' + ')'.repeat(15))).toBeDefined()
    expect(parseSimplePattern('('.repeat(16) + 'a' + ')'.repeat(16))).toBeUndefined()
    const globs = (count: number) => Array.from({ length: count }, (_, i) => `x${i}.*y`).join('|')
    expect(parseSimplePattern(globs(32))).toBeDefined()
    expect(parseSimplePattern(globs(33))).toBeUndefined()
  })
})

describe('capture patterns', () => {
  const piece = fc.constantFrom('a', 'b', '\\.', '.', '.*', '.+', '(', ')', '(.*)', '(.+)', '😀', '-')
  const pattern = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''))
  const value = fc.array(fc.constantFrom('a', 'b', '.', '😀', '-'), { maxLength: 9 }).map((pieces) => pieces.join(''))

  it('give the groups that RE2 gives', () => {
    fc.assert(
      fc.property(pattern, fc.array(value, { maxLength: 5 }), (text, values) => {
        const match = parseCapturePattern(text)
        if (match === undefined) return
        const engine = RE2JS.compile(`^(?s:${text})$`)
        for (const candidate of values)
          expect([text, candidate, match(candidate)]).toEqual([
            text,
            candidate,
            [...(engine.exec(candidate) ?? [])].length > 0 ? [...engine.exec(candidate)!] : undefined,
          ])
      }),
      { numRuns: 3000 },
    )
  })

  it('are greedy from the left', () => {
    expect(compileRegex('(.*)-(.*)').match('a-b-c')).toEqual(['a-b-c', 'a-b', 'c'])
    expect(compileRegex('(.*)(.*)').match('ab')).toEqual(['ab', 'ab', ''])
    expect(compileRegex('(.+):.*').match('h:1:2')).toEqual(['h:1:2', 'h:1'])
  })
})

describe('SearchRegex', () => {
  // Results as Go 1.26's Regexp.ReplaceAllString gives them.
  it.each([
    ['a*', 'baaac', 'x', 'xbxcx'],
    ['', 'abc', '-', '-a-b-c-'],
    ['', 'é😀', '-', '-é-😀-'],
    ['(?m)^', 'a\nb', '> ', '> a\n> b'],
    ['a.b', 'a\nb', 'z', 'a\nb'],
    ['$', 'abc', '!', 'abc!'],
    ['\\b', 'ab cd', '|', '|ab| |cd|'],
  ])('replaces %s in %j as Go does', (pattern, text, replacement, expected) => {
    expect(new SearchRegex(pattern).replaceAll(text, () => replacement)).toBe(expected)
  })

  it('matches anywhere', () => {
    expect(new SearchRegex('b+').test('abc')).toBe(true)
    expect(new SearchRegex('^b').test('abc')).toBe(false)
  })
})
