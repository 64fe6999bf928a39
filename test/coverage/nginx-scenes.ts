import { startNginx } from '../kit/services.ts'
import type { Scene } from './assess.ts'
import { playScene } from './scene.ts'

export async function playNginxScenes(): Promise<Scene[]> {
  const nginx = await startNginx()
  try {
    const flags = [`--nginx.scrape-uri=${nginx.url}/stub_status`]
    return [await playScene({ name: 'stub_status', isDefault: true, exporter: 'nginx', original: 'prometheus-nginx-exporter', flags })]
  } finally {
    await nginx.stop()
  }
}
