import { NoDataError, type CollectContext, type Collector } from '@narthex/exporter-kit/collector'
import { describeRelease, parseOsRelease, writeRelease, type OsRelease } from '../collect-os.ts'
import type { NodeEnvironment } from '../environment.ts'
import type { Machine } from './machine.ts'

/** os-release, where someone put one, then the file that macOS has; on Windows what the library says, once. */
export function createOsCollector(environment: NodeEnvironment, { library, platform }: Machine): Collector {
  const { files } = environment
  const readText = (name: string): string | undefined => files.readIfThere(environment.rootfsPath(name))?.toString('utf8')
  let windows: OsRelease | undefined

  async function collect({ writer }: CollectContext): Promise<void> {
    writeRelease(writer, platform === 'win32' ? (windows ??= describeRelease(await askLibrary())) : describeRelease(readFiles()))
  }

  function readFiles(): ReadonlyMap<string, string> {
    const release = readText('etc/os-release') ?? readText('usr/lib/os-release')
    if (release !== undefined) return parseOsRelease(release)
    const version = readText('System/Library/CoreServices/SystemVersion.plist')
    if (version === undefined) throw new NoDataError('no os-release file found')
    return parseSystemVersion(version)
  }

  async function askLibrary(): Promise<ReadonlyMap<string, string>> {
    const { build, distro, release } = await (await library()).osInfo()
    return new Map(
      Object.entries({ ID: 'windows', NAME: distro, PRETTY_NAME: distro, VERSION: release, VERSION_ID: release, BUILD_ID: build }),
    )
  }

  return { name: 'os', defaultOn: true, collect }
}

/** The keys of os-release for those of the property list: `<key>ProductName</key><string>macOS</string>`. */
export function parseSystemVersion(text: string): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const [, key, value] of text.matchAll(/<key>([^<]*)<\/key>\s*<string>([^<]*)<\/string>/g)) found.set(key!, value!)
  const version = found.get('ProductVersion') ?? ''
  return new Map(
    Object.entries({
      NAME: found.get('ProductName') ?? '',
      VERSION: version,
      VERSION_ID: version,
      BUILD_ID: found.get('ProductBuildVersion') ?? '',
    }),
  )
}
