import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { MatcherSyntaxError, parseMatcher, parseMatchers, printMatchers } from './matcher-parser.ts'
import { RegexSyntaxError } from '@narthex/model/regex'

function read(text: string): string[] {
  return parseMatchers(text).map(({ name, type, value }) => `${name}|${type}|${value}`)
}

describe('matchers', () => {
  test.each([
    ['{a="b"}', ['a|=|b']],
    ['a=b', ['a|=|b']],
    ['{a=~"b|c", d!="",e!~f,}', ['a|=~|b|c', 'd|!=|', 'e|!~|f']],
    ['{"é t"="x"}', ['é t|=|x']],
    ['ü=ö', ['ü|=|ö']],
    ['é="\\u00e9\\x41\\n"', ['é|=|éA\n']],
    ['{}', []],
    ['', []],
    // Only the classic grammar reads these.
    ['a=', ['a|=|']],
    ['a=b c', ['a|=|b c']],
    ['a=~b{2}', ['a|=~|b{2']],
    ['a="\\d"', ['a|=|\\d']],
  ])('%s', (text, expected) => {
    expect(read(text)).toEqual(expected)
  })

  test.each(['a', '{a?"b"}', 'é==x', '=b', '{é=x', 'é=x}', 'é="x', 'é="\\q"'])('refuses %s', (text) => {
    expect(() => parseMatchers(text)).toThrow(MatcherSyntaxError)
  })

  test('refuses a pattern that is no pattern', () => {
    expect(() => parseMatchers('a=~"("')).toThrow(RegexSyntaxError)
  })

  test('one matcher means one', () => {
    expect(parseMatcher('a=b').name).toBe('a')
    expect(parseMatcher('a=~b{2}').value).toBe('b{2}')
    expect(() => parseMatcher('é=b,c=d')).toThrow('expected 1 matcher, found 2')
    expect(() => parseMatcher('{a=b}')).toThrow('unexpected open or close brace: {a=b}')
    expect(() => parseMatcher('bad x')).toThrow(MatcherSyntaxError)
  })

  test('whatever strangers send is read or refused', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.constantFrom('a', '{', '}', '=', '~', '!', ',', '"', '\\', ' ', 'é', '\n', '('), maxLength: 20 }),
        (text) => {
          try {
            parseMatchers(text)
          } catch (error) {
            expect(error instanceof MatcherSyntaxError || error instanceof RegexSyntaxError).toBe(true)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('what is printed reads back the same', () => {
    const name = fc.stringMatching(/^[a-z_][a-z0-9_]*$/)
    const value = fc.string({ unit: fc.constantFrom('a', '"', '\\', '\n', ',', '}', '=', 'é') })
    fc.assert(
      fc.property(name, value, (labelName, text) => {
        const [matcher] = parseMatchers(`{${labelName}=${JSON.stringify(text)}}`)
        expect(matcher?.value).toBe(text)
        expect(parseMatchers(printMatchers([matcher!]))).toEqual([matcher])
      }),
    )
  })
})
