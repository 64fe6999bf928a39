import { createRequire } from 'node:module'
import * as os from 'node:os'
import type * as systeminformation from 'systeminformation'
import type { Systeminformation } from 'systeminformation'

/** What is used of systeminformation (https://systeminformation.io), in its own types. */
export interface SystemLibrary {
  fsSize(): Promise<Systeminformation.FsSizeData[]>
  mem(): Promise<Systeminformation.MemData>
  /** Names with commas between them, or `*`. */
  networkStats(names: string): Promise<Systeminformation.NetworkStatsData[]>
  osInfo(): Promise<Systeminformation.OsData>
}

/** What is used of Node.js' own module. */
export type SystemCalls = Pick<
  typeof os,
  'cpus' | 'freemem' | 'hostname' | 'loadavg' | 'machine' | 'networkInterfaces' | 'release' | 'totalmem' | 'type' | 'uptime' | 'version'
>

/** A machine without /proc, as collectors ask it. */
export interface Machine {
  readonly platform: NodeJS.Platform
  readonly system: SystemCalls
  /** Throws one line where the library is not installed. */
  readonly library: () => Promise<SystemLibrary>
  /** What a program of the system prints. */
  readonly run: (program: string, args: readonly string[], signal: AbortSignal) => Promise<string>
}

const outputBytesMax = 16 * 1024 * 1024

export const thisMachine: Machine = { platform: process.platform, system: os, library: loadLibrary, run: runProgram }

/**
 * From node_modules above this file, or, in a bundle, above the program. Loaded by the first scrape that needs it: it is half a megabyte of
 * scripts, and Linux never does.
 */
function loadLibrary(): Promise<SystemLibrary> {
  let cause: unknown
  for (const base of [import.meta.url, process.argv[1]]) {
    if (base === undefined) continue
    try {
      return Promise.resolve(createRequire(base)('systeminformation') as typeof systeminformation)
    } catch (error) {
      cause = error
    }
  }
  return Promise.reject(new Error('cannot load the package systeminformation', { cause }))
}

function runProgram(program: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  // Loaded when there is a program to run: on Linux there is none.
  const { execFile } = process.getBuiltinModule('node:child_process')
  return new Promise((resolve, reject) => {
    const options = { signal, maxBuffer: outputBytesMax, env: { ...process.env, LC_ALL: 'C' } }
    execFile(program, [...args], options, (error, stdout) => {
      if (error === null) resolve(stdout)
      else reject(new Error(`cannot run ${program}: ${error.message}`, { cause: error }))
    })
  })
}
