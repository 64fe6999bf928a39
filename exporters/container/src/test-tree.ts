import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

// Trees of small files are kept in one text file each: a line `== PATH` starts a file, `-> PATH TARGET` is a symbolic link, lines before
// the first of these are comments.

/** A directory with an unpacked tree of testdata. */
export interface TestTree {
  readonly directory: string
  remove(): void
}

export function unpackTestTree(name: 'v1' | 'v2'): TestTree {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-container-'))
  const text = readFileSync(new URL(`../testdata/${name}.tree`, import.meta.url), 'utf8')
  for (const part of text.split(/^(?===|->)/m).slice(1)) {
    const [head = '', ...lines] = part.split('\n')
    const [sign, path = '', target = ''] = head.split(' ')
    const place = join(directory, path)
    mkdirSync(dirname(place), { recursive: true })
    if (sign === '->') symlinkSync(target, place)
    else writeFileSync(place, lines.join('\n'))
  }
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) }
}
