import type { Labels } from '@narthex/model/labels'
import type { AppendOutcome, BeginAppend } from '@narthex/rules/interfaces'
import {
  duplicateSample,
  invalidHistogram,
  memoryCeiling,
  outOfBounds,
  outOfOrder,
  tooFarInFuture,
  tooOld,
} from '@narthex/tsdb/head/append-result'
import type { HeadAppender } from './head-appender.ts'

/** Fits the head to what rules append through. Batches never overlap: rules begin, fill and commit without waiting in between. */
export function createRuleAppender(head: HeadAppender): BeginAppend {
  let refusal = ''
  const outcomes = new Map<number, AppendOutcome>([
    [0, 'accepted'],
    [duplicateSample, 'duplicate'],
    [outOfOrder, 'out-of-order'],
    [outOfBounds, 'too-old'],
    [tooOld, 'too-old'],
    [tooFarInFuture, 'refused'],
    [memoryCeiling, 'refused'],
  ])
  const appendTo = (labels: Labels, append: (reference: number) => number): AppendOutcome => {
    const reference = head.refByLabels(labels)
    if (reference <= 0) {
      refusal = head.refusal()
      return 'refused'
    }
    head.beginOwn()
    const result = append(reference)
    if (result === tooFarInFuture) refusal = 'the sample lies too far in the future'
    if (result === memoryCeiling) refusal = 'the memory ceiling of the head is reached'
    if (result === invalidHistogram) refusal = head.refusal()
    return outcomes.get(result) ?? 'refused'
  }
  return () => ({
    append: (labels, timeMs, lowWord, highWord) => appendTo(labels, (reference) => head.append(reference, timeMs, lowWord, highWord)),
    appendHistogram: (labels, timeMs, histogram) => appendTo(labels, (reference) => head.appendHistogram(reference, timeMs, histogram)),
    refusal: () => refusal,
    commit: () => head.commit(),
  })
}
