import type { MetricFamily } from '@narthex/exporter-kit/family-parser'
import type { InventoryRow } from '@narthex/exporter-kit/inventory'

export type Families = ReadonlyMap<string, MetricFamily>

/** One live service, read through both exporters with the same flags. */
export interface Scene {
  readonly name: string
  /** Both were started with their default flags. */
  readonly isDefault: boolean
  readonly original: Families
  readonly ours: Families
}

/** A difference that has a reason. */
export interface KnownDifference {
  readonly exporter: string
  /** Of the whole name. */
  readonly family: RegExp
  /** First cell of the row of docs/differences.md that tells the reason. */
  readonly row: string
}

export interface Bound {
  readonly title: string
  /** Families that are wanted. */
  readonly wanted: number
  /** Those that ours shows with this type and these label names. */
  readonly covered: number
  /** Share that is wanted, from 0 to 1; undefined where the figure is told only. */
  readonly shareMin: number | undefined
  /** A line for each family that is not covered. */
  readonly missing: readonly string[]
}

export interface Assessment {
  readonly bounds: readonly Bound[]
  /** Families that differ for a reason, by its row in docs/differences.md. */
  readonly known: ReadonlyMap<string, readonly string[]>
  /** Families that only the older release has that is installed here. */
  readonly gone: readonly string[]
  /** Rows marked `both` that neither exporter showed in any scene: nothing is known of them. */
  readonly unseen: readonly string[]
  /** Families of the inventory that this machine cannot have, by the reason. */
  readonly impossible: ReadonlyMap<string, readonly string[]>
  /** Of the newest release's default-on families: all, and those that each exporter showed. */
  readonly inventory: { readonly all: number; readonly ours: number; readonly original: number }
}

export interface AssessOptions {
  readonly exporter: string
  readonly inventory: readonly InventoryRow[]
  readonly scenes: readonly Scene[]
  readonly knownDifferences: readonly KnownDifference[]
  /** Share of the default-on families that the original shows; undefined if there is no original. */
  readonly defaultShareMin: number | undefined
  /** Share of the others that are marked `both`; undefined if it is told only. */
  readonly othersShareMin: number | undefined
  /** Share of the newest release's default-on families, whatever the original shows: where there is none to be had. */
  readonly inventoryShareMin?: number
  /** Why this machine cannot have a family; undefined if it can. Asked of the inventory's families only. */
  readonly reasonAgainst?: (name: string) => string | undefined
  /** Families that dashboards and alerts ask for: of those that the original shows, ours must show all. */
  readonly dashboards?: readonly string[]
}

/** Compares what two exporters showed of the same services, family by family, and counts it against the bounds. */
export function assessCoverage(options: AssessOptions): Assessment {
  const { inventory, scenes } = options
  const rows = Map.groupBy(inventory, ({ metric }) => metric)
  const known = new Map<string, string[]>()
  const gone = new Set<string>()

  const isKnown = (name: string): boolean => {
    const found = options.knownDifferences.find(
      ({ exporter, family }) => (exporter === 'all' || exporter === options.exporter) && family.test(name),
    )
    if (found === undefined) return false
    const names = known.get(found.row) ?? []
    if (!names.includes(name)) names.push(name)
    known.set(found.row, names)
    return true
  }

  const defaultOn = new Map<string, string | undefined>()
  for (const scene of scenes.filter(({ isDefault }) => isDefault)) {
    for (const [name, wanted] of scene.original) {
      const described = rows.get(name)
      if (described !== undefined && described.every(({ source, isDefault }) => source === 'live' && !isDefault)) gone.add(name)
      else addVerdict(defaultOn, name, judgeFamily(wanted, scene, described))
    }
  }
  const others = new Map<string, string | undefined>()
  const unseen: string[] = []
  for (const { metric, isDefault, source } of inventory) {
    if (isDefault || source !== 'both' || defaultOn.has(metric)) continue
    const showing = scenes.filter(({ original, ours }) => original.has(metric) || ours.has(metric))
    if (showing.length === 0) {
      if (!isKnown(metric)) unseen.push(metric)
    }
    for (const scene of showing) addVerdict(others, metric, judgeFamily(scene.original.get(metric), scene, rows.get(metric)))
  }
  const bounds: Bound[] = []
  if (options.defaultShareMin !== undefined) {
    bounds.push(makeBound('default-on families that the original shows', defaultOn, options.defaultShareMin, isKnown))
  }
  if (options.inventoryShareMin !== undefined) {
    const title = 'default-on families of the newest release that this machine can have'
    bounds.push(makeBound(title, judgeInventory(options), options.inventoryShareMin, isKnown))
  }
  if (others.size > 0) bounds.push(makeBound('other families that old and new releases have', others, options.othersShareMin, isKnown))
  if (options.dashboards !== undefined) {
    const asked = new Map<string, string | undefined>()
    for (const name of options.dashboards) {
      for (const scene of scenes) {
        const wanted = scene.original.get(name)
        if (wanted !== undefined && !gone.has(name)) addVerdict(asked, name, judgeFamily(wanted, scene, rows.get(name)))
      }
    }
    bounds.push(makeBound('families of dashboards and alerts that the original shows', asked, 1, isKnown))
  }
  return { bounds, known, gone: [...gone].sort(), unseen, impossible: findImpossible(options), inventory: countInventory(options) }
}

/** Verdicts on the default-on families of the newest release: one is enough that shows a family as it should be. */
function judgeInventory({ inventory, reasonAgainst, scenes }: AssessOptions): Map<string, string | undefined> {
  const verdicts = new Map<string, string | undefined>()
  const wanted = inventory.filter(
    ({ isDefault, metric, source }) => isDefault && source !== 'live' && reasonAgainst?.(metric) === undefined,
  )
  for (const [metric, rows] of Map.groupBy(wanted, (row) => row.metric)) {
    const found = scenes.map((scene) => judgeFamily(undefined, scene, rows))
    verdicts.set(metric, found.includes(undefined) ? undefined : (found[0] ?? `${metric}: missing`))
  }
  return verdicts
}

/** A family is covered when it is in every scene; the first scene where it is not says why. */
function addVerdict(verdicts: Map<string, string | undefined>, name: string, verdict: string | undefined): void {
  verdicts.set(name, verdicts.get(name) ?? verdict)
}

/**
 * What is wrong with ours in one scene, undefined if nothing. The inventory's type and labels are the newest release's and decide where the
 * installed original is older; what the inventory does not list must be as the original has it.
 */
function judgeFamily(
  wanted: MetricFamily | undefined,
  { name: sceneName, ours }: Scene,
  rows: readonly InventoryRow[] | undefined,
): string | undefined {
  const described = rows?.filter(({ source }) => source !== 'live') ?? []
  const name = wanted?.name ?? rows![0]!.metric
  const got = ours.get(name)
  if (got === undefined) return `${name}: missing (${sceneName})`
  const types = described.length > 0 ? described.map(({ type }) => type) : [wanted?.type ?? got.type]
  if (!types.includes(got.type)) return `${name}: want type ${types.join(' or ')}, got ${got.type} (${sceneName})`
  const [wantedLabels, gotLabels] = [wanted === undefined ? [] : labelNamesOf(wanted), labelNamesOf(got)]
  const listed = described.flatMap(({ labels }) => labels)
  // A label that the newest release no longer has is not wanted; one that it has and the installed one lacks may be there.
  const missing = wantedLabels.filter((label) => !gotLabels.includes(label) && (described.length === 0 || listed.includes(label)))
  const additional = gotLabels.filter((label) => !wantedLabels.includes(label) && !listed.includes(label))
  if (missing.length + additional.length === 0) return undefined
  const differences = [...missing.map((label) => `-${label}`), ...additional.map((label) => `+${label}`)]
  return `${name}: other labels ${differences.join(' ')} (${sceneName})`
}

function makeBound(
  title: string,
  verdicts: ReadonlyMap<string, string | undefined>,
  shareMin: number | undefined,
  isKnown: (name: string) => boolean,
): Bound {
  const missing: string[] = []
  let wanted = 0
  for (const [name, verdict] of verdicts) {
    if (verdict !== undefined && isKnown(name)) continue
    wanted++
    if (verdict !== undefined) missing.push(verdict)
  }
  return { title, wanted, covered: wanted - missing.length, shareMin, missing: missing.sort() }
}

/** Whether the share is reached. Where nothing is wanted, nothing was compared, and that is no success. */
export function isMet({ covered, shareMin, wanted }: Bound): boolean {
  return shareMin === undefined || (wanted > 0 && covered >= shareMin * wanted)
}

function findImpossible({ inventory, reasonAgainst }: AssessOptions): Map<string, string[]> {
  const impossible = new Map<string, string[]>()
  for (const { isDefault, metric } of inventory) {
    const reason = isDefault ? reasonAgainst?.(metric) : undefined
    if (reason !== undefined) impossible.set(reason, [...(impossible.get(reason) ?? []), metric])
  }
  return impossible
}

function countInventory({ inventory, scenes }: AssessOptions): Assessment['inventory'] {
  const names = [...new Set(inventory.filter(({ isDefault, source }) => isDefault && source !== 'live').map(({ metric }) => metric))]
  const countShown = (pick: (scene: Scene) => Families): number =>
    names.filter((name) => scenes.some((scene) => pick(scene).has(name))).length
  return { all: names.length, ours: countShown(({ ours }) => ours), original: countShown(({ original }) => original) }
}

function labelNamesOf({ samples }: MetricFamily): string[] {
  const names = new Set<string>()
  for (const { labels } of samples) for (let i = 0; i < labels.length; i += 2) names.add(labels[i]!)
  names.delete('le')
  names.delete('quantile')
  return [...names].sort()
}
