/** The release, set when bundled; from a clone it is the version of the packages. */
export const version = process.env['NARTHEX_VERSION'] ?? '0.1.0'

/** Reported where Prometheus reports its own: clients decide by it which features the API has. */
export const compatibleVersion = '3.14.0'

export function versionText(program: string): string {
  return `${program} (narthex ${version}, compatible with Prometheus ${compatibleVersion})\n  platform: ${process.platform}/${process.arch}\n  node: ${process.version}`
}
