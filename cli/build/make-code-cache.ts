import { readFileSync, writeFileSync } from 'node:fs'
import { compileFunction } from 'node:vm'

// make-code-cache.ts FILE ...: writes FILE.cache, what V8 compiles of each before it runs. As `cli/src/main-binary.ts` compiles them, by the very same
// Node.js: another one does without.

for (const file of process.argv.slice(2)) {
  const options = { filename: file, produceCachedData: true }
  const { cachedData } = compileFunction(readFileSync(file, 'latin1'), ['require', 'module', 'exports'], options) as { cachedData?: Uint8Array }
  if (cachedData === undefined) throw new Error(`cannot make the code cache of ${file}: V8 gives none`)
  writeFileSync(`${file}.cache`, cachedData)
}
