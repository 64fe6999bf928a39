import type { FamilyMetadata } from '@narthex/agent/store/frame'
import type { RemoteStatus } from '@narthex/agent/send/remote-status'
import type { MetricType } from '@narthex/model/metric-type'

// What the main thread and the thread that sends tell each other.

export interface SendWorkerData {
  /** The data directory. */
  readonly directory: string
  readonly startSegment: number
  /** New remotes of the first configuration begin with that segment, and not with what comes now. */
  readonly isFromStart: boolean
  readonly userAgent: string
}

export type SendCall =
  /** `remotes` is packed (`packRemotes`); answered by `done`. */
  | { readonly kind: 'apply'; readonly id: number; readonly remotes: string; readonly externalLabels: readonly string[] }
  | { readonly kind: 'families'; readonly families: readonly FamilyMetadata[] }
  | { readonly kind: 'giveUp'; readonly beforeSegment: number }
  /** Answered by `report`. */
  | { readonly kind: 'report'; readonly id: number }
  /** Answered by `done`; the thread ends then. */
  | { readonly kind: 'stop'; readonly id: number; readonly graceMs: number }

export type SendReply =
  | { readonly kind: 'done'; readonly id: number; readonly failure?: string }
  | {
      readonly kind: 'report'
      readonly id: number
      readonly families: readonly ReportedFamily[]
      readonly remotes: readonly RemoteStatus[]
    }
  /** The oldest segment that a remote still needs; told when it changes. */
  | { readonly kind: 'needed'; readonly segment: number | undefined }
  | {
      readonly kind: 'log'
      readonly level: 'debug' | 'info' | 'warn' | 'error'
      readonly message: string
      readonly fields: Readonly<Record<string, unknown>>
    }

/** A metric family with its samples, as a `FamilyWriter` was given them. */
export interface ReportedFamily {
  readonly name: string
  readonly help: string
  readonly type: MetricType | 'untyped'
  readonly samples: readonly ReportedSample[]
}

export interface ReportedSample {
  readonly value: number
  readonly labels: readonly string[]
  readonly suffix?: string
}
