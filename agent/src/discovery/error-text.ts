const errorTextMax = 200

/** The beginning of an answer that is no success, for an error's text. */
export function errorText(body: Uint8Array): string {
  return Buffer.from(body.subarray(0, errorTextMax)).toString('utf8').trim()
}

/** A service's own words in a field of its answer, shortened likewise. */
export function shortenError(text: string): string {
  return text.slice(0, errorTextMax)
}
