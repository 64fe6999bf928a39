import type { RespValue } from './resp-reader.ts'
import { infoFields } from './info-fields.ts'
import { errorOf, fieldsOf, textOf } from './resp-value.ts'
import { readTextNumber, writeField } from './collect-info.ts'
import type { TargetWriter } from './target-writer.ts'

/** Writes the answer of Tile38's SERVER EXT. Throws the server's own words if it has none of this. */
export function writeTile38(writer: TargetWriter, reply: RespValue): void {
  const failure = errorOf(reply)
  if (failure !== undefined) throw new Error(`cannot ask Tile38 for its state: ${failure}`)
  for (const [key, raw] of fieldsOf(reply)) {
    const field = key.startsWith('tile38_') ? key : `tile38_${key}`
    writeField(writer, infoFields.get(field), readTextNumber(textOf(raw) ?? ''))
  }
}
