import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'
import { EventLoopTurn } from './event-loop-turn.ts'
import { readNumberFile } from './number-file.ts'

const closingParenthesis = 41

interface Counts {
  processes: number
  threads: number
  /** By the code of the state's letter. */
  readonly processStates: Float64Array
  readonly threadStates: Float64Array
}

export function createProcessesCollector(environment: NodeEnvironment): Collector {
  const { files, scanner } = environment
  const stat = { state: 0, threads: 0 }

  async function collect({ writer }: CollectContext): Promise<void> {
    const counts = await count()
    const write = (name: string, help: string, value: number): void => {
      writer.family(`node_processes_${name}`, help, 'gauge')
      writer.sample(value)
    }
    write('threads', 'Threads on this machine.', counts.threads)
    write('max_threads', 'Threads that may exist.', readNumberFile(environment, environment.procPath('sys/kernel/threads-max')))
    writer.family('node_processes_state', 'Processes by state.', 'gauge')
    forEachState(counts.processStates, (letter, value) => writer.sample(value, ['state', letter]))
    writer.family('node_processes_threads_state', 'Threads by state.', 'gauge')
    forEachState(counts.threadStates, (letter, value) => writer.sample(value, ['thread_state', letter]))
    write('pids', 'Processes on this machine.', counts.processes)
    write('max_processes', 'Process ids that may exist.', readNumberFile(environment, environment.procPath('sys/kernel/pid_max')))
  }

  async function count(): Promise<Counts> {
    const counts: Counts = { processes: 0, threads: 0, processStates: new Float64Array(128), threadStates: new Float64Array(128) }
    // A host may have tens of thousands of threads.
    const turn = new EventLoopTurn()
    for (const id of readdirSync(environment.procPath('/'))) {
      if (!isNumber(id)) continue
      countProcess(id, counts)
      if (turn.isOver()) await turn.next()
    }
    return counts
  }

  function countProcess(id: string, counts: Counts): void {
    if (!readStat(`${id}/stat`)) return
    const { state, threads } = stat
    counts.processes++
    counts.processStates[state]!++
    counts.threads += threads
    if (threads === 1) counts.threadStates[state]!++
    else countThreads(id, state, counts)
  }

  function countThreads(id: string, processState: number, counts: Counts): void {
    const names = ignoreGone(() => readdirSync(environment.procPath(`${id}/task`)))
    for (const name of names ?? []) {
      if (name === id) counts.threadStates[processState]!++
      else if (isNumber(name) && readStat(`${id}/task/${name}/stat`)) counts.threadStates[stat.state]!++
    }
  }

  /** False for a process that went meanwhile. `PID (NAME) STATE …`, the number of threads is the 17th behind the state; a name may hold anything. */
  function readStat(name: string): boolean {
    const path = environment.procPath(name)
    const bytes = ignoreGone(() => files.read(path))
    if (bytes === undefined) return false
    scanner.load(bytes)
    const nameEnd = bytes.lastIndexOf(closingParenthesis)
    scanner.nextLine()
    scanner.lineEnd = bytes.length
    scanner.moveTo(nameEnd + 1)
    scanner.nextField()
    stat.state = bytes[scanner.fieldStart]! & 127
    for (let skipped = 0; skipped < 16; skipped++) scanner.nextField()
    stat.threads = scanner.nextUnsigned()
    if (nameEnd < 0 || Number.isNaN(stat.threads)) throw new Error(`cannot read ${path}: want a state and 17 more fields, got fewer`)
    return true
  }

  return { name: 'processes', defaultOn: false, collect }
}

/** What `read` gives, or undefined for a process that ended between listing and reading. */
function ignoreGone<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch (error) {
    const code = systemErrorCode(error)
    if (code === 'ENOENT' || code === 'ESRCH') return undefined
    throw error
  }
}

function isNumber(name: string): boolean {
  const code = name.charCodeAt(0)
  return code >= 48 && code <= 57
}

function forEachState(counts: Float64Array, write: (letter: string, value: number) => void): void {
  for (let code = 0; code < counts.length; code++) if (counts[code]! > 0) write(String.fromCharCode(code), counts[code]!)
}
