import { ensurePrograms, programVersion } from '../kit/packages.ts'
import { isMet, type Assessment, type Bound } from './assess.ts'
import { assessSubject, subjects } from './subjects.ts'

// npm run coverage -- node|mysql|redis|nginx|container
//
// Reads Debian's exporter and ours beside each other on the same live services, and counts how many families (name, type, label names) ours
// has of those that the original shows; of cAdvisor, which Debian does not have, how many of its inventory. Ends with `N bounds met, N missed` and exit code 1 if one is missed.

async function main([name, ...rest]: readonly string[]): Promise<number> {
  const subject = name !== undefined && Object.hasOwn(subjects, name) ? subjects[name] : undefined
  if (name === undefined || subject === undefined || rest.length > 0) {
    console.error(`usage: npm run coverage -- ${Object.keys(subjects).join('|')}`)
    return 2
  }
  ensurePrograms((line) => console.log(line))
  const played = await assessSubject(name)
  if (played === undefined) {
    console.error('coverage: cannot find the inventories: want the shared folder beside the repository, or its path in NARTHEX_SHARED')
    return 2
  }
  const { assessment, scenes } = played
  const peer = subject.original === undefined ? '' : ` beside ${subject.original} ${programVersion(subject.original)}`
  console.log(`${name}: narthex${peer}; scenes: ${scenes.map((scene) => scene.name).join(', ')}\n`)
  printAssessment(assessment)
  const bounds = assessment.bounds.filter(({ shareMin }) => shareMin !== undefined)
  const met = bounds.filter(isMet).length
  console.log(`\n${met} bounds met, ${bounds.length - met} missed`)
  return met === bounds.length ? 0 : 1
}

function printAssessment({ bounds, gone, impossible, inventory, known, unseen }: Assessment): void {
  for (const bound of bounds) printBound(bound)
  for (const [row, names] of known) printList(`known difference, see docs/differences.md: ${row}`, names)
  for (const [reason, names] of impossible) printList(`this machine cannot have these: ${reason}`, names)
  printList('only the installed, older release has these', gone)
  printList('neither showed these, though both could', unseen)
  const { all, original, ours } = inventory
  const peer = original === 0 ? '' : `, the installed one ${original}`
  console.log(`\nof the ${all} default-on families of the newest release, ours showed ${ours} here${peer}`)
}

function printBound(bound: Bound): void {
  const { covered, missing, shareMin, title, wanted } = bound
  const share = wanted === 0 ? '' : ` = ${((100 * covered) / wanted).toFixed(1)} %`
  const verdict = shareMin === undefined ? 'told  ' : isMet(bound) ? 'met   ' : 'MISSED'
  const want = shareMin === undefined ? '' : ` (want ${100 * shareMin} %)`
  console.log(`${verdict} ${title}: ${covered} of ${wanted}${share}${want}`)
  for (const line of missing) console.log(`         ${line}`)
}

function printList(title: string, names: readonly string[]): void {
  if (names.length > 0) console.log(`\n${title}: ${names.length}\n  ${names.join(' ')}`)
}

process.exitCode = await main(process.argv.slice(2))
