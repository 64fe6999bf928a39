import { expect, test } from 'vitest'
import { readScrapeTimeoutMs, scrapeTimeoutDefaultMs } from './scrape-timeout.ts'

test('the offset is taken off the timeout of the client', () => {
  expect(readScrapeTimeoutMs('10', 250)).toBe(9750)
  expect(readScrapeTimeoutMs('0.5', 250)).toBe(250)
  expect(readScrapeTimeoutMs('99999999999', 250)).toBe(0x7fff_ffff)
})

test.each([undefined, '', 'soon', '-3', '0.25', '0'])('%j counts as no timeout', (header) => {
  expect(readScrapeTimeoutMs(header, 250)).toBe(scrapeTimeoutDefaultMs)
})
