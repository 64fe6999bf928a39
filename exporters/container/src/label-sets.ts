/** Names of labels that are shown; a machine where every container has labels of its own would have no end of them. */
export const labelNamesMax = 200
/** UTF-16 units of a value; annotations of Kubernetes hold whole documents. */
export const labelValueMax = 4096

/** Something with labels of its own, to which the empty labels of all others are added. */
export interface LabelOwner {
  /** Own labels; names as the engines have them. Replaced, not changed, when they change. */
  readonly ownLabels: ReadonlyMap<string, string>
  /** Flat, sorted by name: set by `LabelSets`. */
  labels: readonly string[]
}

interface Entry {
  readonly ownLabels: ReadonlyMap<string, string>
  readonly round: number
}

/**
 * Gives every container the labels of all, empty where it has none itself: within one family all samples have the same label names.
 * Of two names that become one when characters that labels cannot have are replaced, the first in order counts.
 */
export class LabelSets {
  readonly #owners = new Map<LabelOwner, Entry>()
  /** Owners by own label name. */
  readonly #counts = new Map<string, number>()
  #round = 0
  /** Shown names in order, with the raw name of each. */
  #names: readonly (readonly [shown: string, raw: string])[] = []
  /** Names that are not shown because there are too many. */
  leftOut = 0

  /** Sets `labels` of each; whoever was there before and is not among them is forgotten. */
  update(owners: readonly LabelOwner[]): void {
    this.#round++
    const changed: LabelOwner[] = []
    let hasNewNames = false
    for (const owner of owners) {
      const entry = this.#owners.get(owner)
      if (entry?.ownLabels !== owner.ownLabels) {
        if (entry !== undefined && this.#uncount(entry)) hasNewNames = true
        if (this.#count(owner)) hasNewNames = true
        changed.push(owner)
      }
      this.#owners.set(owner, { ownLabels: owner.ownLabels, round: this.#round })
    }
    for (const [owner, entry] of this.#owners) {
      if (entry.round === this.#round) continue
      if (this.#uncount(entry)) hasNewNames = true
      this.#owners.delete(owner)
    }
    if (hasNewNames) this.#chooseNames()
    for (const owner of hasNewNames ? owners : changed) owner.labels = this.#labelsOf(owner)
  }

  /** Where a further label of this name belongs in `labels`. */
  indexOf(name: string): number {
    const index = this.#names.findIndex(([shown]) => shown > name)
    return (index < 0 ? this.#names.length : index) * 2
  }

  #count({ ownLabels }: LabelOwner): boolean {
    let isNew = false
    for (const name of ownLabels.keys()) {
      const count = this.#counts.get(name) ?? 0
      if (count === 0) isNew = true
      this.#counts.set(name, count + 1)
    }
    return isNew
  }

  #uncount({ ownLabels }: Entry): boolean {
    let isGone = false
    for (const name of ownLabels.keys()) {
      const count = this.#counts.get(name)! - 1
      if (count > 0) this.#counts.set(name, count)
      else {
        this.#counts.delete(name)
        isGone = true
      }
    }
    return isGone
  }

  /** What most containers have comes first where not all names can be shown. */
  #chooseNames(): void {
    const byCount = [...this.#counts].sort(([a, countA], [b, countB]) => countB - countA || (a < b ? -1 : 1))
    this.leftOut = Math.max(0, byCount.length - labelNamesMax)
    const chosen = byCount
      .slice(0, labelNamesMax)
      .map(([name]) => name)
      .sort()
    const names = new Map<string, string>()
    for (const name of chosen) {
      const shown = name.replace(/[^a-zA-Z0-9_]/g, '_')
      if (!names.has(shown)) names.set(shown, name)
    }
    this.#names = [...names].sort(([a], [b]) => (a < b ? -1 : 1))
  }

  #labelsOf({ ownLabels }: LabelOwner): string[] {
    const labels: string[] = []
    for (const [shown, raw] of this.#names) labels.push(shown, shorten(ownLabels.get(raw) ?? ''))
    return labels
  }
}

function shorten(text: string): string {
  return text.length <= labelValueMax ? text : text.slice(0, labelValueMax).toWellFormed()
}
