import { describe, expect, test } from 'vitest'
import { noItems } from './item-counts.ts'
import { judgeAnswer } from './verdict.ts'
import type { RemoteAnswer, VerdictContext } from './verdict.ts'

const sent = { samples: 5, histograms: 2, exemplars: 1 }
const context: VerdictContext = { version: 2, mayFallBack: true, hasConfirmed2: false, sent, now: 0 }

function answer(status: number, written: Readonly<Record<string, string>> = {}): RemoteAnswer {
  const headers = Object.fromEntries(Object.entries(written).map(([kind, count]) => [`x-prometheus-remote-write-${kind}-written`, count]))
  return { status, headers, body: new Uint8Array(0) }
}

describe('the written headers of a 2.0 answer', () => {
  test('say how much of each kind is stored', () => {
    const verdict = judgeAnswer(answer(204, { samples: '5', histograms: ' 2 ', exemplars: '0' }), context)
    expect(verdict).toEqual({ kind: 'delivered', written: { samples: 5, histograms: 2, exemplars: 0 } })
  })

  test('confirm a request of histograms alone', () => {
    const histograms = { samples: 0, histograms: 2, exemplars: 0 }
    expect(judgeAnswer(answer(204, { samples: '0', histograms: '2' }), { ...context, sent: histograms })).toEqual({
      kind: 'delivered',
      written: histograms,
    })
  })

  test('count also when the request is refused', () => {
    expect(judgeAnswer(answer(400, { samples: '4', histograms: '1' }), context)).toEqual({
      kind: 'drop',
      reason: 'rejected',
      written: { samples: 4, histograms: 1, exemplars: 0 },
      isTooLarge: false,
    })
  })

  test('that are no numbers are none', () => {
    expect(judgeAnswer(answer(204, { samples: 'all', histograms: '-1' }), context).kind).toBe('fallback')
    expect(judgeAnswer(answer(204), { ...context, hasConfirmed2: true })).toMatchObject({
      kind: 'drop',
      reason: 'not_confirmed',
      written: noItems,
    })
  })

  test('are not asked for after 1.0', () => {
    expect(judgeAnswer(answer(204), { ...context, version: 1 })).toEqual({ kind: 'delivered', written: sent })
  })
})
