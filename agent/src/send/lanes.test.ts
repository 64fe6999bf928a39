import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { FrameLog } from '../store/frame-log.ts'
import type { FrameRef } from '../store/sample-frame.ts'
import { LayoutBuilder } from '../store/layout-builder.ts'

const builder = new LayoutBuilder()
builder.addPairs(['__name__', 'm'])
const layout = builder.build(1)

let directory: string
let losses: (number | undefined)[]
const open: FrameLog[] = []

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-lanes-'))
  losses = []
})

afterEach(async () => {
  for (const log of open.splice(0)) await log.close()
  rmSync(directory, { recursive: true })
})

function openLog(): FrameLog {
  const log = new FrameLog({
    directory,
    remotes: ['r'],
    events: { onLoss: (_remote, _reason, _frames, samples) => void losses.push(samples), onProblem: () => undefined },
  })
  open.push(log)
  return log
}

function append(log: FrameLog, count: number): void {
  for (let i = 0; i < count; i++) log.append({ layout, indexes: undefined, times: log.nextSequence, words: new Uint32Array(2), count: 1 })
}

async function readAll(log: FrameLog): Promise<number[]> {
  const sequences: number[] = []
  const reader = log.reader('r')
  for (;;) {
    const frame: FrameRef | undefined = reader.tryNext()
    if (frame !== undefined) sequences.push(frame.sequence)
    else if (reader.isBehind) await reader.load()
    else return sequences
  }
}

describe('two lanes of one remote', () => {
  test('the first ends where the second begins', async () => {
    const log = openLog()
    append(log, 5)
    const live = log.openLane('r')
    append(log, 3)
    expect(await readAll(log)).toEqual([1, 2, 3, 4, 5])
    expect(log.reader('r').isFinished).toBe(true)
    expect([live.tryNext()?.sequence, live.tryNext()?.sequence, live.tryNext()?.sequence, live.tryNext()]).toEqual([6, 7, 8, undefined])
  })

  test('what the second delivered is not sent again after a restart, from memory or from disk', async () => {
    let log = openLog()
    append(log, 5)
    log.openLane('r')
    append(log, 5)
    log.acknowledge('r', 3, 9)
    expect(log.pendingFrames('r')).toBe(5)
    await open.pop()!.close()
    log = openLog()
    append(log, 1)
    expect(await readAll(log)).toEqual([3, 4, 5, 9, 10, 11])
    expect(losses).toEqual([])
  })

  test('one cursor is left when the backlog has met the live lane', async () => {
    let log = openLog()
    append(log, 4)
    log.openLane('r')
    append(log, 4)
    log.acknowledge('r', 5, 8)
    expect(log.pendingFrames('r')).toBe(1)
    await open.pop()!.close()
    log = openLog()
    expect(await readAll(log)).toEqual([8])
  })
})
