import type { BlockMeta } from '../block/block-meta.ts'

const heads = ['BLOCK ULID', 'MIN TIME', 'MAX TIME', 'DURATION', 'NUM SAMPLES', 'NUM CHUNKS', 'NUM SERIES', 'SIZE']
// Cells are at least this wide, with two blanks behind the longest text; the last one is not filled up.
const cellWidthMin = 13
const padding = 2

export interface BlockRow {
  readonly meta: BlockMeta
  readonly bytes: number
}

/** promtool's table of blocks: times as milliseconds and sizes as bytes, or both for people. */
export function formatBlockTable(rows: readonly BlockRow[], options: { hasHead: boolean; isHumanReadable: boolean }): string {
  const { hasHead, isHumanReadable } = options
  const lines = rows.map(({ meta, bytes }) => [
    meta.ulid,
    isHumanReadable ? formatTime(meta.minTime) : String(meta.minTime),
    isHumanReadable ? formatTime(meta.maxTime) : String(meta.maxTime),
    formatGoDuration(meta.maxTime - meta.minTime),
    String(meta.stats?.numSamples ?? 0),
    String(meta.stats?.numChunks ?? 0),
    String(meta.stats?.numSeries ?? 0),
    isHumanReadable ? formatBytes(bytes) : String(bytes),
  ])
  if (hasHead) lines.unshift(heads)
  const widths = heads.map((_, column) => Math.max(cellWidthMin, ...lines.map((cells) => cells[column]!.length + padding)))
  return lines.map((cells) => `${cells.map((cell, i) => (i === heads.length - 1 ? cell : cell.padEnd(widths[i]!))).join('')}\n`).join('')
}

/** `2023-11-14 22:13:20 +0000 UTC`: whole seconds, as Go prints a time. */
function formatTime(timeMs: number): string {
  const time = new Date(Math.trunc(timeMs / 1000) * 1000)
  if (Number.isNaN(time.getTime())) return String(timeMs)
  return `${time.toISOString().slice(0, 19).replace('T', ' ')} +0000 UTC`
}

/** A duration of whole milliseconds as Go prints it: `2h0m0s`, `15.501s`, `1ms`. */
export function formatGoDuration(durationMs: number): string {
  if (durationMs < 0) return `-${formatGoDuration(-durationMs)}`
  if (durationMs === 0) return '0s'
  if (durationMs < 1000) return `${durationMs}ms`
  const hours = Math.floor(durationMs / 3_600_000)
  const minutes = Math.floor(durationMs / 60_000) % 60
  // Divided last, so that no digit comes of the division.
  const seconds = `${(durationMs % 60_000) / 1000}s`
  if (hours > 0) return `${hours}h${minutes}m${seconds}`
  return minutes > 0 ? `${minutes}m${seconds}` : seconds
}

/** `3KiB684B`: every unit that is not 0. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']
  let text = ''
  let rest = bytes
  for (let i = units.length - 1; i >= 0; i--) {
    const count = Math.floor(rest / 1024 ** i)
    rest -= count * 1024 ** i
    if (count > 0) text += `${count}${units[i]!}`
  }
  return text === '' ? '0B' : text
}
