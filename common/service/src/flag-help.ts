import type { Flag } from './flag-spec.ts'
import type { FlagSpecs, Program } from './flag-reading.ts'

const widthColumns = 80
const textColumn = 31

/** The text of `--help` in kingpin's shape, flags under the headings of their groups. */
export function renderHelp(program: Program<FlagSpecs>): string {
  const names = (program.arguments ?? []).map(({ name, isRepeatable, isOptional }) => {
    const shown = `<${name}>${isRepeatable === true ? '...' : ''}`
    return isOptional === true ? ` [${shown}]` : ` ${shown}`
  })
  const lines = [`usage: ${program.name} [<flags>]${names.join('')}`, '', program.help, '']
  const groups = new Map<string, string[]>([
    [
      'Flags:',
      [...entry('  -h, --[no-]help', 'Show context-sensitive help.'), ...entry('      --[no-]version', 'Show application version.')],
    ],
  ])
  for (const described of Object.values(program.flags)) {
    if (described.isHidden) continue
    const heading = described.group ?? 'Flags:'
    const list = groups.get(heading) ?? []
    list.push(...entry(usageOf(described), textOf(described)))
    groups.set(heading, list)
  }
  for (const [heading, list] of groups) lines.push(heading, ...list, '')
  if ((program.arguments ?? []).length > 0) {
    lines.push('Args:', ...program.arguments!.flatMap(({ name, help }) => entry(`  <${name}>`, help)), '')
  }
  return lines.join('\n')
}

function usageOf(described: Flag<unknown>): string {
  const lead = described.short === undefined ? '      --' : `  -${described.short}, --`
  if (described.isBoolean && described.placeholder !== undefined) return `${lead}${described.name}[=${described.placeholder}]`
  if (described.isBoolean) return `${lead}[no-]${described.name}`
  const preset = described.defaultTexts[0]
  const value =
    described.placeholder ?? (preset === undefined ? described.name.toUpperCase() : /^[\d.]+[a-z]*$/.test(preset) ? preset : `"${preset}"`)
  return `${lead}${described.name}=${value}${described.isRepeatable ? ' ...' : ''}`
}

function textOf(described: Flag<unknown>): string {
  const names = described.env === undefined ? [] : [described.env].flat()
  return names.length === 0 ? described.help : `${described.help} ($${names[0]})`
}

function entry(usage: string, help: string): string[] {
  const wrapped = wrap(help, widthColumns - textColumn)
  const indent = ' '.repeat(textColumn)
  if (usage.length > textColumn - 2) return [`${usage}  `, ...wrapped.map((line) => indent + line)]
  return [usage.padEnd(textColumn) + (wrapped[0] ?? ''), ...wrapped.slice(1).map((line) => indent + line)]
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > columns) {
      lines.push(line)
      line = word
    } else {
      line = line === '' ? word : `${line} ${word}`
    }
  }
  return [...lines, line]
}
