import { chromium, type Browser } from 'playwright-core'
import { findProgram } from './packages.ts'

/** A headless Chromium with a fresh profile that opens no connection of its own. */
export function launchBrowser(): Promise<Browser> {
  const executablePath = findProgram('chromium')
  if (!executablePath) throw new Error('cannot start a browser: chromium is not installed')
  const quiet = ['--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-quic']
  return chromium.launch({ executablePath, headless: true, args: ['--no-sandbox', '--disable-gpu', ...quiet] })
}
