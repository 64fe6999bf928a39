import type { ContainerRow } from './container-row.ts'
import type { KubeletPods } from './kubelet-pods.ts'

/** Where a container or pod belongs in Kubernetes; `container` is empty for a pod itself. */
export interface PodPlace {
  readonly container: string
  readonly namespace: string
  readonly pod: string
}

/**
 * Places of containers and pods: by the labels that the kubelet has engines put on containers, else by the kubelet's own list. The cgroup of
 * a pod has its uid in its path.
 */
export class PodPlaces {
  readonly #kubelet: KubeletPods | undefined
  readonly #byUid = new Map<string, PodPlace>()

  constructor(kubelet: KubeletPods | undefined) {
    this.#kubelet = kubelet
  }

  /** Learns from the containers of a scrape, and forgets pods that have none. */
  learn(rows: readonly ContainerRow[]): void {
    this.#byUid.clear()
    for (const { metadata } of rows) {
      const uid = metadata?.labels.get('io.kubernetes.pod.uid')
      if (uid === undefined || this.#byUid.has(uid)) continue
      const namespace = metadata!.labels.get('io.kubernetes.pod.namespace') ?? ''
      this.#byUid.set(uid, { container: '', namespace, pod: metadata!.labels.get('io.kubernetes.pod.name') ?? '' })
    }
  }

  find({ container, metadata, podUid }: ContainerRow): PodPlace | undefined {
    const pod = metadata?.labels.get('io.kubernetes.pod.name')
    if (pod !== undefined) {
      const labels = metadata!.labels
      return {
        container: labels.get('io.kubernetes.container.name') ?? '',
        namespace: labels.get('io.kubernetes.pod.namespace') ?? '',
        pod,
      }
    }
    const listed = container === undefined ? undefined : this.#kubelet?.findContainer(container.id)
    if (listed !== undefined || podUid === undefined) return listed
    return this.#byUid.get(podUid) ?? this.#kubelet?.findPod(podUid)
  }
}
