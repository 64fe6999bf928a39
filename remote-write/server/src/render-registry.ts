import type { FamilyWriter } from '@narthex/exposition/family-writer'
import type { Registry } from '@narthex/service/metrics'

/** A registry's metrics as text; the bytes are the caller's. */
export async function renderRegistry(registry: Registry, writer: FamilyWriter): Promise<Buffer> {
  await registry.prepare()
  writer.reset()
  registry.write(writer)
  return Buffer.from(writer.finish())
}
