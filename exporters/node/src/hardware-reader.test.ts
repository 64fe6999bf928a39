import { execFileSync } from 'node:child_process'
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { AttributeReader } from './attribute-reader.ts'
import { HardwareReader, integerOf, poolReadsMax } from './hardware-reader.ts'

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

test('devices that hang leave threads for the other file work, and those behind them get their turn when they answer', async () => {
  const pipes = Array.from({ length: 6 }, (_, index) => join(directory, `pipe${index}`))
  for (const pipe of pipes) execFileSync('mkfifo', [pipe])
  const reader = new HardwareReader(new AttributeReader())
  // A pipe that nobody writes to is a file that hangs when it is opened.
  const answers = pipes.map((pipe) => reader.read(pipe, [pipe]))
  const last = reader.read('temp', [join(directory, 'temp')])
  expect(await readFile(join(directory, 'temp'), 'utf8')).toBe(' 42\n')

  const isHanging = (pipe: string): boolean => {
    try {
      // Succeeds only while somebody waits to read.
      const descriptor = openSync(pipe, constants.O_WRONLY | constants.O_NONBLOCK)
      writeFileSync(descriptor, '7')
      closeSync(descriptor)
      return true
    } catch {
      return false
    }
  }
  const released = new Set<string>()
  let releasedAtOnce = 0
  await expect
    .poll(() => {
      const now = pipes.filter((pipe) => !released.has(pipe) && isHanging(pipe))
      for (const pipe of now) released.add(pipe)
      releasedAtOnce = Math.max(releasedAtOnce, now.length)
      return released.size
    })
    .toBe(pipes.length)
  expect(releasedAtOnce).toBeLessThanOrEqual(poolReadsMax)
  expect(await Promise.all(answers)).toEqual(pipes.map(() => ['7']))
  expect(await last).toEqual(['42'])
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
