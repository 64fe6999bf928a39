/** Time and timers as a parameter, so that tests move them by hand. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Calls back once after the delay; the returned function cancels. */
  setTimer(callback: () => void, delayMs: number): () => void
}

// setTimeout takes 31 bits of milliseconds and fires at once beyond them.
const timerDelayMsMax = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimer: (callback, delayMs) => startTimer(callback, delayMs),
}

function startTimer(callback: () => void, delayMs: number): () => void {
  const partMs = Math.min(Math.max(delayMs, 0), timerDelayMsMax)
  let cancelRest = () => {}
  const handle = setTimeout(() => {
    if (delayMs > timerDelayMsMax) cancelRest = startTimer(callback, delayMs - timerDelayMsMax)
    else callback()
  }, partMs)
  return () => {
    clearTimeout(handle)
    cancelRest()
  }
}
