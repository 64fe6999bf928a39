import { useEffect, useRef, useState } from 'preact/hooks'
import { analyzeRange, formatHistogram, formatMetric, queryInstant, queryRange } from '../api-client.ts'
import type { Answer, ExplainedPart, QueryData, VectorSample } from '../api-client.ts'
import { Explanation } from '../explanation.tsx'
import { Graph, labelSeries } from '../graph.tsx'
import { PromqlEditor } from '../promql-editor.tsx'
import { navigate, pageUrl, type Route } from '../route.ts'

// One panel per g<N>.…: the parameters are those of Prometheus' /graph, so its links (those in alerts, say) open here.

const tabNames = { table: 'Table', graph: 'Graph', explain: 'Explain' } as const
type Tab = keyof typeof tabNames

interface PanelState {
  readonly expression: string
  readonly tab: Tab
  readonly rangeSeconds: number
  /** Seconds since 1970; undefined = now. */
  readonly endSeconds: number | undefined
  readonly stacked: boolean
}

const emptyPanel: PanelState = { expression: '', tab: 'table', rangeSeconds: 3_600, endSeconds: undefined, stacked: false }
const panelsMax = 20
const rowsMax = 5_000
const pointsPerGraph = 300

export function QueryPage({ route }: { route: Route }) {
  const panels = readPanels(route.parameters)
  const save = (next: readonly PanelState[], replace = false) => navigate(pageUrl('query', writePanels(next)), replace)
  return (
    <>
      <h1>Query</h1>
      {panels.map((panel, index) => (
        <QueryPanel
          key={index}
          panel={panel}
          onChange={(changed) => save(panels.map((other, i) => (i === index ? changed : other)))}
          onRemove={panels.length > 1 ? () => save(panels.filter((_, i) => i !== index)) : undefined}
        />
      ))}
      {panels.length < panelsMax && <button onClick={() => save([...panels, emptyPanel])}>Add a panel</button>}
    </>
  )
}

interface Result {
  readonly answer: Answer<QueryData>
  readonly milliseconds: number
  readonly graph: { readonly start: number; readonly end: number; readonly step: number } | undefined
  readonly explanation?: ExplainedPart
}

function QueryPanel({
  panel,
  onChange,
  onRemove,
}: {
  panel: PanelState
  onChange: (next: PanelState) => void
  onRemove: (() => void) | undefined
}) {
  // What is being typed belongs to the editor: as a state it would come back a keystroke late and undo the newest.
  const draft = useRef(panel.expression)
  const [result, setResult] = useState<Result | undefined>(undefined)
  const [error, setError] = useState<string | undefined>(undefined)
  const [runs, setRuns] = useState(0)
  const [busy, setBusy] = useState(false)

  useEffect(() => {
    if (panel.expression.trim() === '') return
    const abort = new AbortController()
    setBusy(true)
    runQuery(panel, abort.signal)
      .then((next) => {
        setResult(next)
        setError(undefined)
      })
      .catch((reason: unknown) => {
        if (abort.signal.aborted) return
        setResult(undefined)
        setError(reason instanceof Error ? reason.message : String(reason))
      })
      .finally(() => {
        if (!abort.signal.aborted) setBusy(false)
      })
    return () => abort.abort()
  }, [panel.expression, panel.tab, panel.rangeSeconds, panel.endSeconds, runs])

  const run = (text: string) => {
    if (text === panel.expression) setRuns((count) => count + 1)
    else onChange({ ...panel, expression: text })
  }
  return (
    <section class="panel">
      <div class="toolbar">
        <PromqlEditor
          value={panel.expression}
          onChange={(text) => {
            draft.current = text
          }}
          onRun={run}
        />
        <button class="primary" onClick={() => run(draft.current)} disabled={busy}>
          {busy ? 'Running …' : 'Run'}
        </button>
        {onRemove && (
          <button class="plain" title="Remove this panel" onClick={onRemove}>
            ✕
          </button>
        )}
      </div>
      <div class="toolbar">
        <span class="buttons">
          {(['table', 'graph', 'explain'] as const).map((tab) => (
            <button key={tab} class={tab === panel.tab ? 'current' : ''} onClick={() => onChange({ ...panel, tab })}>
              {tabNames[tab]}
            </button>
          ))}
        </span>
        {panel.tab !== 'table' && <RangeControls panel={panel} onChange={onChange} />}
        {result && !error && <span class="note">{`${countResult(result.answer.data)} series · ${result.milliseconds.toFixed(0)} ms`}</span>}
      </div>
      {error && <p class="error">{error}</p>}
      {result?.answer.warnings.map((warning) => (
        <p class="warning" key={warning}>
          {warning}
        </p>
      ))}
      {result && <ResultView result={result} panel={panel} onChange={onChange} />}
    </section>
  )
}

function RangeControls({ panel, onChange }: { panel: PanelState; onChange: (next: PanelState) => void }) {
  const scale = (factor: number) => onChange({ ...panel, rangeSeconds: Math.max(60, Math.round(panel.rangeSeconds * factor)) })
  const shift = (share: number) => {
    const end = (panel.endSeconds ?? Date.now() / 1000) + panel.rangeSeconds * share
    onChange({ ...panel, endSeconds: end >= Date.now() / 1000 ? undefined : Math.round(end) })
  }
  return (
    <>
      <span class="buttons">
        <button title="Shorter range" onClick={() => scale(0.5)}>
          −
        </button>
        <input
          aria-label="Range"
          size={6}
          value={formatRange(panel.rangeSeconds)}
          onChange={(event) => onChange({ ...panel, rangeSeconds: parseRange(event.currentTarget.value) ?? panel.rangeSeconds })}
        />
        <button title="Longer range" onClick={() => scale(2)}>
          +
        </button>
      </span>
      <span class="buttons">
        <button title="Earlier" onClick={() => shift(-0.5)}>
          ◀
        </button>
        <button class={panel.endSeconds === undefined ? 'current' : ''} onClick={() => onChange({ ...panel, endSeconds: undefined })}>
          now
        </button>
        <button title="Later" onClick={() => shift(0.5)} disabled={panel.endSeconds === undefined}>
          ▶
        </button>
      </span>
      {panel.tab === 'graph' && (
        <label>
          <input
            type="checkbox"
            checked={panel.stacked}
            onChange={(event) => onChange({ ...panel, stacked: event.currentTarget.checked })}
          />{' '}
          stacked
        </label>
      )}
    </>
  )
}

function ResultView({ result, panel, onChange }: { result: Result; panel: PanelState; onChange: (next: PanelState) => void }) {
  const { data } = result.answer
  if (result.explanation !== undefined) return <Explanation top={result.explanation} />
  if (result.graph && data.resultType === 'matrix') {
    if (data.result.length === 0) return <p class="note">No data in this range.</p>
    const withHistograms = data.result.filter(({ histograms }) => histograms !== undefined).length
    const lines = labelSeries(data.result)
    const select = (from: number, to: number) =>
      onChange({ ...panel, rangeSeconds: Math.max(60, Math.round(to - from)), endSeconds: Math.round(to) })
    return (
      <>
        {lines.length > 0 && (
          <Graph series={lines} {...result.graph} height={360} onSelect={select} {...(panel.stacked ? { stacked: true } : {})} />
        )}
        {withHistograms > 0 && <p class="note">{describeHistogramSeries(withHistograms)}</p>}
      </>
    )
  }
  if (data.resultType === 'scalar' || data.resultType === 'string') {
    return <Table rows={[[data.resultType, data.result[1]]]} total={1} />
  }
  if (data.result.length === 0) return <p class="note">Empty query result.</p>
  if (data.resultType === 'vector') {
    return (
      <Table
        rows={data.result.slice(0, rowsMax).map((sample) => [formatMetric(sample.metric), formatSample(sample)])}
        total={data.result.length}
      />
    )
  }
  const rows = data.result.slice(0, rowsMax).map(({ metric, values = [], histograms = [] }): [string, string] => {
    const texts = [...values, ...histograms.map(([time, histogram]) => [time, formatHistogram(histogram)] as const)]
    texts.sort(([a], [b]) => a - b)
    return [formatMetric(metric), texts.map(([time, value]) => `${value} @${time}`).join('\n')]
  })
  return <Table rows={rows} total={data.result.length} />
}

/** The graph has lines only; what to ask for instead. */
function describeHistogramSeries(count: number): string {
  const series = count === 1 ? 'One series has' : `${count} series have`
  return `${series} native histograms, which are not drawn: see the table, or ask for histogram_quantile(0.9, …), histogram_avg(…) or histogram_count(…).`
}

function formatSample({ value, histogram }: VectorSample): string {
  return histogram === undefined ? (value?.[1] ?? '') : formatHistogram(histogram[1])
}

function Table({ rows, total }: { rows: readonly (readonly [string, string])[]; total: number }) {
  return (
    <>
      <table class="result">
        <tbody>
          {rows.map(([metric, value], index) => (
            <tr key={index}>
              <td class="metric">{metric}</td>
              <td class="value">{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {total > rows.length && <p class="note">{`${rows.length} of ${total} series are shown.`}</p>}
    </>
  )
}

async function runQuery(panel: PanelState, signal: AbortSignal): Promise<Result> {
  const started = performance.now()
  const end = panel.endSeconds ?? Date.now() / 1000
  if (panel.tab === 'table') {
    const answer = await queryInstant(panel.expression, panel.endSeconds, signal)
    return { answer, milliseconds: performance.now() - started, graph: undefined }
  }
  const step = Math.max(1, Math.ceil(panel.rangeSeconds / pointsPerGraph))
  const start = end - panel.rangeSeconds
  if (panel.tab === 'explain') {
    const answer = await analyzeRange(panel.expression, start, end, step, signal)
    return { answer, milliseconds: performance.now() - started, graph: undefined, explanation: answer.data.explain }
  }
  const answer = await queryRange(panel.expression, start, end, step, signal)
  return { answer, milliseconds: performance.now() - started, graph: { start, end, step } }
}

function countResult(data: QueryData): number {
  return data.resultType === 'vector' || data.resultType === 'matrix' ? data.result.length : 1
}

function readPanels(parameters: URLSearchParams): PanelState[] {
  const panels: PanelState[] = []
  for (let index = 0; index < panelsMax; index++) {
    const expression = parameters.get(`g${index}.expr`)
    if (expression === null) break
    const tab = parameters.get(`g${index}.tab`)
    panels.push({
      expression,
      tab: tab === '0' || tab === 'graph' ? 'graph' : tab === 'explain' ? 'explain' : 'table',
      rangeSeconds: parseRange(parameters.get(`g${index}.range_input`) ?? '') ?? emptyPanel.rangeSeconds,
      endSeconds: parseEnd(parameters.get(`g${index}.end_input`)),
      stacked: parameters.get(`g${index}.stacked`) === '1',
    })
  }
  return panels.length > 0 ? panels : [emptyPanel]
}

function writePanels(panels: readonly PanelState[]): URLSearchParams {
  const parameters = new URLSearchParams()
  panels.forEach((panel, index) => {
    parameters.set(`g${index}.expr`, panel.expression)
    parameters.set(`g${index}.tab`, panel.tab === 'graph' ? '0' : panel.tab === 'explain' ? 'explain' : '1')
    parameters.set(`g${index}.range_input`, formatRange(panel.rangeSeconds))
    if (panel.endSeconds !== undefined)
      parameters.set(`g${index}.end_input`, new Date(panel.endSeconds * 1000).toISOString().slice(0, 19).replace('T', ' '))
    if (panel.stacked) parameters.set(`g${index}.stacked`, '1')
  })
  return parameters
}

const secondsOfUnit: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3_600, d: 86_400, w: 604_800, y: 31_536_000 }

function parseRange(text: string): number | undefined {
  if (!/^(\d+[smhdwy])+$/.test(text)) return undefined
  let seconds = 0
  for (const [, count, unit] of text.matchAll(/(\d+)([smhdwy])/g)) seconds += Number(count) * secondsOfUnit[unit!]!
  return seconds > 0 ? seconds : undefined
}

function formatRange(seconds: number): string {
  let rest = seconds
  let text = ''
  for (const unit of ['w', 'd', 'h', 'm', 's']) {
    const size = secondsOfUnit[unit]!
    if (rest >= size) text += `${Math.floor(rest / size)}${unit}`
    rest %= size
  }
  return text === '' ? '1m' : text
}

function parseEnd(text: string | null): number | undefined {
  if (text === null || text === '') return undefined
  const time = Date.parse(`${text.replace(' ', 'T')}Z`)
  return Number.isNaN(time) ? undefined : time / 1000
}
