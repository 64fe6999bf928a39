import { open } from 'node:fs/promises'

/** Makes renames and new files in a directory survive a power cut. Windows cannot open directories and needs it not. Throws the system's error. */
export async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return
  const handle = await open(directory, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
