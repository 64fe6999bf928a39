import { findAgentProgram } from './programs.ts'
import { seededRandom, type Finding } from './scenario.ts'
import { scenarios } from './scenarios.ts'

export interface TortureOptions {
  readonly program: string
  /** SIGKILLs; the other scenarios take their share. */
  readonly count: number
  readonly seed: number
  /** Names of scenarios; empty = all. */
  readonly only: readonly string[]
  readonly print: (line: string) => void
}

/** Runs the scenarios one after the other on one program; a scenario that breaks is a finding of its own. */
export async function torture({ program: name, count, seed, only, print }: TortureOptions): Promise<Finding[]> {
  const program = findAgentProgram(name)
  const unknown = only.filter((scenario) => !(scenario in scenarios))
  if (unknown.length > 0) throw new Error(`cannot run ${unknown.join(', ')}: want some of ${Object.keys(scenarios).join(', ')}`)
  const findings: Finding[] = []
  for (const [scenario, run] of Object.entries(scenarios)) {
    if (only.length > 0 && !only.includes(scenario)) continue
    const started = performance.now()
    let finding: Finding
    try {
      finding = await run({ program, count, random: seededRandom(seed) })
    } catch (error) {
      finding = {
        guarantee: '?',
        scenario,
        figures: `broke: ${error instanceof Error ? error.message.split('\n')[0] : String(error)}`,
        ok: false,
      }
    }
    findings.push(finding)
    print(`${outcomeOf(finding).padEnd(9)} ${scenario}: ${finding.figures} (${((performance.now() - started) / 1000).toFixed(0)} s)`)
  }
  return findings
}

/** One table for all programs. */
export function formatFindings(program: string, findings: readonly Finding[]): string {
  const rows = findings.map(
    ({ guarantee, scenario, figures, ok }) => `| ${program} | ${guarantee} | ${scenario} | ${outcomeOf({ ok })} | ${figures} |`,
  )
  return ['| program | guarantee | scenario | | figures |', '| --- | --- | --- | --- | --- |', ...rows].join('\n')
}

function outcomeOf({ ok }: Pick<Finding, 'ok'>): string {
  return ok === undefined ? 'not tried' : ok ? 'kept' : '**broken**'
}
