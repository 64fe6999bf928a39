/** A value of XML-RPC; dateTime and base64 stay texts. */
export type XmlRpcValue = string | number | boolean | null | readonly XmlRpcValue[] | { readonly [name: string]: XmlRpcValue }

const entities: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }

/** Deepest nesting of arrays and structs that is read. */
const depthMax = 32

/**
 * The one value that a method response carries (http://xmlrpc.com/spec.md). Throws for a fault, with its text, and for what is no such
 * response. Reads the subset of XML that XML-RPC uses: elements and text; a prolog is skipped, a document type is refused.
 */
export function parseXmlRpcAnswer(text: string): XmlRpcValue {
  const reader = new ElementReader(text)
  reader.open('methodResponse')
  if (reader.tryOpen('fault')) {
    const fault = readValue(reader, 0)
    throw new Error(`cannot call by XML-RPC: ${describeFault(fault)}`)
  }
  reader.open('params')
  reader.open('param')
  const value = readValue(reader, 0)
  reader.close('param')
  reader.close('params')
  reader.close('methodResponse')
  return value
}

function describeFault(fault: XmlRpcValue): string {
  return typeof fault === 'object' && fault !== null && 'faultString' in fault ? String(fault['faultString']) : JSON.stringify(fault)
}

function readValue(reader: ElementReader, depth: number): XmlRpcValue {
  if (depth > depthMax) throw new Error(`cannot read XML-RPC: want at most ${depthMax} levels, got more`)
  reader.open('value')
  const value = readTyped(reader, depth)
  reader.close('value')
  return value
}

function readTyped(reader: ElementReader, depth: number): XmlRpcValue {
  if (reader.tryOpen('array')) {
    const items: XmlRpcValue[] = []
    reader.open('data')
    while (reader.isAt('value')) items.push(readValue(reader, depth + 1))
    reader.close('data')
    reader.close('array')
    return items
  }
  if (reader.tryOpen('struct')) {
    const members: [string, XmlRpcValue][] = []
    while (reader.tryOpen('member')) {
      reader.open('name')
      const name = reader.text()
      reader.close('name')
      members.push([name, readValue(reader, depth + 1)])
      reader.close('member')
    }
    reader.close('struct')
    return Object.fromEntries(members)
  }
  const type = reader.openAny()
  // A value without a type is a string.
  if (type === undefined) return reader.text()
  const text = reader.text()
  reader.close(type)
  return convert(type, text)
}

function convert(type: string, text: string): XmlRpcValue {
  if (type === 'nil') return null
  if (type === 'boolean') return text.trim() === '1'
  if (/^(?:int|i[1248]|double)$/.test(type)) {
    const value = Number(text)
    if (text.trim() === '' || Number.isNaN(value)) throw new Error(`cannot read XML-RPC: want a number, got ${JSON.stringify(text)}`)
    return value
  }
  return text
}

/** Walks over the tags of a document. */
class ElementReader {
  readonly #text: string
  #at = 0
  /** Name of an element like `<nil/>` that was opened and has no closing tag of its own. */
  #emptyElement: string | undefined

  constructor(text: string) {
    this.#text = text
  }

  open(name: string): void {
    if (!this.tryOpen(name)) throw this.#mismatch(`<${name}>`)
  }

  tryOpen(name: string): boolean {
    if (!this.isAt(name)) return false
    this.openAny()
    return true
  }

  /** Blanks before the element are passed over only if it is the one: those before a text belong to it. */
  isAt(name: string): boolean {
    if (this.#emptyElement !== undefined) return false
    const start = this.#behindBlanks()
    const next = this.#text.charAt(start + 1 + name.length)
    if (!this.#text.startsWith(`<${name}`, start) || !(next === '>' || next === '/' || next === ' ')) return false
    this.#at = start
    return true
  }

  /** Opens the next element; undefined if text or a closing tag comes first. Blanks before an element do not count. */
  openAny(): string | undefined {
    if (this.#emptyElement !== undefined) return undefined
    const tag = /\s*<([A-Za-z][\w.]*)\s*(\/?)>/y
    tag.lastIndex = this.#at
    const match = tag.exec(this.#text)
    if (match === null) return undefined
    this.#at = tag.lastIndex
    if (match[2] === '/') this.#emptyElement = match[1]!
    return match[1]
  }

  close(name: string): void {
    if (this.#emptyElement === name) {
      this.#emptyElement = undefined
      return
    }
    this.#at = this.#behindBlanks()
    const tag = `</${name}>`
    if (!this.#text.startsWith(tag, this.#at)) throw this.#mismatch(tag)
    this.#at += tag.length
  }

  /** Text up to the next tag. */
  text(): string {
    if (this.#emptyElement !== undefined) return ''
    const found = this.#text.indexOf('<', this.#at)
    const end = found < 0 ? this.#text.length : found
    const raw = this.#text.slice(this.#at, end)
    this.#at = end
    return raw.replace(/&(?:#x([0-9a-fA-F]+)|#([0-9]+)|(\w+));/g, (whole, hex?: string, decimal?: string, name?: string) => {
      if (name !== undefined) return entities[name] ?? whole
      const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
      return code <= 0x10ffff ? String.fromCodePoint(code) : '\ufffd'
    })
  }

  #behindBlanks(): number {
    const blanks = /(?:\s|<\?[^>]*\?>|<!--(?:(?!-->).)*-->)*/sy
    blanks.lastIndex = this.#at
    blanks.exec(this.#text)
    return blanks.lastIndex
  }

  #mismatch(want: string): Error {
    return new Error(`cannot read XML-RPC at ${this.#at}: want ${want}, got ${JSON.stringify(this.#text.slice(this.#at, this.#at + 40))}`)
  }
}
