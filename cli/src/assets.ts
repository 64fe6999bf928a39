import { join } from 'node:path'
import { registerAssetRoot } from '@narthex/service/asset'

/** From a clone the pages are in `remote-write/web/dist`; the single binary carries them. */
export function registerWebAssets(): void {
  registerAssetRoot('web', join(import.meta.dirname, '..', '..', 'remote-write', 'web', 'dist'))
}
