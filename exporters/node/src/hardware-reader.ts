import { readFile } from 'node:fs/promises'
import { parseInteger, type AttributeReader } from './attribute-reader.ts'

/** A device whose files take longer than this on average is read in the thread pool from then on. */
const slowFileMs = 0.5
/** Devices remembered as fast; with more, all are learnt anew. */
const fastDevicesMax = 4096

/**
 * Reads in the thread pool at once, of all readers: the pool has four threads for all file and name work of the process, and a device that
 * hangs keeps one for as long as it hangs. Further reads wait for their turn, and their collectors are given up at the deadline.
 */
export const poolReadsMax = 2
let poolReads = 0
const waitingReads: (() => void)[] = []

/**
 * Reads attributes in /sys whose driver may ask hardware: that takes from microseconds to seconds and differs by device. So a device is
 * read in the thread pool at first; one that answers at once is read directly from then on, at a tenth of the processor time, until it is
 * slow once. A device's files are read one after another.
 */
export class HardwareReader {
  readonly #attributes: AttributeReader
  readonly #fastDevices = new Set<string>()

  constructor(attributes: AttributeReader) {
    this.#attributes = attributes
  }

  /** Texts of the device's files, trimmed; undefined for one that cannot be read, as is usual for sensors that are off. */
  async read(device: string, paths: readonly string[]): Promise<(string | undefined)[]> {
    const startMs = performance.now()
    const texts: (string | undefined)[] = []
    if (this.#fastDevices.has(device)) for (const path of paths) texts.push(this.#attributes.text(path))
    else for (const path of paths) texts.push((await readInPool(path))?.trim())
    const isSlow = performance.now() - startMs > slowFileMs * Math.max(paths.length, 1)
    if (isSlow) this.#fastDevices.delete(device)
    else {
      if (this.#fastDevices.size >= fastDevicesMax) this.#fastDevices.clear()
      this.#fastDevices.add(device)
    }
    return texts
  }
}

/** The integer that a text holds; NaN if it holds none. */
export function integerOf(text: string | undefined): number {
  if (text === undefined) return NaN
  const bytes = Buffer.from(text)
  return parseInteger(bytes, 0, bytes.length)
}

/** The file's text as it is; undefined if it cannot be read. Waits for its turn: see `poolReadsMax`. */
export async function readInPool(path: string): Promise<string | undefined> {
  if (poolReads < poolReadsMax) poolReads++
  else await new Promise<void>((resolve) => waitingReads.push(resolve))
  try {
    return await readFile(path, 'utf8')
  } catch {
    return undefined
  } finally {
    // The next one takes the turn over.
    const next = waitingReads.shift()
    if (next === undefined) poolReads--
    else next()
  }
}
