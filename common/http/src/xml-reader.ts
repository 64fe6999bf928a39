/** An element of an XML document. Attributes, comments and processing instructions are left out. */
export interface XmlElement {
  /** Without its namespace prefix. */
  readonly name: string
  /** All character data of the element itself, entities resolved. */
  readonly text: string
  readonly children: readonly XmlElement[]
}

/** The bytes are not the XML that is read here. */
export class XmlError extends Error {
  override name = 'XmlError'
}

export const xmlDepthMax = 64
export const xmlElementsMax = 2_000_000

interface OpenElement {
  readonly tag: string
  readonly name: string
  text: string
  readonly children: XmlElement[]
}

const whiteSpace = /^[ \t\r\n]*$/
// Names as AWS uses them are ASCII; the others are XML's too and cost nothing.
const tagName = /[A-Za-z_\u0080-\uffff][\w.\-\u0080-\uffff]*(?::[A-Za-z_\u0080-\uffff][\w.\-\u0080-\uffff]*)?/y
const attribute = /[ \t\r\n]+[A-Za-z_\u0080-\uffff][\w.:\-\u0080-\uffff]*[ \t\r\n]*=[ \t\r\n]*(?:"[^"<]*"|'[^'<]*')/y
const tagEnd = /[ \t\r\n]*\/?>/y
const greaterThan = 0x3e

/**
 * Reads the XML that web services answer with: one root, UTF-8, no document type and so no entities but the five of XML itself. The size
 * of the answer is the caller's to bound. Throws XmlError with the place.
 */
export function parseXml(bytes: Uint8Array): XmlElement {
  const text = decode(bytes)
  const open: OpenElement[] = []
  let root: XmlElement | undefined
  let elements = 0
  let at = text.charCodeAt(0) === 0xfeff ? 1 : 0

  function fail(offset: number, want: string): never {
    const got = offset >= text.length ? 'the end' : JSON.stringify(text.slice(offset, offset + 20))
    throw new XmlError(`cannot read XML at offset ${offset}: want ${want}, got ${got}`)
  }

  function skipPast(end: string, from: number): number {
    const found = text.indexOf(end, from)
    return found < 0 ? fail(text.length, end) : found + end.length
  }

  function addText(from: number, to: number, isRaw: boolean): void {
    if (from === to) return
    const piece = text.slice(from, to)
    const parent = open.at(-1)
    if (parent !== undefined) parent.text += isRaw ? piece : resolveEntities(piece, from)
    else if (isRaw || !whiteSpace.test(piece)) fail(from, 'an element')
  }

  function close(element: OpenElement): void {
    open.pop()
    const { name, text: content, children } = element
    const whole = { name, text: content, children }
    const parent = open.at(-1)
    if (parent === undefined) root = whole
    else parent.children.push(whole)
  }

  /** `offset` is that of the `<`; gives the offset behind the tag. */
  function readStartTag(offset: number): number {
    if (root !== undefined) fail(offset, 'nothing after the root element')
    if (open.length >= xmlDepthMax) fail(offset, `at most ${xmlDepthMax} elements inside each other`)
    if (++elements > xmlElementsMax) fail(offset, `at most ${xmlElementsMax} elements`)
    const tag = match(tagName, text, offset + 1)?.[0] ?? fail(offset, 'a tag')
    let end = offset + 1 + tag.length
    // Nearly no element has attributes.
    const isPlain = text.charCodeAt(end) === greaterThan
    if (!isPlain)
      for (let found = match(attribute, text, end); found !== undefined; found = match(attribute, text, end)) end += found[0].length
    const last = isPlain ? '>' : (match(tagEnd, text, end)?.[0] ?? fail(end, 'an attribute or the end of the tag'))
    const element: OpenElement = { tag, name: tag.slice(tag.indexOf(':') + 1), text: '', children: [] }
    open.push(element)
    if (last.endsWith('/>')) close(element)
    return end + last.length
  }

  function readEndTag(offset: number): number {
    const element = open.at(-1) ?? fail(offset, 'a start tag')
    const end = offset + 2 + element.tag.length
    if (!text.startsWith(element.tag, offset + 2)) fail(offset, `</${element.tag}>`)
    const last = text.charCodeAt(end) === greaterThan ? '>' : match(tagEnd, text, end)?.[0]
    if (last === undefined || last.endsWith('/>')) fail(end, '>')
    close(element)
    return end + last!.length
  }

  while (at < text.length) {
    const next = text.indexOf('<', at)
    addText(at, next < 0 ? text.length : next, false)
    if (next < 0) break
    if (text.startsWith('<!--', next)) at = skipPast('-->', next + 4)
    else if (text.startsWith('<![CDATA[', next)) {
      at = skipPast(']]>', next + 9)
      addText(next + 9, at - 3, true)
    } else if (text.startsWith('<?', next)) at = skipPast('?>', next + 2)
    else if (text.startsWith('<!', next)) fail(next, 'no document type')
    else at = text.startsWith('</', next) ? readEndTag(next) : readStartTag(next)
  }
  if (open.length > 0) fail(text.length, `</${open.at(-1)!.tag}>`)
  return root ?? fail(text.length, 'an element')
}

/** The first child of that name. */
export function findChild(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name)
}

/** The text at the end of a path of first children; undefined if there is no such element. */
export function readText(element: XmlElement | undefined, ...path: readonly string[]): string | undefined {
  return path.reduce(findChild, element)?.text
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch (error) {
    throw new XmlError('cannot read XML: want UTF-8, got other bytes', { cause: error })
  }
}

function match(pattern: RegExp, text: string, offset: number): RegExpExecArray | undefined {
  pattern.lastIndex = offset
  return pattern.exec(text) ?? undefined
}

const named: Readonly<Record<string, string>> = { lt: '<', gt: '>', amp: '&', quot: '"', apos: "'" }
const codePointMax = 0x10ffff

function resolveEntities(text: string, offset: number): string {
  if (!text.includes('&')) return text
  return text.replaceAll(/&([^;&]{0,12};?)/g, (whole, body: string, index: number) => {
    const resolved = body.endsWith(';') ? resolveEntity(body.slice(0, -1)) : undefined
    if (resolved === undefined) {
      throw new XmlError(`cannot read XML at offset ${offset + index}: want one of XML's own entities, got ${JSON.stringify(whole)}`)
    }
    return resolved
  })
}

function resolveEntity(body: string): string | undefined {
  if (Object.hasOwn(named, body)) return named[body]
  const digits = /^#(?:x([0-9a-fA-F]{1,8})|(\d{1,8}))$/.exec(body)
  if (digits === null) return undefined
  const code = digits[1] === undefined ? Number(digits[2]) : Number.parseInt(digits[1], 16)
  const isCharacter = code === 9 || code === 10 || code === 13 || (code >= 32 && code <= codePointMax && (code < 0xd800 || code > 0xdfff))
  return isCharacter ? String.fromCodePoint(code) : undefined
}
