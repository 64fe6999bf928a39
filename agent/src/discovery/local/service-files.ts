import type { Credentials } from './credentials.ts'
import type { ProcessFacts } from './process-facts.ts'
import { RootFiles } from './root-files.ts'
import type { FoundService } from './scanner.ts'

const configBytesMax = 2 ** 20

const mysqlPaths = ['/etc/mysql/debian.cnf', '/root/.my.cnf', '/etc/mysql/my.cnf', '/etc/my.cnf']
const redisPaths = [
  '/etc/redis/redis.conf',
  '/etc/redis.conf',
  '/usr/local/etc/redis/redis.conf',
  '/etc/valkey/valkey.conf',
  '/usr/local/etc/valkey/valkey.conf',
]

/** Credentials in the configuration files of the service itself, as its process sees them; undefined when there are none. */
export async function findOwnCredentials(service: FoundService, facts: ProcessFacts): Promise<Credentials | undefined> {
  const { protocol } = service.rule
  // Without its process it is not known whose files to read.
  if (service.process === undefined || (protocol !== 'mysql' && protocol !== 'redis')) return undefined
  const files = new RootFiles(facts.rootPath)
  const named = facts.arguments.filter((argument) => argument.startsWith('/') && argument.endsWith('.conf'))
  for (const path of protocol === 'mysql' ? mysqlPaths : [...named, ...redisPaths]) {
    let text: string
    try {
      text = await files.readText(path, configBytesMax)
    } catch {
      continue
    }
    const found = protocol === 'mysql' ? readClientSection(text) : readRedisConfig(text, service)
    if (found !== undefined) return { ...found, source: path }
  }
  return undefined
}

type Login = Pick<Credentials, 'username' | 'password'>

/** `user` and `password` of the section `[client]` in a my.cnf; both have to be there. */
export function readClientSection(text: string): Login | undefined {
  let isClient = false
  const values = new Map<string, string>()
  for (const line of text.split('\n').map((entry) => entry.trim())) {
    const section = /^\[([^\]]*)\]/.exec(line)
    if (section !== null) isClient = section[1]!.trim() === 'client'
    const pair = /^(user|password)\s*=\s*(.*)$/.exec(line)
    if (isClient && pair !== null) values.set(pair[1]!, unquote(pair[2]!))
  }
  const username = values.get('user')
  const password = values.get('password')
  return username === undefined || password === undefined ? undefined : { username, password }
}

/** `requirepass` of a redis.conf, if its `port` is one of the service's. */
export function readRedisConfig(text: string, { tcp, unix }: Pick<FoundService, 'tcp' | 'unix'>): Login | undefined {
  let password: string | undefined
  let port = 6379
  for (const line of text.split('\n').map((entry) => entry.trim())) {
    const pair = /^(requirepass|port|tls-port)\s+(.*)$/i.exec(line)
    if (pair?.[1]?.toLowerCase() === 'requirepass') password = unquote(pair[2]!)
    else if (pair?.[1]?.toLowerCase() === 'port') port = Number(pair[2])
  }
  const isItsFile = port === 0 ? unix.length > 0 : tcp.some((listener) => listener.port === port)
  return password === undefined || password === '' || !isItsFile ? undefined : { username: '', password }
}

function unquote(value: string): string {
  const match = /^(["'])(.*)\1$/.exec(value.trim())
  return match === null ? value.trim() : match[2]!
}
