import { readdirSync } from 'node:fs'

/** Names of the directories in a directory, sorted, symbolic links not counted; none if it cannot be listed. */
export function listDirectories(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name)
      .sort()
  } catch {
    return []
  }
}
