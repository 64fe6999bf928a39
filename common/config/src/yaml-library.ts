import { createRequire } from 'node:module'
import type * as Yaml from 'yaml'

export type { Document, LineCounter, Node, Pair, Scalar, YAMLMap } from 'yaml'

let library: typeof Yaml | undefined

/** The YAML library, loaded with the first text that is read or printed: 4 MB and 20 ms, which a program without a configuration file does not take. */
export function loadYaml(): typeof Yaml {
  // A bundler sees the plain call and puts the library in; from the sources there is no `require`, and one is made.
  library ??= typeof require === 'function' ? (require('yaml') as typeof Yaml) : (createRequire(import.meta.url)('yaml') as typeof Yaml)
  return library
}

// The library's own, for those who have got a node from it.

export const isAlias = ((node: unknown) => loadYaml().isAlias(node)) as typeof Yaml.isAlias
export const isMap = ((node: unknown) => loadYaml().isMap(node)) as typeof Yaml.isMap
export const isScalar = ((node: unknown) => loadYaml().isScalar(node)) as typeof Yaml.isScalar
export const isSeq = ((node: unknown) => loadYaml().isSeq(node)) as typeof Yaml.isSeq
