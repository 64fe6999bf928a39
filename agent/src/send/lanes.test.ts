import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { FrameLog } from '../store/frame-log.ts'
import { LayoutBuilder } from '../store/layout-builder.ts'
import { readSequences, TestLogs } from '../store/testkit/open-log.ts'

const builder = new LayoutBuilder()
builder.addPairs(['__name__', 'm'])
const layout = builder.build(1)

let logs: TestLogs

beforeEach(() => {
  logs = new TestLogs({ remotes: ['r'] })
})

afterEach(() => logs.end())

function append(log: FrameLog, count: number): void {
  for (let i = 0; i < count; i++) log.append({ layout, indexes: undefined, times: log.nextSequence, words: new Uint32Array(2), count: 1 })
}

describe('two lanes of one remote', () => {
  test('the first ends where the second begins', async () => {
    const log = logs.open()
    append(log, 5)
    const live = log.openLane('r')
    append(log, 3)
    expect(await readSequences(log, 'r')).toEqual([1, 2, 3, 4, 5])
    expect(log.reader('r').isFinished).toBe(true)
    expect([live.tryNext()?.sequence, live.tryNext()?.sequence, live.tryNext()?.sequence, live.tryNext()]).toEqual([6, 7, 8, undefined])
  })

  test('what the second delivered is not sent again after a restart, from memory or from disk', async () => {
    let log = logs.open()
    append(log, 5)
    log.openLane('r')
    append(log, 5)
    log.acknowledge('r', 3, 9)
    expect(log.pendingFrames('r')).toBe(5)
    await logs.close(log)
    log = logs.open()
    append(log, 1)
    expect(await readSequences(log, 'r')).toEqual([3, 4, 5, 9, 10, 11])
    expect(logs.losses).toEqual([])
  })

  test('one cursor is left when the backlog has met the live lane', async () => {
    let log = logs.open()
    append(log, 4)
    log.openLane('r')
    append(log, 4)
    log.acknowledge('r', 5, 8)
    expect(log.pendingFrames('r')).toBe(1)
    await logs.close(log)
    log = logs.open()
    expect(await readSequences(log, 'r')).toEqual([8])
  })
})
