import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { parseGoFloat } from '@narthex/model/number'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'

interface Family {
  readonly type: 'gauge' | 'counter'
  /** By position of the NUMA node; NaN where it does not have the field. */
  readonly values: Float64Array
}

export function createMeminfoNumaCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const root = environment.sysPath('devices/system/node')

  function collect({ writer }: CollectContext): void {
    const nodes = listNodes()
    const families = new Map<string, Family>()
    const add = (name: string, type: Family['type'], position: number, value: number): void => {
      let family = families.get(name)
      if (family === undefined) families.set(name, (family = { type, values: new Float64Array(nodes.length).fill(NaN) }))
      family.values[position] = value
    }
    nodes.forEach((node, position) => {
      readMeminfo(`${root}/node${node}/meminfo`, (name, value) => add(name, 'gauge', position, value))
      readNumastat(`${root}/node${node}/numastat`, (name, value) => add(`${name}_total`, 'counter', position, value))
    })
    for (const [name, { type, values }] of families) {
      writer.family(`node_memory_numa_${name}`, `Field ${name.replace(/_total$/, '')} of the NUMA node.`, type)
      values.forEach((value, position) => {
        if (!Number.isNaN(value)) writer.sample(value, ['node', nodes[position]!])
      })
    }
  }

  function listNodes(): string[] {
    try {
      return readdirSync(root)
        .flatMap((name) => /^node([0-9]+)$/.exec(name)?.[1] ?? [])
        .sort((a, b) => Number(a) - Number(b))
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return []
      throw error
    }
  }

  // `Node 0 Active(anon):  707915 kB`, or without the unit
  function readMeminfo(path: string, add: (name: string, value: number) => void): void {
    scanner.load(files.read(path))
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      scanner.nextField()
      scanner.nextField()
      const name = scanner
        .text()
        .replace(/:+$/, '')
        .replace(/\((.*)\)/, '_$1')
      const value = scanner.nextField() ? parseGoFloat(scanner.text()) : undefined
      const hasUnit = scanner.nextField()
      if (value === undefined || (hasUnit && !scanner.fieldIs('kB'))) {
        throw new Error(
          `cannot read ${path}: want a number and kB or no unit, got ${JSON.stringify(scanner.text(scanner.lineStart, scanner.lineEnd))}`,
        )
      }
      add(name, hasUnit ? value * 1024 : value)
    }
  }

  // `numa_hit 193460335812`
  function readNumastat(path: string, add: (name: string, value: number) => void): void {
    scanner.load(files.read(path))
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      const name = scanner.text()
      const value = scanner.nextUnsigned()
      if (Number.isNaN(value)) throw new Error(`cannot read ${path}: want a number for ${name}, got ${JSON.stringify(scanner.text())}`)
      add(name, value)
    }
  }

  return { name: 'meminfo_numa', defaultOn: false, collect }
}
