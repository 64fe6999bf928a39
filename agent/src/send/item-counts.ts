/** How many of each kind a request carries, or something happened to. Samples are floats only. */
export interface ItemCounts {
  samples: number
  histograms: number
  exemplars: number
}

export const noItems: Readonly<ItemCounts> = { samples: 0, histograms: 0, exemplars: 0 }

export function createCounts(): ItemCounts {
  return { samples: 0, histograms: 0, exemplars: 0 }
}

/** What `from` has and `taken` has not; never below 0, whatever a remote claims. */
export function subtractCounts(from: Readonly<ItemCounts>, taken: Readonly<ItemCounts>): ItemCounts {
  return {
    samples: Math.max(0, from.samples - taken.samples),
    histograms: Math.max(0, from.histograms - taken.histograms),
    exemplars: Math.max(0, from.exemplars - taken.exemplars),
  }
}
