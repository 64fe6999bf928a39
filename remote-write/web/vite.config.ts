import { join } from 'node:path'
import { defineConfig } from 'vite'

const page = (name: string) => join(import.meta.dirname, `${name}.html`)

export default defineConfig({
  // Relative addresses: the server puts the route prefix into <base>.
  base: './',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 700,
    // The agent has pages of its own: it answers no queries, so it needs no editor and no graphs.
    rolldownOptions: { input: { index: page('index'), agent: page('agent') } },
  },
})
