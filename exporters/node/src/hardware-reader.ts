import { readFile } from 'node:fs/promises'
import { parseInteger, type AttributeReader } from './attribute-reader.ts'

/** A device whose files take longer than this on average is read in the thread pool from then on. */
const slowFileMs = 0.5
/** Devices remembered as fast; with more, all are learnt anew. */
const fastDevicesMax = 4096

/**
 * Reads attributes in /sys whose driver may ask hardware: that takes from microseconds to seconds and differs by device. So a device is
 * read in the thread pool at first; one that answers at once is read directly from then on, at a tenth of the processor time, until it is
 * slow once. A device's files are read one after another, so one reader holds one thread.
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
    else for (const path of paths) texts.push(await readInPool(path))
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

async function readInPool(path: string): Promise<string | undefined> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch {
    return undefined
  }
}
