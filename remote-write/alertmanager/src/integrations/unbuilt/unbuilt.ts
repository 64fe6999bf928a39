import type { Integration } from '../../notify/integration.ts'
import type { UnbuiltConfig } from '../../config-shape.ts'
import { NotifyError } from '../../notify/integration.ts'

/** Stands for an integration that is read but cannot send yet: every message to it fails, and is counted as failed. */
export function createUnbuilt(config: UnbuiltConfig, index: number): Integration {
  return {
    name: config.integration,
    index,
    sendResolved: config.sendResolved,
    notify: () => Promise.reject(new NotifyError(`${config.integration}_configs is not built yet`, false, 'notBuilt')),
  }
}
