import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'

/** A process of a bench that is not measured: it says `ready PORT`, and answers each line that it is told with one of its own. */
export class HelperProcess {
  readonly port: number
  readonly #child: ChildProcess
  readonly #lines: Interface

  private constructor(child: ChildProcess, lines: Interface, port: number) {
    this.#child = child
    this.#lines = lines
    this.port = port
  }

  static async start(file: string, args: readonly string[]): Promise<HelperProcess> {
    const child = spawn(process.execPath, [join(import.meta.dirname, file), ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    const lines = createInterface({ input: child.stdout })
    const first = await nextLine(lines, child)
    return new HelperProcess(child, lines, Number(/^ready (\d+)$/.exec(first)?.[1]))
  }

  async ask(question: string): Promise<string> {
    this.#child.stdin?.write(`${question}\n`)
    return nextLine(this.#lines, this.#child)
  }

  /** The numbers of the answer, by the word before each. */
  async figures(question = 'count'): Promise<Readonly<Record<string, number>>> {
    const words = (await this.ask(question)).split(' ')
    return Object.fromEntries(words.flatMap((word, i) => (i % 2 === 0 ? [[word, Number(words[i + 1])]] : [])))
  }

  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await gone
  }
}

function nextLine(lines: Interface, child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const onExit = (code: number | null): void => reject(new Error(`cannot read from a bench process: it ended with ${code}`))
    lines.once('line', (line) => {
      child.off('exit', onExit)
      resolve(line)
    })
    child.once('exit', onExit)
  })
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
