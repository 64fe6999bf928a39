/** Statistics of one NFS mount, as /proc/self/mountstats has them. */
export interface NfsMountStats {
  /** Position among all mounts of the file, which is that of /proc/self/mountinfo. */
  readonly position: number
  readonly device: string
  readonly mountPoint: string
  ageSeconds: number
  /** The 8 numbers of the line `bytes:`. */
  bytes: readonly number[]
  /** The 27 numbers of the line `events:`. */
  events: readonly number[]
  readonly transports: NfsTransport[]
  readonly operations: NfsOperation[]
}

export interface NfsTransport {
  readonly protocol: string
  /**
   * port, bind, connect, connect idle time, idle time, sends, receives, bad transaction ids, requests, backlog, slots, sending queue,
   * pending queue; 0 where the protocol or the version has none.
   */
  readonly values: readonly number[]
}

export interface NfsOperation {
  readonly name: string
  /** requests, transmissions, major timeouts, bytes sent, bytes received, ms in queue, ms until the answer, ms in all. */
  readonly values: readonly number[]
}

const transportValues = 13
const operationValuesMin = 8

/** How many numbers an `xprt:` line has, by version of the statistics and protocol; of rdma at least so many. */
const transportLengths: Readonly<Record<string, number>> = { '1.0 tcp': 10, '1.0 udp': 7, '1.1 tcp': 13, '1.1 udp': 10, '1.1 rdma': 20 }

/** Reads the NFS mounts of a mountstats file; other mounts only count. Throws at a line that is not as the kernel prints it. */
export function parseNfsMountStats(text: string): NfsMountStats[] {
  const mounts: NfsMountStats[] = []
  let position = -1
  let mount: NfsMountStats | undefined
  let version = ''
  let isInOperations = false
  for (const line of text.split('\n')) {
    const fields = line.trim().split(/\s+/)
    const key = fields[0]!
    if (key === 'device' && !isInOperations) {
      position++
      // device SERVER:EXPORT mounted on PATH with fstype nfs4 statvers=1.1
      mount = undefined
      if (!/^nfs4?$/.test(fields[7] ?? '') || fields[8] === undefined) continue
      version = fields[8].replace(/^statvers=/, '')
      const [, device = '', , , mountPoint = ''] = fields
      mount = { position, device, mountPoint, ageSeconds: 0, bytes: zeros(8), events: zeros(27), transports: [], operations: [] }
      mounts.push(mount)
    } else if (mount === undefined) continue
    else if (line.trim() === '') isInOperations = false
    else if (isInOperations) mount.operations.push(readOperation(fields))
    else if (key === 'age:') [mount.ageSeconds] = readNumbers(fields.slice(1, 2), 1, line) as [number]
    else if (key === 'bytes:') mount.bytes = readNumbers(fields.slice(1), 8, line)
    else if (key === 'events:') mount.events = readNumbers(fields.slice(1), 27, line)
    else if (key === 'xprt:') mount.transports.push(readTransport(fields, version, line))
    else if (key === 'per-op') isInOperations = true
  }
  return mounts
}

function readOperation(fields: readonly string[]): NfsOperation {
  const [name = '', ...numbers] = fields
  if (numbers.length < operationValuesMin) {
    throw new Error(`cannot read mountstats: want at least ${operationValuesMin} numbers for ${name}, got ${numbers.length}`)
  }
  const values = readNumbers(numbers, numbers.length, fields.join(' ')).slice(0, operationValuesMin)
  for (let at = 5; at < operationValuesMin; at++) values[at] = readTime(numbers[at]!)
  return { name: name.replace(/:$/, ''), values }
}

function readTransport(fields: readonly string[], version: string, line: string): NfsTransport {
  const [, protocol = '', ...texts] = fields
  const length = transportLengths[`${version} ${protocol}`]
  if (length === undefined)
    throw new Error(`cannot read mountstats: want protocol tcp, udp or rdma of version 1.0 or 1.1, got ${protocol} ${version}`)
  if (protocol === 'rdma' ? texts.length < length : texts.length !== length) {
    throw new Error(`cannot read mountstats: want ${length} numbers for ${protocol} ${version}, got ${texts.length}`)
  }
  const numbers = readNumbers(texts, texts.length, line)
  if (protocol !== 'udp') numbers[4] = readTime(texts[4]!)
  // UDP has no connections; rdma has other numbers behind the tenth.
  const values =
    protocol === 'udp' ? [...numbers.slice(0, 2), 0, 0, 0, ...numbers.slice(2)] : protocol === 'rdma' ? numbers.slice(0, 10) : numbers
  return { protocol, values: [...values, ...zeros(transportValues)].slice(0, transportValues) }
}

/** Some kernels print a time that ran below zero as a number near 2^64: the original takes times modulo 2^53. */
function readTime(digits: string): number {
  return digits.length <= 15 ? Number(digits) : Number(BigInt(digits) % (1n << 53n))
}

function readNumbers(texts: readonly string[], count: number, line: string): number[] {
  if (texts.length !== count || !texts.every((text) => /^[0-9]+$/.test(text))) {
    throw new Error(`cannot read mountstats: want ${count} numbers, got ${JSON.stringify(line.trim())}`)
  }
  return texts.map(Number)
}

function zeros(count: number): number[] {
  return new Array<number>(count).fill(0)
}
