import { describe, expect, test } from 'vitest'
import { noteTaken, partBytesAheadMax, PartSender } from './part-sender.ts'

/** `onCheck` stands for whoever takes bytes meanwhile. */
function createSender(onCheck: (flow: SharedArrayBuffer) => void, stallMs?: number) {
  const flow = new SharedArrayBuffer(4)
  const sent: number[] = []
  const port = { postMessage: (message: unknown) => void sent.push((message as { part: Uint8Array }).part.length) }
  return { flow, sent, sender: new PartSender(port, { id: 1, flow }, () => onCheck(flow), stallMs) }
}

describe('PartSender', () => {
  test('goes on at once as long as the client is not too far behind', () => {
    const { sender, sent } = createSender(() => expect.fail('nothing to wait for'))
    sender.send(new Uint8Array(partBytesAheadMax - 1))
    sender.send(new Uint8Array(1))
    expect(sent).toEqual([partBytesAheadMax - 1, 1])
  })

  test('waits until enough was taken', () => {
    let checks = 0
    const { sender, flow } = createSender((cell) => {
      if (++checks === 2) noteTaken(cell, 1)
    })
    sender.send(new Uint8Array(partBytesAheadMax + 1))
    expect(checks).toBe(2)
    expect(new Int32Array(flow)[0]).toBe(partBytesAheadMax)
  })

  test('ends when its query has to', () => {
    const { sender } = createSender(() => {
      throw new Error('canceled')
    })
    expect(() => sender.send(new Uint8Array(partBytesAheadMax + 1))).toThrow('canceled')
  })

  test('gives up a client that takes nothing, not one that takes little', () => {
    let checks = 0
    const { sender } = createSender((cell) => {
      if (++checks < 6) noteTaken(cell, 1)
    }, 250)
    expect(() => sender.send(new Uint8Array(partBytesAheadMax + 100))).toThrow('the client took nothing for 0.25 s')
    expect(checks).toBeGreaterThan(6)
  })
})
