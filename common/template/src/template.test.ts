import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { executeDefinition, executeTemplate, parseTemplate } from './template.ts'
import type { ExecutionLimits } from './template.ts'
import { PassedError, TemplateError, TemplateLimitError } from './template-error.ts'
import { StringMap } from './value.ts'
import type { FunctionMap } from './value.ts'

const run = (text: string, data?: unknown, functions: FunctionMap = {}, limits?: ExecutionLimits) =>
  executeTemplate(parseTemplate('T', text, functions), data, functions, limits)

describe('a set of templates', () => {
  it('uses and redefines what its base defines', () => {
    const base = parseTemplate('base', '{{ define "a" }}A{{ end }}{{ define "b" }}[{{ template "a" }}]{{ end }}', {})
    const redefined = parseTemplate('page', '{{ define "a" }}a{{ end }}{{ template "b" }}', {}, base)
    expect(executeTemplate(redefined, undefined, {})).toBe('[a]')
    expect(executeDefinition(base, 'b', undefined, {})).toBe('[A]')
    expect(() => executeDefinition(base, 'c', undefined, {})).toThrow('template: no template "c" associated with template "base"')
  })

  it('keeps a definition that an empty one would replace', () => {
    const base = parseTemplate('base', '{{ define "a" }}A{{ end }}', {})
    expect(executeDefinition(parseTemplate('x', '{{ define "a" }} {{ end }}', {}, base), 'a', undefined, {})).toBe('A')
  })
})

describe('what JavaScript gives to every object', () => {
  const data = { Labels: new StringMap([['a', '1']]), List: ['x'], Text: 'x' }

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])('%s is out of reach', (name) => {
    expect(() => run(`{{ .${name} }}`, data)).toThrow(`can't evaluate field ${name} in type struct`)
    expect(run(`{{ .Labels.${name} }}`, data)).toBe('')
    expect(() => run(`{{ .List.${name} }}`, data)).toThrow(`can't evaluate field ${name}`)
    expect(() => run(`{{ .Text.${name} }}`, data)).toThrow(`can't evaluate field ${name} in type string`)
    expect(() => run(`{{ ${name} }}`, data)).toThrow(`function "${name}" not defined`)
  })
})

describe('limits', () => {
  it('the last character of output and the one too many', () => {
    expect(run('{{ range 10 }}x{{ end }}', undefined, {}, { outputUnitsMax: 10 })).toBe('xxxxxxxxxx')
    expect(() => run('{{ range 11 }}x{{ end }}', undefined, {}, { outputUnitsMax: 10 })).toThrow(TemplateLimitError)
  })

  it('loops end at the bound of steps, even empty ones', () => {
    expect(() => run('{{ range 9000000000000000000 }}{{ end }}')).toThrow('more than 1000000 steps')
    expect(() => run('{{ range 1000000 }}{{ $x := printf "%1000000d" 1 }}{{ end }}')).toThrow('more than 1000000 steps')
  })

  it('the deepest template in templates and the one too deep', () => {
    const text = '{{ define "r" }}{{ if gt . 0 }}{{ template "s" . }}{{ end }}{{ end }}{{ define "s" }}{{ template "r" }}{{ end }}'
    expect(() => run('{{ define "r" }}{{ template "r" }}{{ end }}{{ template "r" }}')).toThrow('exceeded maximum template depth (500)')
    expect(() => run(text + '{{ template "r" 1 }}')).toThrow(TemplateError)
  })

  it('nesting that would exhaust the parser is refused', () => {
    expect(run('{{ ' + '('.repeat(99) + '1' + ')'.repeat(99) + ' }}')).toBe('1')
    expect(() => run('{{ ' + '('.repeat(100) + '1' + ')'.repeat(100) + ' }}')).toThrow('more than 100 levels of nesting')
    expect(() => run('{{ if 1 }}'.repeat(101) + '{{ end }}'.repeat(101))).toThrow('more than 100 levels of nesting')
    expect(() => run('{{ if 0 }}' + '{{ else if 0 }}'.repeat(101) + '{{ end }}')).toThrow('more than 100 levels of nesting')
  })
})

it('lets a PassedError through and wraps every other one', () => {
  const thrown = new PassedError('for the caller')
  const throwing = (error: Error): FunctionMap => ({
    f: {
      parameters: [],
      call: () => {
        throw error
      },
    },
  })
  expect(() => run('{{ f }}', undefined, throwing(thrown))).toThrow(thrown)
  expect(() => run('{{ f }}', undefined, throwing(new Error('no')))).toThrow('template: T:1:3: executing "T" at <f>: error calling f: no')
})

it('ends in a text or a TemplateError for any template', () => {
  const piece = fc.constantFrom(
    '{{',
    '}}',
    '{{-',
    '-}}',
    ' ',
    '.',
    '$',
    '$x',
    ':=',
    '|',
    '(',
    ')',
    '"',
    '`',
    "'",
    'if',
    'range',
    'end',
    'else',
    'define',
    'template',
    '1',
    '/*',
    '*/',
    'é',
    '\n',
  )
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(piece).map((pieces) => pieces.join('')),
    fc.array(piece).map((pieces) => `{{${pieces.join('')}}}`),
  )
  fc.assert(
    fc.property(text, (template) => {
      try {
        expect(typeof run(template, { A: 1 })).toBe('string')
      } catch (error) {
        expect(error).toBeInstanceOf(TemplateError)
      }
    }),
    { numRuns: 2000 },
  )
})
