/**
 * The tables of the chain: schema as comment and code. Format 1, and below it what came later.
 *
 * Ids are CID text. A record and a block also have a number, in the order of their arrival here, by which the
 * tables refer to each other; numbers mean nothing outside this file.
 *
 * records   every record ever known: confirmed, pending, on losing branches.
 *   height, place, outcome, code   where it stands on the best chain and what it did there; null: pending
 *   subject   what it is about: the file of an update or removal, the version of a vote or access
 *   identity  the id that it goes by when it replaces a stranded record; null: its own
 *   own       made by this device · ever: was confirmed once · in_body: a stored body holds it;
 *             only a record with none of the three may be evicted
 * record_heads  per device the records without a known successor (several: the device equivocated)
 * blocks    every header that passed its checks; `records` is the ordered list of its body's record numbers
 *           (4 bytes each, big-endian), null: the body is not here
 * main      the best chain, by height
 * undo      per block of the best chain: what `disconnect` needs (undo.ts)
 * state     the rules' key-value view after the tip, but for what `records` says (stored-state.ts)
 * covers    which versions a file.update or file.remove names as its parents
 * files, file_heads   what a list of files shows; projections: derived from `records` alone.
 *   shown, version   the number and id of the version that is shown; version null: the file's first
 *   heads     how many versions are current; file_heads names them unless it is the one that is shown
 */
export const CHAIN_SCHEMA = `
CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE records (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  device TEXT NOT NULL,
  sequence INTEGER NOT NULL,
  user TEXT,
  type TEXT NOT NULL,
  subject TEXT,
  identity TEXT,
  root TEXT,
  received INTEGER NOT NULL,
  own INTEGER NOT NULL,
  ever INTEGER NOT NULL,
  in_body INTEGER NOT NULL,
  height INTEGER,
  place INTEGER,
  outcome TEXT,
  code TEXT,
  bytes BLOB NOT NULL
);
CREATE INDEX records_by_device ON records (device, sequence);
CREATE INDEX records_pending ON records (device, sequence) WHERE height IS NULL;
CREATE INDEX records_loose ON records (received) WHERE own = 0 AND ever = 0 AND in_body = 0;
CREATE INDEX records_by_subject ON records (subject) WHERE subject IS NOT NULL;
CREATE INDEX records_by_identity ON records (identity) WHERE identity IS NOT NULL;
CREATE INDEX records_by_root ON records (root) WHERE root IS NOT NULL;
CREATE INDEX records_of_people ON records (type) WHERE type IN ('user.create', 'device.add');

CREATE TABLE record_heads (
  device TEXT NOT NULL, sequence INTEGER NOT NULL, record INTEGER NOT NULL,
  PRIMARY KEY (device, sequence, record)
) WITHOUT ROWID;

CREATE TABLE blocks (
  number INTEGER PRIMARY KEY,
  id TEXT NOT NULL UNIQUE,
  parent TEXT,
  height INTEGER NOT NULL,
  chainwork BLOB NOT NULL,
  status TEXT NOT NULL,
  code TEXT,
  header BLOB NOT NULL,
  body TEXT NOT NULL,
  records BLOB
);
CREATE INDEX blocks_by_parent ON blocks (parent);
CREATE INDEX blocks_by_body ON blocks (body);
CREATE INDEX blocks_by_work ON blocks (chainwork) WHERE records IS NOT NULL AND status <> 'invalid';

CREATE TABLE main (height INTEGER PRIMARY KEY, block INTEGER NOT NULL);
CREATE TABLE undo (block INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE state (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

CREATE TABLE covers (
  version TEXT NOT NULL, record INTEGER NOT NULL, PRIMARY KEY (version, record)
) WITHOUT ROWID;
CREATE TABLE file_heads (
  file TEXT NOT NULL, version TEXT NOT NULL, PRIMARY KEY (file, version)
) WITHOUT ROWID;
CREATE TABLE files (
  file TEXT PRIMARY KEY,
  owner TEXT NOT NULL,
  name TEXT NOT NULL,
  search TEXT NOT NULL,
  shown INTEGER NOT NULL,
  version TEXT,
  heads INTEGER NOT NULL,
  pending INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX files_by_name ON files (name, file);
`

/** Types of records about people and their keys: few, and read as a whole. */
export const PEOPLE_TYPES = `('user.create', 'device.add', 'device.name', 'device.revoke', 'user.key',
  'key.copy', 'invite', 'invite.cancel')`

/**
 * Format 2: sums (checksum.ts) of what stands under no hash; null: written before there were any.
 * Of `state` over key and value, of `undo` over its data, of `files` over the row and its file_heads.
 */
export const SUMS = `
ALTER TABLE state ADD COLUMN sum INTEGER;
ALTER TABLE undo ADD COLUMN sum INTEGER;
ALTER TABLE files ADD COLUMN sum INTEGER;
`

/** Format 2. */
export const PEOPLE_INDEX = `CREATE INDEX records_of_people ON records (type) WHERE type IN ${PEOPLE_TYPES};`

/** Format 3: the state of confirmed records stands in `records` alone; its sum is over place and outcome. */
export const RECORD_STATES = `
ALTER TABLE records ADD COLUMN sum INTEGER;
-- All but those whose last field is a link (RFC 8949: tag 42, 37 bytes) to another record.
DELETE FROM state WHERE key > 'record/' AND key < 'record0'
  AND (length(value) < 41 OR substr(value, -41, 4) <> x'd82a5825');
`

/** Format 2: imports of a forerunner's data are few, and listed as a whole. */
export const IMPORTS_INDEX =
  "CREATE INDEX records_of_imports ON records (type) WHERE type = 'legacy.import';"
