import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'

const states = ['connecting', 'dead', 'deleting', 'live', 'new', 'resetting', 'unknown']

interface Controller {
  readonly name: string
  readonly transport: string
  readonly state: string
}

interface Subsystem {
  readonly name: string
  readonly info: readonly string[]
  readonly controllers: readonly Controller[]
  readonly namespaces: readonly string[]
}

export function createNvmesubsystemCollector(environment: NodeEnvironment): Collector {
  const root = environment.sysPath('class/nvme-subsystem')

  function collect({ writer }: CollectContext): void {
    const subsystems = listSubsystems().map((name) => readSubsystem(name))
    writer.family('node_nvmesubsystem_info', 'The NVMe subsystem, as labels.', 'gauge')
    for (const { info } of subsystems) writer.sample(1, info)
    writer.family('node_nvmesubsystem_namespace_info', 'Block devices of the NVMe subsystem.', 'gauge')
    for (const { name, namespaces } of subsystems) {
      for (const device of namespaces) writer.sample(1, ['device', device, 'subsystem', name])
    }
    writer.family('node_nvmesubsystem_path_state', 'State of the path: 1 for the one it is in.', 'gauge')
    for (const { name, controllers } of subsystems) {
      for (const controller of controllers) {
        for (const state of states) {
          const labels = ['controller', controller.name, 'state', state, 'subsystem', name, 'transport', controller.transport]
          writer.sample(controller.state === state ? 1 : 0, labels)
        }
      }
    }
    writer.family('node_nvmesubsystem_paths', 'Paths to the NVMe subsystem.', 'gauge')
    for (const { name, controllers } of subsystems) writer.sample(controllers.length, ['subsystem', name])
    writer.family('node_nvmesubsystem_paths_live', 'Paths to the NVMe subsystem that are live.', 'gauge')
    for (const { name, controllers } of subsystems) {
      writer.sample(controllers.filter(({ state }) => state === 'live').length, ['subsystem', name])
    }
  }

  function listSubsystems(): string[] {
    try {
      return readdirSync(root)
        .filter((name) => name.startsWith('nvme-subsys'))
        .sort()
    } catch (error) {
      const code = systemErrorCode(error)
      if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EPERM') throw error
      throw new NoDataError('no NVMe subsystems on this system', { cause: error })
    }
  }

  function readSubsystem(name: string): Subsystem {
    const directory = `${root}/${name}`
    const read = (file: string): string => environment.files.read(`${directory}/${file}`).toString('utf8').trim()
    const info = [
      'iopolicy',
      read('iopolicy'),
      'model',
      read('model'),
      'nqn',
      read('subsysnqn'),
      'serial',
      read('serial'),
      'subsystem',
      name,
    ]
    const entries = readdirSync(directory).sort()
    const controllers = entries
      .filter((entry) => /^nvme[0-9]+$/.test(entry))
      .map((entry) => ({ name: entry, transport: read(`${entry}/transport`), state: normaliseState(read(`${entry}/state`)) }))
    return { name, info, controllers, namespaces: entries.filter((entry) => /^nvme[0-9]+n[0-9]+$/.test(entry)) }
  }

  return { name: 'nvmesubsystem', defaultOn: false, collect }
}

function normaliseState(text: string): string {
  const state = text === 'deleting (no IO)' ? 'deleting' : text
  return states.includes(state) ? state : 'unknown'
}
