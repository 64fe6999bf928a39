import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** One row of a parity inventory: a family that an official exporter has. */
export interface InventoryRow {
  readonly metric: string
  readonly type: string
  readonly labels: readonly string[]
  readonly collector: string
  /** Whether a default start of the newest release can emit it. */
  readonly isDefault: boolean
  /** `live`: only an old release was seen to have it; `code`, `both`: the newest has it. */
  readonly source: string
}

/**
 * Reads parity/<name>.tsv from the shared folder (NARTHEX_SHARED, or `shared` beside the repository); undefined if it is not there,
 * and the caller has to say so.
 */
export function readInventory(name: string): InventoryRow[] | undefined {
  const shared = process.env['NARTHEX_SHARED'] ?? fileURLToPath(new URL('../../../../shared', import.meta.url))
  const path = `${shared}/parity/${name}.tsv`
  if (!existsSync(path)) return undefined
  const [, ...lines] = readFileSync(path, 'utf8').trimEnd().split('\n')
  return lines.map((line) => {
    const [metric = '', type = '', labels = '', collector = '', isDefault = '', source = ''] = line.split('\t')
    return { metric, type, labels: labels === '' ? [] : labels.split(','), collector, isDefault: isDefault === 'yes', source }
  })
}
