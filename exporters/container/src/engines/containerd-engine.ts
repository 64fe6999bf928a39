import { ByteReader } from '@narthex/bytes/byte-reader'
import { ByteWriter } from '@narthex/bytes/byte-writer'
import { readTag, skipBytes, skipField } from '@narthex/exposition/protobuf-fields'
import { existsSync } from 'node:fs'
import { pickEnvironment, type ContainerMetadata, type Engine } from './engine.ts'
import { requestTimeoutMs } from './engine-client.ts'
import { GrpcClient, GrpcError, grpcNotFound } from './grpc-client.ts'
import { parseRecord, recordField, textsField } from './json-fields.ts'

export interface ContainerdEngineOptions {
  readonly socketPath: string
  /** containerd's own namespace, `k8s.io`. */
  readonly namespace: string
  /** Prefixes of environment variables that become labels. */
  readonly envPrefixes: readonly string[]
}

/** containerd, by its services containers, tasks and version (api/services of its repository). */
export function createContainerdEngine({ socketPath, namespace, envPrefixes }: ContainerdEngineOptions): Engine {
  const client = new GrpcClient(socketPath)

  function call(method: string, message: Uint8Array, signal: AbortSignal): Promise<Uint8Array> {
    return client.call(method, message, { 'containerd-namespace': namespace }, requestTimeoutMs, signal)
  }

  async function find(id: string, signal: AbortSignal): Promise<ContainerMetadata | undefined> {
    try {
      // Both requests have the id in field 1.
      const request = writeText(id)
      const container = readContainer(await call('/containerd.services.containers.v1.Containers/Get', request, signal))
      const processId = readProcessId(await call('/containerd.services.tasks.v1.Tasks/Get', request, signal))
      if (processId === 0) return undefined
      return {
        engine: 'containerd',
        name: id,
        image: container.image,
        labels: container.labels,
        env: envPrefixes.length === 0 ? new Map() : pickEnvironment(readSpecEnvironment(container.spec), envPrefixes, (name) => name),
        createdSeconds: container.createdSeconds,
        startedSeconds: undefined,
        processId,
        // Containers of a pod share the network of its sandbox; those that are no pod's have their own.
        hasOwnNetwork: (container.labels.get('io.cri-containerd.kind') ?? 'sandbox') === 'sandbox',
        hasHealthCheck: false,
        restarts: 0,
      }
    } catch (error) {
      if (error instanceof GrpcError && error.code === grpcNotFound) return undefined
      throw error
    }
  }

  return {
    name: 'containerd',
    isThere: () => existsSync(socketPath),
    find,
    close: () => {
      client.close()
      return Promise.resolve()
    },
  }
}

interface ContainerMessage {
  image: string
  labels: Map<string, string>
  spec: Uint8Array
  createdSeconds: number | undefined
}

/** A message with a text in field 1. */
function writeText(text: string): Uint8Array {
  const bytes = new TextEncoder().encode(text)
  const writer = new ByteWriter()
  writer.u8(0x0a)
  writer.uvarint(bytes.length)
  writer.raw(bytes)
  return writer.view()
}

/** GetContainerResponse { container = 1 }, Container { labels = 2, image = 3, spec = 5, created_at = 8 }. */
function readContainer(bytes: Uint8Array): ContainerMessage {
  const container: ContainerMessage = { image: '', labels: new Map(), spec: new Uint8Array(0), createdSeconds: undefined }
  for (const [, outer] of messagesOf(bytes, 1)) {
    for (const [field, value] of messagesOf(outer, 2, 3, 5, 8)) {
      if (field === 2) readLabel(value, container.labels)
      else if (field === 3) container.image = Buffer.from(value).toString('utf8')
      else if (field === 5) for (const [, spec] of messagesOf(value, 2)) container.spec = spec
      else container.createdSeconds = readVarint(value, 1) || undefined
    }
  }
  return container
}

/** A map's entry { key = 1, value = 2 }. */
function readLabel(bytes: Uint8Array, labels: Map<string, string>): void {
  let key = ''
  let value = ''
  for (const [field, text] of messagesOf(bytes, 1, 2)) {
    if (field === 1) key = Buffer.from(text).toString('utf8')
    else value = Buffer.from(text).toString('utf8')
  }
  labels.set(key, value)
}

/** Linux has none above. */
const processIdMax = 2 ** 22

/** GetResponse { process = 1 }, Process { pid = 3, status = 4 }; 0 for a task that does not run yet or any more. */
function readProcessId(bytes: Uint8Array): number {
  for (const [, process] of messagesOf(bytes, 1)) {
    const status = readVarint(process, 4)
    const isStopped = status === 3
    const processId = readVarint(process, 3)
    return isStopped || processId > processIdMax ? 0 : processId
  }
  return 0
}

/** The environment of an OCI runtime specification. */
function readSpecEnvironment(spec: Uint8Array): readonly string[] {
  return spec.length === 0 ? [] : textsField(recordField(parseRecord(spec, 'specification of a container'), 'process'), 'env')
}

/** The values of the wanted fields that have a length. */
function* messagesOf(bytes: Uint8Array, ...wanted: readonly number[]): Generator<readonly [field: number, value: Uint8Array]> {
  const reader = new ByteReader(bytes)
  while (reader.remaining > 0) {
    const tag = readTag(reader)
    if ((tag & 7) !== 2 || !wanted.includes(tag >>> 3)) {
      skipField(reader, tag)
      continue
    }
    const start = skipBytes(reader, tag)
    yield [tag >>> 3, bytes.subarray(start, reader.offset)]
  }
}

/** The number in a field, 0 if there is none. */
function readVarint(bytes: Uint8Array, field: number): number {
  const reader = new ByteReader(bytes)
  let value = 0
  while (reader.remaining > 0) {
    const tag = readTag(reader)
    if (tag === field * 8) value = reader.uvarint()
    else skipField(reader, tag)
  }
  return value
}
