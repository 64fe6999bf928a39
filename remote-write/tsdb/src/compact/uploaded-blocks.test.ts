import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { Labels } from '@narthex/model/labels'
import { createLogger } from '@narthex/service/logger'
import { makeUlid } from '../block/ulid.ts'
import { openStore } from '../open-store.ts'
import { testThread } from './compactor.test-thread.ts'
import { selectUploaded } from './uploaded-blocks.ts'

const directory = mkdtempSync(join(tmpdir(), 'narthex-uploaded-'))
const path = join(directory, 'thanos.shipper.json')
afterAll(() => rmSync(directory, { recursive: true }))

const ulids = Array.from({ length: 4 }, (_, i) => makeUlid(1000 * i))
/** Levels of blocks in the order of their times. */
const makeBlocks = (...levels: number[]) => levels.map((level, i) => ({ ulid: ulids[i]!, compaction: { level, sources: [] } }))

function select(blocks: ReturnType<typeof makeBlocks>, content?: unknown): { chosen: number[]; problems: string[] } {
  rmSync(path, { force: true })
  if (content !== undefined) writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content))
  const problems: string[] = []
  const chosen = selectUploaded(blocks, path, (reason) => problems.push(reason)).map(({ ulid }) => ulids.indexOf(ulid))
  return { chosen, problems }
}

describe('selectUploaded', () => {
  test('takes the blocks before the first that is not uploaded', () => {
    const blocks = makeBlocks(2, 1, 1, 1)
    expect(select(blocks, { version: 1, uploaded: ulids.slice(1) }).chosen).toEqual([0, 1, 2, 3])
    expect(select(blocks, { version: 1, uploaded: [ulids[1], ulids[3]] }).chosen).toEqual([0, 1])
    expect(select(blocks, { version: 1, uploaded: [] }).chosen).toEqual([0])
    expect(select(blocks, { version: 1, uploaded: null })).toEqual({ chosen: [0], problems: [] })
  })

  test('does not wait for blocks that are made of others', () => {
    expect(select(makeBlocks(2, 3), '{').chosen).toEqual([0, 1])
  })

  test.each([
    [undefined, 'no such file'],
    ['{', 'cannot read'],
    [{ version: 2, uploaded: [] }, 'want version 1, got 2'],
    [[], 'want version 1'],
    ['null', 'want version 1'],
    [{ version: 1, uploaded: [7] }, 'want a list of block names'],
    [{ version: 1, uploaded: 'all' }, 'want a list of block names'],
  ])('lets all wait when the file is %j', (content, problem) => {
    const { chosen, problems } = select(makeBlocks(1, 1), content)
    expect(chosen).toEqual([])
    expect(problems).toEqual([expect.stringContaining(problem)])
  })
})

test('blocks are cut and stay as they are until they are uploaded, then become one', async () => {
  const data = join(directory, 'data')
  const rangeMs = 10_000
  rmSync(path, { force: true })
  const lines: string[] = []
  const log = createLogger({ level: 'warn', format: 'logfmt', write: (line) => void lines.push(line) })
  const store = openStore({
    directory: data,
    chunkRangeMs: rangeMs,
    maxBlockRangeMs: 3 * rangeMs,
    memoryBytesMax: 2 ** 26,
    thread: testThread,
    log,
    uploadedFile: path,
  })
  try {
    const { head, blocks, compactor } = store
    for (let second = 0; second < 70; second++) {
      head.append(head.refByLabels(Labels.from({ __name__: 'm' })), second * 1000, 0, 0)
      head.commit()
      if (second % 10 === 9) await compactor.run()
    }
    const ranges = () => blocks.blocks.map(({ meta }) => `${meta.minTime / 1000}-${meta.maxTime / 1000}`)
    expect(ranges()).toEqual(['0-10', '10-20', '20-30', '30-40', '40-50', '50-60'])
    expect(lines.join()).toContain('Blocks wait for their upload')
    const cut = blocks.blocks.map(({ meta }) => meta.ulid)
    writeFileSync(path, JSON.stringify({ version: 1, uploaded: cut.slice(0, 2) }))
    await compactor.run()
    expect(blocks.blocks.length).toBe(6)
    writeFileSync(path, JSON.stringify({ version: 1, uploaded: cut.slice(0, 4) }))
    await compactor.run()
    expect(ranges()).toEqual(['0-30', '30-40', '40-50', '50-60'])
  } finally {
    await store.close()
  }
})
