import { createLogger } from '@narthex/service/logger'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { globDirectories } from './glob-directories.ts'
import { createTestExporter, onlyCollector, scrapeOnce } from './test-exporter.ts'

let directory: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'narthex-textfile-'))
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

const flags = (...directories: readonly string[]) => ({ ...onlyCollector('textfile'), 'collector.textfile.directory': directories })

async function scrapeFiles(files: Readonly<Record<string, string>>): Promise<string> {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(directory, name), text)
  return scrapeOnce(flags(directory))
}

test('without a directory there is no error', async () => {
  expect(await scrapeOnce(onlyCollector('textfile'))).toContain('node_textfile_scrape_error 0\n')
})

test('a directory that is not there is an error, of the textfile collector only', async () => {
  const text = await scrapeOnce(flags(`${directory}/none`))
  expect(text).toContain('node_textfile_scrape_error 1\n')
  expect(text).toContain('node_scrape_collector_success{collector="textfile"} 1\n')
})

test('samples of several files and a missing help are put together', async () => {
  const text = await scrapeFiles({
    'a.prom': '# HELP x Help.\n# TYPE x counter\nx{a="2"} 2\nx 1\n',
    'b.prom': '# TYPE x counter\nx{b="1"} 3\ny 4\n',
    'c.txt': 'z 1\n',
  })
  expect(text).toContain('# HELP x Help.\n# TYPE x counter\nx{a=""} 1\nx{a="2"} 2\nx{b="1"} 3\n')
  expect(text).toContain(`# HELP y Metric read from ${directory}/b.prom\n# TYPE y untyped\ny 4\n`)
  expect(text).toContain('node_textfile_scrape_error 0\n')
  expect(text).not.toContain('z 1')
})

test.each([
  ['that do not parse', { 'bad.prom': 'one 1\ntwo{ 2\n' }, 'one'],
  ['with timestamps', { 'bad.prom': 'one 1\ntwo 2 1395066363000\n' }, 'one'],
  ['whose help clashes', { 'a.prom': '# HELP x A.\nx 1\n', 'b.prom': '# HELP x B.\nx{clash="1"} 1\n' }, 'clash'],
  ['whose type clashes', { 'a.prom': '# TYPE x gauge\nx 1\n', 'b.prom': '# TYPE x counter\nx{clash="1"} 1\n' }, 'clash'],
])('files %s set the error, and the rest stays', async (_, files, refused) => {
  const text = await scrapeFiles({ ...files, 'good.prom': 'good 1\n' })
  expect(text).toContain('node_textfile_scrape_error 1\n')
  expect(text).toContain('\ngood 1\n')
  expect(text).not.toMatch(new RegExp(`^[a-z{]*${refused}`, 'm'))
})

test('only files that were read have a time', async () => {
  writeFileSync(join(directory, 'a.prom'), 'a 1\n')
  utimesSync(join(directory, 'a.prom'), 1_600_000_000, 1_600_000_000)
  const text = await scrapeFiles({ 'bad.prom': 'x' })
  expect(text.match(/^node_textfile_mtime_seconds\{.*$/gm)).toEqual([`node_textfile_mtime_seconds{file="${directory}/a.prom"} 1.6e+09`])
})

test('a file that was replaced is read again', async () => {
  const exporter = createTestExporter(flags(directory))
  const scrape = async () => Buffer.from((await exporter.handleMetrics()).body).toString()
  writeFileSync(join(directory, 'a.prom'), 'a 1\n')
  expect(await scrape()).toContain('\na 1\n')
  writeFileSync(join(directory, 'a.prom'), 'a 2222\n')
  expect(await scrape()).toContain('\na 2222\n')
})

test('a family that a file has in common with the exporter keeps the exporter’s type', async () => {
  writeFileSync(join(directory, 'a.prom'), '# TYPE node_load1 counter\nnode_load1{x="y"} 1\n')
  const text = await scrapeOnce({ ...flags(directory), 'collector.loadavg': true })
  expect(text).toContain('# TYPE node_load1 gauge\n')
  expect(text).not.toContain('node_load1{')
})

test('directories are found by patterns', async () => {
  for (const name of ['one', 'two', 'three', 'x[y']) mkdirSync(join(directory, name))
  const found = async (pattern: string) =>
    (await globDirectories(`${directory}/${pattern}`)).map((path) => path.slice(directory.length + 1))
  expect(await found('t*')).toEqual(['three', 'two'])
  expect(await found('?[nw][0-9]')).toEqual(['?[nw][0-9]'])
  expect(await found('?[nw][^x]')).toEqual(['one', 'two'])
  expect(await found('x\\[y')).toEqual(['x[y'])
  expect(await found('none*')).toEqual(['none*'])
})

test('files and directories that stay wrong are one line each in the log, until the reason changes', async () => {
  const lines: string[] = []
  const log = createLogger({ write: (line) => void lines.push(line), source: 'test' })
  const exporter = createTestExporter(flags(directory, `${directory}/none`), { log })
  const scrapeThrice = async (): Promise<string[]> => {
    for (let i = 0; i < 3; i++) await exporter.handleMetrics()
    return lines.splice(0).map((line) => /(?:file|path)=\S*\/(\S+)/.exec(line)![1]!)
  }
  const write = (name: string, text: string): void => writeFileSync(join(directory, name), text)
  write('a.prom', '# TYPE x gauge\nx 1\n')
  write('b.prom', '# TYPE x counter\nx{b="1"} 1\n')
  write('c.prom', 'two{ 2\n')
  mkdirSync(join(directory, 'd.prom'))
  expect((await scrapeThrice()).sort()).toEqual(['b.prom', 'c.prom', 'd.prom', 'none'])
  // Written again as a cron job does, as wrong as before.
  write('b.prom', '# TYPE x counter\nx{b="1"} 22\n')
  write('c.prom', 'two{ 2\n\n')
  expect(await scrapeThrice()).toEqual([])
  write('b.prom', '# TYPE x gauge\nx{b="1"} 1\n')
  write('c.prom', 'x 1 1395066363000\n')
  expect(await scrapeThrice()).toEqual(['c.prom'])
  write('b.prom', '# TYPE x counter\nx{b="1"} 1\n')
  expect(await scrapeThrice()).toEqual(['b.prom'])
  await exporter.close()
})

test('named pipes, directories and links to nowhere set the error and nothing waits for them', { timeout: 5000 }, async () => {
  execFileSync('mkfifo', [join(directory, 'pipe.prom')])
  mkdirSync(join(directory, 'directory.prom'))
  symlinkSync('/nowhere', join(directory, 'link.prom'))
  symlinkSync('/dev/zero', join(directory, 'zero.prom'))
  symlinkSync('good.prom', join(directory, 'linked.prom'))
  const text = await scrapeFiles({ 'good.prom': 'good 1\n' })
  expect(text).toContain('node_scrape_collector_success{collector="textfile"} 1\n')
  expect(text).toContain('node_textfile_scrape_error 1\n')
  expect(text.match(/^node_textfile_mtime_seconds\{file="[^"]*\/(.*)"/gm)).toHaveLength(2)
})

test('a directory given with a slash at its end is named without', async () => {
  writeFileSync(join(directory, 'a.prom'), 'a 1\n')
  expect(await scrapeOnce(flags(`${directory}//`))).toContain(`node_textfile_mtime_seconds{file="${directory}/a.prom"} `)
})

test('sum, count and the last bucket of a histogram or summary are added where a file lacks them', async () => {
  const text = await scrapeFiles({
    'a.prom':
      '# TYPE h histogram\nh_bucket{a="1",le="1"} 1\nh_sum{a="1"} 3\nh_count{a="1"} 2\nh_bucket{a="2",le="inf"} 5\nh_sum{a="2"} 1\n' +
      '# TYPE s summary\ns{quantile="0.5"} 7\n',
  })
  const lines = text.split('\n').filter((line) => /^[hs](_|\{)/.test(line))
  expect(lines.slice(0, 4)).toEqual(['h_bucket{a="1",le="1"} 1', 'h_sum{a="1"} 3', 'h_count{a="1"} 2', 'h_bucket{a="1",le="+Inf"} 2'])
  expect(lines.slice(4, 7)).toEqual(['h_bucket{a="2",le="inf"} 5', 'h_sum{a="2"} 1', 'h_count{a="2"} 0'])
  expect(lines.slice(7)).toEqual(['s{quantile="0.5"} 7', 's_sum 0', 's_count 0'])
})
