/** A node in memory, for tests of what the interfaces themselves do: one device, files in a map, no chain. */
import { createHash } from 'node:crypto'
import { MemoryBlockstore } from 'blockstore-core'
import { importer } from 'ipfs-unixfs-importer'
import { CID } from 'multiformats/cid'
import { CairnError } from '../../../src/common/errors.ts'
import { createEvents } from '../../../src/common/events.ts'
import type { NodeApi } from '../../../src/interfaces/http/api.ts'
import type { RecordState } from '../../../src/interfaces/http/api-common.ts'
import type {
  AddedFile,
  AddOptions,
  FileInfo,
  FileVersion,
  Tally,
  Vote,
} from '../../../src/interfaces/http/api-files.ts'
import { openVersion } from '../../../src/interfaces/http/sealed.ts'
import type { NodeEvents } from '../../../src/services/events.ts'

const PENDING: RecordState = {
  status: 'pending',
  outcome: null,
  code: null,
  height: null,
  block: null,
}
const NO_VOTES: Tally = { score: null, authentic: 0, suspicious: 0, weight: 0, settled: false }
const ME = { id: 'bafyme', name: 'Ada' }
const DEVICE = { id: '12D3KooWfake', name: 'laptop' }

const never = (): never => {
  throw new CairnError('NOT_FAKED', 'the fake node does not do this')
}

export function createFakeNode() {
  const store = new MemoryBlockstore()
  const contents = new Map<string, Uint8Array>()
  const files = new Map<string, FileVersion[]>()
  const votes: Vote[] = []
  const roots = new Set<string>()
  const confirmed = new Set<string>()
  const events = createEvents<NodeEvents>((error) => {
    throw error
  })
  /** Signals of the calls that got one, for tests of what a client's leaving does. */
  const signals: AbortSignal[] = []
  let counter = 0

  const stateOf = (record: string): RecordState =>
    confirmed.has(record)
      ? { status: 'confirmed', outcome: 'applied', code: null, height: 1, block: 'bafyblock' }
      : PENDING

  async function put(source: AsyncIterable<Uint8Array>): Promise<{ bytes: Uint8Array; root: CID }> {
    const chunks: Uint8Array[] = []
    for await (const chunk of source) chunks.push(chunk)
    const bytes = new Uint8Array(Buffer.concat(chunks))
    let root: CID | undefined
    for await (const entry of importer([{ content: bytes }], store, {
      rawLeaves: true,
      cidVersion: 1,
    })) {
      root = entry.cid
    }
    if (root === undefined) return never()
    contents.set(root.toString(), bytes)
    roots.add(root.toString())
    return { bytes, root }
  }

  async function store1(
    file: string | undefined,
    source: AsyncIterable<Uint8Array>,
    options: AddOptions,
    signal: AbortSignal,
    onProgress?: (progress: { bytes: number; total: null }) => void,
  ): Promise<AddedFile> {
    signals.push(signal)
    let seen = 0
    const counted = async function* () {
      for await (const chunk of source) {
        signal.throwIfAborted()
        seen += chunk.length
        onProgress?.({ bytes: seen, total: null })
        yield chunk
      }
    }
    const { bytes, root } = await put(counted())
    counter += 1
    const record = `bafyrecord${counter}`
    const id = file ?? record
    const list = files.get(id) ?? []
    const sha256 = createHash('sha256').update(bytes).digest('hex')
    for (const [index, version] of list.entries()) list[index] = { ...version, current: false }
    list.push({
      version: record,
      number: list.length + 1,
      record,
      name: options.name,
      folder: options.folder ?? [],
      mediaType: options.mediaType ?? 'application/octet-stream',
      size: bytes.length,
      storedSize: bytes.length,
      sha256,
      root: root.toString(),
      visibility: options.visibility ?? 'private',
      parents: [],
      user: ME,
      device: DEVICE,
      time: counter,
      state: PENDING,
      current: true,
      removed: false,
      local: true,
      tally: NO_VOTES,
    })
    files.set(id, list)
    return {
      file: id,
      version: record,
      root: root.toString(),
      name: options.name,
      size: bytes.length,
      sha256,
      record,
    }
  }

  function info(file: string): FileInfo {
    const list = files.get(file)
    const newest = list?.at(-1)
    if (list === undefined || newest === undefined) {
      throw new CairnError('FILE_NOT_FOUND', `There is no file ${file}.`)
    }
    return {
      file,
      version: newest.version,
      name: newest.name,
      folder: newest.folder,
      mediaType: newest.mediaType,
      size: newest.size,
      storedSize: newest.storedSize,
      sha256: newest.sha256,
      root: newest.root,
      visibility: newest.visibility,
      owner: ME,
      added: list[0]?.time ?? 0,
      updated: newest.time,
      versions: list.length,
      conflict: false,
      removed: newest.removed,
      pending: stateOf(newest.record).status === 'pending',
      local: true,
      kept: false,
      tally: NO_VOTES,
      versionList: list,
      copies: [],
      accesses: 0,
    }
  }

  const newestOf = (file: string): FileVersion => files.get(file)?.at(-1) ?? never()

  const node: NodeApi = {
    identity: {
      network: 'bafynet',
      device: DEVICE.id,
      deviceName: 'laptop',
      user: ME.id,
      userName: 'Ada',
    },
    events,
    files: {
      add: (source, options, { signal, onProgress }) =>
        store1(undefined, source, options, signal, onProgress),
      update: (file, source, options, { signal, onProgress }) => {
        const { name, folder, mediaType } = openVersion({ file }, newestOf(file))
        return store1(
          file,
          source,
          { name, folder, mediaType, visibility: 'public', ...options },
          signal,
          onProgress,
        )
      },
      remove: async (file) => {
        const list = files.get(file) ?? []
        for (const [index, version] of list.entries()) {
          list[index] = { ...version, removed: true, current: false }
        }
        counter += 1
        return { record: `bafyrecord${counter}` }
      },
      list: ({ limit, search, all, after }) => {
        const items = [...files.keys()]
          .map(info)
          .filter((file) => (all || !file.removed) && file.name?.includes(search ?? ''))
          .filter((file) => after === undefined || file.file > after)
        const page = items.slice(0, limit)
        return { items: page, next: items.length > limit ? (page.at(-1)?.file ?? null) : null }
      },
      find: (text) => {
        const list = [...files.keys()].map(info)
        const found = list.filter(({ file, name, root }) => [file, name, root].includes(text))
        const [first] = found
        if (first === undefined) throw new CairnError('FILE_NOT_FOUND', `There is no file ${text}.`)
        if (found.length > 1) {
          const candidates = found.map(({ file, name, size }) => ({
            file,
            name,
            owner: 'Ada',
            size,
          }))
          throw new CairnError('FILE_AMBIGUOUS', `${text} names several files.`, {
            details: { candidates: JSON.stringify(candidates) },
          })
        }
        return first
      },
      info,
      copies: async (file) => info(file).copies,
      history: () => [],
      fetch: async (file, _options, { onProgress }) => {
        const { version, root, name, size, sha256 } = openVersion({ file }, newestOf(file))
        onProgress?.({ bytes: size, total: size })
        return { file, version, root, name, size, sha256 }
      },
      read: async function* (file, { version, offset = 0, length }, signal) {
        signals.push(signal)
        const found = info(file).versionList.find((entry) => entry.version === version)
        const bytes = contents.get(found?.root ?? '') ?? never()
        const end = Math.min(bytes.length, offset + (length ?? bytes.length))
        for (let at = offset; at < end; at += 65_536) {
          signal.throwIfAborted()
          yield bytes.subarray(at, Math.min(end, at + 65_536))
        }
      },
      unlock: async () => {},
      rekey: never,
      publish: never,
      keep: async () => {},
      free: async () => {},
    },
    votes: {
      cast: async (file, { verdict, comment = '', version }) => {
        counter += 1
        const vote: Vote = {
          record: `bafyrecord${counter}`,
          file,
          version: version ?? '',
          user: ME,
          verdict,
          comment,
          weight: null,
          time: counter,
          counts: true,
          state: PENDING,
        }
        votes.push(vote)
        return vote
      },
      of: (file) => votes.filter((vote) => vote.file === file),
    },
    legacy: { import: never, list: () => [], show: never, content: never, history: never },
    invites: { create: never, list: () => [], cancel: never },
    devices: { revoke: never, rename: never },
    grants: { grant: never, revoke: never, list: () => [], accesses: () => [] },
    holders: { add: never, remove: never, list: () => [] },
    recovery: { here: false, tested: false, show: never, test: never },
    keys: { protected: false, protect: never },
    certificates: { of: async (version) => Buffer.from(`<html>${version}`) },
    chain: {
      counted: async () => {},
      summary: () => ({
        network: 'bafynet',
        height: 3,
        tip: 'bafyreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy',
        tipTime: 1,
        chainwork: '12',
        difficulty: 1,
        targetIntervalMs: 2000,
        difficultyFloor: 1,
        admission: 'open',
        founded: 1,
        ruleVersion: 1,
        records: 1,
        pending: 0,
        stranded: 0,
      }),
      blocks: () => ({ items: [], next: null }),
      block: never,
      verify: async () => ({ ok: true, blocks: 3, records: 1, stateDigest: '00', problem: null }),
      export: async function* () {
        const [root] = roots
        if (root === undefined) return
        const cid = CID.parse(root)
        yield { cid, bytes: await get(cid) }
      },
    },
    records: {
      list: () => ({ items: [], next: null }),
      get: (record) => ({
        record,
        type: 'file.add',
        user: ME,
        device: DEVICE,
        sequence: 1,
        time: 1,
        size: 1,
        own: true,
        previous: null,
        seen: 'bafy',
        replaces: null,
        body: {},
        state: stateOf(record),
      }),
    },
    backups: {
      status: () => ({
        configured: false,
        warnings: [],
        faults: [],
        key: 'none',
        passphrase: false,
        returned: null,
        destinations: [],
      }),
      create: never,
      list: never,
      verify: never,
      drill: never,
      prune: never,
      restore: never,
      setPassphrase: never,
      key: never,
    },
    members: { users: () => [], devices: () => [] },
    peers: {
      list: () => [],
      add: async () => never(),
      export: () => ({
        network: 'bafynet',
        listen: [],
        bootstrap: [],
        relays: [],
        lan: false,
      }),
    },
    content: {
      isPublic: async (cid) => roots.has(cid.toString()),
      describe: () => null,
      get: (cid, { signal }) => get(cid, signal),
    },
    status: async () => ({
      version: '0.0.0',
      startedAt: 0,
      dataDir: '/nowhere',
      role: 'member',
      identity: node.identity,
      chain: node.chain.summary(),
      peers: { connected: 0, known: 0 },
      listen: [],
      files: { count: files.size, bytes: 0, local: files.size, localBytes: 0, missing: 0 },
      storage: { used: 0, free: null, limit: null },
      mining: false,
      syncing: false,
      backups: node.backups.status(),
      revoked: null,
      alarms: [],
    }),
    check: async () => [{ name: 'clock', result: 'ok', says: 'fine', remedy: null }],
  }

  async function get(cid: CID, signal?: AbortSignal): Promise<Uint8Array> {
    if (missing.has(cid.toString())) {
      return new Promise((_, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason), { once: true })
      })
    }
    const parts: Uint8Array[] = []
    for await (const part of store.get(cid)) parts.push(part)
    return Buffer.concat(parts)
  }

  const missing = new Set<string>()
  return { node, store, events, signals, roots, confirmed, missing }
}
