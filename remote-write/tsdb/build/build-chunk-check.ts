import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildModule } from '@narthex/bytes/build/build-module'

// Run by `sh bin/with-runtime remote-write/tsdb/build/build-chunk-check.ts` after a change of chunk-check.wat.

const source = join(import.meta.dirname, '..', 'src', 'block')

/** The text of chunk-check-bytes.ts: the module that chunk-check.wat says. */
export function buildChunkCheck(): Promise<string> {
  return buildModule(source, 'chunk-check', 'chunkCheckBase64', 'build/build-chunk-check.ts')
}

if (import.meta.main) writeFileSync(join(source, 'chunk-check-bytes.ts'), await buildChunkCheck())
