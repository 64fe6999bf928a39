import { spawnSync } from 'node:child_process'
import {
  appendFileSync,
  copyFileSync,
  mkdtempSync,
  openSync,
  closeSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { lineBytesMax, LogTail, retireMs } from './log-tail.ts'

let directory = ''
let path = ''
let lines: string[] = []
let longLines = 0
let nowMs = 0
let tail: LogTail

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-tail-'))
  path = join(directory, 'access.log')
  lines = []
  longLines = 0
  nowMs = 0
  tail = createTail()
})
afterEach(async () => {
  await tail.close()
  rmSync(directory, { recursive: true })
})

function createTail(of = path): LogTail {
  return new LogTail({
    path: of,
    onLine: (bytes, start, end) => lines.push(bytes.toString('utf8', start, end)),
    onLongLine: () => longLines++,
    nowMs: () => nowMs,
  })
}

async function take(): Promise<string[]> {
  await tail.poll()
  return lines.splice(0)
}

test('begins at the end, and with the next whole line', async () => {
  writeFileSync(path, 'old\nhalf of')
  expect(await take()).toEqual([])
  appendFileSync(path, ' an old one\nnew\nand')
  expect(await take()).toEqual(['new'])
  appendFileSync(path, ' more\r\n\n')
  expect(await take()).toEqual(['and more', ''])
})

test('a file that comes later is read from its beginning', async () => {
  await expect(tail.poll()).rejects.toThrow('ENOENT')
  expect(tail.isOpen).toBe(false)
  writeFileSync(path, 'first\n')
  expect(await take()).toEqual(['first'])
})

test('a renamed file is read on beside the new one', async () => {
  writeFileSync(path, '')
  await tail.poll()
  const writer = openSync(path, 'a')
  writeSync(writer, 'one\n')
  renameSync(path, `${path}.1`)
  expect(await take()).toEqual(['one'])
  writeSync(writer, 'two\n')
  writeFileSync(path, 'three\n')
  expect(await take()).toEqual(['two', 'three'])
  expect(tail.rotations).toBe(1)
  // Until it is told to reopen its logs, NGINX writes to the old one.
  writeSync(writer, 'four\n')
  appendFileSync(path, 'five\n')
  expect(await take()).toEqual(['four', 'five'])
  nowMs = retireMs - 1
  writeSync(writer, 'six\n')
  expect(await take()).toEqual(['six'])
  nowMs = 2 * retireMs
  writeSync(writer, 'the last look\n')
  expect(await take()).toEqual(['the last look'])
  nowMs = 3 * retireMs
  expect(await take()).toEqual([])
  writeSync(writer, 'nobody reads this\n')
  expect(await take()).toEqual([])
  closeSync(writer)
})

test('a file that is gone for a while is not forgotten', async () => {
  writeFileSync(path, '')
  await tail.poll()
  const writer = openSync(path, 'a')
  unlinkSync(path)
  writeSync(writer, 'one\n')
  expect(await take()).toEqual(['one'])
  expect(tail.isOpen).toBe(true)
  closeSync(writer)
})

test('a file that was copied and cut is read from its beginning', async () => {
  writeFileSync(path, 'old\n')
  await tail.poll()
  appendFileSync(path, 'one\n')
  expect(await take()).toEqual(['one'])
  copyFileSync(path, `${path}.1`)
  truncateSync(path)
  expect(await take()).toEqual([])
  appendFileSync(path, 'two\n')
  expect(await take()).toEqual(['two'])
  expect(tail.rotations).toBe(1)
})

test('so is one that has grown beyond the old place before anybody looked', async () => {
  writeFileSync(path, 'old\n')
  await tail.poll()
  truncateSync(path)
  appendFileSync(path, 'a new line\nand another\n')
  expect(await take()).toEqual(['a new line', 'and another'])
  expect(tail.rotations).toBe(1)
})

test('the longest line that is read, and the first that is too long', async () => {
  writeFileSync(path, '')
  await tail.poll()
  appendFileSync(path, `${'x'.repeat(lineBytesMax)}\n${'y'.repeat(lineBytesMax + 1)}\nafter\n`)
  expect((await take()).map((line) => line.length)).toEqual([lineBytesMax, 5])
  expect(longLines).toBe(1)
})

test('a line of many chunks is skipped once, whenever its end comes', async () => {
  writeFileSync(path, '')
  await tail.poll()
  appendFileSync(path, 'z'.repeat(20 * lineBytesMax))
  expect(await take()).toEqual([])
  appendFileSync(path, 'z\nafter\n')
  expect(await take()).toEqual(['after'])
  expect(longLines).toBe(1)
})

test('many lines come out whole, wherever chunks end', async () => {
  writeFileSync(path, '')
  await tail.poll()
  const wanted = Array.from({ length: 30_000 }, (_, i) => `${i} ${'x'.repeat(i % 97)}`)
  appendFileSync(path, `${wanted.join('\n')}\n`)
  expect(await take()).toEqual(wanted)
})

test('a directory and a pipe that nobody writes to are refused at once', async () => {
  await expect(createTail(directory).poll()).rejects.toThrow(/want a regular file|EISDIR/)
  const pipe = join(directory, 'pipe')
  expect(spawnSync('mkfifo', [pipe]).status).toBe(0)
  await expect(createTail(pipe).poll()).rejects.toThrow(`cannot follow ${pipe}: want a regular file`)
})
