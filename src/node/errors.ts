/** The codes of starting a node. */
import { errorFamily } from '../common/errors.ts'

export const NODE_ERRORS = {
  NETWORK_DIFFERS: {
    says: 'The data directory {path} belongs to network {found}, and the peers file names {wanted}. Use another --data-dir for the other network, or another peers file.',
  },
  NETWORK_UNNAMED: {
    says: 'The peers file names peers but no network. Take the file that "cairn peers export" writes on a device of the network, or add its key "network".',
  },
  NETWORK_FILE: {
    says: 'The file {path}, which says what network this directory belongs to, cannot be read ({why}). Put it back from a backup, or delete it and start with a peers file of the network.',
  },
  JOIN_UNFINISHED: {
    says: 'The data directory {path} is half-way into a network. Run "cairn join" again, with the same code or a new one, or "cairn recovery use" again; or use another --data-dir.',
  },
  RESTORE_UNFINISHED: {
    says: 'The data directory {path} is half restored from backups. Start it with the same backup destinations again, and it goes on; with --new-network too, it leaves them alone. Or use another --data-dir.',
  },
  JOIN_DIRECTORY: {
    says: 'The data directory {path} belongs to the network {network} already: "cairn start" runs it. Use another --data-dir to join with this computer once more.',
  },
} as const

export const nodeError: ReturnType<typeof errorFamily<typeof NODE_ERRORS>> =
  errorFamily(NODE_ERRORS)
