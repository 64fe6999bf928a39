/** How the values of a panel are written. */
export type Unit = 'number' | 'bytes' | 'bytesPerSecond' | 'percent' | 'seconds'

export function formatValue(value: number | null | undefined, unit: Unit = 'number'): string {
  if (value === null || value === undefined) return '–'
  if (!Number.isFinite(value)) return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
  switch (unit) {
    case 'bytes':
      return formatScaled(value, 1024, ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'])
    case 'bytesPerSecond':
      return `${formatScaled(value, 1000, ['B', 'kB', 'MB', 'GB', 'TB'])}/s`
    case 'percent':
      return `${(value * 100).toFixed(Math.abs(value) < 0.0995 ? 1 : 0)} %`
    case 'seconds':
      return formatSeconds(value)
    case 'number':
      return Math.abs(value) >= 10_000 ? formatScaled(value, 1000, ['', 'k', 'M', 'G', 'T', 'P']) : String(Number(value.toPrecision(4)))
  }
}

function formatScaled(value: number, base: number, units: readonly string[]): string {
  let scaled = value
  let index = 0
  while (Math.abs(scaled) >= base && index < units.length - 1) {
    scaled /= base
    index++
  }
  return `${Number(scaled.toPrecision(3))} ${units[index]}`.trim()
}

export function formatSeconds(seconds: number): string {
  if (Math.abs(seconds) < 0.001) return `${(seconds * 1e6).toFixed(0)} µs`
  if (Math.abs(seconds) < 1) return `${(seconds * 1000).toFixed(1)} ms`
  if (Math.abs(seconds) < 60) return `${seconds.toFixed(1)} s`
  const parts: string[] = []
  let rest = Math.floor(seconds)
  for (const [size, name] of [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ] as const) {
    if (rest >= size) parts.push(`${Math.floor(rest / size)} ${name}`)
    rest %= size
  }
  return parts.slice(0, 2).join(' ')
}

export function formatAgo(isoTime: string | undefined, nowMs = Date.now()): string {
  const time = Date.parse(isoTime ?? '')
  // Go's zero time stands for "never".
  if (Number.isNaN(time) || time < 0) return 'never'
  return `${formatSeconds(Math.max(0, (nowMs - time) / 1000))} ago`
}
