import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { DeadLetterFile } from './dead-letter-file.ts'
import type { DeadLetter } from './dead-letter-file.ts'

let parent: string
let directory: string

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'narthex-letters-'))
  directory = join(parent, 'dead-letters')
})

afterEach(() => {
  rmSync(parent, { recursive: true })
})

function letterOf(number: number, bodyBytes = 30): DeadLetter {
  const body = new Uint8Array(bodyBytes).fill(number)
  return { timeMs: 1000 + number, status: 400, reason: 'rejected', error: 'out of order', contentType: 'application/x-protobuf', body }
}

/** Bytes of a letter's line: base64 takes four for three. */
async function lineBytes(bodyBytes: number): Promise<number> {
  const file = new DeadLetterFile(join(parent, 'measure'), 'r', 1e9)
  file.add(letterOf(0, bodyBytes))
  await file.close()
  const { size } = statSync(join(parent, 'measure', 'r.letters'))
  rmSync(join(parent, 'measure'), { recursive: true })
  return size
}

/** The numbers of the letters in a file, each of which must be whole. */
function numbersIn(name: string): number[] {
  const path = join(directory, name)
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  expect(lines.pop()).toBe('')
  return lines.map((line) => (JSON.parse(line) as { timeMs: number }).timeMs - 1000)
}

describe('DeadLetterFile', () => {
  test('keeps what is needed to post a request again, and no headers', async () => {
    const file = new DeadLetterFile(directory, 'my remote/1', 1e6)
    const letter = letterOf(7)
    const sent = letter.body.slice()
    file.add(letter)
    // The sender uses the memory again.
    letter.body.fill(0)
    await file.close()
    expect(readdirSync(directory)).toEqual(['my%20remote%2F1.letters'])
    const parsed: unknown = JSON.parse(readFileSync(join(directory, 'my%20remote%2F1.letters'), 'utf8'))
    expect(parsed).toEqual({
      timeMs: 1007,
      status: 400,
      reason: 'rejected',
      error: 'out of order',
      contentType: 'application/x-protobuf',
      encoding: 'snappy',
      body: Buffer.from(sent).toString('base64'),
    })
  })

  test('takes a letter of half the bound, and not one of a byte more', async () => {
    const bytes = await lineBytes(300)
    const fits = new DeadLetterFile(directory, 'fits', 2 * bytes)
    fits.add(letterOf(1, 300))
    await fits.close()
    expect(fits.lost).toBe(0)
    expect(numbersIn('fits.letters')).toEqual([1])
    const refuses = new DeadLetterFile(directory, 'refuses', 2 * bytes - 1)
    refuses.add(letterOf(1, 300))
    await refuses.close()
    expect(refuses.lost).toBe(1)
    expect(existsSync(join(directory, 'refuses.letters'))).toBe(false)
  })

  test('turns to a new file when the last letter that fits is in, and stays within the bound', async () => {
    const bytes = await lineBytes(30)
    const bytesMax = 6 * bytes
    const file = new DeadLetterFile(directory, 'r', bytesMax)
    for (let number = 1; number <= 3; number++) file.add(letterOf(number))
    await file.close()
    expect([numbersIn('r.letters'), numbersIn('r.letters.1')]).toEqual([[1, 2, 3], []])
    for (let number = 4; number <= 10; number++) file.add(letterOf(number))
    await file.close()
    expect([numbersIn('r.letters'), numbersIn('r.letters.1')]).toEqual([[10], [7, 8, 9]])
    expect(file.lost).toBe(0)
    const size = readdirSync(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0)
    expect(size).toBeLessThanOrEqual(bytesMax)
  })

  test('goes on in the file of an earlier run, and keeps to a bound that became smaller', async () => {
    const bytes = await lineBytes(30)
    const first = new DeadLetterFile(directory, 'r', 20 * bytes)
    for (let number = 1; number <= 18; number++) first.add(letterOf(number))
    await first.close()
    const again = new DeadLetterFile(directory, 'r', 20 * bytes)
    again.add(letterOf(19))
    await again.close()
    expect(numbersIn('r.letters')).toEqual([11, 12, 13, 14, 15, 16, 17, 18, 19])
    const smaller = new DeadLetterFile(directory, 'r', 4 * bytes)
    for (let number = 20; number <= 22; number++) smaller.add(letterOf(number))
    await smaller.close()
    expect([numbersIn('r.letters'), numbersIn('r.letters.1')]).toEqual([[22], [20, 21]])
  })

  test('waits for the disk with 8 MiB, and counts what is beyond', async () => {
    const file = new DeadLetterFile(directory, 'r', 1e9)
    const bytes = await lineBytes(2 ** 20)
    const fits = Math.floor((8 * 2 ** 20) / bytes)
    for (let number = 1; number <= fits + 2; number++) file.add(letterOf(number, 2 ** 20))
    expect(file.lost).toBe(2)
    await file.close()
    file.add(letterOf(99))
    await file.close()
    expect(numbersIn('r.letters')).toEqual([...Array.from({ length: fits }, (_, i) => i + 1), 99])
    expect(file.lost).toBe(2)
  })

  test('a line that the last run left half costs no other one', async () => {
    mkdirSync(directory)
    writeFileSync(join(directory, 'r.letters'), '{"timeMs":1001,"stat')
    const file = new DeadLetterFile(directory, 'r', 1e6)
    for (const number of [2, 3]) file.add(letterOf(number))
    await file.close()
    const lines = readFileSync(join(directory, 'r.letters'), 'utf8').split('\n')
    expect(lines[0]).toBe('{"timeMs":1001,"stat')
    expect(lines.slice(1, 3).map((line) => (JSON.parse(line) as { timeMs: number }).timeMs)).toEqual([1002, 1003])
  })

  test('where the disk refuses letters are counted, and later ones are kept again', async () => {
    writeFileSync(directory, 'a file where the directory should be')
    const file = new DeadLetterFile(directory, 'r', 1e6)
    file.add(letterOf(1))
    file.add(letterOf(2))
    await file.close()
    expect(file.lost).toBe(2)
    rmSync(directory)
    file.add(letterOf(3))
    await file.close()
    expect(numbersIn('r.letters')).toEqual([3])
    expect(file.lost).toBe(2)
  })

  test.runIf(process.platform === 'linux')('a full disk costs the letter, not the process', async () => {
    mkdirSync(directory)
    symlinkSync('/dev/full', join(directory, 'r.letters'))
    const file = new DeadLetterFile(directory, 'r', 1e6)
    file.add(letterOf(1))
    await file.close()
    expect(file.lost).toBe(1)
  })

  test('a rotation that fails loses one letter, and the next one tries again', async () => {
    const bytes = await lineBytes(30)
    const file = new DeadLetterFile(directory, 'r', 4 * bytes)
    for (const number of [1, 2]) file.add(letterOf(number))
    await file.close()
    // A directory cannot be replaced by a file.
    mkdirSync(join(directory, 'r.letters.1', 'in the way'), { recursive: true })
    file.add(letterOf(3))
    await file.close()
    expect(file.lost).toBe(1)
    rmSync(join(directory, 'r.letters.1'), { recursive: true })
    file.add(letterOf(4))
    await file.close()
    expect([numbersIn('r.letters'), numbersIn('r.letters.1')]).toEqual([[4], [1, 2]])
  })
})
