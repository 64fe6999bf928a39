import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { GoDuration } from './go-duration.ts'
import { GoTime } from './go-time.ts'
import { goMethods, goType } from './go-type.ts'
import { executeTemplate, parseTemplate } from './template.ts'
import { TemplateError } from './template-error.ts'
import { anyType, boolType, floatType, intType, StringMap, stringType, typeNameOf } from './value.ts'
import type { FunctionMap, ParameterType } from './value.ts'

// testdata/text-template.json: what Go 1.26's text/template (missingkey=zero) made of each template with the data and functions below;
// written out by a program over hand-written templates and damaged copies of them.
const cases = JSON.parse(readFileSync(new URL('../testdata/text-template.json', import.meta.url), 'utf8')) as [
  string,
  string | { error: string },
][]

const textsType: ParameterType = { name: '[]string', accepts: (value) => Array.isArray(value) }

const functions: FunctionMap = {
  upper: { parameters: [stringType], call: (text: string) => text.toUpperCase() },
  fail: {
    parameters: [],
    call: () => {
      throw new Error('it failed')
    },
  },
  join: { parameters: [stringType, textsType], call: (separator: string, texts: string[]) => texts.join(separator) },
  half: { parameters: [floatType], call: (value: number) => value / 2 },
  inc: { parameters: [intType], call: (value: bigint) => value + 1n },
  flip: { parameters: [boolType], call: (value: boolean) => !value },
  any: { parameters: [anyType], call: (value: unknown) => typeNameOf(value) },
}

function typed<T>(elements: T[], type: string): T[] {
  return Object.defineProperty(elements, goType, { value: type })
}

class Sample {
  readonly Labels: StringMap
  readonly Value: number

  constructor(a: string, value: number) {
    this.Labels = new StringMap([['a', a]])
    this.Value = value
  }

  get [goType](): string {
    return 'main.Sample'
  }

  Twice(): number {
    return this.Value * 2
  }
}

class Data {
  Labels = new StringMap([
    ['job', 'node'],
    ['instance', 'h:9100'],
    ['é', 'ü'],
  ])
  Value = 1.5
  N = 3n
  S = 'text <b>\'"&'
  Empty = ''
  List = typed(['a', 'b', 'c'], '[]string')
  Nums = [1n, 2.5, 'x', null, true]
  Samples = typed([new Sample('1', 1), new Sample('2', 2)], '[]main.Sample')
  M = new Map<string, unknown>([
    ['k', 'v'],
    ['n', 1n],
    ['inner', new Map([['x', 'y']])],
  ])
  B = true
  T = GoTime.fromMs(Date.UTC(2024, 1, 29, 13, 4, 5, 678))
  D = new GoDuration(90_000_000_000n)
  Nil = null
  F = {
    parameters: [stringType, intType],
    call: (text: string, count: bigint) => text.repeat(Number(count)),
    [goType]: 'func(string, int) string',
  }

  get [goType](): string {
    return 'main.Data'
  }

  get [goMethods](): Record<string, ParameterType[]> {
    return { Hello: [stringType] }
  }

  Hello(name: unknown): string {
    return 'hello ' + String(name)
  }
}

function run(text: string): string | { error: string } {
  try {
    return executeTemplate(parseTemplate('T', text, functions), new Data(), functions)
  } catch (error) {
    if (error instanceof TemplateError) return { error: error.message }
    throw error
  }
}

it(`gives the texts and messages of Go for ${cases.length} templates`, () => {
  expect(cases.length).toBeGreaterThan(400)
  for (const [text, expected] of cases) expect([text, run(text)]).toEqual([text, expected])
})
