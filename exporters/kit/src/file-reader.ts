import { closeSync, openSync, readSync } from 'node:fs'

/** Largest file that is read; the kernel's text files stay far below. */
export const fileBytesMax = 64 * 1024 * 1024

/**
 * Reads small kernel files (/proc, /sys, cgroup) into one reused buffer. Only for files that cannot hang: the read is synchronous, because
 * an asynchronous one costs ten times as much as the kernel needs to print the file.
 */
export class FileReader {
  #buffer: Buffer

  constructor(initialBytes = 65_536) {
    this.#buffer = Buffer.allocUnsafeSlow(initialBytes)
  }

  /** The file's bytes, valid until the next read through this reader. Throws the system's error. */
  read(path: string): Buffer {
    const descriptor = openSync(path, 'r')
    try {
      let length = 0
      for (;;) {
        if (length === this.#buffer.length) this.#grow(path)
        const count = readSync(descriptor, this.#buffer, length, this.#buffer.length - length, null)
        if (count === 0) return this.#buffer.subarray(0, length)
        length += count
      }
    } finally {
      closeSync(descriptor)
    }
  }

  /** As `read`, but `undefined` for a file that does not exist, may not be read, or gives an error when read (as many in /sys do). */
  readIfThere(path: string): Buffer | undefined {
    try {
      return this.read(path)
    } catch (error) {
      if (isSystemError(error)) return undefined
      throw error
    }
  }

  /** The file's text without blanks and line ends around it, or `undefined` as `readIfThere`. */
  readTextIfThere(path: string): string | undefined {
    return this.readIfThere(path)?.toString('utf8').trim()
  }

  #grow(path: string): void {
    if (this.#buffer.length >= fileBytesMax) {
      throw new Error(`cannot read file ${path}: want at most ${fileBytesMax} bytes, got more`)
    }
    const grown = Buffer.allocUnsafeSlow(this.#buffer.length * 2)
    this.#buffer.copy(grown)
    this.#buffer = grown
  }
}

/** The `code` of a system error (`ENOENT`), else undefined. */
export function systemErrorCode(error: unknown): string | undefined {
  return isSystemError(error) ? error.code : undefined
}

function isSystemError(error: unknown): error is Error & { readonly code: string } {
  return error instanceof Error && 'syscall' in error && 'code' in error && typeof error.code === 'string'
}
