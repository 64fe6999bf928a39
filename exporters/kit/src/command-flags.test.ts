import { parseFlags } from '@narthex/service/flags'
import { expect, test } from 'vitest'
import { describeFlags, pickGivenFlags, warnOfFlagsWithoutEffect } from './command-flags.ts'
import { FlagReader } from './flag-reader.ts'
import type { FlagSpec } from './flag-spec.ts'

const specs: readonly FlagSpec[] = [
  { name: 'collector.cpu', type: 'boolean', help: 'Enable the cpu collector.' },
  { name: 'collector.guest', type: 'boolean', default: true, help: 'Guests.' },
  { name: 'collector.exclude', type: 'string', default: '^lo$', help: 'Devices.' },
  { name: 'collector.directory', type: 'string', repeatable: true, default: [], help: 'Directories.' },
  { name: 'collector.timeout', type: 'duration', default: '5s', help: 'Time.' },
  { name: 'web.max-requests', type: 'number', default: 40, help: 'Requests.' },
  { name: 'collector.old', type: 'boolean', hidden: true, help: 'Old.', withoutEffect: 'it is gone' },
]

function readFlags(...argv: readonly string[]) {
  const parsed = parseFlags({ name: 'test', help: '', version: '1', flags: describeFlags(specs) }, argv, {})
  return { reader: new FlagReader(specs, pickGivenFlags(specs, parsed.values, parsed.given)), given: parsed.given }
}

test('flags that were not given have their defaults and count as not given', () => {
  const { reader } = readFlags()
  expect(reader.isGiven('collector.cpu')).toBe(false)
  expect(reader.isGiven('collector.guest')).toBe(false)
  expect(reader.boolean('collector.guest')).toBe(true)
  expect(reader.string('collector.exclude')).toBe('^lo$')
  expect(reader.strings('collector.directory')).toEqual([])
  expect(reader.durationMs('collector.timeout')).toBe(5000)
  expect(reader.number('web.max-requests')).toBe(40)
})

test('flags of every kind come from the command line', () => {
  const { reader, given } = readFlags(
    '--no-collector.cpu',
    '--collector.exclude=',
    '--collector.directory=/a',
    '--collector.directory',
    '/b',
    '--collector.timeout=1m',
    '--web.max-requests=0',
    '--collector.old',
  )
  expect(reader.isGiven('collector.cpu')).toBe(true)
  expect(reader.boolean('collector.cpu')).toBe(false)
  expect(reader.string('collector.exclude')).toBe('')
  expect(reader.strings('collector.directory')).toEqual(['/a', '/b'])
  expect(reader.durationMs('collector.timeout')).toBe(60_000)
  expect(reader.number('web.max-requests')).toBe(0)
  expect(warnOfFlagsWithoutEffect(specs, given)).toEqual(['flag --collector.old has no effect: it is gone'])
})

test('a value of another type is named', () => {
  expect(() => new FlagReader(specs, { 'collector.exclude': 3 }).string('collector.exclude')).toThrow(
    'cannot read flag --collector.exclude: want a text, got 3',
  )
})
