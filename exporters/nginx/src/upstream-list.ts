const comma = 44
const space = 32
const colon = 58

/** Where an item of a list is, and where the next one begins. */
export interface ListItem {
  start: number
  end: number
  next: number
}

/**
 * Puts the item of `bytes[start, end)` that begins at `start` into `item`; an empty one at the end. NGINX puts `, ` between the servers that it
 * tried, and ` : ` where an internal redirect led to another group of servers.
 */
export function nextListItem(bytes: Uint8Array, start: number, end: number, item: ListItem): void {
  item.start = start
  for (let offset = start; offset < end; offset++) {
    if (bytes[offset] === comma && bytes[offset + 1] === space) {
      item.end = offset
      item.next = offset + 2
      return
    }
    if (bytes[offset] === space && bytes[offset + 1] === colon && bytes[offset + 2] === space) {
      item.end = offset
      item.next = offset + 3
      return
    }
  }
  item.end = end
  item.next = end
}
