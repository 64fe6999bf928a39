export interface ConfigProblem {
  /** Counted from 1; 0 when the problem belongs to the whole file. */
  readonly line: number
  readonly column: number
  readonly text: string
}

/** How Go words the problem: collected by the YAML decoder, found by the YAML parser, or raised by a check of its own. */
export type ConfigProblemKind = 'unmarshal' | 'syntax' | 'check'

/**
 * A configuration that cannot be used: `prometheus.yml:12:5: field scrape_intervall not found in type config.ScrapeConfig`.
 * Its message is one line, of the first problem; `problems` has them all.
 */
export class ConfigError extends Error {
  override name = 'ConfigError'
  readonly path: string
  readonly line: number
  readonly column: number
  readonly problems: readonly ConfigProblem[]
  readonly kind: ConfigProblemKind

  constructor(path: string, problems: readonly [ConfigProblem, ...ConfigProblem[]], kind: ConfigProblemKind, options?: ErrorOptions) {
    const [first] = problems
    const place = first.line === 0 ? path : `${path}:${first.line}:${first.column}`
    const more = problems.length > 1 ? ` (and ${problems.length - 1} more)` : ''
    super(`${place}: ${oneLine(first.text)}${more}`, options)
    this.path = path
    this.line = first.line
    this.column = first.column
    this.problems = problems
    this.kind = kind
  }

  /** The text after `parsing YAML file PATH: ` as the Go programs print it; several lines for several unmarshal errors. */
  get goText(): string {
    const [first] = this.problems
    if (this.kind === 'unmarshal') {
      return `yaml: unmarshal errors:\n${this.problems.map((problem) => `  line ${problem.line}: ${problem.text}`).join('\n')}`
    }
    if (this.kind === 'syntax') return first!.line === 0 ? `yaml: ${first!.text}` : `yaml: line ${first!.line}: ${first!.text}`
    return first!.text
  }

  /** All problems, one `PATH:LINE:COLUMN: text` per line. */
  get report(): string {
    return this.problems.map(({ line, column, text }) => `${this.path}:${line}:${column}: ${oneLine(text)}`).join('\n')
  }
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, ' ')
}
