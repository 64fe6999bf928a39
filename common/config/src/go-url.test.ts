import { expect, it } from 'vitest'
import { redactGoUrl } from './go-url.ts'

it.each([
  ['http://me:secret@host:1/path', 'http://me:xxxxx@host:1/path'],
  // Not escaped, as people write it: the user information ends at the last one before the path.
  ['http://me:sec@ret@host/', 'http://me:xxxxx@host/'],
  // No URL, but what somebody may write, and find in an error message.
  ['http://me:sec/ret?x#y@host/', 'http://me:xxxxx@host/'],
  ['redis://:sec/ret@host', 'redis://:xxxxx@host'],
  ['http://host:9090/a@b', 'http://host:9090/a@b'],
  ['http://me@host/a:b@c', 'http://me@host/a:b@c'],
  ['http://host:1/?q=a:b@c', 'http://host:1/?q=a:b@c'],
])('the password of %s is not shown', (url, shown) => {
  expect(redactGoUrl(url)).toBe(shown)
})
