/** Work that is done in steps of a few milliseconds. Whoever takes them may do other things in between, or give up by `return`. */
export type Steps<Result> = Generator<undefined, Result>

/** Does all of it at once. */
export function finishSteps<Result>(steps: Steps<Result>): Result {
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
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
    do {
      const step = steps.next()
      if (step.done === true) return step.value
    } while (performance.now() < turnEnd)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
