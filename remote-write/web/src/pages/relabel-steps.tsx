import { useEffect, useState } from 'preact/hooks'
import { getJson } from '../api-client.ts'
import { LabelList } from './label-list.tsx'

type LabelRecord = Readonly<Record<string, string>>

interface RelabelStep {
  readonly rule: {
    readonly action: string
    readonly source_labels?: readonly string[]
    readonly separator?: string
    readonly regex?: string
    readonly modulus?: number
    readonly target_label?: string
    readonly replacement?: string
  }
  readonly output: LabelRecord
  readonly keep: boolean
}

/** The labels that discovery gave a target, and what each relabel rule of its job made of them; asked for when it is opened. */
export function RelabelSteps({ scrapePool, discovered }: { scrapePool: string; discovered: LabelRecord }) {
  const [isOpen, setOpen] = useState(false)
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>before relabelling, and each step</summary>
      {isOpen && <Steps scrapePool={scrapePool} discovered={discovered} />}
    </details>
  )
}

function Steps({ scrapePool, discovered }: { scrapePool: string; discovered: LabelRecord }) {
  const [steps, setSteps] = useState<readonly RelabelStep[]>()
  const [error, setError] = useState('')
  const labels = JSON.stringify(discovered)
  useEffect(() => {
    const abort = new AbortController()
    getJson<{ steps: readonly RelabelStep[] }>('api/v1/targets/relabel_steps', { scrapePool, labels }, abort.signal).then(
      ({ data }) => setSteps(data.steps),
      (reason: unknown) => {
        if (!abort.signal.aborted) setError(String(reason))
      },
    )
    return () => abort.abort()
  }, [scrapePool, labels])
  return (
    <ol class="steps">
      <li>
        <span class="note">discovered</span> <LabelList labels={discovered} />
      </li>
      {steps?.map(({ rule, output, keep }, index) => {
        const before = index === 0 ? discovered : steps[index - 1]!.output
        return (
          <li key={index}>
            <code>{describeRule(rule)}</code> <Change before={before} after={output} keep={keep} />
          </li>
        )
      })}
      {steps?.length === 0 && <li class="note">The job has no relabel rules.</li>}
      {error !== '' && <li class="error">{error}</li>}
    </ol>
  )
}

function Change({ before, after, keep }: { before: LabelRecord; after: LabelRecord; keep: boolean }) {
  if (!keep) return <span class="badge down">dropped</span>
  const set = Object.fromEntries(Object.entries(after).filter(([name, value]) => before[name] !== value))
  const removed = Object.keys(before).filter((name) => !(name in after))
  if (removed.length === 0 && Object.keys(set).length === 0) return <span class="note">changes nothing</span>
  return (
    <>
      <LabelList labels={set} />
      {removed.map((name) => (
        <s class="label" key={name}>
          {name}
        </s>
      ))}
    </>
  )
}

function describeRule({
  action,
  source_labels: sourceLabels = [],
  separator = ';',
  regex,
  modulus,
  target_label: targetLabel,
  replacement,
}: RelabelStep['rule']): string {
  const parts = [action]
  if (sourceLabels.length > 0) parts.push(`[${sourceLabels.join(separator)}]`)
  if (regex !== undefined && regex !== '(.*)') parts.push(`~ ${regex}`)
  if (modulus !== undefined) parts.push(`% ${modulus}`)
  if (targetLabel !== undefined) parts.push(`→ ${targetLabel}`)
  if (replacement !== undefined && replacement !== '$1') parts.push(`= ${JSON.stringify(replacement)}`)
  return parts.join(' ')
}
