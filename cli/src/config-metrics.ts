import type { Registry } from '@narthex/service/metrics'
import { compatibleVersion, version } from './version.ts'

/** Whether the last configuration was taken, as Prometheus tells it. */
export class ConfigMetrics {
  readonly #success
  readonly #time
  /** Whether the last attempt was taken. */
  isLoaded = false
  /** When one was taken last, milliseconds since 1970. */
  loadedMs = Date.now()

  constructor(registry: Registry) {
    this.#success = registry.gauge(
      'prometheus_config_last_reload_successful',
      'Whether the last configuration reload attempt was successful.',
    )
    this.#time = registry.gauge(
      'prometheus_config_last_reload_success_timestamp_seconds',
      'Timestamp of the last successful configuration reload.',
    )
    const labels = ['branch', 'goarch', 'goos', 'goversion', 'revision', 'tags', 'version']
    const build = registry.gauge('prometheus_build_info', 'The version of this program and the one it is compatible with.', labels)
    build.set(1, 'narthex', process.arch, process.platform, `node ${process.version}`, `narthex-${version}`, '', compatibleVersion)
    registry.gauge('prometheus_ready', 'Whether the server is ready.').set(1)
  }

  loaded(ok: boolean): void {
    this.isLoaded = ok
    this.#success.set(ok ? 1 : 0)
    if (!ok) return
    this.loadedMs = Date.now()
    this.#time.set(this.loadedMs / 1000)
  }
}
