import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

// Trees of small files are kept in one text file each: a line `== PATH` starts a file, `-> PATH TARGET` is a symbolic link,
// `/ PATH` an empty directory, lines before the first of these are comments. A tree may be parted: `proc.tree`, `proc-zfs.tree`.

const testdata = fileURLToPath(new URL('../testdata', import.meta.url))

/** A directory with the unpacked trees of testdata: proc, sys, udev, rootfs. */
export interface TestTrees {
  readonly directory: string
  /** The `--path.*` flags for them. */
  readonly flags: Readonly<Record<string, string>>
  remove(): void
}

/** `folder` is below testdata, '' for testdata itself. */
export function unpackTestTrees(folder = ''): TestTrees {
  const trees = join(testdata, folder)
  const directory = mkdtempSync(join(tmpdir(), 'narthex-node-'))
  for (const name of ['proc', 'sys', 'udev', 'rootfs']) {
    for (const file of globSync(`${name}{,-*}.tree`, { cwd: trees }).sort()) {
      unpackTree(readFileSync(join(trees, file), 'utf8'), join(directory, name))
    }
  }
  return describeTrees(directory)
}

function describeTrees(directory: string): TestTrees {
  return {
    directory,
    flags: {
      'path.procfs': join(directory, 'proc'),
      'path.sysfs': join(directory, 'sys'),
      'path.udev.data': join(directory, 'udev'),
      'path.rootfs': join(directory, 'rootfs'),
    },
    remove: () => rmSync(directory, { recursive: true, force: true }),
  }
}

/** A tree whose paths begin with `proc/`, `sys/`, `udev/` or `rootfs/`, in a directory of its own. */
export function unpackSmallTree(text: string): TestTrees {
  const directory = mkdtempSync(join(tmpdir(), 'narthex-node-'))
  unpackTree(text, directory)
  return describeTrees(directory)
}

export function unpackTree(text: string, directory: string): void {
  let path: string | undefined
  let lines: string[] = []
  const finishFile = (): void => {
    if (path !== undefined) writeInto(path, lines.join('\n') + '\n')
    path = undefined
    lines = []
  }
  for (const line of text.split('\n').slice(0, -1)) {
    if (line.startsWith('== ')) {
      finishFile()
      path = join(directory, line.slice(3))
    } else if (line.startsWith('-> ')) {
      finishFile()
      const space = line.lastIndexOf(' ')
      const link = join(directory, line.slice(3, space))
      mkdirSync(dirname(link), { recursive: true })
      symlinkSync(line.slice(space + 1), link)
    } else if (line.startsWith('/ ')) {
      finishFile()
      mkdirSync(join(directory, line.slice(2)), { recursive: true })
    } else if (path !== undefined) lines.push(line)
  }
  finishFile()
}

function writeInto(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}
