const mib = 1024 * 1024

export interface MemoryWishes {
  /** `--server.memory-max`: of the whole process. */
  readonly processBytesMax: number
  /** `--storage.tsdb.head-memory-max`; undefined = what the other parts leave. */
  readonly headBytesMax: number | undefined
  /** `--query.memory-max`: of one query; undefined = all that there is for queries. */
  readonly queryBytesMax: number | undefined
}

/** How many bytes each part of the process may take; together they are `processBytesMax`. */
export interface MemoryPlan {
  readonly processBytesMax: number
  /** Code, the main thread's heap, and what belongs to no other part. */
  readonly baseBytes: number
  /** Series and open chunks. */
  readonly headBytes: number
  /** Bodies of remote write in flight, as they came and uncompressed. */
  readonly receiveBytes: number
  /** Columns, labels and answers of all queries. */
  readonly queryBytes: number
  readonly queryBytesMax: number
  /** Threads of queries and of remote reads. */
  readonly queryThreads: number
  readonly readThreads: number
  /** All of these threads at rest, and their heap apart from what queries count. */
  readonly threadBytes: number
  /** Pages of blocks that the threads keep, all together. */
  readonly cacheBytes: number
  /** The thread that cuts and merges blocks. */
  readonly compactionBytes: number
}

/** The parts of a smaller process are planned as if it had this: it comes to its ceiling before they are used up. */
export const processBytesMin = 384 * mib
// Measured at half a million series: 60 of the program's file, the rest heap and its garbage.
const baseBytes = 208 * mib
const bytesPerThread = 24 * mib
const cacheBytesPerThreadMax = 64 * mib
const headBytesMin = 32 * mib
const threadsMax = 4
const queryBytesMaxDefault = 1024 * mib

/** Divides the memory of a process: a small one has fewer threads and smaller caches, what is left is the head's. */
export function planMemory({ processBytesMax, headBytesMax, queryBytesMax }: MemoryWishes): MemoryPlan {
  const total = Math.max(processBytesMin, processBytesMax)
  const queryThreads = clamp(Math.floor(total / (384 * mib)), 1, threadsMax)
  const readThreads = clamp(Math.floor(total / (1024 * mib)), 1, threadsMax)
  const threads = queryThreads + readThreads
  const threadBytes = threads * bytesPerThread
  const cacheBytes = Math.min(total / 16, threads * cacheBytesPerThreadMax)
  const receiveBytes = clamp(total / 16, 16 * mib, 128 * mib)
  const compactionBytes = clamp(total / 16, 16 * mib, 512 * mib)
  const fixed = baseBytes + threadBytes + cacheBytes + receiveBytes + compactionBytes
  const free = Math.max(0, total - fixed)
  // A head of a given size takes it from the queries, down to a quarter of what there is.
  const wantedHead = headBytesMax ?? Math.max(headBytesMin, free * 0.7)
  const queryBytes = Math.max(free / 4, Math.min(free - wantedHead, threadsMax * queryBytesMaxDefault))
  const headBytes = headBytesMax ?? Math.max(headBytesMin, free - queryBytes)
  return {
    processBytesMax,
    baseBytes,
    headBytes: Math.floor(headBytes),
    receiveBytes: Math.floor(receiveBytes),
    queryBytes: Math.floor(queryBytes),
    queryBytesMax: Math.floor(Math.min(queryBytesMax ?? queryBytesMaxDefault, queryBytes)),
    queryThreads,
    readThreads,
    threadBytes,
    cacheBytes: Math.floor(cacheBytes),
    compactionBytes: Math.floor(compactionBytes),
  }
}

function clamp(value: number, min: number, max: number): number {
  return Math.max(min, Math.min(max, value))
}
