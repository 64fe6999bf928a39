import type { Integration } from '../../notify/integration.ts'

/**
 * A receiver of this name needs no integration: its messages only go into the history that the Alerts page shows.
 * The built-in configuration uses it, so that delivery can be seen before anyone has set up a receiver.
 */
export const memoryReceiverName = 'narthex-history'

/** Takes every message; the pipeline writes the history. */
export function createMemoryIntegration(): Integration {
  return { name: 'history', index: 0, sendResolved: true, notify: () => Promise.resolve() }
}
