/** One line of /proc/PID/mountinfo. */
export interface Mount {
  readonly major: string
  readonly minor: string
  /** The mount point with the bytes as the kernel has them, one per UTF-16 unit (latin1): the form for system calls. */
  readonly pathBytes: string
  /** The mount point for people: decoded as UTF-8, bad bytes replaced. */
  readonly path: string
  readonly fsType: string
  readonly device: string
  readonly isReadOnly: boolean
}

// proc(5): ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [OPTIONAL FIELD]... - TYPE SOURCE SUPEROPTIONS
export function parseMountInfo(bytes: Buffer): Mount[] {
  const mounts: Mount[] = []
  for (const line of bytes.toString('latin1').split('\n')) {
    if (line === '') continue
    const fields = line.split(' ')
    const separator = fields.indexOf('-', 6)
    const [major = '', minor = ''] = (fields[2] ?? '').split(':')
    const mountPoint = fields[4]
    const fsType = fields[separator + 1]
    if (separator < 0 || mountPoint === undefined || fsType === undefined) {
      throw new Error(`cannot read mountinfo: want at least 10 fields, got ${JSON.stringify(line)}`)
    }
    const pathBytes = unescapePath(mountPoint)
    mounts.push({
      major,
      minor,
      pathBytes,
      path: decode(pathBytes),
      fsType,
      // A source may be empty: two blanks in a row.
      device: decode(fields[separator + 2] ?? ''),
      isReadOnly: hasReadOnly(fields[5]) || hasReadOnly(fields[separator + 3]),
    })
  }
  return mounts
}

/** The kernel prints blank, tab, line feed, backslash and hash as three octal digits. */
function unescapePath(text: string): string {
  return text.includes('\\') ? text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8))) : text
}

function decode(latin1: string): string {
  return /[\x80-\xff]/.test(latin1) ? Buffer.from(latin1, 'latin1').toString('utf8') : latin1
}

function hasReadOnly(options: string | undefined): boolean {
  return options !== undefined && options.split(',').includes('ro')
}
