import { getJson } from '../api-client.ts'
import { formatSeconds, formatValue } from '../format.ts'
import { usePolled } from '../use-polled.ts'

interface RemoteStatus {
  readonly name: string
  readonly url: string
  readonly version: 1 | 2
  readonly state: 'ok' | 'retrying' | 'throttled' | 'held'
  readonly reason: string
  readonly pendingFrames: number
  readonly pendingBytes: number
  readonly pendingAgeMs: number
  readonly shards: number
  readonly samplesSent: number
  readonly samplesPerSecond?: number
  readonly etaSeconds?: number
  readonly lostSamples: Readonly<Record<string, number>>
}

interface RemoteWriteData {
  readonly log?: {
    readonly directory: string
    readonly bytes: number
    readonly bytesMax: number
    readonly segments: number
    readonly isWriting: boolean
    readonly samplesIn: number
    readonly samplesPerSecond?: number
  }
  readonly remotes: readonly RemoteStatus[]
}

/** Younger than this a frame is on its way, not a backlog. */
const liveAgeMs = 15_000

/** The log on disk, and how far each remote is: state, backlog, rates, what was given up. */
export function RemoteWritePage() {
  const { value, error } = usePolled(
    async (signal) => (await getJson<RemoteWriteData>('api/v1/status/remote_write', {}, signal)).data,
    5_000,
    'remote-write',
  )
  const log = value?.log
  return (
    <>
      <h1>Remote write</h1>
      {error && <p class="error">{error}</p>}
      {log && (
        <div class="tiles">
          <Tile caption="samples/s scraped" figure={formatRate(log.samplesPerSecond)} />
          <Tile caption={`on disk, of at most ${formatValue(log.bytesMax, 'bytes')}`} figure={formatValue(log.bytes, 'bytes')} />
          <Tile caption={`segments in ${log.directory}`} figure={String(log.segments)} />
          {!log.isWriting && <Tile caption="the disk takes no frames" figure="in memory" isBad />}
        </div>
      )}
      {value?.remotes.map((remote) => (
        <Remote key={remote.name} remote={remote} />
      ))}
      {value && value.remotes.length === 0 && <p class="note">No remote_write is configured: what is scraped is not kept.</p>}
    </>
  )
}

function Tile({ caption, figure, isBad = false }: { caption: string; figure: string; isBad?: boolean }) {
  return (
    <div class={isBad ? 'tile warn' : 'tile'}>
      <span class="figure">{figure}</span>
      <span class="caption">{caption}</span>
    </div>
  )
}

const badges: Readonly<Record<RemoteStatus['state'], string>> = { ok: 'up', retrying: 'down', throttled: 'pending', held: 'down' }

function Remote({ remote }: { remote: RemoteStatus }) {
  const { name, url, version, state, reason, pendingFrames, pendingBytes, pendingAgeMs, shards, samplesSent, lostSamples } = remote
  const lost = Object.entries(lostSamples)
  const isLive = state === 'ok' && pendingAgeMs < liveAgeMs
  return (
    <section class="panel" data-remote={name}>
      <h2>
        <span class={`badge ${badges[state]}`}>{state}</span>
        {name}
        <span class="note">{`${url} · remote write ${version}.0 · ${shards} ${shards === 1 ? 'shard' : 'shards'}`}</span>
      </h2>
      {reason !== '' && <p class="error">{reason}</p>}
      <table>
        <tbody>
          <Row name="Backlog">
            {isLive
              ? 'none: samples are sent as they come'
              : `${pendingFrames} frames, ${formatValue(pendingBytes, 'bytes')}, the oldest ${formatSeconds(pendingAgeMs / 1000)} old`}
          </Row>
          {!isLive && <Row name="Gone in">{remote.etaSeconds === undefined ? 'it does not shrink' : formatSeconds(remote.etaSeconds)}</Row>}
          <Row name="Sent">{`${formatValue(samplesSent)} samples, ${formatRate(remote.samplesPerSecond)} a second`}</Row>
          <Row name="Given up">
            {lost.length === 0 ? 'nothing' : lost.map(([why, samples]) => `${formatValue(samples)} samples (${why})`).join(', ')}
          </Row>
        </tbody>
      </table>
    </section>
  )
}

function Row({ name, children }: { name: string; children: string }) {
  return (
    <tr>
      <td>{name}</td>
      <td class="value">{children}</td>
    </tr>
  )
}

function formatRate(perSecond: number | undefined): string {
  return perSecond === undefined ? '–' : formatValue(perSecond)
}
