import { openSync, closeSync, readSync } from 'node:fs'
import { StringDecoder } from 'node:string_decoder'

const chunkBytes = 64 * 1024

/** Where distributions put the list. */
export const pciIdsPaths: readonly string[] = ['/usr/share/misc/pci.ids', '/usr/share/hwdata/pci.ids']

/**
 * Names of the wanted keys from a file `pci.ids` (https://pci-ids.ucw.cz): `v:VENDOR`, `d:VENDOR:DEVICE`,
 * `s:VENDOR:DEVICE:SUBVENDOR:SUBDEVICE`, and `c:` with 2, 4 or 6 digits of a class, in lower-case hexadecimal. The file has some 40,000
 * lines, of which a machine needs a few: nothing else is kept. Throws the system's error.
 */
export function readPciNames(path: string, wanted: ReadonlySet<string>): Map<string, string> {
  const names = new Map<string, string>()
  // Keys of the lines above that the current one belongs to.
  let outer = ''
  let inner = ''
  const take = (key: string, name: string): void => {
    if (wanted.has(key)) names.set(key, name)
  }
  forEachLine(path, (line) => {
    const match = /^(\t{0,2})(C )?([0-9a-fA-F]+(?: [0-9a-fA-F]+)?) {2}(.*)$/.exec(line)
    if (match === null) return
    const [, tabs, classMark, idText, nameText] = match
    const id = idText!.toLowerCase()
    const name = nameText!.trim()
    if (tabs === '') {
      outer = classMark === undefined ? `v:${id}` : `c:${id}`
      inner = ''
      take(outer, name)
    } else if (tabs === '\t') {
      inner = outer.startsWith('c:') ? outer + id : `d${outer.slice(1)}:${id}`
      take(inner, name)
    } else take(inner.startsWith('c:') ? inner + id : `s${inner.slice(1)}:${id.replace(' ', ':')}`, name)
  })
  return names
}

function forEachLine(path: string, take: (line: string) => void): void {
  const descriptor = openSync(path, 'r')
  try {
    const chunk = Buffer.allocUnsafe(chunkBytes)
    const decoder = new StringDecoder('utf8')
    let rest = ''
    for (let count = readSync(descriptor, chunk); count > 0; count = readSync(descriptor, chunk)) {
      const lines = (rest + decoder.write(chunk.subarray(0, count))).split('\n')
      rest = lines.pop()!
      for (const line of lines) take(line)
    }
    take(rest)
  } finally {
    closeSync(descriptor)
  }
}
