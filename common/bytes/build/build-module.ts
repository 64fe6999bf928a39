import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import wabt from 'wabt'

/** The text of a TypeScript file that exports the WebAssembly module `name`.wat of a directory in base64, as `constant`; `script` made it. */
export async function buildModule(directory: string, name: string, constant: string, script: string): Promise<string> {
  const { parseWat } = await wabt()
  // A copy: wabt takes the whole buffer that bytes lie in.
  const module = parseWat(`${name}.wat`, Uint8Array.from(readFileSync(join(directory, `${name}.wat`))))
  module.validate()
  const base64 = Buffer.from(module.toBinary({}).buffer).toString('base64')
  module.destroy()
  const lines = base64.match(/.{1,124}/g)!.map((line) => `  '${line}'`)
  return `/** The module of ${name}.wat in base64, made of it by ${script}. */\nexport const ${constant}: string =\n${lines.join(' +\n')}\n`
}
