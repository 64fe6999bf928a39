import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import type { NodeEnvironment } from './environment.ts'

export function createBondingCollector(environment: NodeEnvironment): Collector {
  const { attributes, files } = environment
  const root = environment.sysPath('class/net')

  function collect({ writer }: CollectContext): void {
    const masters = readNames(`${root}/bonding_masters`)
    if (masters === undefined) throw new NoDataError('the bonding driver is not loaded')
    const bonds = masters.sort().map((master) => {
      const states = (readNames(`${root}/${master}/bonding/slaves`) ?? []).map((slave) => readState(master, slave))
      return { labels: ['master', master], slaves: states.length, active: states.filter((state) => state === 'up').length }
    })
    writer.family('node_bonding_active', 'Slaves of the bond whose link is up.', 'gauge')
    for (const { active, labels } of bonds) writer.sample(active, labels)
    writer.family('node_bonding_slaves', 'Slaves of the bond.', 'gauge')
    for (const { slaves, labels } of bonds) writer.sample(slaves, labels)
  }

  // Kernels before 3.9 name the link `slave_…`.
  function readState(master: string, slave: string): string | undefined {
    const read = (prefix: string): string | undefined => attributes.text(`${root}/${master}/${prefix}_${slave}/bonding_slave/mii_status`)
    return read('lower') ?? read('slave')
  }

  /** Blank-separated names; undefined if the file is not there. */
  function readNames(path: string): string[] | undefined {
    return files
      .readTextIfThere(path)
      ?.split(/\s+/)
      .filter((name) => name !== '')
  }

  return { name: 'bonding', defaultOn: true, collect }
}
