/** The configuration: one JSON Schema for `config.json`, for the environment (`CAIRN_…`) and for flags. */
import { hostname, userInfo } from 'node:os'
import type { Infer, JsonSchema } from '../json-schema.ts'

const port = (description: string, value: number) =>
  ({ type: 'integer', minimum: 0, maximum: 65_535, default: value, description }) as const
const name = (description: string) =>
  ({ type: 'string', minLength: 1, maxLength: 85, description }) as const
const addresses = (description: string) =>
  ({
    type: 'array',
    items: { type: 'string', minLength: 1, maxLength: 512 },
    maxItems: 64,
    description,
  }) as const

const amount = { type: 'number', minimum: 0, maximum: 1_000_000 } as const
const PRICE = {
  type: 'object',
  properties: {
    gigabyteMonth: amount,
    millionWrites: amount,
    millionReads: amount,
    freeGigabytes: amount,
    freeWrites: amount,
    freeReads: amount,
  },
  additionalProperties: false,
} as const
const prices = () =>
  ({ r2: PRICE, s3: PRICE, gcs: PRICE, postgres: PRICE, ipfs: PRICE, folder: PRICE }) as const

/** Keys of this program's forerunners that are understood and change nothing on a member. */
export const IDLE_KEYS = [
  'main_node_address',
  'main_node_port',
  'auto_cleanup_enabled',
  'verification_interval_hours',
  'seeding_enabled',
  'max_concurrent_transfers',
] as const

const properties = {
  name: name('name of the user, for the first start'),
  device_name: name('name of this device, for the first start'),
  host: {
    type: 'string',
    minLength: 1,
    maxLength: 255,
    default: '127.0.0.1',
    description: 'address on which the HTTP API and the gateway listen',
  },
  port: port('port of the HTTP API; 0: the system chooses', 5005),
  gateway_port: port('port of the IPFS gateway; 0: the system chooses', 8085),
  gateway: { type: 'boolean', default: true, description: 'whether there is a gateway' },
  allowed_hosts: addresses(
    'host names under which the API may be used, beside addresses and localhost',
  ),
  listen: addresses('multiaddrs on which this node listens for other devices'),
  announce: addresses('multiaddrs to tell other devices instead of those found'),
  peers_file: {
    type: 'string',
    minLength: 1,
    maxLength: 4096,
    description: 'bootstrap file: which network, and where its devices are',
  },
  lan_discovery: { type: 'boolean', description: 'look for devices on the local network' },
  role: {
    type: 'string',
    enum: ['member', 'backup'],
    default: 'member',
    description: 'what this node is',
  },
  replication: {
    type: 'string',
    enum: ['everything', 'nothing'],
    default: 'everything',
    description: 'whether this device keeps the content of all files or only what is asked for',
  },
  max_storage_gb: {
    anyOf: [{ type: 'number', minimum: 0.001, maximum: 1_000_000 }, { type: 'null' }],
    description:
      'gigabytes (10^9 bytes) of content that this device stores at most; null: no limit',
  },
  bandwidth_limit_mbps: {
    anyOf: [{ type: 'number', minimum: 0.001, maximum: 1_000_000 }, { type: 'null' }],
    description: 'megabits per second that are sent to other devices at most; null: no limit',
  },
  admission: {
    type: 'string',
    enum: ['invite', 'open'],
    default: 'invite',
    description:
      'who may join a network that the first start founds: who has an invite, or anybody',
  },
  difficulty_floor: {
    type: 'integer',
    minimum: 1,
    maximum: 2 ** 40,
    description:
      'hashes per block at least, for a network that the first start founds; 1 for tests',
  },
  backup_folder: {
    type: 'string',
    minLength: 1,
    maxLength: 4096,
    description: 'a folder for backups: a second disk, a mounted volume, a share',
  },
  backup_contents: {
    type: 'array',
    items: { type: 'string', minLength: 1, maxLength: 300 },
    maxItems: 64,
    description:
      'destinations that get the contents of files too, by kind (folder, postgres, s3, gcs, ipfs) or name; all: all but ipfs. None unless set',
  },
  backup_keep_last: {
    type: 'integer',
    minimum: 1,
    maximum: 4000,
    description: 'backups that a database or bucket keeps at least, the newest (10)',
  },
  backup_keep_days: {
    type: 'number',
    minimum: 0,
    maximum: 36_500,
    description: 'days for which a database or bucket keeps the last backup of each hour (30)',
  },
  backup_prices: {
    type: 'object',
    properties: prices(),
    additionalProperties: false,
    description: 'prices of keeping backups, US dollars, where they differ from the table',
  },
  log_level: {
    type: 'string',
    enum: ['debug', 'info', 'warn', 'error', 'silent'],
    default: 'info',
    description: 'what the log says',
  },
  node_id: name("the forerunner's name of this device; device_name comes first"),
  storage_path: {
    type: 'string',
    minLength: 1,
    maxLength: 4096,
    description:
      "the forerunner's place for data: CAIRN_STORAGE_PATH is the data directory where neither --data-dir nor CAIRN_DATA_DIR says one; in config.json it has no effect",
  },
  main_node_address: {
    type: 'string',
    minLength: 1,
    maxLength: 255,
    default: 'localhost',
    description: 'for a backup node: the host of the node that it serves',
  },
  main_node_port: port('for a backup node: the port of the node that it serves', 8000),
  auto_cleanup_enabled: { type: 'boolean', default: true, description: 'for a backup node' },
  verification_interval_hours: {
    type: 'number',
    minimum: 0.01,
    maximum: 100_000,
    default: 24,
    description: 'for a backup node',
  },
  seeding_enabled: { type: 'boolean', default: true, description: 'for a backup node' },
  max_concurrent_transfers: {
    type: 'integer',
    minimum: 1,
    maximum: 1000,
    default: 10,
    description: 'for a backup node',
  },
} as const satisfies Record<string, JsonSchema>

export const CONFIG_SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  title: 'config.json of Cairn',
  type: 'object',
  properties,
  additionalProperties: false,
} as const

export type ConfigKey = keyof typeof properties
/** What somebody said, from one source. */
export type PartialConfig = Infer<typeof CONFIG_SCHEMA>

type Given = 'host' | 'port' | 'gateway_port' | 'gateway' | 'role' | 'replication' | 'log_level'
/** All values: what was said, or the default. */
export type Config = PartialConfig & { readonly [K in Given]-?: NonNullable<PartialConfig[K]> }

/** The values of the keys that nobody set. */
export function defaults(): PartialConfig {
  const fixed = Object.entries<JsonSchema>(properties).flatMap(([key, schema]) =>
    'default' in schema && schema.default !== undefined ? [[key, schema.default]] : [],
  )
  return { name: userName(), device_name: deviceName(), ...Object.fromEntries(fixed) }
}

function userName(): string {
  try {
    return userInfo().username.slice(0, 85) || 'me'
  } catch {
    // Systems without an entry for this user.
    return 'me'
  }
}

function deviceName(): string {
  return (hostname().split('.')[0] ?? '').slice(0, 85) || 'device'
}
