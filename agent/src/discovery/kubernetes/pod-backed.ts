import { addNodeLabels, type Surroundings } from './attach.ts'
import type { LabelRecord } from './meta-labels.ts'
import { objectKey, type Pod, type TargetRef } from './objects.ts'
import { containerPortLabels, containerPortTarget, podLabels } from './role-pod.ts'

interface SeenPod {
  readonly pod: Pod
  readonly ports: Set<number>
}

/**
 * The targets of one group of endpoints. Where a pod is behind an address its labels are added, and at the end each further port of its
 * containers becomes a target too.
 */
export class PodBackedTargets {
  readonly #surroundings: Surroundings
  readonly #namespace: string
  readonly #targets: LabelRecord[] = []
  readonly #seen = new Map<string, SeenPod>()

  constructor(namespace: string, surroundings: Surroundings) {
    this.#namespace = namespace
    this.#surroundings = surroundings
  }

  /** Takes the target over. `port` is undefined for an endpoint of all ports. */
  add(target: LabelRecord, ref: TargetRef | undefined, port: number | undefined, protocol: string): void {
    this.#targets.push(target)
    const pod = this.#findPod(ref)
    if (pod === undefined) return
    const key = objectKey(pod.meta)
    const seen = this.#seen.get(key) ?? { pod, ports: new Set() }
    this.#seen.set(key, seen)
    Object.assign(target, podLabels(pod, this.#surroundings))
    if (port === undefined) return
    seen.ports.add(port)
    for (const container of pod.containers) {
      const match = container.ports.find((candidate) => candidate.port === port)
      // Of several containers with this port the last one speaks.
      if (match !== undefined) Object.assign(target, containerPortLabels(container, match, protocol))
    }
  }

  /** All targets, those of the pods' other ports last. */
  finish(): LabelRecord[] {
    for (const { pod, ports } of this.#seen.values()) {
      if (pod.ip === '') continue
      for (const container of pod.containers) {
        for (const port of container.ports) {
          if (ports.has(port.port)) continue
          const target = { ...containerPortTarget(pod, container, port), ...podLabels(pod, this.#surroundings) }
          addNodeLabels(target, pod.nodeName, this.#surroundings)
          this.#targets.push(target)
        }
      }
    }
    return this.#targets
  }

  #findPod(ref: TargetRef | undefined): Pod | undefined {
    if (ref?.kind !== 'Pod') return undefined
    const namespace = ref.namespace === '' ? this.#namespace : ref.namespace
    return this.#surroundings.find('pod', objectKey({ namespace, name: ref.name }))
  }
}

/** A node's labels for an address that is one: by its name, or because the address refers to a node. */
export function addEndpointNodeLabels(
  labels: LabelRecord,
  nodeName: string | undefined,
  ref: TargetRef | undefined,
  surroundings: Surroundings,
): void {
  addNodeLabels(labels, nodeName ?? (ref?.kind === 'Node' ? ref.name : undefined), surroundings)
}
