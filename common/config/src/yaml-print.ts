import type { Encoded } from './yaml-decode.ts'
import { isScalar, isSeq, loadYaml } from './yaml-library.ts'

/** Prints a tree in the layout of Go's encoder: block style, lists at the level of their key, long lines unbroken. */
export function printYaml(value: Encoded): string {
  const { Document, visit } = loadYaml()
  const document = new Document(value, { version: '1.1', aliasDuplicateObjects: false, keepUndefined: false })
  visit(document, {
    Pair(_key, pair) {
      // The one list that Prometheus prints in brackets.
      if (isScalar(pair.key) && pair.key.value === 'source_labels' && isSeq(pair.value)) pair.value.flow = true
    },
  })
  return document.toString({ indentSeq: false, lineWidth: 0, flowCollectionPadding: false })
}
