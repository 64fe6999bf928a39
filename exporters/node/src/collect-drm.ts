import type { CollectContext, Collector } from '@narthex/exporter-kit/collector'
import { systemErrorCode } from '@narthex/exporter-kit/file-reader'
import { readdirSync } from 'node:fs'
import type { NodeEnvironment } from './environment.ts'
import { parseInteger } from './number-file.ts'

const numbers: readonly (readonly [file: string, metric: string, help: string])[] = [
  ['gpu_busy_percent', 'gpu_busy_percent', 'How busy the GPU is, in percent.'],
  ['mem_info_gtt_total', 'memory_gtt_size_bytes', 'Size of the graphics translation table block.'],
  ['mem_info_gtt_used', 'memory_gtt_used_bytes', 'Bytes of the graphics translation table block in use.'],
  ['mem_info_vis_vram_total', 'memory_vis_vram_size_bytes', 'Size of the visible video memory.'],
  ['mem_info_vis_vram_used', 'memory_vis_vram_used_bytes', 'Bytes of the visible video memory in use.'],
  ['mem_info_vram_total', 'memory_vram_size_bytes', 'Size of the video memory.'],
  ['mem_info_vram_used', 'memory_vram_used_bytes', 'Bytes of the video memory in use.'],
]

/** Cards with the driver amdgpu, the only one that says such things in /sys. */
export function createDrmCollector(environment: NodeEnvironment): Collector {
  const { files } = environment
  const root = environment.sysPath('class/drm')

  function collect({ writer }: CollectContext): void {
    const cards = listCards().filter((card) => readText(card, 'uevent').includes('DRIVER=amdgpu'))
    writer.family('node_drm_card_info', 'The graphics card, as labels.', 'gauge')
    for (const card of cards) {
      const labels = ['card', card, 'memory_vendor', readText(card, 'mem_info_vram_vendor')]
      labels.push('power_performance_level', readText(card, 'power_dpm_force_performance_level'))
      writer.sample(1, [...labels, 'unique_id', readText(card, 'unique_id'), 'vendor', 'amd'])
    }
    for (const [file, metric, help] of numbers) {
      writer.family(`node_drm_${metric}`, help, 'gauge')
      // A file that the card does not have counts as 0.
      for (const card of cards) writer.sample(parseInteger(readText(card, file)) ?? 0, ['card', card])
    }
  }

  function readText(card: string, file: string): string {
    return files.readTextIfThere(`${root}/${card}/device/${file}`) ?? ''
  }

  function listCards(): string[] {
    try {
      return readdirSync(root)
        .filter((name) => /^card[0-9]$/.test(name))
        .sort()
    } catch (error) {
      if (systemErrorCode(error) === 'ENOENT') return []
      throw error
    }
  }

  return { name: 'drm', defaultOn: false, collect }
}
