/** What the planner looks at of a block. */
export interface PlannedBlock {
  readonly ulid: string
  readonly minTimeMs: number
  /** Exclusive. */
  readonly maxTimeMs: number
  readonly series: number
  readonly tombstones: number
  /** A compaction with this block failed; it is not tried again. */
  readonly hasFailed: boolean
  /** Blocks of different kinds (hints of meta.json that have to survive) are not merged; '' for most. */
  readonly kind: string
}

const rangeFactor = 3
const rangesMax = 10
/** Of a block's series; with more it is written anew. */
const tombstoneShareMax = 0.05

/** The ranges of blocks, each three times the one before, none above `maxRangeMs`. */
export function blockRanges(minRangeMs: number, maxRangeMs: number): number[] {
  const ranges = [minRangeMs]
  while (ranges.length < rangesMax && ranges.at(-1)! * rangeFactor <= maxRangeMs) ranges.push(ranges.at(-1)! * rangeFactor)
  return ranges
}

/**
 * Which blocks to merge next, none if there is nothing to do, as Prometheus plans: overlapping ones first; then those that fill a longer range,
 * or of which no other will come; then single ones with many tombstones. The newest block is left alone: whoever copies blocks has its whole
 * range for it.
 */
export function planCompaction(blocks: readonly PlannedBlock[], ranges: readonly number[]): readonly PlannedBlock[] {
  const kinds = new Set(blocks.map(({ kind }) => kind))
  for (const kind of kinds) {
    const plan = planKind(
      blocks.filter((block) => block.kind === kind).sort((a, b) => a.minTimeMs - b.minTimeMs),
      ranges,
    )
    if (plan.length > 0) return plan
  }
  return []
}

function planKind(blocks: readonly PlannedBlock[], ranges: readonly number[]): readonly PlannedBlock[] {
  const overlapping = findOverlapping(blocks)
  if (overlapping.length > 0) return overlapping
  const older = blocks.slice(0, -1)
  const filling = findFilling(older, ranges)
  if (filling.length > 0) return filling
  const withTombstones = findTombstones(older, ranges)
  return withTombstones === undefined ? [] : [withTombstones]
}

/** The first run of blocks of which each begins before an earlier one ends. */
function findOverlapping(blocks: readonly PlannedBlock[]): PlannedBlock[] {
  const run: PlannedBlock[] = []
  let endMs = -Infinity
  for (const [i, block] of blocks.entries()) {
    if (block.minTimeMs < endMs) {
      if (run.length === 0) run.push(blocks[i - 1]!)
      run.push(block)
    } else if (run.length > 0) break
    endMs = Math.max(endMs, block.maxTimeMs)
  }
  return run.some(({ hasFailed }) => hasFailed) ? [] : run
}

function findFilling(blocks: readonly PlannedBlock[], ranges: readonly number[]): readonly PlannedBlock[] {
  const newest = blocks.at(-1)
  if (newest === undefined) return []
  for (const rangeMs of ranges.slice(1)) {
    for (const group of groupByRange(blocks, rangeMs)) {
      if (group.length < 2 || group.some(({ hasFailed }) => hasFailed)) continue
      const endMs = group.at(-1)!.maxTimeMs
      if (endMs - group[0]!.minTimeMs === rangeMs || endMs <= newest.minTimeMs) return group
    }
  }
  return []
}

/** Blocks that lie in the same multiple of the range; those that do not fit into one are left out. */
function groupByRange(blocks: readonly PlannedBlock[], rangeMs: number): PlannedBlock[][] {
  const groups: PlannedBlock[][] = []
  let endMs = -Infinity
  for (const block of blocks) {
    const rangeEndMs = (Math.floor(block.minTimeMs / rangeMs) + 1) * rangeMs
    if (block.maxTimeMs > rangeEndMs) continue
    if (rangeEndMs === endMs) groups.at(-1)!.push(block)
    else groups.push([block])
    endMs = rangeEndMs
  }
  return groups
}

/** Of the larger blocks, the newest with many tombstones; of the smaller ones, only the newest, and if it is deleted as a whole. */
function findTombstones(blocks: readonly PlannedBlock[], ranges: readonly number[]): PlannedBlock | undefined {
  const largeMs = ranges[Math.floor(ranges.length / 2)]!
  for (const block of blocks.toReversed()) {
    if (block.hasFailed) continue
    if (block.maxTimeMs - block.minTimeMs < largeMs) return block.tombstones > 0 && block.tombstones >= block.series ? block : undefined
    if (block.tombstones / (block.series + 1) > tombstoneShareMax) return block
  }
  return undefined
}
