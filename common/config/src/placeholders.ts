import type { ConfigProblem } from './config-error.ts'
import { loadYaml, type Document } from './yaml-library.ts'

// `%{NAME}` in a config stands for an environment variable. YAML knows nothing of it: `{` opens a mapping and a plain scalar cannot begin
// with `%`. So each placeholder is written over, before the text is parsed, with a mark of the same length, which keeps all positions; the
// values are put into the scalars afterwards, where no character of theirs is syntax.

/** A text ready to be parsed. */
export interface MarkedText {
  readonly text: string
  /** The character that stands for `%`, `{` and `}`; undefined if there is no placeholder. */
  readonly mark: string | undefined
}

const placeholder = /%%\{|%\{([A-Za-z_][A-Za-z0-9_]*)\}/g
const privateUse = { first: 0xe000, last: 0xf8ff }

/** Marks `%{NAME}` and `%%{`; anything else, such as `%{}`, is left as it is. */
export function markPlaceholders(text: string): MarkedText {
  if (!text.includes('%{')) return { text, mark: undefined }
  const mark = findUnusedCharacter(text)
  const marked = text.replaceAll(placeholder, (_whole, name?: string) =>
    name === undefined ? mark.repeat(3) : `${mark}${mark}${name}${mark}`,
  )
  return { text: marked, mark: marked === text ? undefined : mark }
}

// A text that has all 6,400 of them is no config; its characters would be taken for marks then.
function findUnusedCharacter(text: string): string {
  let code = privateUse.first
  while (code < privateUse.last && text.includes(String.fromCharCode(code))) code++
  return String.fromCharCode(code)
}

/**
 * Puts the values into the scalars of a parsed document, keys and values alike; `%%{` becomes `%{`. Returns a problem for each variable that
 * is not set, in the order of the text; one that is set to nothing is an empty text.
 */
export function fillPlaceholders(
  document: Document,
  { text, mark }: MarkedText,
  environment: NodeJS.ProcessEnv,
  placeAt: (offset: number) => { readonly line: number; readonly column: number },
): ConfigProblem[] {
  if (mark === undefined) return []
  const reference = new RegExp(`${mark}{3}|${mark}{2}([A-Za-z_][A-Za-z0-9_]*)${mark}`, 'g')
  const problems: ConfigProblem[] = []
  loadYaml().visit(document, {
    Scalar(_key, scalar) {
      const written = scalar.source
      if (written === undefined || !written.includes(mark)) return
      let searchFrom = scalar.range?.[0] ?? 0
      const filled = written.replaceAll(reference, (whole, name?: string) => {
        const offset = Math.max(text.indexOf(whole, searchFrom), 0)
        searchFrom = offset + whole.length
        if (name === undefined) return '%{'
        const value = environment[name]
        if (value === undefined) problems.push({ ...placeAt(offset), text: `environment variable ${name} is not set: %{${name}}` })
        return value ?? ''
      })
      scalar.source = filled
      scalar.value = filled
    },
  })
  return problems
}
