// What a helper process runs when the exporter is run from its sources; the single binary has a hidden subcommand in its place.
import { runStatfsHelper } from './statfs-helper.ts'

runStatfsHelper()
