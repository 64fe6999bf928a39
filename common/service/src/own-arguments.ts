/** The arguments of this process without the runtime and the script. In the single binary its path stands in both places. */
export function ownArguments(): string[] {
  return process.argv.slice(2)
}
