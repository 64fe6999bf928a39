import type { CreateCollector } from '../collectors.ts'
import { allCollectorFactories } from '../optional-collectors.ts'
import { createOtherFactories } from './collectors.ts'
import type { Machine } from './machine.ts'

/** The collectors that a machine of this platform can have, those that are off by default included. */
export function factoriesOf(machine: Machine): ReadonlyMap<string, CreateCollector> {
  return machine.platform === 'linux' ? allCollectorFactories : createOtherFactories(machine)
}
