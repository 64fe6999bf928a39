import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { finishSteps, takeStepsInTurns } from '../steps.ts'
import { StateFileReader } from './read-state-file.ts'
import { pieceBytes, StateError } from './state-format.ts'
import { piecesOf, SectionCollector, SectionReader } from './state-sections.ts'
import { createStateFile } from './write-state-file.ts'

let directory = ''

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-state-file-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const contents = { version: '1', layout: 'x=1', options: { a: 1 }, usedBytes: 5, directory: ['wal/00000000 5'] }

interface Read {
  readonly numbers: readonly number[]
  readonly words: number[]
  readonly texts: string[]
  readonly memory: readonly Uint8Array[]
}

async function write(path: string, memory: readonly Uint8Array[]): Promise<void> {
  const sections = new SectionCollector()
  sections.part('a').numbers({ one: 1, none: -Infinity })
  sections.array('words', [Uint32Array.of(1, 2), Uint32Array.of(), Uint32Array.of(3)])
  sections.texts('texts', ['', 'é', 'three'])
  sections.memory('memory', memory)
  await createStateFile(contents, sections).write(path)
}

/** With the memory in views of these lengths. */
async function read(path: string, lengths: readonly number[], mayWait: boolean): Promise<Read> {
  const file = new StateFileReader(path)
  const finish = <T>(steps: Parameters<typeof takeStepsInTurns<T>>[0]): Promise<T> =>
    mayWait ? takeStepsInTurns(steps, new AbortController().signal) : Promise.resolve(finishSteps(steps))
  try {
    expect(file.contents).toMatchObject(contents)
    const sections = await finish(file.readSmall(mayWait))
    const part = sections.part('a')
    const numbers = [part.number('one'), part.number('none')]
    const words = [...sections.words('words')]
    const texts = sections.texts('texts')
    const memory = lengths.map((length) => new Uint8Array(new SharedArrayBuffer(length)))
    sections.memory('memory', memory)
    await finish(file.readLarge(sections, mayWait))
    return { numbers, words, texts, memory }
  } finally {
    file.close()
  }
}

const small = [Uint8Array.from({ length: 700 }, (_, i) => i), Uint8Array.of(7)]

describe('a file of a state', () => {
  it.each([false, true])('gives back what was put, small and large, however it is divided (other threads read: %s)', async (mayWait) => {
    const path = join(directory, 'state')
    const large = [new Uint8Array(pieceBytes + 5).fill(1), new Uint8Array(3 * pieceBytes - 9).fill(2), new Uint8Array(11).fill(3)]
    large[1]![pieceBytes] = 9
    await write(path, large)
    const found = await read(path, [2 * pieceBytes, 2 * pieceBytes + 7], mayWait)
    expect({ ...found, memory: [] }).toEqual({ numbers: [1, -Infinity], words: [1, 2, 3], texts: ['', 'é', 'three'], memory: [] })
    expect(Buffer.compare(Buffer.concat(found.memory), Buffer.concat(large))).toBe(0)
  })

  it('is refused with any byte changed, and cut or longer by any number of bytes', async () => {
    const path = join(directory, 'state')
    await write(path, small)
    const lengths = small.map(({ length }) => length)
    const good = readFileSync(path)
    const expectRefusal = async (bytes: Uint8Array, what: string): Promise<void> => {
      writeFileSync(path, bytes)
      await expect(read(path, lengths, false), what).rejects.toThrow(StateError)
    }
    for (let at = 0; at < good.length; at++) {
      const bad = Uint8Array.from(good)
      bad[at]! ^= 1 << (at % 8)
      await expectRefusal(bad, `byte ${at} changed`)
    }
    for (let length = 0; length < good.length; length++) await expectRefusal(good.subarray(0, length), `${length} bytes`)
    await expectRefusal(Buffer.concat([good, Uint8Array.of(0)]), 'a byte more')
    writeFileSync(path, good)
    expect((await read(path, lengths, false)).memory.map((view) => [...view])).toEqual(small.map((view) => [...view]))
  })

  it('is refused by other threads that read it, too, and if its memory has no place', async () => {
    const path = join(directory, 'state')
    await write(path, small)
    const bytes = readFileSync(path)
    bytes[bytes.length - 100]! ^= 1
    writeFileSync(path, bytes)
    await expect(read(path, [701], true)).rejects.toThrow(/the checksum of the piece at \d+ is wrong/)
    await write(path, small)
    await expect(read(path, [700], true)).rejects.toThrow('memory has 701 bytes, there is room for 700')
  })
})

it('a writing that would take more than 20 s ends when that is foreseen, and goes on if it is only slow', async () => {
  const path = join(directory, 'state')
  const sections = new SectionCollector()
  const piece = new Uint8Array(pieceBytes)
  sections.memory(
    'memory',
    Array.from({ length: 130 }, () => piece),
  )
  const file = createStateFile(contents, sections)
  const clock = (msEach: number): (() => number) => {
    let ms = 0
    return () => (ms += msEach)
  }
  // Looked at after each 64 of the 130 pieces.
  await file.write(path, clock(9_800))
  await expect(file.write(path, clock(10_000))).rejects.toThrow(/the disk took 67108864 of 136\d+ bytes in 10\.0 s: want all in 20 s/)
})

it('a state is refused of which something is not asked for, or asked for in vain', () => {
  const sections = new SectionCollector()
  sections.numbers({ a: 1 })
  sections.memory('memory', [])
  const reader = (): SectionReader => new SectionReader(sections.small, new Uint8Array(Float64Array.of(1).buffer))
  expect(() => reader().placesOf(sections.large)).toThrow('nobody wants a')
  expect(() => reader().number('b')).toThrow('there is no b')
  const read = reader()
  expect(read.number('a')).toBe(1)
  expect(() => read.placesOf(sections.large)).toThrow('nobody wants memory')
  read.memory('memory', [])
  read.memory('other', [])
  expect(() => read.placesOf(sections.large)).toThrow('there is no other')
})

it('a list of very many arrays is put as one', () => {
  const sections = new SectionCollector()
  sections.array(
    'list',
    Array.from({ length: 300_000 }, (_, i) => Uint32Array.of(i)),
  )
  expect([sections.small, sections.smallViews.length]).toEqual([[{ name: 'list', bytes: 1_200_000 }], 1])
})

it('pieces of a run of bytes are all of one length but the last', () => {
  const lengths = (views: readonly number[]): number[][] =>
    [
      ...piecesOf(
        views.map((length) => new Uint8Array(length)),
        4,
      ),
    ].map((piece) => piece.map(({ length }) => length))
  expect(lengths([])).toEqual([])
  expect(lengths([4])).toEqual([[4]])
  expect(lengths([3, 0, 2, 9])).toEqual([[3, 1], [1, 3], [4], [2]])
})
