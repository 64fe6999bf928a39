import type { RegexMatch } from './regex.ts'

/** One piece of a template: a text as it stands, or a group by number or name. */
type Piece = { readonly text: string } | { readonly group: number } | { readonly name: string }

/** A replacement read once and filled in many times. */
export interface ReplacementTemplate {
  readonly source: string
  readonly pieces: readonly Piece[]
  /** Whether the template names no group at all. */
  readonly isConstant: boolean
}

/**
 * Reads a replacement in the language of Go's `Regexp.Expand`: `$1`, `${1}`, `$name`, `${name}`, `$$`.
 * A name without braces is as long as letters, digits and underscores go, so `$1x` is the group named "1x"; a `$` that begins none of
 * these is kept.
 */
export function parseReplacement(template: string): ReplacementTemplate {
  const pieces: Piece[] = []
  let text = ''
  let at = 0
  while (at < template.length) {
    const dollar = template.indexOf('$', at)
    if (dollar < 0) break
    text += template.slice(at, dollar)
    if (template[dollar + 1] === '$') {
      text += '$'
      at = dollar + 2
      continue
    }
    reference.lastIndex = dollar
    const match = reference.exec(template)
    if (match === null) {
      text += '$'
      at = dollar + 1
      continue
    }
    if (text !== '') pieces.push({ text })
    text = ''
    pieces.push(referTo(match[1] ?? match[2]!))
    at = reference.lastIndex
  }
  text += template.slice(at)
  if (text !== '') pieces.push({ text })
  return { source: template, pieces, isConstant: pieces.every((piece) => 'text' in piece) }
}

/** Fills in the groups; a group that does not exist or took no part is ''. */
export function fillReplacement(template: ReplacementTemplate, match: RegexMatch, groupNames: ReadonlyMap<string, number>): string {
  let filled = ''
  for (const piece of template.pieces) {
    if ('text' in piece) filled += piece.text
    else if ('group' in piece) filled += match[piece.group] ?? ''
    else {
      const group = groupNames.get(piece.name)
      if (group !== undefined) filled += match[group] ?? ''
    }
  }
  return filled
}

/** `fillReplacement` of a template that is used once. */
export function expandTemplate(template: string, match: RegexMatch, groupNames: ReadonlyMap<string, number>): string {
  return template.includes('$') ? fillReplacement(parseReplacement(template), match, groupNames) : template
}

const reference = /\$(?:\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/uy

function referTo(name: string): Piece {
  // A number has no leading zero and at most nine digits; what is longer is a name, and no group has such a name.
  return /^(?:0|[1-9][0-9]{0,8})$/.test(name) ? { group: Number(name) } : { name }
}
