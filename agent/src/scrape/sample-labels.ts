import type { ScrapeLimits } from '@narthex/config/scrape-config'
import { Labels } from '@narthex/model/labels'
import { isValidLegacyLabelName, isValidLegacyMetricName } from '@narthex/model/name'
import { quoteText } from '@narthex/model/quote'
import { applyRelabel } from '@narthex/relabel/relabel'
import type { RelabelRule } from '@narthex/relabel/relabel'
import { ScrapeError } from './scrape-error.ts'

export interface SampleLabelRules {
  /** The target's labels without those that begin with `__`. */
  readonly targetLabels: Labels
  readonly honorLabels: boolean
  readonly metricRelabelConfigs: readonly RelabelRule[]
  readonly limits: Pick<ScrapeLimits, 'labelLimit' | 'labelNameLengthLimit' | 'labelValueLengthLimit'>
  readonly legacyNames: boolean
}

/**
 * The labels under which a scraped series is kept: target labels joined in, metric_relabel_configs applied, limits checked. undefined when a
 * rule drops it. Throws ScrapeError when the series fails the whole scrape. Runs once per new series, not per sample.
 */
export function makeSampleLabels(scraped: Labels, rules: SampleLabelRules): Labels | undefined {
  const joined = rules.honorLabels ? joinHonoring(scraped, rules.targetLabels) : joinRenaming(scraped, rules.targetLabels)
  const labels = applyRelabel(rules.metricRelabelConfigs, joined)
  if (labels === undefined || labels.size === 0) return undefined
  if (!labels.has('__name__')) throw new ScrapeError('body', 'missing metric name (__name__ label)')
  if (rules.legacyNames && !hasLegacyNames(labels)) {
    throw new ScrapeError('body', `invalid metric name or label names: ${labels.metricString()}`)
  }
  checkLimits(labels, rules.limits)
  return labels
}

/**
 * The target's labels, if to join them in is all that `makeSampleLabels` does to a series of valid legacy names of which none is theirs;
 * undefined if it looks at more.
 */
export function onlyJoinedLabels({ targetLabels, metricRelabelConfigs, limits }: SampleLabelRules): Labels | undefined {
  const { labelLimit, labelNameLengthLimit, labelValueLengthLimit } = limits
  const hasLimits = labelLimit > 0 || labelNameLengthLimit > 0 || labelValueLengthLimit > 0
  return hasLimits || metricRelabelConfigs.length > 0 ? undefined : targetLabels
}

/** honor_labels: what the target says wins; even its empty value keeps the target label away, which Labels cannot tell from absent. */
function joinHonoring(scraped: Labels, targetLabels: Labels): Labels {
  return Labels.join(targetLabels, scraped)
}

/** Otherwise the target's labels win and the scraped ones move to `exported_…`, the shortest names first, until the name is free. */
function joinRenaming(scraped: Labels, targetLabels: Labels): Labels {
  let labels = Labels.join(scraped, targetLabels)
  if (labels.size === scraped.size + targetLabels.size) return labels
  const conflicts: string[] = []
  const { pairs } = targetLabels
  for (let i = 0; i < pairs.length; i += 2) if (scraped.has(pairs[i]!)) conflicts.push(pairs[i]!)
  conflicts.sort((a, b) => Buffer.byteLength(a) - Buffer.byteLength(b))
  for (const name of conflicts) {
    let exported = `exported_${name}`
    while (labels.has(exported)) exported = `exported_${exported}`
    labels = labels.with(exported, scraped.get(name))
  }
  return labels
}

function hasLegacyNames(labels: Labels): boolean {
  const { pairs } = labels
  for (let i = 0; i < pairs.length; i += 2) {
    if (pairs[i] === '__name__' ? !isValidLegacyMetricName(pairs[i + 1]!) : !isValidLegacyLabelName(pairs[i]!)) return false
  }
  return true
}

function checkLimits(labels: Labels, limits: SampleLabelRules['limits']): void {
  const metric = labels.get('__name__').slice(0, 50)
  if (limits.labelLimit > 0 && labels.size > limits.labelLimit) {
    throw new ScrapeError(
      'label-limit',
      `label_limit exceeded (metric: ${metric}, number of labels: ${labels.size}, limit: ${limits.labelLimit})`,
    )
  }
  if (limits.labelNameLengthLimit === 0 && limits.labelValueLengthLimit === 0) return
  const { pairs } = labels
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i]!
    const value = pairs[i + 1]!
    const nameBytes = Buffer.byteLength(name)
    if (limits.labelNameLengthLimit > 0 && nameBytes > limits.labelNameLengthLimit) {
      const found = `label name: ${name.slice(0, 50)}, length: ${nameBytes}, limit: ${limits.labelNameLengthLimit}`
      throw new ScrapeError('label-limit', `label_name_length_limit exceeded (metric: ${metric}, ${found})`)
    }
    const valueBytes = Buffer.byteLength(value)
    if (limits.labelValueLengthLimit > 0 && valueBytes > limits.labelValueLengthLimit) {
      const shown = `label name: ${name.slice(0, 50)}, value: ${quoteText(value.slice(0, 50))}`
      const found = `${shown}, length: ${valueBytes}, limit: ${limits.labelValueLengthLimit}`
      throw new ScrapeError('label-limit', `label_value_length_limit exceeded (metric: ${metric}, ${found})`)
    }
  }
}
