/** A template cannot be read or run; the text is the one of Go's text/template. */
export class TemplateError extends Error {
  override name = 'TemplateError'
}

/** A template grew past a bound of ours: output, steps or depth. */
export class TemplateLimitError extends TemplateError {
  override name = 'TemplateLimitError'
}

/** Thrown by a function to reach the caller of the template unchanged, not as an error of the template. */
export class PassedError extends Error {
  override name = 'PassedError'
}
