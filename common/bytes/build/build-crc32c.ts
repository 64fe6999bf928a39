import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildModule } from './build-module.ts'

// Run by `sh bin/with-runtime common/bytes/build/build-crc32c.ts` after a change of crc32c.wat.

const source = join(import.meta.dirname, '..', 'src')

/** The text of crc32c-bytes.ts: the module that crc32c.wat says. */
export function buildCrc32c(): Promise<string> {
  return buildModule(source, 'crc32c', 'crc32cBase64', 'build/build-crc32c.ts')
}

if (import.meta.main) writeFileSync(join(source, 'crc32c-bytes.ts'), await buildCrc32c())
