import { Labels } from '@narthex/model/labels'

/** Expands `$NAME` and `${NAME}` in label values as Go's os.Expand does; `$$` is a dollar sign, an unset variable is empty. */
export function expandEnvironment(labels: Labels, env: NodeJS.ProcessEnv): Labels {
  const pairs = labels.pairs.map((text, index) => (index % 2 === 0 || !text.includes('$') ? text : expandText(text, env)))
  return Labels.fromPairs(pairs)
}

// os.Expand: ${…} up to the brace, one special character, or a word; a `$` before anything else stays.
const reference = /\$(?:\{([^}]*)\}|([*#$@!?0-9-])|([A-Za-z_][A-Za-z0-9_]*)|(\{))/g

function expandText(text: string, env: NodeJS.ProcessEnv): string {
  return text.replaceAll(reference, (_whole, braced?: string, special?: string, word?: string) => {
    const name = braced ?? special ?? word ?? ''
    return name === '$' ? '$' : (env[name] ?? '')
  })
}
