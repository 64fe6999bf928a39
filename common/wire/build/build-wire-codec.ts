import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import wabt from 'wabt'

// Run by `sh bin/with-runtime common/wire/build/build-wire-codec.ts` after a change of wire-codec.wat.

const source = join(import.meta.dirname, '..', 'src')

/** The text of wire-codec-bytes.ts: the module that wire-codec.wat says. */
export async function buildWireCodec(): Promise<string> {
  const { parseWat } = await wabt()
  // A copy: wabt takes the whole buffer that bytes lie in.
  const module = parseWat('wire-codec.wat', Uint8Array.from(readFileSync(join(source, 'wire-codec.wat'))))
  module.validate()
  const base64 = Buffer.from(module.toBinary({}).buffer).toString('base64')
  module.destroy()
  const lines = base64.match(/.{1,124}/g)!.map((line) => `  '${line}'`)
  return `/** The module of wire-codec.wat in base64, made of it by build/build-wire-codec.ts. */\nexport const wireCodecBase64: string =\n${lines.join(' +\n')}\n`
}

if (import.meta.main) writeFileSync(join(source, 'wire-codec-bytes.ts'), await buildWireCodec())
