import { readdirSync } from 'node:fs'
import type { ContainerEnvironment } from './environment.ts'

/** What does not change while a machine runs, or hardly. */
export interface MachineInfo {
  readonly machineId: string
  readonly systemUuid: string
  readonly bootId: string
  readonly cores: number
  readonly physicalCores: number
  readonly sockets: number
  readonly kernelVersion: string
  readonly osVersion: string
  /** Memory modules by their type. */
  readonly modules: ReadonlyMap<string, { readonly count: number; readonly bytes: number }>
}

const bytesPerMegabyte = 1024 * 1024

/** Reads /proc and /sys. What a machine does not tell is empty or 0, as in cAdvisor. */
export function readMachineInfo(environment: ContainerEnvironment): MachineInfo {
  const { files, flags, paths } = environment
  const textOf = (path: string): string | undefined => files.readTextIfThere(path)
  const firstOf = (flag: string): string =>
    flags
      .string(flag)
      .split(',')
      .map((path) => textOf(paths.host(path)))
      .find((text) => text !== undefined) ?? ''
  const cpuInfo = textOf(paths.host('/proc/cpuinfo')) ?? ''
  const cpus = listCpus(environment)
  return {
    machineId: firstOf('machine_id_file'),
    bootId: firstOf('boot_id_file'),
    systemUuid: readSystemUuid(environment),
    cores: cpus.length,
    physicalCores: countDistinct(cpuInfo, /^core id\s*:\s*(\d+)$/gm) || countTopology(environment, cpus, 'core_id'),
    sockets: countDistinct(cpuInfo, /^physical id\s*:\s*(\d+)$/gm) || countTopology(environment, cpus, 'physical_package_id'),
    kernelVersion: textOf(paths.local('/proc/sys/kernel/osrelease')) ?? 'Unknown',
    osVersion: readOsVersion(textOf(paths.host('/etc/os-release')) ?? textOf(paths.host('/usr/lib/os-release'))),
    modules: readModules(environment),
  }
}

/** Numbers of the CPUs that are online. */
function listCpus({ files, paths }: ContainerEnvironment): string[] {
  const directory = paths.local('/sys/devices/system/cpu')
  const online = parseCpuList(files.readTextIfThere(`${directory}/online`))
  return list(directory)
    .flatMap((name) => /^cpu(\d+)$/.exec(name)?.[1] ?? [])
    .filter((number) => online === undefined || online.has(Number(number)))
}

/** `0-3,8` as a set; undefined where the kernel does not say. */
function parseCpuList(text: string | undefined): ReadonlySet<number> | undefined {
  if (text === undefined || text === '') return undefined
  const numbers = new Set<number>()
  for (const range of text.split(',')) {
    const [first = '', last = first] = range.split('-')
    for (let number = Number(first); number <= Number(last); number++) numbers.add(number)
  }
  return numbers
}

function countDistinct(text: string, pattern: RegExp): number {
  return new Set([...text.matchAll(pattern)].map((match) => match[1])).size
}

function countTopology({ files, paths }: ContainerEnvironment, cpus: readonly string[], property: string): number {
  const path = (cpu: string): string => paths.local(`/sys/devices/system/cpu/cpu${cpu}/topology/${property}`)
  return new Set(cpus.map((cpu) => files.readTextIfThere(path(cpu))).filter((text) => text !== undefined)).size
}

function readSystemUuid({ files, paths }: ContainerEnvironment): string {
  const places = ['/sys/class/dmi/id/product_uuid', '/proc/device-tree/system-id', '/proc/device-tree/vm,uuid', '/etc/machine-id']
  const found = places.map((path) => files.readTextIfThere(paths.host(path))).find((text) => text !== undefined)
  return found?.replaceAll('\0', '') ?? ''
}

function readOsVersion(text: string | undefined): string {
  if (text === undefined) return 'Unknown'
  return /^PRETTY_NAME=(.*)$/m.exec(text)?.[1]?.replace(/^["']|["']$/g, '') ?? 'Linux'
}

/** The modules that the memory controllers know (EDAC), by type. */
function readModules({ files, paths }: ContainerEnvironment): MachineInfo['modules'] {
  const modules = new Map<string, { count: number; bytes: number }>()
  const root = paths.local('/sys/devices/system/edac/mc')
  for (const controller of list(root).filter((name) => /^mc\d+$/.test(name))) {
    for (const module of list(`${root}/${controller}`).filter((name) => /^dimm\d+$/.test(name))) {
      const type = files.readTextIfThere(`${root}/${controller}/${module}/dimm_mem_type`)
      const megabytes = Number(files.readTextIfThere(`${root}/${controller}/${module}/size`) || NaN)
      if (type === undefined || Number.isNaN(megabytes)) continue
      const known = modules.get(type) ?? { count: 0, bytes: 0 }
      modules.set(type, { count: known.count + 1, bytes: known.bytes + megabytes * bytesPerMegabyte })
    }
  }
  return modules
}

function list(directory: string): readonly string[] {
  try {
    return readdirSync(directory).sort()
  } catch {
    return []
  }
}
