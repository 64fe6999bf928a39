/** How one gets into a service, and where that was found. Never logged, never in a label. */
export interface Credentials {
  readonly username: string
  readonly password: string
  /** For messages: a path. */
  readonly source: string
}
