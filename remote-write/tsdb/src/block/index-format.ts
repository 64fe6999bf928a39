// Prometheus' index file. FORMAT.md, "Blocks".

export const indexMagic = 0xbaaad700
/** What we write; 1 (symbols by offset, series not aligned) and 3 (as 2) are read too. */
export const indexVersion = 2
export const indexVersionMax = 3
// ┌ magic 4 B ┬ version 1 B ┐
export const indexHeaderBytes = 5
// ┌ symbols ┬ series ┬ label indices ┬ table of label indices ┬ postings ┬ table of postings ┐, u64 each, ┬ crc32c 4 B ┐
export const tocFields = 6
export const tocBytes = tocFields * 8 + 4
export const crcBytes = 4
/** Series entries begin at multiples of this; a series' reference is its offset divided by it. */
export const seriesAlignment = 16
export const postingsAlignment = 4
/** A reference is 32 bits, so no series may begin at or behind this offset. */
export const indexBytesMax = 2 ** 32 * seriesAlignment
/** The length of a section stands in 32 bits. */
export const sectionBytesMax = 2 ** 32 - 1
/** Of symbols and of postings every so many are found without reading. */
export const sparseStep = 32
/** Names and values of one list's key in the table of postings. */
export const postingsKeyParts = 2
