import { spawnSync } from 'node:child_process'
import { accessSync, constants, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** A real program the tests run: the Debian package that brings it and the binary that shows it is there. */
export interface Program {
  readonly debianPackage: string
  readonly binary: string
}

/** Every real server and peer the service tests start; all from Debian 12. */
export const programs: readonly Program[] = [
  { debianPackage: 'prometheus', binary: 'prometheus' },
  { debianPackage: 'prometheus', binary: 'promtool' },
  { debianPackage: 'prometheus-alertmanager', binary: 'prometheus-alertmanager' },
  { debianPackage: 'prometheus-alertmanager', binary: 'amtool' },
  { debianPackage: 'prometheus-pushgateway', binary: 'prometheus-pushgateway' },
  { debianPackage: 'prometheus-node-exporter', binary: 'prometheus-node-exporter' },
  { debianPackage: 'prometheus-mysqld-exporter', binary: 'prometheus-mysqld-exporter' },
  { debianPackage: 'prometheus-redis-exporter', binary: 'prometheus-redis-exporter' },
  { debianPackage: 'prometheus-nginx-exporter', binary: 'prometheus-nginx-exporter' },
  { debianPackage: 'victoria-metrics', binary: 'victoria-metrics' },
  { debianPackage: 'victoria-metrics', binary: 'vmagent' },
  { debianPackage: 'mariadb-server', binary: 'mariadbd' },
  { debianPackage: 'redis-server', binary: 'redis-server' },
  { debianPackage: 'nginx', binary: 'nginx' },
  { debianPackage: 'docker.io', binary: 'dockerd' },
  { debianPackage: 'podman', binary: 'podman' },
  { debianPackage: 'dnsmasq-base', binary: 'dnsmasq' },
  { debianPackage: 'etcd-server', binary: 'etcd' },
  { debianPackage: 'iptables', binary: 'iptables' },
  { debianPackage: 'iproute2', binary: 'ip' },
  { debianPackage: 'busybox-static', binary: 'busybox' },
  { debianPackage: 'chromium', binary: 'chromium' },
  { debianPackage: 'openssl', binary: 'openssl' },
  { debianPackage: 'strace', binary: 'strace' },
]

const searchPath = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Absolute path of an installed program, or undefined. Looks in the sbin directories too, where Debian puts servers. */
export function findProgram(binary: string): string | undefined {
  for (const directory of searchPath) {
    const path = join(directory, binary)
    try {
      accessSync(path, constants.X_OK)
      return path
    } catch {
      // not here
    }
  }
  return undefined
}

export function missingPackages(): string[] {
  return [...new Set(programs.filter((program) => !findProgram(program.binary)).map((program) => program.debianPackage))]
}

/**
 * Makes every program of the table available. As root on Debian it installs the missing packages with apt, under a
 * policy-rc.d that forbids service starts; elsewhere it throws an error whose text is the one command to run.
 */
export function ensurePrograms(print: (line: string) => void): void {
  const missing = missingPackages()
  if (missing.length === 0) return
  const command = `apt-get install -y --no-install-recommends ${missing.join(' ')}`
  if (process.getuid?.() !== 0 || !isDebian()) {
    throw new Error(`cannot run the service tests: these packages are missing, install them (Debian or Ubuntu, as root) with\n  ${command}`)
  }
  print(`installing ${missing.join(' ')}`)
  withoutServiceStarts(() => {
    const environment = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
    runApt(['update'], environment)
    runApt(['install', '-y', '--no-install-recommends', ...missing], environment)
  })
  const still = missingPackages()
  if (still.length > 0) throw new Error(`cannot find the programs of ${still.join(', ')} after apt-get install`)
}

function isDebian(): boolean {
  return existsSync('/etc/debian_version') && findProgram('apt-get') !== undefined
}

function runApt(args: string[], env: NodeJS.ProcessEnv): void {
  const result = spawnSync('apt-get', args, { env, stdio: ['ignore', 'pipe', 'pipe'], encoding: 'utf8', maxBuffer: 64 * 1024 * 1024 })
  if (result.status !== 0) throw new Error(`cannot run apt-get ${args.join(' ')}: exit ${result.status}\n${result.stdout}${result.stderr}`)
}

function withoutServiceStarts(install: () => void): void {
  const policyFile = '/usr/sbin/policy-rc.d'
  const before = existsSync(policyFile) ? readFileSync(policyFile) : undefined
  writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  try {
    install()
  } finally {
    if (before) writeFileSync(policyFile, before, { mode: 0o755 })
    else rmSync(policyFile, { force: true })
  }
}

/** Version of an installed program, for tables that name what was measured: what it says itself, else what Debian says of its package. */
export function programVersion(binary: string, args: readonly string[] = ['--version']): string {
  const path = findProgram(binary)
  if (!path) return 'missing'
  const said = spawnSync(path, args, { encoding: 'utf8' })
  const own = /\b(\d+\.\d+(?:\.\d+)?)\b/.exec(`${said.stdout}${said.stderr}`)?.[1]
  if (own !== undefined) return own
  const debianPackage = programs.find((program) => program.binary === binary)?.debianPackage ?? binary
  const asked = spawnSync('dpkg-query', ['-W', '-f', '${Version}', debianPackage], { encoding: 'utf8' })
  return /^\d+(\.\d+)*/.exec(asked.stdout ?? '')?.[0] ?? 'unknown'
}
