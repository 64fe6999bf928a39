/** A text as SQL literal, for servers in whatever sql_mode: hexadecimal, so that no character can end it. */
export function quoteText(text: string): string {
  if (text === '') return `''`
  return `CONVERT(X'${Buffer.from(text, 'utf8').toString('hex')}' USING utf8)`
}

/** The name of a database, table or column as SQL has it. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``
}

/** A whole number from a flag, fit to stand in a statement. Throws for anything else. */
export function readCount(flag: string, value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new Error(`cannot read flag --${flag}: want a whole number from 0, got ${value}`)
  return value
}
