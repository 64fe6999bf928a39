import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface FakeProcess {
  readonly pid: number
  readonly comm: string
  readonly exe?: string
  readonly cmdline?: readonly string[]
  readonly environ?: Readonly<Record<string, string>>
  /** Numbers of the sockets that it holds. */
  readonly sockets?: readonly number[]
  readonly netns?: number
  /** What the process sees as `/`; default: the same as everybody. */
  readonly root?: string
  readonly startTicks?: number
  readonly cgroup?: string
}

export interface FakeTcp {
  readonly host: string
  readonly port: number
  readonly inode: number
  /** Default: it listens. */
  readonly state?: number
}

export interface FakeUnix {
  readonly path: string
  readonly inode: number
  readonly isListening?: boolean
}

/** A proc file system in a temporary directory, with the files that a scan reads. Process 1 is the scanner's own. */
export class FakeProc {
  readonly path = mkdtempSync(join(tmpdir(), 'narthex-proc-'))

  constructor() {
    writeFileSync(join(this.path, 'stat'), 'cpu  1 2 3\nbtime 1700000000\n')
    this.addProcess({ pid: 1, comm: 'narthex' })
    symlinkSync('1', join(this.path, 'self'))
    this.setSockets(1, [])
  }

  addProcess(process: FakeProcess): void {
    const { pid, comm, exe = `/usr/bin/${comm}`, cmdline = [comm], environ = {}, sockets = [], netns = 1, root, startTicks = 500 } = process
    const directory = join(this.path, String(pid))
    this.removeProcess(pid)
    for (const name of ['fd', 'ns', 'net']) mkdirSync(join(directory, name), { recursive: true })
    writeFileSync(join(directory, 'comm'), `${comm.slice(0, 15)}\n`)
    writeFileSync(join(directory, 'cmdline'), cmdline.map((argument) => `${argument}\0`).join(''))
    writeFileSync(
      join(directory, 'environ'),
      Object.entries(environ)
        .map(([name, value]) => `${name}=${value}\0`)
        .join(''),
    )
    // The name may hold brackets and spaces.
    writeFileSync(join(directory, 'stat'), `${pid} (a) b) S 1 ${'0 '.repeat(17)}${startTicks} 0 0\n`)
    writeFileSync(join(directory, 'cgroup'), process.cgroup ?? '0::/\n')
    symlinkSync(exe, join(directory, 'exe'))
    symlinkSync(`net:[${netns}]`, join(directory, 'ns/net'))
    symlinkSync(root === undefined ? 'mnt:[1]' : `mnt:[${pid}]`, join(directory, 'ns/mnt'))
    symlinkSync(root ?? '/', join(directory, 'root'))
    sockets.forEach((inode, index) => symlinkSync(`socket:[${inode}]`, join(directory, 'fd', String(index + 3))))
  }

  removeProcess(pid: number): void {
    rmSync(join(this.path, String(pid)), { recursive: true, force: true })
  }

  /** The tables of the network namespace of a process; of the scanner's own for process 1. */
  setSockets(pid: number, tcp: readonly FakeTcp[], unix: readonly FakeUnix[] = []): void {
    const directory = join(this.path, String(pid), 'net')
    const rows = (isV4: boolean): string =>
      tcp
        .filter(({ host }) => isIPv4(host) === isV4)
        .map(printTcp)
        .join('')
    const head = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n'
    writeFileSync(join(directory, 'tcp'), head + rows(true))
    writeFileSync(join(directory, 'tcp6'), head + rows(false))
    writeFileSync(join(directory, 'unix'), `Num       RefCount Protocol Flags    Type St Inode Path\n${unix.map(printUnix).join('')}`)
  }

  setFile(pid: number, name: string, text: string): void {
    writeFileSync(join(this.path, String(pid), name), text)
  }

  remove(): void {
    rmSync(this.path, { recursive: true })
  }
}

export function printTcp({ host, port, inode, state = 0x0a }: FakeTcp, index: number): string {
  const hex = (value: number, digits: number): string => value.toString(16).toUpperCase().padStart(digits, '0')
  const bytes = isIPv4(host) ? host.split('.').map(Number) : parseIpv6(host)
  // Words in the byte order of the machine.
  const words = Array.from({ length: bytes.length / 4 }, (_, i) => bytes.slice(4 * i, 4 * i + 4).toReversed())
  const address = words
    .flat()
    .map((byte) => hex(byte, 2))
    .join('')
  const remote = '0'.repeat(address.length)
  return `${String(index).padStart(4)}: ${address}:${hex(port, 4)} ${remote}:0000 ${hex(state, 2)} 00000000:00000000 00:00000000 00000000   999        0 ${inode} 1 0000000000000000 100 0 0 10 0\n`
}

function printUnix({ path, inode, isListening = true }: FakeUnix): string {
  return `0000000000000000: 00000002 00000000 ${isListening ? '00010000' : '00000000'} 0001 01 ${inode}${path === '' ? '' : ` ${path}`}\n`
}

function parseIpv6(host: string): number[] {
  const [head = '', tail] = host.split('::')
  const groups = (text: string): number[] => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)))
  const first = groups(head)
  const last = tail === undefined ? [] : groups(tail)
  const all = [...first, ...new Array<number>(8 - first.length - last.length).fill(0), ...last]
  return all.flatMap((group) => [group >> 8, group & 255])
}
