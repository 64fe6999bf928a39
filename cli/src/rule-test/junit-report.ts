/** What happened in the tests of some files, as JUnit's XML. */
export class JunitReport {
  readonly #suites: JunitSuite[] = []

  suite(name: string): JunitSuite {
    const suite = new JunitSuite(name)
    this.#suites.push(suite)
    return suite
  }

  /** In the attributes and elements that promtool writes. */
  render(): string {
    return `<testsuites>${this.#suites.map((suite) => suite.render()).join('')}</testsuites>`
  }
}

interface JunitCase {
  readonly name: string
  readonly failures: string[]
  error: string
}

export class JunitSuite {
  readonly #name: string
  readonly #cases: JunitCase[] = []
  #time = ''

  constructor(name: string) {
    this.#name = name
  }

  /** When the suite began. */
  begin(now: Date): void {
    this.#time = now.toISOString().slice(0, 19)
  }

  case(name: string, failures: readonly string[]): void {
    this.#cases.push({ name, failures: [...failures], error: '' })
  }

  /** Why nothing (more) of the suite was tested. */
  abort(reason: string): void {
    if (this.#cases.length === 0) this.case('unknown', [])
    this.#cases.at(-1)!.error = reason
  }

  render(): string {
    const failures = this.#cases.reduce((sum, one) => sum + one.failures.length, 0)
    const errors = this.#cases.filter(({ error }) => error !== '').length
    const counts = `tests="${this.#cases.length}" failures="${failures}" errors="${errors}" skipped="0"`
    const cases = this.#cases.map(renderCase).join('')
    return `<testsuite name="${escape(this.#name)}" ${counts} timestamp="${this.#time}">${cases}</testsuite>`
  }
}

function renderCase({ name, failures, error }: JunitCase): string {
  const inner = failures.map((failure) => `<failure>${escape(failure)}</failure>`).join('')
  return `<testcase name="${escape(name)}">${inner}${error === '' ? '' : `<error>${escape(error)}</error>`}</testcase>`
}

const entities: Readonly<Record<string, string>> = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;', "'": '&#39;' },
  ...{ '\n': '&#xA;', '\t': '&#x9;', '\r': '&#xD;' },
}

/** As Go's `xml.EscapeText`; characters that XML cannot hold are replaced. */
function escape(text: string): string {
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  return text.replace(/[&<>"'\n\t\r]/g, (character) => entities[character]!).replace(/[^\t\n\r -\ufffd]/g, '\ufffd')
}
