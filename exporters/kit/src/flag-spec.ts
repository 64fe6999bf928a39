/** One command-line flag as data, so that an exporter can state its flags without knowing the parser that reads them. */
export interface FlagSpec {
  /** Without dashes: `collector.cpu.info`. */
  readonly name: string
  /** `duration` values are texts in Prometheus' grammar (`5s`) or milliseconds. Boolean flags also have the form `--no-NAME`. */
  readonly type: 'string' | 'boolean' | 'number' | 'duration'
  /** Absent: the flag has no value unless it is given. */
  readonly default?: string | number | boolean | readonly string[]
  /** The flag may be given several times; its value is a list. */
  readonly repeatable?: boolean
  readonly help: string
  /** Accepted, but left out of `--help`. */
  readonly hidden?: boolean
  /** Accepted so that existing command lines start; has no effect. The reason is for the warning that its use must print. */
  readonly withoutEffect?: string
}

/** Values by flag name: only flags that were given need to be there. */
export type FlagValues = Readonly<Record<string, unknown>>
