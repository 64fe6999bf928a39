import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { buildModule } from '@narthex/bytes/build/build-module'

// Run by `sh bin/with-runtime common/wire/build/build-wire-codec.ts` after a change of wire-codec.wat.

const source = join(import.meta.dirname, '..', 'src')

/** The text of wire-codec-bytes.ts: the module that wire-codec.wat says. */
export function buildWireCodec(): Promise<string> {
  return buildModule(source, 'wire-codec', 'wireCodecBase64', 'build/build-wire-codec.ts')
}

if (import.meta.main) writeFileSync(join(source, 'wire-codec-bytes.ts'), await buildWireCodec())
