import { readFile, stat } from 'node:fs/promises'
import type { ProcFiles } from './proc-files.ts'
import type { FoundService } from './scanner.ts'

/** What is told of a process in labels. Empty where it may not be known. */
export interface ProcessFacts {
  readonly exe: string
  /** Arguments with a space between; what looks like a secret is left out. */
  readonly cmdline: string
  readonly arguments: readonly string[]
  readonly uid: string
  readonly user: string
  readonly containerId: string
  readonly systemdUnit: string
  readonly netns: string
  /** Where its files are seen from here: empty when it shares this process' view. */
  readonly rootPath: string
  /** Whether it asks to be left alone: `NARTHEX_DISCOVERY=off` in its environment. */
  readonly isOptedOut: boolean
}

export const noFacts: ProcessFacts = {
  exe: '',
  cmdline: '',
  arguments: [],
  uid: '',
  user: '',
  containerId: '',
  systemdUnit: '',
  netns: '',
  rootPath: '',
  isOptedOut: false,
}

/** Label values end here: a command line may be of megabytes. */
const cmdlineLengthMax = 1024
/** Arguments and environment beyond are not looked at. */
const procTextBytesMax = 256 * 1024
const passwdBytesMax = 2 ** 20

/** Reads everything about a service's process, once in its life. A file that cannot be read costs its own facts only. */
export async function readProcessFacts(files: ProcFiles, service: FoundService): Promise<ProcessFacts> {
  const pid = service.process?.pid
  if (pid === undefined) return noFacts
  // In the thread pool: these two wait while the process changes its memory.
  const [cmdline, environment] = await Promise.all([readText(`${files.root}/${pid}/cmdline`), readText(`${files.root}/${pid}/environ`)])
  const args = cmdline.split('\0').filter((argument) => argument !== '')
  const uid = await ownerOf(`${files.root}/${pid}`)
  const cgroup = files.readText(`${pid}/cgroup`) ?? ''
  return {
    exe: (files.readLink(`${pid}/exe`) ?? '').replace(/ \(deleted\)$/, ''),
    cmdline: hideSecrets(args).join(' ').slice(0, cmdlineLengthMax),
    arguments: args,
    uid,
    user: uid === '' ? '' : await nameOf(uid, files),
    containerId: findContainerId(cgroup),
    systemdUnit: findSystemdUnit(cgroup),
    netns: service.process?.netns ?? '',
    rootPath: findRoot(files, pid),
    isOptedOut: environment.split('\0').includes('NARTHEX_DISCOVERY=off'),
  }
}

async function readText(path: string): Promise<string> {
  try {
    return (await readFile(path)).toString('utf8', 0, procTextBytesMax)
  } catch {
    return ''
  }
}

async function ownerOf(path: string): Promise<string> {
  try {
    return String((await stat(path)).uid)
  } catch {
    return ''
  }
}

/** The name by the list of users that the first process sees: in a container that sees the machine's processes, the machine's list. */
async function nameOf(uid: string, files: ProcFiles): Promise<string> {
  for (const path of [`${files.root}/1/root/etc/passwd`, '/etc/passwd']) {
    try {
      const text = (await readFile(path)).toString('utf8', 0, passwdBytesMax)
      const line = text.split('\n').find((entry) => entry.split(':')[2] === uid)
      if (line !== undefined) return line.split(':')[0]!
    } catch {
      // The next list may be readable.
    }
  }
  return ''
}

/** Docker, containerd, CRI-O, Podman and Kubernetes all end the path of a container's group in its 64 digits. */
export function findContainerId(cgroup: string): string {
  const ids = cgroup.match(/(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])/g)
  return ids?.at(-1) ?? ''
}

export function findSystemdUnit(cgroup: string): string {
  for (const line of cgroup.split('\n')) {
    const units = line
      .slice(line.lastIndexOf(':') + 1)
      .split('/')
      .filter((part) => /\.(service|scope)$/.test(part) && !/^(user@|session-|docker-|crio-|cri-containerd-|libpod-)/.test(part))
    const unit = units.at(-1)
    if (unit !== undefined) return unit
  }
  return ''
}

// Another mount namespace, or another root in ours: its files are only found through /proc.
function findRoot(files: ProcFiles, pid: number): string {
  const ownMounts = files.readLink('self/ns/mnt')
  const mounts = files.readLink(`${pid}/ns/mnt`)
  const root = files.readLink(`${pid}/root`)
  const isShared = mounts !== undefined && mounts === ownMounts && root === files.readLink('self/root')
  return isShared || root === undefined ? '' : `${files.root}/${pid}/root`
}

const secretName = /pass|secret|token|key|auth|credential|pwd/i

/** `--password=x`, `--requirepass x` and the like with `<secret>` in place of the value. */
export function hideSecrets(args: readonly string[]): string[] {
  let isNextSecret = false
  return args.map((argument) => {
    if (isNextSecret) {
      isNextSecret = false
      if (!argument.startsWith('-')) return '<secret>'
    }
    const equals = argument.indexOf('=')
    if (equals > 0 && secretName.test(argument.slice(0, equals))) return `${argument.slice(0, equals)}=<secret>`
    // A name and password in a URL.
    if (argument.includes('://')) return argument.replace(/(:\/\/)[^/@\s]*@/, '$1<secret>@')
    isNextSecret = argument.startsWith('-') && secretName.test(argument)
    return argument
  })
}
