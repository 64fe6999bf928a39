import { useEffect, useState } from 'preact/hooks'
import { getJson, queryInstant, queryRange, type MatrixSeries } from '../api-client.ts'
import { formatValue } from '../format.ts'
import { Graph, labelSeries, parseValue, type GraphSeries } from '../graph.tsx'
import { machinePanels, machineTiles, type Panel, type Tile } from '../panels.ts'
import { navigate, pageUrl, type Route } from '../route.ts'
import { usePolled } from '../use-polled.ts'

const ranges: readonly (readonly [label: string, seconds: number])[] = [
  ['5 min', 300],
  ['15 min', 900],
  ['1 h', 3_600],
  ['6 h', 21_600],
  ['24 h', 86_400],
]
const refreshMs = 5_000
const pointsPerGraph = 240
const stepMin = 5

/** Live graphs of one machine that runs the node exporter. */
export function OverviewPage({ route }: { route: Route }) {
  const [instances, setInstances] = useState<readonly string[]>([])
  const rangeSeconds = Number(route.parameters.get('range') ?? 300) || 300
  const chosen = route.parameters.get('instance') ?? instances[0] ?? ''

  const found = usePolled(
    async (signal) => (await getJson<string[]>('api/v1/label/instance/values', { 'match[]': 'node_time_seconds' }, signal)).data,
    instances.length > 0 ? 30_000 : 2_000,
    'instances',
  )
  useEffect(() => {
    if (found.value) setInstances(found.value)
  }, [found.value])

  const change = (name: string, value: string) => {
    const parameters = new URLSearchParams(route.parameters)
    parameters.set(name, value)
    navigate(pageUrl('', parameters), true)
  }

  return (
    <>
      <div class="toolbar">
        <h1>Overview</h1>
        <label>
          Machine{' '}
          <select value={chosen} onChange={(event) => change('instance', event.currentTarget.value)}>
            {instances.map((instance) => (
              <option key={instance}>{instance}</option>
            ))}
          </select>
        </label>
        <span class="buttons">
          {ranges.map(([label, seconds]) => (
            <button key={label} class={seconds === rangeSeconds ? 'current' : ''} onClick={() => change('range', String(seconds))}>
              {label}
            </button>
          ))}
        </span>
      </div>
      {found.error && <p class="error">{found.error}</p>}
      {chosen === '' ? (
        <p class="note">Waiting for the first scrape of a node exporter …</p>
      ) : (
        <>
          <div class="tiles">
            {machineTiles.map((tile) => (
              <TileView key={tile.title} tile={tile} instance={chosen} />
            ))}
          </div>
          <div class="grid">
            {machinePanels.map((panel) => (
              <PanelView key={panel.title} panel={panel} instance={chosen} rangeSeconds={rangeSeconds} />
            ))}
          </div>
        </>
      )}
    </>
  )
}

function fillQuery(query: string, instance: string, stepSeconds: number): string {
  // A window of several scrapes at least, so that a rate has something to stand on.
  const window = `${Math.max(30, Math.ceil(stepSeconds * 2))}s`
  return query.replaceAll('"$instance"', JSON.stringify(instance)).replaceAll('$window', window)
}

function TileView({ tile, instance }: { tile: Tile; instance: string }) {
  const query = fillQuery(tile.query, instance, stepMin)
  const { value, error } = usePolled(
    async (signal) => {
      const { data } = await queryInstant(query, undefined, signal)
      const sample = data.resultType === 'vector' ? data.result[0]?.value : undefined
      return sample === undefined ? undefined : parseValue(sample[1])
    },
    refreshMs,
    query,
  )
  const warns = value !== undefined && tile.warnFrom !== undefined && value >= tile.warnFrom
  return (
    <div class={`tile${warns ? ' warn' : ''}`} title={error ?? query}>
      <span class="figure">{formatValue(value, tile.unit)}</span>
      <span class="caption">{tile.title}</span>
    </div>
  )
}

function PanelView({ panel, instance, rangeSeconds }: { panel: Panel; instance: string; rangeSeconds: number }) {
  const step = Math.max(stepMin, Math.ceil(rangeSeconds / pointsPerGraph))
  const { value, error } = usePolled(
    async (signal) => {
      const end = Math.floor(Date.now() / 1000 / step) * step
      const start = end - Math.floor(rangeSeconds / step) * step
      const answers = await Promise.all(
        panel.queries.map(async ({ query, label }) => {
          const { data } = await queryRange(fillQuery(query, instance, step), start, end, step, signal)
          return labelSeries(data.result as readonly MatrixSeries[], label)
        }),
      )
      const series: GraphSeries[] = answers.flat()
      return { series, start, end }
    },
    refreshMs,
    `${panel.title} ${instance} ${rangeSeconds}`,
  )
  const open = () => {
    const parameters = new URLSearchParams()
    panel.queries.forEach(({ query }, index) => {
      parameters.set(`g${index}.expr`, fillQuery(query, instance, step))
      parameters.set(`g${index}.tab`, '0')
    })
    navigate(pageUrl('query', parameters))
  }
  return (
    <section class="panel" data-panel={panel.title}>
      <h2>
        {panel.title}
        <button class="plain" title="Open in the query page" onClick={open}>
          ↗
        </button>
      </h2>
      {error && <p class="error">{error}</p>}
      {value && (
        <Graph
          series={value.series}
          start={value.start}
          end={value.end}
          step={step}
          unit={panel.unit}
          {...(panel.stacked ? { stacked: true } : {})}
          {...(panel.min === undefined ? {} : { min: panel.min })}
          {...(panel.max === undefined ? {} : { max: panel.max })}
        />
      )}
    </section>
  )
}
