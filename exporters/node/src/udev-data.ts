const none: ReadonlyMap<string, string> = new Map()

/** The `E:KEY=VALUE` lines of a file in udev's database (/run/udev/data). */
export function parseUdevProperties(text: string): ReadonlyMap<string, string> {
  if (text === '') return none
  const properties = new Map<string, string>()
  for (const line of text.split('\n')) {
    if (!line.startsWith('E:')) continue
    const equals = line.indexOf('=')
    if (equals > 2) properties.set(line.slice(2, equals), line.slice(equals + 1))
  }
  return properties
}
