import type { Queryable } from '@narthex/tsdb/select/queryable'
import { answerDivided } from './answer-divided.ts'
import { answerLists } from './answer-lists.ts'
import { encodeQueryAnswer } from './answer-query.ts'
import { CancelFlag } from './cancel-flag.ts'
import { chooseSmallIndexes } from './find-blocks.ts'
import { keptBytesMax } from './query-protocol.ts'
import type { QueryCall, QueryShare } from './query-protocol.ts'
import { checkAlive, type ThreadParts } from './thread-parts.ts'
import { WarmUp, type WarmUpOptions } from './warm-up.ts'

/** A warm-up looks so often whether queries have ended. */
const warmUpPauseMs = 20

export interface WarmUpState {
  readonly running: SharedArrayBuffer
  /** As they were told last. */
  readonly known: () => Pick<QueryCall, 'blocks' | 'deletions'>
  readonly isOver: () => boolean
  readonly onDone?: () => void
  /** Whether somebody asked this thread. */
  readonly isAsked?: () => boolean
  readonly msMax: number
}

/** Piece by piece, while no thread works on a query. */
export function warmUp(parts: ThreadParts, { running, known, isOver, onDone, isAsked, msMax }: WarmUpState): void {
  const { storage, engine, buffer, claim } = parts
  const signal = new CancelFlag(running)
  const check = (): void => checkAlive(signal, Infinity)
  let reader: Queryable
  const answerInParts: WarmUpOptions['answerInParts'] = async (limited, query, startMs, endMs, stepMs) => {
    const request = { kind: 'range', query, startMs, endMs, stepMs, lookbackMs: undefined, limit: 0, stats: '', explain: '' } as const
    const deadlineMs = Date.now() + (limited.timeoutMs ?? 0)
    const asked: QueryCall = { ...{ id: 0, request, deadlineMs, queuedMs: 0, cancel: running }, blocks: known().blocks }
    const share: QueryShare = { index: 0, count: 2, ports: [], ended: new SharedArrayBuffer(4) }
    await answerDivided({ call: asked, request, share, reader, preparationMs: 0 }, { ...parts, engine: limited })
  }
  const { blocks } = known()
  const blocksEndMs = blocks.reduce((end, { maxTimeMs }) => Math.max(end, maxTimeMs - 1), -Infinity)
  const steps = new WarmUp({
    ...{ engine, signal, answerInParts, msMax },
    write: (result) => void encodeQueryAnswer(result, 0, undefined, buffer),
    answerList: (request) => void answerLists(request, reader, storage, buffer),
    // Blocks that were never read are what it has to be quick at.
    beginRound: () => (isAsked?.() === true ? undefined : storage.forgetPages()),
    endMs: Math.max(storage.maxTimeMs, blocksEndMs),
    blocks: chooseSmallIndexes(blocks),
  })
  const goOn = async (): Promise<void> => {
    if (isOver()) return
    if (steps.isDone) return onDone?.()
    // Who asks has the processors.
    if (signal.aborted) return void setTimeout(() => void goOn(), warmUpPauseMs).unref()
    reader = storage.open(known(), check)
    await steps.step(reader)
    claim.reset()
    buffer.shrink(keptBytesMax)
    storage.release()
    setTimeout(() => void goOn(), 0)
  }
  void goOn()
}
