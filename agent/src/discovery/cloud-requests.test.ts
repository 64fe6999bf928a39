import { describe, expect, test } from 'vitest'
import { listBytesMax, ListBounds, machinesMax } from './cloud-requests.ts'

describe('what one refresh lists', () => {
  test('may be as many machines as are allowed, over all pages, and not one more', () => {
    const bounds = new ListBounds()
    for (let i = 0; i < machinesMax / 500; i++) bounds.takePage('machines', 500, 0)
    expect(() => bounds.takePage('machines', 0, 1)).not.toThrow()
    expect(() => bounds.takePage('machines', 1, 0)).toThrow('cannot list machines: want at most 100000 machines, got more')
  })

  test('may be as many bytes as are allowed, over all pages, and not one more', () => {
    const bounds = new ListBounds()
    for (let i = 0; i < 8; i++) bounds.takePage('machines', 1, listBytesMax / 8)
    expect(() => bounds.takePage('machines', 0, 1)).toThrow('cannot list machines: want at most 536870912 bytes in all pages, got more')
  })
})
