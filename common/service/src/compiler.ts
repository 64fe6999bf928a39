import { setFlagsFromString } from 'node:v8'

// The middle one of V8's three compilers makes the reading of a log a quarter quicker, and the first answer of a query thread a third. At rest it takes 5 to 9 MB,
// with 200,000 series: a process that nobody asks is better off without it. Then the best compiler has to come in sooner, and scrapes take no more processor time.

const withoutMiddle = ['--no-maglev', '--invocation-count-for-turbofan=700']
const withMiddle = ['--maglev', '--invocation-count-for-turbofan=3000']

/**
 * To be called before code has run often. V8 compiles code that uses buffers for a thread in which none was ever given away (by `transfer`, or to another
 * thread), and throws all of it away when the first one is.
 */
export function giveUpFirstBuffer(): void {
  new ArrayBuffer(1).transfer()
}

let isAsked = false

/** The process has started; from now on it takes what comes. */
export function leaveOutMiddleCompiler(): void {
  if (!isAsked) setFlags(withoutMiddle)
}

/** Somebody waits for answers, from now on. */
export function bringInMiddleCompiler(): void {
  if (isAsked) return
  isAsked = true
  setFlags(withMiddle)
}

function setFlags(flags: readonly string[]): void {
  for (const flag of flags) setFlagsFromString(flag)
}
