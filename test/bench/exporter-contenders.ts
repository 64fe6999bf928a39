import { findProgram, programVersion } from '../kit/packages.ts'
import { startMariadb, startNginx, startRedis, type Service } from '../kit/services.ts'
import { startContainers } from './container-subject.ts'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { repository } from '../kit/narthex.ts'

// Each exporter of ours beside the official one, both with their default collectors, on the same live service. cAdvisor is in no Debian package: the
// container exporter is measured alone.

type ComparedKind = 'node' | 'redis' | 'nginx' | 'mysql'
export type ExporterKind = ComparedKind | 'container'

export const exporterKinds: readonly ExporterKind[] = ['node', 'redis', 'nginx', 'mysql', 'container']

const containerCount = 10

/** How a program is started that answers /metrics at `port`. */
export interface ExporterProgram {
  readonly name: string
  readonly version: string
  readonly command: string
  readonly args: readonly string[]
  readonly environment: Readonly<Record<string, string>>
}

/** What is looked at; node needs nothing but this machine. */
export async function startSubject(kind: ExporterKind): Promise<Service | undefined> {
  switch (kind) {
    case 'node':
      return undefined
    case 'redis':
      return startRedis()
    case 'nginx':
      return startNginx()
    case 'mysql':
      return startMariadb()
    case 'container':
      return startContainers(containerCount)
  }
}

/** The official exporter's name, its Debian binary, and the flags and variables that both take. */
interface Official {
  readonly name: string
  readonly binary: string
  readonly versionFlag: string
  flags(subject: Service | undefined): readonly string[]
  environment(subject: Service | undefined): Readonly<Record<string, string>>
}

const nothing = (): Readonly<Record<string, string>> => ({})

const officials: Readonly<Record<ComparedKind, Official>> = {
  node: { name: 'node_exporter', binary: 'prometheus-node-exporter', versionFlag: '--version', flags: () => [], environment: nothing },
  redis: {
    name: 'redis_exporter',
    binary: 'prometheus-redis-exporter',
    versionFlag: '--version',
    flags: (subject) => [`--redis.addr=redis://127.0.0.1:${subject!.port}`],
    environment: nothing,
  },
  nginx: {
    name: 'nginx-prometheus-exporter',
    binary: 'prometheus-nginx-exporter',
    versionFlag: '-version',
    flags: (subject) => [`-nginx.scrape-uri=${subject!.url}/stub_status`],
    environment: nothing,
  },
  mysql: {
    name: 'mysqld_exporter',
    binary: 'prometheus-mysqld-exporter',
    versionFlag: '--version',
    flags: () => [],
    environment: (subject) => ({ DATA_SOURCE_NAME: `root:@unix(${subject!.directory}/s.sock)/` }),
  },
}

/** As bin/narthex has it, and as an image would. */
const allocator = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: '32768', MALLOC_TRIM_THRESHOLD_: '131072' }

/** Ours are the bundle of `npm run build`, built anew, each a script that the Node.js which runs the bench runs. */
export function buildOwn(): void {
  execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', join(repository, 'cli', 'build', 'build.ts')], {
    stdio: 'ignore',
  })
}

/** Ours, and the official one where there is one. */
export function exporterPrograms(kind: ExporterKind, subject: Service | undefined): readonly [ExporterProgram, ExporterProgram?] {
  if (kind === 'container') return [ownProgram(kind, [`--docker=unix://${subject!.directory}/docker.sock`], {})]
  const official = officials[kind]
  const flags = official.flags(subject)
  const environment = official.environment(subject)
  const path = findProgram(official.binary)
  if (path === undefined) throw new Error(`cannot bench ${kind}: ${official.binary} is not installed`)
  const version = programVersion(official.binary, [official.versionFlag])
  return [ownProgram(kind, flags, environment), { name: official.name, version, command: path, args: flags, environment }]
}

function ownProgram(kind: ExporterKind, flags: readonly string[], environment: ExporterProgram['environment']): ExporterProgram {
  const script = join(repository, 'build', 'bundle', `exporter-${kind}.js`)
  return {
    name: `Narthex exporter ${kind}`,
    version: process.env['npm_package_version'] ?? '',
    command: process.execPath,
    args: [script, 'exporter', kind, ...flags],
    environment: { ...allocator, ...environment },
  }
}
