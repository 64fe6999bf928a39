import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { KnownDifference } from './assess.ts'

/** Families that are not, or not so, in our exporters for a reason that docs/differences.md tells in the row named here. */
export const knownDifferences: readonly KnownDifference[] = [{ exporter: 'all', family: /^go_/, row: 'exporters, `go_*` metrics' }]

/** The first cells of the tables in docs/differences.md. */
export function readDifferenceRows(): Set<string> {
  const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'differences.md'), 'utf8')
  return new Set([...text.matchAll(/^\| (.+?) \|/gm)].map((match) => match[1]!))
}
