import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { AttributeReader } from './attribute-reader.ts'
import { HardwareReader, integerOf } from './hardware-reader.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-hardware-'))
  writeFileSync(join(directory, 'temp'), ' 42\n')
})
afterEach(() => {
  vi.restoreAllMocks()
  rmSync(directory, { recursive: true })
})

test('a device is read in the pool until it has answered at once, and again when it was slow', async () => {
  const attributes = new AttributeReader()
  const direct = vi.spyOn(attributes, 'text')
  let nowMs = 0
  vi.spyOn(performance, 'now').mockImplementation(() => nowMs)
  const reader = new HardwareReader(attributes)
  const paths = [join(directory, 'temp'), join(directory, 'none')]

  expect(await reader.read('zone', paths)).toEqual(['42', undefined])
  expect(direct).not.toHaveBeenCalled()
  expect(await reader.read('zone', paths)).toEqual(['42', undefined])
  expect(direct).toHaveBeenCalledTimes(2)

  // Half a millisecond a file is the limit.
  direct.mockImplementation(() => {
    nowMs += 0.5
    return '1'
  })
  await reader.read('zone', paths)
  await reader.read('zone', paths)
  expect(direct).toHaveBeenCalledTimes(6)
  direct.mockImplementation(() => {
    nowMs += 0.51
    return '1'
  })
  await reader.read('zone', paths)
  expect(direct).toHaveBeenCalledTimes(8)
  expect(await reader.read('zone', paths)).toEqual(['42', undefined])
  expect(direct).toHaveBeenCalledTimes(8)
})

test('devices are learnt one by one', async () => {
  const attributes = new AttributeReader()
  const direct = vi.spyOn(attributes, 'text')
  vi.spyOn(performance, 'now').mockReturnValue(0)
  const reader = new HardwareReader(attributes)
  await reader.read('a', [join(directory, 'temp')])
  await reader.read('b', [join(directory, 'temp')])
  expect(direct).not.toHaveBeenCalled()
})

test('integers are read from texts', () => {
  expect([integerOf('-44000'), integerOf('0x10'), integerOf(''), integerOf('on'), integerOf(undefined)]).toEqual([
    -44000,
    16,
    NaN,
    NaN,
    NaN,
  ])
})
