import type { ContainerRow } from './container-row.ts'
import type { ContainerEnvironment } from './environment.ts'
import type { ContainerMetadata } from './engines/engine.ts'
import type { PodPlace, PodPlaces } from './pod-places.ts'

const labelPrefix = 'container_label_'
const environmentPrefix = 'container_env_'

interface Source {
  readonly metadata: ContainerMetadata | undefined
  readonly place: PodPlace | undefined
}

/** Makes the own labels of rows from what engines and kubelet tell. */
export class OwnLabels {
  readonly #storesLabels: boolean
  readonly #whitelist: ReadonlySet<string>
  readonly #places: PodPlaces
  readonly #sources = new WeakMap<ContainerRow, Source>()

  constructor(environment: ContainerEnvironment, places: PodPlaces) {
    this.#storesLabels = environment.flags.boolean('store_container_labels')
    this.#whitelist = new Set(environment.list('whitelisted_container_labels'))
    this.#places = places
  }

  /** Replaces `ownLabels` of the rows for which something has changed. */
  update(rows: readonly ContainerRow[]): void {
    this.#places.learn(rows)
    for (const row of rows) {
      const { metadata } = row
      const place = this.#places.find(row)
      const known = this.#sources.get(row)
      if (known !== undefined && known.metadata === metadata && isSamePlace(known.place, place)) continue
      this.#sources.set(row, { metadata, place })
      row.ownLabels = this.#labelsOf(row, place)
    }
  }

  #labelsOf({ cgroup, container, metadata }: ContainerRow, place: PodPlace | undefined): ReadonlyMap<string, string> {
    const labels = new Map([['id', cgroup.path]])
    if (metadata !== undefined) {
      labels.set('name', metadata.name)
      if (metadata.image !== '') labels.set('image', metadata.image)
      for (const [name, value] of metadata.labels) {
        if (this.#storesLabels || this.#whitelist.has(name)) labels.set(labelPrefix + name, value)
      }
      for (const [name, value] of metadata.env) labels.set(environmentPrefix + name, value)
    } else if (container !== undefined) {
      // No engine has told (yet): the path names it.
      labels.set('name', container.id)
    }
    if (place !== undefined) {
      labels.set('container', place.container)
      labels.set('namespace', place.namespace)
      labels.set('pod', place.pod)
    }
    return labels
  }
}

function isSamePlace(a: PodPlace | undefined, b: PodPlace | undefined): boolean {
  return a === b || (a?.pod === b?.pod && a?.namespace === b?.namespace && a?.container === b?.container)
}
