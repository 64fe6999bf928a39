// What a statement of the user's may be. The session that runs it is read-only, which is what keeps it from writing; this check is for
// what a read-only session lets through (locks, files, settings of the server), and says so with the place in the file.

export interface StatementProblem {
  /** Index in the statement's text. */
  readonly offset: number
  readonly text: string
}

interface Word {
  readonly upper: string
  readonly offset: number
  /** Parentheses around it. */
  readonly depth: number
}

const firstWords = ['SELECT', 'WITH', 'SHOW', 'TABLE', 'VALUES', 'EXPLAIN', 'DESCRIBE', 'DESC']

// An index `y` is where the next part of a statement begins.
const blank = /\s+/y
const dashComment = /--(?=[\s\p{Cc}]|$)[^\n]*/uy
const hashComment = /#[^\n]*/y
// `/*!80000 …*/` and `/*M!100000 …*/` hold statements, for servers of some versions.
const codeOpening = /\/\*M?!\d*/y
const comment = /\/\*[^]*?(?:\*\/|$)/y
const quoted = /'(?:[^'\\]|\\[^]|'')*(?:'|$)|"(?:[^"\\]|\\[^]|"")*(?:"|$)|`(?:[^`]|``)*(?:`|$)/y
const word = /[\p{L}_$@][\p{L}\p{N}_$@]*/uy
const number = /[0-9][0-9A-Za-z_.]*/y

/** What is wrong with a statement; undefined for one that only reads. */
export function findStatementProblem(sql: string): StatementProblem | undefined {
  const words = scanWords(sql)
  if ('problem' in words) return words.problem
  const [first] = words.list
  if (first === undefined) return { offset: 0, text: 'want a statement, got nothing' }
  if (!firstWords.includes(first.upper)) return { offset: first.offset, text: `want ${firstWords.join(', ')}, got ${first.upper}` }
  for (const [index, each] of words.list.entries()) {
    const next = words.list[index + 1]?.upper ?? ''
    const problem = findWriting(first.upper, each, next)
    if (problem !== undefined) return { offset: each.offset, text: problem }
  }
  return undefined
}

/** A statement without the semicolon that ends it. */
export function stripSemicolon(sql: string): string {
  return sql.trim().replace(/[;\s]+$/, '')
}

function findWriting(first: string, { depth, upper }: Word, next: string): string | undefined {
  if (upper === 'INTO') return 'want a statement that only reads, got INTO'
  if (upper === 'FOR' && (next === 'UPDATE' || next === 'SHARE')) return `want a statement without locks, got FOR ${next}`
  if (upper === 'LOCK' && next === 'IN') return 'want a statement without locks, got LOCK IN SHARE MODE'
  // WITH … DELETE; elsewhere these may be names.
  if (first === 'WITH' && depth === 0 && (upper === 'UPDATE' || upper === 'DELETE')) return `want WITH … SELECT, got WITH … ${upper}`
  return undefined
}

function scanWords(sql: string): { readonly list: readonly Word[] } | { readonly problem: StatementProblem } {
  const list: Word[] = []
  let depth = 0
  let offset = 0
  const skip = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = offset
    const found = pattern.exec(sql)?.[0]
    if (found !== undefined) offset += found.length
    return found
  }
  let isEnded = false
  while (offset < sql.length) {
    if ([blank, dashComment, hashComment, codeOpening, comment].some((pattern) => skip(pattern) !== undefined)) continue
    if (isEnded && sql[offset] !== ';') return { problem: { offset, text: 'want one statement, got more behind a semicolon' } }
    const start = offset
    if (skip(quoted) !== undefined || skip(number) !== undefined) continue
    const found = skip(word)
    if (found !== undefined) {
      // `t.into` is a name.
      if (sql[start - 1] !== '.') list.push({ upper: found.toUpperCase(), offset: start, depth })
      continue
    }
    const char = sql[offset++]
    if (char === '(') depth++
    else if (char === ')') depth--
    else if (char === ';') isEnded = true
  }
  return { list }
}
