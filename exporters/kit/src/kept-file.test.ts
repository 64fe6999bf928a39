import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { KeptFile } from './kept-file.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-kept-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

test('a file is read from its beginning each time', () => {
  const path = join(directory, 'a')
  writeFileSync(path, 'one')
  const file = new KeptFile(path, 8)
  expect(file.read()?.toString()).toBe('one')
  writeFileSync(path, 'three')
  expect(file.read()?.toString()).toBe('three')
  file.close()
})

test('what fills the buffer may be cut off, so it is not taken', () => {
  const path = join(directory, 'a')
  writeFileSync(path, '1234567')
  const file = new KeptFile(path, 8)
  expect(file.read()?.length).toBe(7)
  writeFileSync(path, '12345678')
  expect(file.read()).toBeUndefined()
  file.close()
})

test('a file that is not there is looked for again', () => {
  const path = join(directory, 'a')
  const file = new KeptFile(path, 8)
  expect(file.read()).toBeUndefined()
  writeFileSync(path, 'x')
  expect(file.read()?.toString()).toBe('x')
  file.close()
})

test.runIf(process.platform === 'linux')('the kernel prints its files whole and anew', () => {
  const file = new KeptFile('/proc/self/stat', 4096)
  const ticks = (): number => Number(/\) (?:\S+ ){11}(\d+) /.exec(file.read()!.toString())![1])
  const before = ticks()
  const until = process.cpuUsage().user + 60_000
  while (process.cpuUsage().user < until);
  expect(ticks()).toBeGreaterThan(before)
  file.close()
})
