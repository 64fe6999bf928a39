const compiled = new Map<string, RegExp>()

/** Whether a text fits one of the globs, in which `*` is any text and `?` any character. */
export function matchesAny(globs: readonly string[], text: string): boolean {
  return globs.some((glob) => {
    let pattern = compiled.get(glob)
    if (pattern === undefined) {
      // Runs of stars are one: what the pattern tries is bounded by the length of the text for each.
      const source = glob
        .replace(/[.+^${}()|[\]\\]/g, '\\$&')
        .replace(/\*+/g, '[^]*')
        .replaceAll('?', '[^]')
      pattern = new RegExp(`^${source}$`)
      compiled.set(glob, pattern)
    }
    return pattern.test(text)
  })
}
