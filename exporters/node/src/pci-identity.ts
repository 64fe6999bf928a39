/** What a PCI device is: numbers in lower-case hexadecimal without prefix. */
export interface PciIdentity {
  /** Six digits: base class, subclass, programming interface. */
  readonly classId: string
  readonly vendor: string
  readonly device: string
  readonly subsystemVendor: string
  readonly subsystemDevice: string
  /** Labels of node_pcidevice_info, flat. */
  readonly labels: readonly string[]
}

/** Reads the files of a directory in /sys/bus/pci/devices. Throws what `read` throws, or that a file holds no number. */
export function parsePciIdentity(read: (file: string) => string): PciIdentity {
  const hex = (file: string, digits: number): string => {
    const text = read(file)
    const value = /^(?:0x[0-9a-fA-F]+|[0-9]+)$/.test(text) ? Number(text) : NaN
    if (!(value <= 0x7fffffff)) throw new Error(`cannot read PCI device: want a number in ${file}, got ${JSON.stringify(text)}`)
    return value.toString(16).padStart(digits, '0')
  }
  const classId = hex('class', 6)
  const vendor = hex('vendor', 4)
  const device = hex('device', 4)
  const subsystemVendor = hex('subsystem_vendor', 4)
  const subsystemDevice = hex('subsystem_device', 4)
  const revision = hex('revision', 2)
  const ids = { class_id: classId, vendor_id: vendor, device_id: device, subsystem_vendor_id: subsystemVendor }
  const labels = Object.entries({ ...ids, subsystem_device_id: subsystemDevice, revision }).flatMap(([name, id]) => [name, `0x${id}`])
  return { classId, vendor, device, subsystemVendor, subsystemDevice, labels }
}

/** Labels of a place like `0000:00:02.1`, flat. */
export function parsePciLocation(text: string): string[] {
  const match = /^([0-9a-fA-F]+):([0-9a-fA-F]+):([0-9a-fA-F]+)\.([0-9a-fA-F]+)$/.exec(text)
  if (match === null) throw new Error(`cannot read PCI location: want SEGMENT:BUS:DEVICE.FUNCTION, got ${JSON.stringify(text)}`)
  const [segment, bus, device, fn] = match.slice(1).map((part) => Number.parseInt(part, 16).toString(16))
  return ['segment', segment!.padStart(4, '0'), 'bus', bus!.padStart(2, '0'), 'device', device!.padStart(2, '0'), 'function', fn!]
}
