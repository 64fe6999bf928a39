export type MdActivity = 'active' | 'inactive' | 'recovering' | 'resyncing' | 'checking' | 'reshaping'

/** One array of /proc/mdstat. Sizes are in blocks of 1 KiB. */
export interface MdArray {
  readonly name: string
  readonly activity: MdActivity
  readonly disksRequired: number
  readonly disksActive: number
  readonly disksDown: number
  readonly disksFailed: number
  readonly disksSpare: number
  readonly blocks: number
  readonly blocksSynced: number
}

/**
 * Reads /proc/mdstat. An array takes a line with its devices, a line with size and disk states, and at most one each for a bitmap and
 * for a sync under way; only the first begins at the left edge. Throws on arrays that it cannot make out.
 */
export function parseMdstat(text: string): MdArray[] {
  const lines = text.split('\n')
  const arrays: MdArray[] = []
  for (let index = 0; index < lines.length; index++) {
    const line = lines[index]!
    if (line.trim() === '' || line.startsWith(' ') || line.startsWith('Personalities') || line.startsWith('unused')) continue
    const details: string[] = []
    while (index + 1 < lines.length && lines[index + 1]!.startsWith(' ')) details.push(lines[++index]!)
    arrays.push(parseArray(line, details))
  }
  return arrays
}

function parseArray(line: string, details: readonly string[]): MdArray {
  const [name = '', , state = ''] = line.trim().split(/\s+/)
  const status = parseStatus(name, line, details[0] ?? '')
  const syncLine = details.find((detail) => /recovery|resync|check|reshape/.test(detail))
  return {
    name,
    ...status,
    disksFailed: countOf(line, '(F)'),
    disksSpare: countOf(line, '(S)'),
    activity: syncLine === undefined ? readState(name, state) : readSync(syncLine),
    blocksSynced: syncLine === undefined ? status.blocks : readSyncedBlocks(name, syncLine),
  }
}

function parseStatus(name: string, line: string, status: string) {
  const blocks = Number(/^\s*(\d+) blocks/.exec(status)?.[1] ?? NaN)
  if (Number.isNaN(blocks)) throw new Error(`cannot read array ${name} in mdstat: want its blocks, got ${JSON.stringify(status)}`)
  if (/\b(raid0|linear)\b/.test(line)) {
    // No redundancy, so no disk states: every disk named counts as active.
    const disks = countOf(line, '[')
    return { blocks, disksRequired: disks, disksActive: disks, disksDown: 0 }
  }
  if (line.includes('inactive')) return { blocks, disksRequired: 0, disksActive: 0, disksDown: 0 }
  const match = /\[(\d+)\/(\d+)\] \[([U_]+)\]/.exec(status)
  if (match === null) throw new Error(`cannot read array ${name} in mdstat: want its disk states, got ${JSON.stringify(status)}`)
  return { blocks, disksRequired: Number(match[1]), disksActive: Number(match[2]), disksDown: countOf(match[3]!, '_') }
}

function readState(name: string, state: string): MdActivity {
  if (state === 'active' || state === 'inactive') return state
  // `active(read-only)` and the like have no state of their own.
  if (state.startsWith('active')) return 'active'
  throw new Error(`cannot read array ${name} in mdstat: want active or inactive, got ${JSON.stringify(state)}`)
}

function readSync(line: string): MdActivity {
  if (line.includes('recovery')) return 'recovering'
  if (line.includes('check')) return 'checking'
  return line.includes('reshape') ? 'reshaping' : 'resyncing'
}

function readSyncedBlocks(name: string, line: string): number {
  if (/PENDING|DELAYED|REMOTE/.test(line)) return 0
  const match = /\((\d+)\/\d+\)/.exec(line)
  if (match === null) throw new Error(`cannot read array ${name} in mdstat: want the blocks synced, got ${JSON.stringify(line)}`)
  return Number(match[1])
}

function countOf(text: string, part: string): number {
  return text.split(part).length - 1
}
