import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import type { NodeEnvironment } from './environment.ts'

// Names of Documentation/networking/xfrm_proc.rst without the prefix Xfrm. Newer kernels have more, which the original does not know.
const names =
  'AcquireError FwdHdrError InBufferError InError InHdrError InNoPols InNoStates InPolBlock InPolError InStateExpired InStateInvalid ' +
  'InStateMismatch InStateModeError InStateProtoError InStateSeqError InTmplMismatch OutBundleCheckError OutBundleGenError OutError ' +
  'OutNoStates OutPolBlock OutPolDead OutPolError OutStateExpired OutStateInvalid OutStateModeError OutStateProtoError OutStateSeqError'

const metrics: readonly (readonly [key: string, metric: string])[] = names
  .split(' ')
  .map((name) => [`Xfrm${name}`, `node_xfrm_${name.replaceAll(/(?<!^)[A-Z]/g, '_$&').toLowerCase()}_packets_total`])

export function createXfrmCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const path = environment.procPath('net/xfrm_stat')

  function collect({ writer }: CollectContext): void {
    const values = readValues()
    for (const [key, metric] of metrics) {
      writer.family(metric, `Packets counted as ${key}.`, 'counter')
      // A kernel without the row counts as one that never had such a packet.
      writer.sample(values.get(key) ?? 0)
    }
  }

  function readValues(): ReadonlyMap<string, number> {
    const values = new Map<string, number>()
    scanner.load(readFile())
    while (scanner.nextLine()) {
      if (!scanner.nextField()) continue
      const key = scanner.text()
      const value = scanner.nextUnsigned()
      if (Number.isNaN(value)) throw new Error(`cannot read ${path}: want a number for ${key}, got ${JSON.stringify(scanner.text())}`)
      values.set(key, value)
    }
    return values
  }

  function readFile(): Buffer {
    try {
      return files.read(path)
    } catch (error) {
      if (systemErrorCode(error) !== 'ENOENT') throw error
      throw new NoDataError('the kernel has no IPsec statistics', { cause: error })
    }
  }

  return { name: 'xfrm', defaultOn: false, collect }
}
