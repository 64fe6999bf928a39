import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { ServiceCredentials } from '@narthex/config/local-discovery'
import { parseServiceCredentials } from '@narthex/config/local-discovery'
import type { Logger } from '@narthex/service/logger'
import { readPassword } from '../../embedded/configured-exporters.ts'
import { joinHostPort } from '../host-port.ts'
import type { Credentials } from './credentials.ts'
import type { ProcessFacts } from './process-facts.ts'
import type { FoundService } from './scanner.ts'
import { findOwnCredentials } from './service-files.ts'

export interface CredentialsOptions {
  /** `credentials_dir`; undefined for none. */
  readonly directory: string | undefined
  /** `read_service_configs`. */
  readonly readServiceConfigs: boolean
  readonly log: Logger
}

const credentialsFileBytesMax = 64 * 1024
const nameSyntax = /^[A-Za-z0-9_][A-Za-z0-9_.-]*$/

interface CachedFile {
  readonly stamp: string
  readonly credentials: ServiceCredentials | undefined
}

/**
 * The chain: a name that relabeling chose, `<service>-<port>.yml` and `<service>.yml` of the credentials directory, the service's own
 * configuration files where that is allowed; behind it stands trying without (socket authentication, no password).
 */
export class CredentialsChain {
  readonly #options: CredentialsOptions
  readonly #files = new Map<string, CachedFile>()

  constructor(options: CredentialsOptions) {
    this.#options = options
  }

  async find(service: FoundService, facts: ProcessFacts): Promise<Credentials | undefined> {
    const { protocol } = service.rule
    // The others are asked for pages, by the HTTP client of the job.
    if (protocol !== 'mysql' && protocol !== 'redis') return undefined
    const ports = [...new Set(service.tcp.map(({ port }) => port))]
    for (const name of [...ports.map((port) => `${service.rule.service}-${port}`), service.rule.service]) {
      const found = await this.#readNamed(name, service, facts)
      if (found !== undefined) return found
    }
    return this.#options.readServiceConfigs ? findOwnCredentials(service, facts) : undefined
  }

  /** The file that relabeling chose by its name without the ending. Throws with the line to show when there is no such file for this service. */
  async findNamed(name: string, service: FoundService, facts: ProcessFacts): Promise<Credentials> {
    if (!nameSyntax.test(name)) throw new Error(`credentials ${JSON.stringify(name)}: want a file name without its ending`)
    if (this.#options.directory === undefined) throw new Error(`credentials ${JSON.stringify(name)}: credentials_dir is not set`)
    const found = await this.#readNamed(name, service, facts)
    if (found === undefined)
      throw new Error(`credentials ${JSON.stringify(name)}: ${this.#options.directory} has no such file for this process`)
    return found
  }

  async #readNamed(name: string, service: FoundService, facts: ProcessFacts): Promise<Credentials | undefined> {
    const { directory, log } = this.#options
    if (directory === undefined) return undefined
    for (const path of [join(directory, `${name}.yml`), join(directory, `${name}.yaml`)]) {
      const found = await this.#readFile(path)
      if (found === undefined) continue
      if (!isFor(found.only, service, facts)) continue
      try {
        const password = found.passwordFile === undefined ? (found.password?.reveal() ?? '') : await readPassword(found.passwordFile)
        return { username: found.username, password, source: path }
      } catch (error) {
        log.warn('cannot use credentials', { path, err: error })
      }
    }
    return undefined
  }

  /** Read again when the file changes; a bad file is told once. */
  async #readFile(path: string): Promise<ServiceCredentials | undefined> {
    const { log } = this.#options
    try {
      const { mtimeMs, size, ino, mode } = await stat(path)
      const stamp = `${mtimeMs}/${size}/${ino}`
      const known = this.#files.get(path)
      if (known?.stamp === stamp) return known.credentials
      this.#files.set(path, { stamp, credentials: undefined })
      if (size > credentialsFileBytesMax) throw new Error(`want at most ${credentialsFileBytesMax} bytes, got ${size}`)
      if ((mode & 0o004) !== 0) log.warn('a file with credentials can be read by every user', { path })
      const credentials = parseServiceCredentials(await readFile(path, 'utf8'), path)
      this.#files.set(path, { stamp, credentials })
      return credentials
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') log.warn('cannot use credentials', { path, err: error })
      return undefined
    }
  }
}

/** Whether the process may be told: any local user can start a program that is called mysqld. */
function isFor(only: ServiceCredentials['only'], service: FoundService, facts: ProcessFacts): boolean {
  const { user, exe, address, containerId } = only
  if (user !== undefined && user !== facts.user && user !== facts.uid) return false
  if (exe !== undefined && exe !== facts.exe) return false
  if (containerId !== undefined && (containerId === '' || !facts.containerId.startsWith(containerId))) return false
  if (address === undefined) return true
  return service.tcp.some(({ host, port }) => joinHostPort(host, port) === address) || service.unix.some(({ path }) => path === address)
}
