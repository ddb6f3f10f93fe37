/** The errors of the interfaces themselves. What each means to a script stands in `error-codes.ts`. */
import { errorFamily } from '../common/errors.ts'

export const INTERFACE_ERRORS = {
  BAD_REQUEST: { says: '{where} is not right: found {found}, allowed is {allowed}.' },
  ROUTE_NOT_FOUND: {
    says: 'There is nothing at {path}. GET /openapi.json lists what there is.',
  },
  METHOD_NOT_ALLOWED: { says: '{method} is not possible on {path}; allowed: {allowed}.' },
  TOKEN_REQUIRED: {
    says: 'This needs the token of this node: send "Authorization: Bearer <token>". It stands in the file "token" of the data directory.',
  },
  HOST_REFUSED: {
    says: 'The name {host} is not one of this node. Use its address or localhost, or add the name to allowed_hosts in config.json.',
  },
  ORIGIN_REFUSED: { says: 'Web pages of other origins may not use this node.' },
  BODY_TOO_LARGE: {
    says: 'The body of the request is larger than the {limit:byte} allowed here.',
  },
  BODY_STALLED: { says: 'Next to nothing came for {seconds:second}; the upload was given up.' },
  BODY_INCOMPLETE: { says: 'The upload ended before it was complete; nothing was added.' },
  MEDIA_TYPE_UNKNOWN: { says: 'The body has the type {found}; this takes {allowed}.' },
  RANGE_UNSATISFIABLE: { says: 'The range lies outside of the {size:byte}.' },
  VERSION_NOT_FOUND: {
    says: 'The file {name} has no version {version}; it has {count}. See its history.',
  },
  NODE_STOPPING: { says: 'The node is stopping. Start it again with "cairn start".' },
  PATH_INVALID: { says: 'The path {path} is not right: {why}.' },
  CID_INVALID: { says: '{text} is not a CID.' },
  NOT_PUBLIC: {
    says: 'Nothing public here has the CID {cid}. The gateway shows public files only; a private one is read with "cairn get" by those who may, and "cairn publish" makes it public.',
  },
  FETCH_TIMEOUT: {
    says: 'It was not here within {seconds:second}. What has come stays; the same command goes on where this one stopped.',
  },
  FORMAT_UNKNOWN: { says: 'The format {format} is not served here; raw and car are.' },
  PATH_NOT_FOUND: { says: 'There is no {segment} under {parent}.' },
  GATEWAY_TIMEOUT: { says: 'The content was not found in {seconds:second}. Try again later.' },
  USAGE: { says: '{why}' },
  NO_NODE: {
    says: 'No node is running for {dataDir}. Start one with: cairn start',
  },
  TOKEN_MISSING: {
    says: 'The file {path} is missing or empty, and no command reaches the node without it. End the node (process {pid}) and start it again: it makes a new one.',
  },
  TOKEN_WEAK: {
    says: 'The token of the HTTP API that was given (CAIRN_API_TOKEN, CAIRN_API_TOKEN_FILE) can be guessed: {why}. Make one with: openssl rand -hex 32',
  },
  NODE_SILENT: {
    says: 'The node at {url} does not answer ({why}). See whether it is stopping, or start it: cairn start',
  },
  NODE_ANSWER: { says: 'The node at {url} gave an answer that is not understood ({why}).' },
  NODE_CUT: { says: 'The connection to the node broke before the answer was complete.' },
  NODE_START: { says: 'The node did not start: {why}' },
  NODE_STOP_TIMEOUT: {
    says: 'The node (process {pid}) has not stopped within {seconds:second}; it may still be flushing. See its log: {log}',
  },
  PORT_IN_USE: {
    says: 'Port {port} on {host} is in use ({what}). Choose another with {flag}, or stop the program that has it.',
  },
  PORT_REFUSED: {
    says: 'Port {port} on {host} cannot be opened ({what}): {why}. Choose another with {flag}.',
  },
  OUTPUT_FAILED: { says: 'Standard output cannot be written: {why}.' },
  CONFIG_INVALID: { says: 'The configuration is not right. {problems}' },
  CONFIG_UNREADABLE: { says: 'The file {path} cannot be used: {why}.' },
  SOURCE_UNREADABLE: { says: '{path} cannot be read: {why}.' },
  SOURCE_IS_FOLDER: { says: '{path} is a folder. Add --recursive to add the files in it.' },
  SOURCE_CHANGED: { says: '{path} changed while it was read; it was not added. Try again.' },
  TARGET_UNWRITABLE: { says: '{path} cannot be written: {why}.' },
  FOLDER_TAKEN: { says: '{path} exists already. Name another folder, or add --force.' },
  TARGET_EXISTS: { says: '{path} exists already. Choose another name with -o, or add --force.' },
  CONTENT_DIFFERS: {
    says: 'What arrived for {name} does not have the hash that its record says. The partial file {path} was removed.',
  },
  NOT_CONFIRMED: {
    says: 'It is stored and will not be lost, but it was not confirmed within {seconds:second}.',
  },
  CHAIN_DAMAGED: { says: 'The chain on this device is damaged: {problem}' },
  NOT_AGREED: { says: 'Nothing was changed.' },
  INTERRUPTED: { says: 'Interrupted.' },
} as const

export type InterfaceErrorCode = keyof typeof INTERFACE_ERRORS

export const interfaceError = errorFamily(INTERFACE_ERRORS)
