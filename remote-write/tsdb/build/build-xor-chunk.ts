import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildModule } from '@narthex/bytes/build/build-module'

// Run by `sh bin/with-runtime remote-write/tsdb/build/build-xor-chunk.ts` after a change of xor-chunk.wat.

const source = join(import.meta.dirname, '..', 'src', 'chunk')

/** The text of xor-chunk-bytes.ts: the module that xor-chunk.wat says. */
export function buildXorChunk(): Promise<string> {
  return buildModule(source, 'xor-chunk', 'xorChunkBase64', 'build/build-xor-chunk.ts')
}

if (import.meta.main) writeFileSync(join(source, 'xor-chunk-bytes.ts'), await buildXorChunk())
