/** Results handled in one go; then requests get their turn, because an append may wait at most 50 ms. */
export const resultsPerTurn = 1000

/** Lets the event loop run what is waiting. */
export function yieldTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
