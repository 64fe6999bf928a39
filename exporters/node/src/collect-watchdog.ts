import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'

// Files in /sys/class/watchdog/NAME (Documentation/ABI/testing/sysfs-class-watchdog) and their families.
const families: readonly (readonly [file: string, name: string, help: string])[] = [
  ['access_cs0', 'access_cs0', 'Whether the machine booted from the other flash chip.'],
  ['bootstatus', 'bootstatus', 'Status of the watchdog at boot as a bit field.'],
  ['fw_version', 'fw_version', 'Firmware version of the watchdog.'],
  ['nowayout', 'nowayout', 'Whether the watchdog cannot be stopped.'],
  ['pretimeout', 'pretimeout_seconds', 'Seconds before the timeout at which the pretimeout governor acts.'],
  ['timeleft', 'timeleft_seconds', 'Seconds left before the watchdog resets the machine.'],
  ['timeout', 'timeout_seconds', 'Seconds without a ping after which the watchdog resets the machine.'],
]

export function createWatchdogCollector(environment: NodeEnvironment): Collector {
  const { attributes } = environment
  const root = environment.sysPath('class/watchdog')

  function collect({ writer }: CollectContext): void {
    const names = listWatchdogs(root)
    for (const [file, family, help] of families) {
      writer.family(`node_watchdog_${family}`, help, 'gauge')
      for (const name of names) {
        const value = attributes.integer(`${root}/${name}/${file}`)
        if (!Number.isNaN(value)) writer.sample(value, ['name', name])
      }
    }
    writer.family('node_watchdog_info', 'What the driver says about the watchdog, as labels.', 'gauge')
    for (const name of names) {
      const text = (file: string): string => attributes.text(`${root}/${name}/${file}`) ?? ''
      const labels = ['identity', text('identity'), 'name', name, 'options', text('options')]
      labels.push('pretimeout_governor', text('pretimeout_governor'), 'state', text('state'), 'status', text('status'))
      writer.sample(1, labels)
    }
  }

  return { name: 'watchdog', defaultOn: true, collect }
}

function listWatchdogs(root: string): string[] {
  try {
    return readdirSync(root).sort()
  } catch (error) {
    const code = systemErrorCode(error)
    if (code !== 'ENOENT' && code !== 'EACCES') throw error
    throw new NoDataError('no watchdogs on this system', { cause: error })
  }
}
