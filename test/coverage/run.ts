import { ensurePrograms, programVersion } from '../kit/packages.ts'
import { isMet, type Assessment, type Bound } from './assess.ts'
import { assessSubject, subjects } from './subjects.ts'

// npm run coverage -- node|mysql|redis|nginx|container
//
// Reads Debian's exporter and ours beside each other on the same live services, and counts how many families (name, type, label names) ours
// has of those that the original shows. Ends with `N bounds met, N missed` and exit code 1 if one is missed.

const notBuilt = ['container']

async function main([name, ...rest]: readonly string[]): Promise<number> {
  if (name !== undefined && notBuilt.includes(name)) {
    console.error(`coverage: ${name} is not built yet`)
    return 1
  }
  const subject = name !== undefined && Object.hasOwn(subjects, name) ? subjects[name] : undefined
  if (name === undefined || subject === undefined || rest.length > 0) {
    console.error(`usage: npm run coverage -- ${[...Object.keys(subjects), ...notBuilt].join('|')}`)
    return 2
  }
  ensurePrograms((line) => console.log(line))
  const played = await assessSubject(name)
  if (played === undefined) {
    console.error('coverage: cannot find the inventories: want the shared folder beside the repository, or its path in NARTHEX_SHARED')
    return 2
  }
  const { assessment, scenes } = played
  console.log(
    `${name}: narthex beside ${subject.original} ${programVersion(subject.original)}; scenes: ${scenes.map((scene) => scene.name).join(', ')}\n`,
  )
  printAssessment(assessment)
  const bounds = assessment.bounds.filter(({ shareMin }) => shareMin !== undefined)
  const met = bounds.filter(isMet).length
  console.log(`\n${met} bounds met, ${bounds.length - met} missed`)
  return met === bounds.length ? 0 : 1
}

function printAssessment({ bounds, gone, inventory, known, unseen }: Assessment): void {
  for (const bound of bounds) printBound(bound)
  for (const [row, names] of known) printList(`known difference, see docs/differences.md: ${row}`, names)
  printList('only the installed, older release has these', gone)
  printList('neither showed these, though both could', unseen)
  const { all, original, ours } = inventory
  console.log(`\nof the ${all} default-on families of the newest release, ours showed ${ours} here, the installed one ${original}`)
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
