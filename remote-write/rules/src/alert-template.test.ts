import { createTemplateExpander, templateQueriesMax } from './alert-template.ts'
import { expect, test } from 'vitest'
import { FakeStorage } from './rule-kit.ts'
import { Labels } from '@narthex/model/labels'

const data = {
  labels: Labels.from({ __name__: 'up', job: 'a' }),
  value: 0.5,
  externalLabels: Labels.from({ zone: 'eu' }),
  externalUrl: 'http://prom:9090',
  timeMs: 1_700_000_000_000,
}

function expand(text: string, storage = new FakeStorage()): Promise<string> {
  return createTemplateExpander(storage.query)('__alert_Down', text, data)
}

test('templates see labels, value and external labels, and "" for what is missing', async () => {
  expect(await expand('{{ $labels.job }} {{ $value | humanizePercentage }} {{ $externalLabels.zone }}[{{ $labels.none }}]')).toBe(
    'a 50% eu[]',
  )
})

test('templates ask as many queries as they need, each once, at the time of the evaluation', async () => {
  const storage = new FakeStorage()
  storage.results.set('up', [[{ job: 'x' }, 1]])
  storage.results.set('down', [[{ job: 'y' }, 2]])
  const text = '{{ query "up" | first | label "job" }}-{{ query "down" | first | value }}-{{ query "up" | first | value }}'
  expect(await expand(text, storage)).toBe('x-2-1')
  expect(storage.queries).toEqual(['up@1700000000000', 'down@1700000000000'])
})

test('a query that fails is the error of the template', async () => {
  const storage = new FakeStorage()
  storage.results.set('up', new Error('query timed out'))
  await expect(expand('{{ query "up" }}', storage)).rejects.toThrow('query timed out')
})

test('more queries than the bound are an error', async () => {
  const asks = (count: number) => Array.from({ length: count }, (_, i) => `{{ query "q${i}" | len }}`).join('')
  expect(await expand(asks(templateQueriesMax))).toBe('0'.repeat(templateQueriesMax))
  await expect(expand(asks(templateQueriesMax + 1))).rejects.toThrow('want at most 100 queries')
})

test('a text that is no template is refused in the words of Prometheus', async () => {
  await expect(expand('{{ $labels.job ')).rejects.toThrow(/^error parsing template __alert_Down: template: __alert_Down:1: unclosed action/)
})
