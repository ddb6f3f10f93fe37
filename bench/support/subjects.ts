/** The benches that there are, and how to read what each prints. */
import type { Figure, Report } from './figures.ts'

export interface Subject {
  readonly name: string
  readonly about: string
  /** In bench/. */
  readonly script: string
  /** Arguments of a small run. */
  readonly quick: readonly string[]
  /** Of what it printed on standard output. */
  readonly figuresOf: (printed: string) => readonly Figure[]
}

const own = (name: string, about: string): Subject => ({
  name,
  about,
  script: `${name}.ts`,
  quick: ['--quick'],
  figuresOf: (printed) => (JSON.parse(printed) as Report).figures,
})

/** What fetch.ts prints. */
interface FetchSummary {
  readonly results: readonly { way: string; mibPerSecond: number; firstByteMs?: number }[]
}

function fetchFigures(printed: string): Figure[] {
  const { results } = JSON.parse(printed) as FetchSummary
  const find = (...ways: string[]): FetchSummary['results'][number] | undefined =>
    results
      .filter(({ way }) => ways.includes(way))
      .sort((a, b) => b.mibPerSecond - a.mibPerSecond)[0]
  const cairn = find('cairn')
  const helia = find('helia')
  const bitswap = find('bitswap', 'bitswap-session')
  const raw = find('raw')
  if (cairn === undefined) return []
  const speed = { value: cairn.mibPerSecond, unit: 'MiB/s' }
  const figures: Figure[] = []
  if (helia !== undefined) {
    const baseline = { name: "Helia's own", value: helia.mibPerSecond, unit: 'MiB/s' }
    const goal = { of: 'ratio', is: 'at least', limit: 3 } as const
    figures.push({ name: 'fetch from one peer', ...speed, baseline, goal })
  }
  if (bitswap !== undefined) {
    const baseline = { name: 'Bitswap, our store', value: bitswap.mibPerSecond, unit: 'MiB/s' }
    figures.push({ name: 'fetch from one peer', ...speed, baseline })
  }
  if (raw !== undefined) {
    const baseline = { name: 'bare stream', value: raw.mibPerSecond, unit: 'MiB/s' }
    figures.push({ name: 'fetch from one peer', ...speed, baseline })
  }
  if (cairn.firstByteMs !== undefined) {
    const goal = { of: 'value', is: 'at most', limit: 500 } as const
    figures.push({ name: 'first byte', value: cairn.firstByteMs, unit: 'ms', goal })
  }
  return figures
}

export const SUBJECTS: readonly Subject[] = [
  own('verify', 'signatures in batches against one core'),
  own('mine', 'nonces per second against one-shot hashing'),
  own('open', 'a store with 100,000 blocks: time and memory to open'),
  own('sync', 'a new device takes 10,000 blocks with 50,000 records from another'),
  own('backup', 'backups of a long chain, one more record, and the way back'),
  own('contents', 'contents of a file of 4 GiB in backups: to a folder and back'),
  own('backup-postgres', 'the way back from PostgreSQL, as a start in an empty directory goes it'),
  own('start', 'from the command to serving, memory when idle, `cairn status`'),
  own('gossip', 'five devices: until a record is seen, and confirmed, everywhere'),
  own('add', 'adding a file against hash + write + flush of the same bytes'),
  own('private', 'adding and getting a private file against a public one'),
  {
    name: 'fetch',
    about: 'a file from one peer against Bitswap and a bare stream',
    script: 'fetch.ts',
    quick: ['--mib', '128'],
    figuresOf: fetchFigures,
  },
]
