/** What a server is, as far as statements depend on it. */
export interface ServerVersion {
  readonly isMariadb: boolean
  /** `[8, 0, 28]` */
  readonly parts: readonly [number, number, number]
}

/** Reads `@@version`: `8.0.36-0ubuntu0.22.04.1`, `10.11.6-MariaDB-0+deb12u1`, `5.5.5-10.4.7-MariaDB`. Throws for anything else. */
export function parseServerVersion(text: string): ServerVersion {
  const isMariadb = /mariadb/i.test(text)
  // Old MariaDB puts 5.5.5- before its own version, for replicas that know one digit only.
  const match = /^(\d{1,4})\.(\d{1,4})(?:\.(\d{1,5}))?/.exec(isMariadb ? text.replace(/^5\.5\.5-(?=\d)/, '') : text)
  if (match === null) throw new Error(`cannot read @@version: want a version, got ${JSON.stringify(text.slice(0, 100))}`)
  return { isMariadb, parts: [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)] }
}

/** True for a version of this or a later number, whichever product it is. */
export function isAtLeast({ parts }: ServerVersion, major: number, minor: number, patch = 0): boolean {
  if (parts[0] !== major) return parts[0] > major
  if (parts[1] !== minor) return parts[1] > minor
  return parts[2] >= patch
}

/** True for MySQL and its close kin of at least this version; MariaDB counts otherwise and is never meant. */
export function isMysqlAtLeast(version: ServerVersion, major: number, minor: number, patch = 0): boolean {
  return !version.isMariadb && isAtLeast(version, major, minor, patch)
}

export function isMariadbAtLeast(version: ServerVersion, major: number, minor: number, patch = 0): boolean {
  return version.isMariadb && isAtLeast(version, major, minor, patch)
}
