import * as chunkField from '../chunk/open-chunk.ts'
import * as controlWord from '../head/head-memory.ts'
import * as pairField from '../head/label-pairs.ts'
import * as lateField from '../head/late-layout.ts'
import * as payloadField from '../head/late-payloads.ts'
import * as record from '../head/series-record.ts'
import * as arena from '../head/shared-arena.ts'
import * as tableField from '../head/shared-table.ts'
import * as symbolField from '../head/symbols.ts'

/** Goes up when what the bytes of a state mean changes and no constant of the layout does. */
export const stateVersion = 3

const modules = { chunkField, controlWord, pairField, lateField, payloadField, record, arena, tableField, symbolField }

/**
 * What tells one layout of the head from another: all numbers that these modules export. A state of another layout is not for this program.
 */
export function layoutText(): string {
  const numbers: string[] = []
  for (const [module, exported] of Object.entries(modules)) {
    for (const [name, value] of Object.entries(exported)) if (typeof value === 'number') numbers.push(`${module}.${name}=${value}`)
  }
  return `${stateVersion} ${numbers.sort().join(' ')}`
}
