import type { Logger } from '@narthex/service/logger'
import { pciIdsPaths, readPciNames } from './pci-ids.ts'
import type { PciIdentity } from './pci-identity.ts'

/** Names of PCI devices from a list that is read when a device is first seen; an id without a name stands for itself. */
export class PciNames {
  readonly #paths: readonly string[]
  readonly #log: Logger

  /** `path` is `--collector.pcidevice.idsfile`, '' for the usual places. */
  constructor(path: string, log: Logger) {
    this.#paths = path === '' ? pciIdsPaths : [path]
    this.#log = log
  }

  /** The five labels with names, flat. */
  find(identity: PciIdentity): string[] {
    const { classId, vendor, device, subsystemVendor, subsystemDevice } = identity
    const keys = {
      vendor: `v:${vendor}`,
      device: `d:${vendor}:${device}`,
      subsystemVendor: `v:${subsystemVendor}`,
      subsystemDevice: `s:${vendor}:${device}:${subsystemVendor}:${subsystemDevice}`,
    }
    // The most exact class that has a name.
    const classKeys = [`c:${classId}`, `c:${classId.slice(0, 4)}`, `c:${classId.slice(0, 2)}`]
    const names = this.#read(new Set([...Object.values(keys), ...classKeys]))
    const className = classKeys.map((key) => names.get(key)).find((name) => name !== undefined)
    return [
      ...['class_name', className ?? `Unknown class (${classId})`],
      ...['device_name', names.get(keys.device) ?? device],
      ...['subsystem_device_name', names.get(keys.subsystemDevice) ?? subsystemDevice],
      ...['subsystem_vendor_name', names.get(keys.subsystemVendor) ?? subsystemVendor],
      ...['vendor_name', names.get(keys.vendor) ?? vendor],
    ]
  }

  #read(wanted: ReadonlySet<string>): ReadonlyMap<string, string> {
    for (const path of this.#paths) {
      try {
        return readPciNames(path, wanted)
      } catch (error) {
        this.#log.debug('cannot read PCI names', { path, err: error })
      }
    }
    return new Map()
  }
}
