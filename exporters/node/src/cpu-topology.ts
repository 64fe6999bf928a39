import type { MetricWriter } from '@narthex/exporter-kit/collector'
import { existsSync, readdirSync } from 'node:fs'
import { compareLabels } from './compare-labels.ts'
import { parseCpuList } from './cpu-list.ts'
import type { NodeEnvironment } from './environment.ts'

/** Where one CPU is, as long as it is online. */
interface CpuPlace {
  readonly packageId: string
  /** Labels of the core, and a text that tells it from others. */
  readonly coreLabels: readonly string[]
  readonly coreKey: string
  /** Absent where the kernel does not count throttling (virtual machines, most arm boards). */
  readonly throttlePath: string | undefined
}

/**
 * Online state and throttle counts from /sys/devices/system/cpu. A file is read once per core and once per package, not once per CPU, and
 * the places of CPUs only when they come online: on a machine with 256 threads that is 130 files instead of 1,280.
 */
export class CpuTopology {
  readonly #environment: NodeEnvironment
  readonly #directory: string
  readonly #places = new Map<string, CpuPlace | undefined>()

  constructor(environment: NodeEnvironment) {
    this.#environment = environment
    this.#directory = environment.sysPath('devices/system/cpu')
  }

  write(writer: MetricWriter): void {
    const cpus = this.#listCpus()
    const online = this.#readOnline()
    writer.family('node_cpu_online', 'Whether the CPU is online.', 'gauge')
    for (const cpu of cpus) writer.sample(online === undefined || online.has(cpu) ? 1 : 0, ['cpu', cpu])
    for (const cpu of cpus) {
      if (online !== undefined && !online.has(cpu)) this.#places.delete(cpu)
      else if (!this.#places.has(cpu)) this.#places.set(cpu, this.#readPlace(cpu))
    }
    this.#writeThrottles(writer, cpus)
  }

  #writeThrottles(writer: MetricWriter, cpus: readonly string[]): void {
    const packages = new Map<string, number>()
    const cores = new Map<string, { readonly labels: readonly string[]; readonly count: number }>()
    for (const cpu of cpus) {
      const place = this.#places.get(cpu)
      if (place?.throttlePath === undefined) continue
      if (!packages.has(place.packageId)) {
        const count = this.#readCount(`${place.throttlePath}/package_throttle_count`)
        if (count !== undefined) packages.set(place.packageId, count)
      }
      if (!cores.has(place.coreKey)) {
        const count = this.#readCount(`${place.throttlePath}/core_throttle_count`)
        if (count !== undefined) cores.set(place.coreKey, { labels: place.coreLabels, count })
      }
    }
    writer.family('node_cpu_core_throttles_total', 'Times that the core was throttled for its temperature.', 'counter')
    for (const { labels, count } of [...cores.values()].sort((a, b) => compareLabels(a.labels, b.labels))) writer.sample(count, labels)
    writer.family('node_cpu_package_throttles_total', 'Times that the package was throttled for its temperature.', 'counter')
    for (const packageId of [...packages.keys()].sort()) writer.sample(packages.get(packageId)!, ['package', packageId])
  }

  #listCpus(): string[] {
    try {
      return readdirSync(this.#directory)
        .filter((name) => /^cpu[0-9]+$/.test(name))
        .map((name) => name.slice(3))
        .sort()
    } catch {
      return []
    }
  }

  /** Undefined where the kernel does not say: then CPUs cannot go offline. */
  #readOnline(): ReadonlySet<string> | undefined {
    const text = this.#environment.files.readTextIfThere(`${this.#directory}/online`)
    return text === undefined ? undefined : new Set(parseCpuList(text).map(String))
  }

  #readPlace(cpu: string): CpuPlace | undefined {
    const { files } = this.#environment
    const path = `${this.#directory}/cpu${cpu}`
    const packageId = files.readTextIfThere(`${path}/topology/physical_package_id`)
    const coreId = files.readTextIfThere(`${path}/topology/core_id`)
    if (packageId === undefined || coreId === undefined) return undefined
    return {
      packageId,
      coreLabels: ['core', coreId, 'package', packageId],
      coreKey: `${coreId} ${packageId}`,
      throttlePath: existsSync(`${path}/thermal_throttle`) ? `${path}/thermal_throttle` : undefined,
    }
  }

  #readCount(path: string): number | undefined {
    const text = this.#environment.files.readTextIfThere(path)
    return text === undefined || !/^[0-9]+$/.test(text) ? undefined : Number(text)
  }
}
