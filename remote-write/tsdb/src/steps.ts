/**
 * Work that is done in steps of a few milliseconds. Whoever takes them may do other things in between, or give up by `return`. A step that gives a
 * promise waits for it.
 */
export type Steps<Result> = Generator<Promise<void> | undefined, Result>

/** Does all of it at once; throws if a step has to wait. */
export function finishSteps<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    if (step.value !== undefined) throw new Error('cannot do all steps at once: one has to wait')
  }
}

const turnMs = 20

/** Does it in turns of 20 ms, between which this thread may do other things. Rejects with the reason of `signal` when that is aborted. */
export async function takeStepsInTurns<Result>(steps: Steps<Result>, signal: AbortSignal): Promise<Result> {
  for (;;) {
    if (signal.aborted) {
      steps.return(undefined as Result)
      throw signal.reason
    }
    const turnEnd = performance.now() + turnMs
    let step
    do {
      step = steps.next()
      if (step.done === true) return step.value
    } while (step.value === undefined && performance.now() < turnEnd)
    if (step.value !== undefined) await step.value
    // What was waited for may be a message of a thread, and all that lie there are handed out before anything else is looked at: so always.
    await new Promise((resolve) => setImmediate(resolve))
  }
}
