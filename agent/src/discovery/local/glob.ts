const star = 42
const questionMark = 63

/** Whether a text fits one of the globs, in which `*` is any text and `?` any character. */
export function matchesAny(globs: readonly string[], text: string): boolean {
  return globs.some((glob) => matches(glob, text))
}

// Not by a regular expression: names of programs are strangers' texts, and several stars would let one take cubic time. Here the last star
// alone takes more when the rest does not fit.
function matches(glob: string, text: string): boolean {
  let at = 0
  let place = 0
  let lastStar = -1
  let lastPlace = 0
  while (place < text.length) {
    const wanted = at < glob.length ? glob.charCodeAt(at) : -1
    if (wanted === star) {
      lastStar = at++
      lastPlace = place
    } else if (wanted === questionMark || wanted === text.charCodeAt(place)) {
      at++
      place++
    } else if (lastStar >= 0) {
      at = lastStar + 1
      place = ++lastPlace
    } else {
      return false
    }
  }
  while (glob.charCodeAt(at) === star) at++
  return at === glob.length
}
