/** One measured program. */
export interface BenchRow {
  readonly name: string
  readonly version: string
  /** What a power cut may lose. */
  readonly durability: string
  readonly samples: number
  readonly cpuSecondsPerMillion: number
  readonly peakBytes: number
  /** Undefined where the program writes no data of note. */
  readonly diskBytes: number | undefined
  readonly wallSeconds: number
}

/** A Markdown table with the ratio of the first row (ours) to each peer. */
export function formatTable(rows: readonly BenchRow[]): string {
  const ours = rows[0]
  const ratio = (mine: number | undefined, theirs: number | undefined) =>
    mine === undefined || theirs === undefined || theirs === 0 ? '–' : `${(mine / theirs).toFixed(2)} ×`
  const lines = [
    '| program | CPU-s per million samples | peak RSS | disk | wall | ours/peer CPU | ours/peer RSS | ours/peer disk | a power cut may lose |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
  ]
  for (const row of rows) {
    const peer = row === ours
    const disk =
      row.diskBytes === undefined ? '–' : `${(row.diskBytes / 1e6).toFixed(1)} MB (${(row.diskBytes / row.samples).toFixed(1)} B/sample)`
    const ratios = peer
      ? ['', '', '']
      : [
          ratio(ours?.cpuSecondsPerMillion, row.cpuSecondsPerMillion),
          ratio(ours?.peakBytes, row.peakBytes),
          ratio(ours?.diskBytes, row.diskBytes),
        ]
    const figures = [row.cpuSecondsPerMillion.toFixed(2), `${(row.peakBytes / 1e6).toFixed(0)} MB`, disk, `${row.wallSeconds.toFixed(1)} s`]
    lines.push(`| ${row.name} ${row.version} | ${figures.join(' | ')} | ${ratios.join(' | ')} | ${row.durability} |`)
  }
  return lines.join('\n')
}

/** A bound of "It must reach", printed under the table. */
export function formatBound(what: string, value: number, most: number, unit: string): string {
  return `${value <= most ? 'reached' : 'MISSED '}  ${what}: ${value.toFixed(2)} ${unit} (want ≤ ${most} ${unit})`
}
