import { existsSync } from 'node:fs'
import { join } from 'node:path'

const repository = join(import.meta.dirname, '..', '..')

/** The folder of shared reference data (conformance cases, parity inventories): NARTHEX_SHARED, else `../shared` beside the clone. */
export function findShared(): string | undefined {
  const path = process.env['NARTHEX_SHARED'] ?? join(repository, '..', 'shared')
  return existsSync(path) ? path : undefined
}

/** The conformance cases of one kind (`promql`, `openmetrics`, `config`); NARTHEX_CONFORMANCE names another folder. */
export function findConformance(kind: string): string | undefined {
  const shared = findShared()
  const base = process.env['NARTHEX_CONFORMANCE'] ?? (shared && join(shared, 'conformance'))
  const path = base && join(base, kind)
  return path && existsSync(path) ? path : undefined
}
