import { setPriority } from 'node:os'
import { parentPort, workerData, type MessagePort } from 'node:worker_threads'
import { openRemote } from '@narthex/agent/send/open-remote'
import { Labels } from '@narthex/model/labels'
import type { Logger } from '@narthex/service/logger'
import { Registry } from '@narthex/service/metrics'
import { FamilyRecorder } from './family-recorder.ts'
import { LogSenders } from './log-senders.ts'
import { unpackRemotes } from './packed-remotes.ts'
import type { SendCall, SendReply, SendWorkerData } from './send-protocol.ts'

// The thread that follows the write-ahead log and sends it to the remotes: what is slow there waits here.

/** Yields to ingestion: on Linux the call sets this thread alone. */
const workerNice = 5
const neededIntervalMs = 1_000

const port = parentPort
if (port) start(port, workerData as SendWorkerData)

function start(main: MessagePort, { directory, startSegment, isFromStart, userAgent }: SendWorkerData): void {
  try {
    setPriority(workerNice)
  } catch {
    // not allowed here: it then competes as an equal
  }
  const reply = (message: SendReply): void => main.postMessage(message)
  const registry = new Registry()
  const recorder = new FamilyRecorder()
  const senders = new LogSenders({
    directory,
    startSegment,
    isFromStart,
    createPoster: (config) => openRemote(config, userAgent),
    registry,
    logger: createLogger(reply, {}),
    userAgent,
  })
  let needed: number | undefined
  const tellNeeded = (): void => {
    if (senders.neededSegment === needed) return
    needed = senders.neededSegment
    reply({ kind: 'needed', segment: needed })
  }
  const timer = setInterval(tellNeeded, neededIntervalMs)

  async function answer(call: SendCall): Promise<void> {
    switch (call.kind) {
      case 'families':
        senders.setFamilies(call.families)
        return
      case 'giveUp':
        await senders.giveUpBefore(call.beforeSegment)
        tellNeeded()
        return
      case 'report':
        registry.write(recorder)
        reply({ kind: 'report', id: call.id, families: recorder.take(), remotes: senders.status() })
        return
      case 'apply':
        try {
          await senders.apply(unpackRemotes(call.remotes), Labels.fromPairs(call.externalLabels))
          tellNeeded()
          reply({ kind: 'done', id: call.id })
        } catch (error) {
          reply({ kind: 'done', id: call.id, failure: error instanceof Error ? error.message : String(error) })
        }
        return
      case 'stop':
        clearInterval(timer)
        await senders.close(call.graceMs)
        reply({ kind: 'done', id: call.id })
        main.close()
    }
  }

  main.on('message', (call: SendCall) => void answer(call))
}

/** Lines are printed by the main thread. */
function createLogger(reply: (message: SendReply) => void, bound: Readonly<Record<string, unknown>>): Logger {
  const log =
    (level: 'debug' | 'info' | 'warn' | 'error') =>
    (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      const texts = Object.entries({ ...bound, ...fields }).map(([name, value]) => [name, toText(value)] as const)
      reply({ kind: 'log', level, message, fields: Object.fromEntries(texts) })
    }
  return {
    debug: log('debug'),
    info: log('info'),
    warn: log('warn'),
    error: log('error'),
    with: (fields) => createLogger(reply, { ...bound, ...fields }),
  }
}

function toText(value: unknown): unknown {
  if (value instanceof Error) return value.message
  return typeof value === 'object' ? JSON.stringify(value) : value
}
