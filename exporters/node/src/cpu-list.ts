/** CPUs in one list, the most that the kernel can be built for. */
const cpusMax = 8192

/** The numbers of a kernel CPU list such as `0-3,8,10-11`; throws on any other text. */
export function parseCpuList(text: string): number[] {
  const numbers: number[] = []
  for (const part of text.split(',')) {
    const match = /^([0-9]+)(?:-([0-9]+))?$/.exec(part.trim())
    if (match === null) throw new Error(`cannot read CPU list: want numbers and ranges, got ${JSON.stringify(text)}`)
    const first = Number(match[1])
    const last = Number(match[2] ?? match[1])
    if (last >= cpusMax) throw new Error(`cannot read CPU list: want CPUs below ${cpusMax}, got ${last}`)
    for (let number = first; number <= last; number++) numbers.push(number)
  }
  return numbers
}
