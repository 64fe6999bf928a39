import { useEffect, useRef } from 'preact/hooks'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { formatMetric, type MatrixSeries } from './api-client.ts'
import { formatValue, type Unit } from './format.ts'

const colours = ['#2f7ed8', '#d9662b', '#3a9d5d', '#b0428f', '#c9a227', '#1f9aa8', '#8562c7', '#d14b5a', '#6b8e23', '#7a6c5d']
// Per distance of ticks in seconds: the label, and what stands below it where the day or the minute changes.
const timeLabels: (string | number | null)[][] = [
  [86_400 * 28, '{YYYY}-{MM}', null, null, null, null, null, null, 1],
  [86_400, '{MM}-{DD}', '\n{YYYY}', null, null, null, null, null, 1],
  [60, '{HH}:{mm}', '\n{YYYY}-{MM}-{DD}', null, '\n{MM}-{DD}', null, null, null, 1],
  [1, ':{ss}', '\n{YYYY}-{MM}-{DD} {HH}:{mm}', null, '\n{MM}-{DD} {HH}:{mm}', null, '\n{HH}:{mm}', null, 1],
]
// Bytes are read in powers of two, so their grid lines lie there.
const binarySteps = Array.from({ length: 60 }, (_, power) => 2 ** power)
/** More lines than this are not drawn: the browser, not the server, would be the limit. */
const seriesMax = 100

export interface GraphSeries {
  readonly label: string
  readonly series: { readonly values: NonNullable<MatrixSeries['values']> }
}

export interface GraphProps {
  readonly series: readonly GraphSeries[]
  readonly start: number
  readonly end: number
  readonly step: number
  readonly unit?: Unit
  readonly height?: number
  readonly stacked?: boolean
  readonly min?: number
  readonly max?: number
  readonly onSelect?: (start: number, end: number) => void
}

/** Lines over time. Missing points are gaps; drag to select a time range. */
export function Graph(props: GraphProps) {
  const element = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot | undefined>(undefined)
  const shape = useRef('')
  const { series, height = 220 } = props
  const shown = series.slice(0, seriesMax)

  useEffect(() => {
    const target = element.current
    if (!target) return
    const data = toColumns(shown, props)
    const nextShape = JSON.stringify([shown.map(({ label }) => label), props.unit, props.stacked, props.min, props.max, height])
    // The same lines again: new data moves into the old plot, so that cursor and legend stay where they are.
    if (plot.current && shape.current === nextShape) {
      plot.current.setData(data, false)
      plot.current.setScale('x', { min: props.start, max: props.end })
      return
    }
    plot.current?.destroy()
    shape.current = nextShape
    plot.current = new uPlot(plotOptions(shown, props, target.clientWidth, height), data, target)
  }, [series, props.start, props.end, props.step, props.unit, props.stacked, height])

  useEffect(() => {
    const target = element.current
    if (!target) return
    const observer = new ResizeObserver(() => plot.current?.setSize({ width: target.clientWidth, height }))
    observer.observe(target)
    return () => {
      observer.disconnect()
      plot.current?.destroy()
      plot.current = undefined
    }
  }, [height])

  return (
    <div>
      <div class="graph" ref={element} />
      {series.length > seriesMax && <p class="note">{`${seriesMax} of ${series.length} series are drawn.`}</p>}
    </div>
  )
}

/** Series on the grid start, start + step, …: uPlot wants one common x column, null where a series has no point. */
function toColumns(series: readonly GraphSeries[], { start, end, step, stacked }: GraphProps): uPlot.AlignedData {
  const count = Math.max(1, Math.floor((end - start) / step + 1e-6) + 1)
  const times = Array.from({ length: count }, (_, index) => start + index * step)
  const columns = series.map(({ series: { values } }) => {
    const column = new Array<number | null>(count).fill(null)
    for (const [time, text] of values) {
      const index = Math.round((time - start) / step)
      const value = parseValue(text)
      if (index >= 0 && index < count && Number.isFinite(value)) column[index] = value
    }
    return column
  })
  if (stacked) {
    for (let i = 1; i < columns.length; i++) {
      for (let t = 0; t < count; t++) {
        const below = columns[i - 1]![t]
        if (below !== null && below !== undefined) columns[i]![t] = below + (columns[i]![t] ?? 0)
      }
    }
    // The highest layer is drawn first, so that the lower ones are not covered.
    columns.reverse()
  }
  return [times, ...columns]
}

export function parseValue(text: string): number {
  if (text === '+Inf') return Infinity
  if (text === '-Inf') return -Infinity
  return text === 'NaN' ? NaN : Number(text)
}

function plotOptions(series: readonly GraphSeries[], props: GraphProps, width: number, height: number): uPlot.Options {
  const { unit = 'number', stacked, onSelect } = props
  const style = getComputedStyle(document.documentElement)
  const stroke = style.getPropertyValue('--muted').trim() || '#888'
  const grid = { stroke: style.getPropertyValue('--line').trim() || '#ddd', width: 1 }
  const ordered = stacked ? [...series].reverse() : series
  return {
    width,
    height,
    cursor: { drag: { x: true, y: false, setScale: false }, focus: { prox: 24 } },
    focus: { alpha: 0.35 },
    legend: { live: true },
    scales: {
      x: { time: true, min: props.start, max: props.end },
      y: { range: (_plot, low, high) => yRange(low, high, props) },
    },
    axes: [
      { stroke, grid, ticks: grid, values: timeLabels },
      {
        stroke,
        grid,
        ticks: grid,
        size: 72,
        ...(unit === 'bytes' ? { incrs: binarySteps } : {}),
        values: (_plot, ticks) => ticks.map((tick) => formatValue(tick, unit)),
      },
    ],
    series: [
      {},
      ...ordered.map(({ label }, index) => {
        const colour = colours[(stacked ? series.length - 1 - index : index) % colours.length]!
        return {
          label,
          stroke: colour,
          width: 1.5,
          fill: stacked ? `${colour}44` : series.length === 1 ? `${colour}22` : undefined,
          points: { show: false },
          value: (_plot: uPlot, value: number | null) => formatValue(value, unit),
        }
      }),
    ],
    hooks: {
      setSelect: [
        (plot) => {
          if (plot.select.width < 4) return
          const from = plot.posToVal(plot.select.left, 'x')
          const to = plot.posToVal(plot.select.left + plot.select.width, 'x')
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
          onSelect?.(from, to)
        },
      ],
    },
  }
}

function yRange(low: number, high: number, { min, max }: GraphProps): [number, number] {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [min ?? 0, max ?? 1]
  const padding = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1
  return [min ?? (low >= 0 && low < (high - low) * 2 ? 0 : low - padding), max ?? high + padding]
}

export function labelSeries(series: readonly MatrixSeries[], label?: (metric: Readonly<Record<string, string>>) => string): GraphSeries[] {
  return series.flatMap(({ metric, values }) => {
    return values === undefined ? [] : [{ label: label ? label(metric) : formatMetric(metric), series: { values } }]
  })
}
