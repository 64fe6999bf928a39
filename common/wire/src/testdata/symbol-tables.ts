import type { RemoteWrite2Writer } from '../remote-write-2-writer.ts'
import { locateSymbols } from '../symbol-table.ts'

/** Adds a whole table of `symbols` fields and gives its references in the request, which may have other symbols before; 0 stays 0. */
export function addTable(writer: RemoteWrite2Writer, symbolBytes: Uint8Array, symbolCount: number): Uint32Array {
  const offsets = locateSymbols(symbolBytes, symbolCount)
  const map = new Uint32Array(symbolCount + 1)
  for (let i = 0; i < symbolCount; i++) map[i + 1] = writer.addSymbolField(symbolBytes, offsets[i]!, offsets[i + 1]!)
  return map
}
