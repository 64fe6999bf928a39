import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { writeBlock } from '@narthex/tsdb/block/block.test-blocks'
import { makeUlid } from '@narthex/tsdb/block/ulid'
import { chooseSmallIndexes, findBlocks } from './find-blocks.ts'

let directory: string
beforeEach(() => (directory = mkdtempSync(join(tmpdir(), 'narthex-find-blocks-'))))
afterEach(() => rmSync(directory, { recursive: true }))

const writeAt = (timeMs: number) => writeBlock(directory, [{ labels: ['__name__', 'm'], chunks: [[[timeMs, 1]]] }])

test('blocks are found in the order of their times, without what cannot be read or is none', async () => {
  const [later, earlier] = [await writeAt(2000), await writeAt(1000)]
  const broken = join(directory, makeUlid(Date.now()))
  mkdirSync(broken)
  writeFileSync(join(broken, 'meta.json'), 'no JSON')
  mkdirSync(join(directory, 'wal'))
  expect(findBlocks(directory)).toEqual([
    { directory: earlier, minTimeMs: 1000, maxTimeMs: 1001, deletions: 0 },
    { directory: later, minTimeMs: 2000, maxTimeMs: 2001, deletions: 0 },
  ])
  expect(findBlocks(join(directory, 'none'))).toEqual([])
})

test('the newest are chosen until their indexes have 256 MiB', async () => {
  const blocks = []
  for (const timeMs of [1000, 2000, 3000]) {
    const block = { directory: await writeAt(timeMs), minTimeMs: timeMs, maxTimeMs: timeMs + 1, deletions: 0 }
    truncateSync(join(block.directory, 'index'), 128 * 1024 * 1024)
    blocks.push(block)
  }
  const [first, second, third] = blocks as [(typeof blocks)[0], (typeof blocks)[0], (typeof blocks)[0]]
  expect(chooseSmallIndexes(blocks)).toEqual([third, second])
  truncateSync(join(second.directory, 'index'), 128 * 1024 * 1024 + 1)
  expect(chooseSmallIndexes(blocks)).toEqual([third])
  rmSync(third.directory, { recursive: true })
  expect(chooseSmallIndexes([first, third])).toEqual([third, first])
})
