// As Go's os.Expand: `${NAME}` or `$NAME`; `$$` is a dollar sign, and a `$` before anything else stays.
const reference = /\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*)|(\$))/g

/** A selector with the values of environment variables; throws, naming it, when a variable is not set. */
export function expandSelector(selector: string, env: Readonly<Record<string, string | undefined>>): string {
  return selector.replaceAll(reference, (_whole, braced?: string, word?: string, dollar?: string) => {
    if (dollar !== undefined) return dollar
    const name = braced ?? word ?? ''
    const value = env[name]
    if (value === undefined || value === '') {
      throw new Error(`cannot use selector ${JSON.stringify(selector)}: environment variable ${name} is not set`)
    }
    return value
  })
}
