import { appendFileSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLogger } from '@narthex/service/logger'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { waitingDirectoryName, WaitingWrites } from './waiting-writes.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-waiting-'))
})
afterEach(() => rmSync(directory, { recursive: true }))

const open = (bytesMax?: number): WaitingWrites => {
  const pause = () => new Promise<void>((resolve) => setImmediate(resolve))
  return new WaitingWrites({ directory, log: silentLogger, pause, ...(bytesMax === undefined ? {} : { bytesMax }) })
}
const body = (n: number, length = 3): Uint8Array => new Uint8Array(length).fill(n)

async function drain(writes: WaitingWrites, during?: (n: number) => void): Promise<string[]> {
  const taken: string[] = []
  await writes.drain(
    (version, bytes) => {
      taken.push(`${version}:${bytes[0]}×${bytes.length}`)
      during?.(bytes[0]!)
      return true
    },
    () => taken.push('empty'),
  )
  return taken
}

test('nothing is made on the disk while nothing waits', async () => {
  const writes = open()
  expect(await drain(writes)).toEqual(['empty'])
  await writes.remove()
  expect(readdirSync(directory)).toEqual([])
})

test('requests are handed over in their order, with those that come meanwhile, and the directory goes', async () => {
  const writes = open()
  writes.keep(1, body(1))
  writes.keep(2, body(2, 100_000))
  const taken = await drain(writes, (n) => {
    if (n === 2) writes.keep(1, body(3))
  })
  expect(taken).toEqual(['1:1×3', '2:2×100000', '1:3×3', 'empty'])
  expect({ drained: writes.drained, bytes: writes.bytes }).toEqual({ drained: 3, bytes: 0 })
  await writes.remove()
  expect(existsSync(join(directory, waitingDirectoryName))).toBe(false)
})

test('what a killed process left comes first, and its unfinished last write is passed over', async () => {
  const killed = open()
  killed.keep(1, body(1))
  killed.keep(2, body(2))
  await killed.close()
  appendFileSync(join(directory, waitingDirectoryName, '00000000'), Uint8Array.of(1, 0, 200, 1, 2, 3, 4, 5))
  const writes = open()
  expect(writes.bytes).toBeGreaterThan(0)
  writes.keep(1, body(3))
  expect(await drain(writes)).toEqual(['1:1×3', '2:2×3', '1:3×3', 'empty'])
  expect(writes.bytes).toBe(0)
})

test('a request that was not drained before a second end is there again', async () => {
  const first = open()
  first.keep(1, body(1))
  await first.close()
  const second = open()
  second.keep(1, body(2))
  await second.close()
  expect(await drain(open())).toEqual(['1:1×3', '1:2×3', 'empty'])
})

test('as many bytes wait as are allowed, and not one more', () => {
  const writes = open(8)
  expect(writes.keep(1, body(1))).toBe(true)
  expect(writes.keep(1, body(2, 4))).toBe(false)
  expect(writes.keep(1, body(2, 3))).toBe(true)
  expect(writes.keep(1, body(3, 0))).toBe(false)
})

test('a request that cannot be taken now is asked for again, and nothing overtakes it', async () => {
  const writes = open()
  writes.keep(1, body(1))
  writes.keep(1, body(2))
  let refusals = 3
  const taken: number[] = []
  await writes.drain(
    (_version, bytes) => {
      if (refusals-- > 0) return false
      taken.push(bytes[0]!)
      return true
    },
    () => {},
  )
  expect(taken).toEqual([1, 2])
})

test('after a close the handing over ends, and what is left waits for the next start', async () => {
  const writes = open()
  writes.keep(1, body(1))
  let isEmpty = false
  const drained = writes.drain(
    () => {
      void writes.close()
      return false
    },
    () => (isEmpty = true),
  )
  expect(await drained).toBe(false)
  expect(isEmpty).toBe(false)
  expect(await drain(open())).toEqual(['1:1×3', 'empty'])
})

test('a close at the end of one segment does not take the next one for drained', async () => {
  const left = open()
  left.keep(1, body(1))
  await left.close()
  const writes = open()
  writes.keep(1, body(2))
  let isEmpty = false
  const drained = await writes.drain(
    () => {
      void writes.close()
      return true
    },
    () => (isEmpty = true),
  )
  expect({ drained, isEmpty }).toEqual({ drained: false, isEmpty: false })
  expect(await drain(open())).toEqual(['1:1×3', '1:2×3', 'empty'])
})
