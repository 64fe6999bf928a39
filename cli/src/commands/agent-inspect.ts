import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { inspectLog, listDeadLetters } from '@narthex/agent/store/log-inspection'
import type { DeadLetters, LogInspection, RemoteInspection, SegmentInspection } from '@narthex/agent/store/log-inspection'
import { flag } from '@narthex/service/flag-spec'
import { parseFlags } from '@narthex/service/flags'
import { PrintAndExit, UserError } from '@narthex/service/user-error'
import { versionText } from '../version.ts'

// narthex agent inspect DIR: what an agent's log holds, what is sent and what waits. Reads only, also beside a running agent.

export async function runAgentInspect(argv: readonly string[]): Promise<void> {
  const { values, arguments: positional } = parseFlags(
    {
      name: 'narthex agent inspect',
      help: 'Shows what the log in --storage.agent.path holds: segments, what each remote has got, what waits, what is damaged.',
      version: versionText('narthex agent inspect'),
      flags: { isJson: flag.boolean('json', 'Print JSON.') },
      arguments: [{ name: 'directory', help: 'The directory of --storage.agent.path.' }],
    },
    argv,
  )
  const directory = positional[0]!
  const frames = join(directory, 'frames')
  if (!existsSync(frames))
    throw new UserError(`narthex agent inspect: there is no log in ${directory}: want a directory with frames/ in it`)
  let log: LogInspection
  try {
    log = await inspectLog(frames)
  } catch (cause) {
    throw new UserError(`narthex agent inspect: cannot read ${frames}: ${(cause as Error).message}`, 1, { cause })
  }
  const deadLetters = listDeadLetters(join(directory, 'dead-letters'))
  const isDamaged = log.problems.length > 0 || log.segments.some(hasDamage)
  const text = values.isJson
    ? `${JSON.stringify({ directory, ...log, deadLetters }, undefined, 2)}\n`
    : formatInspection(log, deadLetters, Date.now())
  throw new PrintAndExit(text, isDamaged ? 1 : 0)
}

function hasDamage({ damage, framesWithoutLayout }: SegmentInspection): boolean {
  return damage.length > 0 || framesWithoutLayout > 0
}

/** The report for people; `nowMs` is what ages are counted from. */
export function formatInspection(
  { segments, remotes, problems }: LogInspection,
  deadLetters: readonly DeadLetters[],
  nowMs: number,
): string {
  const kept = segments.filter(({ isGone }) => !isGone)
  const sum = (pick: (segment: SegmentInspection) => number) => kept.reduce((total, segment) => total + pick(segment), 0)
  const lines = [
    `${kept.length} segments, ${formatBytes(sum(({ bytes }) => bytes))}, ${sum(({ frames }) => frames)} frames, ${sum(({ samples }) => samples)} samples`,
    '',
    ...formatTable(
      ['SEGMENT', 'BYTES', 'FRAMES', 'LAYOUTS', 'SAMPLES', 'SEQUENCES', 'FROM', 'TO', 'STATE'],
      kept.map((segment) => [
        segment.file,
        formatBytes(segment.bytes),
        String(segment.frames),
        String(segment.layouts),
        String(segment.samples),
        segment.firstSequence === undefined ? '-' : `${segment.firstSequence}-${segment.lastSequence}`,
        formatTime(segment.minTimeMs),
        formatTime(segment.maxTimeMs),
        describeState(segment),
      ]),
    ),
    '',
    ...(remotes.length === 0
      ? ['no remote has a cursor: nothing was delivered yet']
      : formatTable(
          remoteHeads,
          remotes.map((remote) => formatRemote(remote, nowMs)),
        )),
  ]
  for (const { remote, files, bytes } of deadLetters) lines.push('', `dead letters of ${remote}: ${formatBytes(bytes)} in ${files} files`)
  for (const segment of kept.filter(hasDamage)) lines.push('', ...describeDamage(segment))
  for (const problem of problems) lines.push('', problem)
  return `${lines.join('\n')}\n`
}

const remoteHeads = ['REMOTE', 'THROUGH BEFORE', 'WAITING FRAMES', 'SAMPLES', 'BYTES', 'OLDEST', 'NOT IN THE LOG']

function formatRemote(
  { name, next, settled, waitingFrames, waitingSamples, waitingBytes, oldestTimeMs, missingFrames }: RemoteInspection,
  nowMs: number,
): string[] {
  return [
    name,
    settled.length === 0 ? String(next) : `${next}, and ${settled.map(({ first, end }) => `${first}-${end - 1}`).join(', ')}`,
    String(waitingFrames),
    String(waitingSamples),
    formatBytes(waitingBytes),
    oldestTimeMs === undefined ? '-' : `${formatAge(nowMs - oldestTimeMs)} ago`,
    missingFrames === 0 ? '-' : `${missingFrames} frames`,
  ]
}

function describeState(segment: SegmentInspection): string {
  const { packedFrames, frames, layouts, tornBytes } = segment
  const parts = [packedFrames === 0 ? 'as written' : packedFrames === frames + layouts ? 'packed' : `packed in part (${packedFrames})`]
  if (hasDamage(segment)) parts.push('DAMAGED')
  if (tornBytes > 0) parts.push(`${tornBytes} bytes of a frame at its end`)
  return parts.join(', ')
}

/** Damaged places that are shown of one segment. */
const placesMax = 20

function describeDamage({ file, damage, framesWithoutLayout }: SegmentInspection): string[] {
  const lines = damage.slice(0, placesMax).map(({ offset, bytes, sequence, samples }) => {
    const frame = sequence === undefined ? '' : `: frame ${sequence} with ${samples} samples`
    return `${file}: ${bytes} damaged bytes at ${offset}${frame}`
  })
  if (damage.length > placesMax) lines.push(`${file}: ${damage.length - placesMax} more damaged places`)
  if (framesWithoutLayout > 0) lines.push(`${file}: ${framesWithoutLayout} frames whose labels are damaged`)
  return lines
}

function formatTable(heads: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]!.length)))
  return [heads, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join('  ')
      .trimEnd(),
  )
}

function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  const units = ['KiB', 'MiB', 'GiB', 'TiB']
  let scaled = bytes / 1024
  let unit = 0
  for (; scaled >= 1024 && unit < units.length - 1; unit++) scaled /= 1024
  return `${scaled.toFixed(1)} ${units[unit]}`
}

function formatTime(timeMs: number | undefined): string {
  if (timeMs === undefined) return '-'
  const time = new Date(timeMs)
  return Number.isNaN(time.getTime()) ? String(timeMs) : `${time.toISOString().slice(0, 19)}Z`
}

function formatAge(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  if (seconds < 120) return `${seconds}s`
  if (seconds < 7200) return `${Math.round(seconds / 60)}m`
  return seconds < 172_800 ? `${Math.round(seconds / 3600)}h` : `${Math.round(seconds / 86_400)}d`
}
