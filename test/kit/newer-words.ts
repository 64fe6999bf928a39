/** An answer of Prometheus 2.42 in the words of 3, where 3 has others. */
export function inWordsOf3(text: string): string {
  return text
    .replaceAll(': Invalid time value', ': invalid time value')
    .replaceAll(/1:1: parse error: no expression found/g, 'unknown position: parse error: no expression found')
    .replaceAll(/(?<!: )invalid expression type/g, String.raw`invalid parameter \"query\": invalid expression type`)
}

/** The type of what 2.42 federates as 3 writes it. */
export function federatedTypeOf3(type: string | null): string {
  return `${type}; escaping=underscores`
}
