import { inspect } from 'node:util'

/** What stands for a secret wherever text is made of it. */
export const secretText = '<secret>'

/** A value that prints as `<secret>` however it is turned into text; only `reveal()` gives it away. */
export class Secret {
  readonly #value: string

  constructor(value: string) {
    this.#value = value
  }

  reveal(): string {
    return this.#value
  }

  get isEmpty(): boolean {
    return this.#value === ''
  }

  toString(): string {
    return secretText
  }

  toJSON(): string {
    return secretText
  }

  [inspect.custom](): string {
    return secretText
  }
}
