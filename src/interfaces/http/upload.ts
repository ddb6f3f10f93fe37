/** Files that come in: as the body itself, or as the part `file` of a multipart form. */
import { PassThrough, type Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { CairnError } from '../../common/errors.ts'
import { interfaceError } from '../errors.ts'
import { check, type ObjectSchema } from '../json-schema.ts'
import type { AddOptions, Visibility } from './api-files.ts'
import { type Exchange, objectOf } from './route.ts'
import { bodyOf } from './streams.ts'

/** Bytes of all text fields of a form. */
const MAX_FIELD_BYTES = 8_192
const MAX_FIELDS = 16

/** What is said of a file beside its bytes: query parameters, or fields of the form before the file. */
export const uploadQuery = objectOf({
  name: {
    type: 'string',
    minLength: 1,
    maxLength: 255,
    description: 'file name; a form may leave it to its part',
  },
  folder: {
    type: 'string',
    maxLength: 4096,
    description: 'folders above the file, outermost first, with slashes between',
  },
  mediaType: { type: 'string', minLength: 1, maxLength: 127 },
  visibility: {
    type: 'string',
    enum: ['private', 'public'],
    description: 'private by default; public: for every member and anyone who knows the CID',
  },
})

export interface Upload {
  readonly options: Partial<AddOptions>
  readonly bytes: AsyncIterable<Uint8Array>
}

interface UploadFields {
  readonly name?: string
  readonly folder?: string
  readonly mediaType?: string
  readonly visibility?: Visibility
}

/** @throws MEDIA_TYPE_UNKNOWN, BAD_REQUEST, BODY_STALLED, BODY_INCOMPLETE */
export async function readUpload(exchange: Exchange): Promise<Upload> {
  const query = exchange.query as UploadFields
  const type = exchange.request.headers['content-type'] ?? ''
  if (!/^multipart\/form-data\s*;/i.test(type)) {
    return { options: optionsOf(query), bytes: bodyOf(exchange.request) }
  }
  return readForm(exchange, query)
}

async function readForm({ request, signal }: Exchange, query: UploadFields): Promise<Upload> {
  const { Busboy } = await import('@fastify/busboy')
  const limits = { fields: MAX_FIELDS, fieldSize: MAX_FIELD_BYTES, files: 1, parts: MAX_FIELDS + 1 }
  const type = request.headers['content-type'] ?? ''
  let parser: InstanceType<typeof Busboy>
  try {
    parser = new Busboy({ headers: { ...request.headers, 'content-type': type }, limits })
  } catch (error) {
    const found = type.slice(0, 100)
    throw interfaceError('MEDIA_TYPE_UNKNOWN', { found, allowed: 'a form with a boundary' }, error)
  }
  const fields: Record<string, string> = {}
  const bytes = new PassThrough()
  // Who reads it hears of its end from the iterator; it may also end before anybody reads.
  bytes.on('error', () => {})
  return new Promise((resolve, reject) => {
    let found = false
    // It reports a cut form several times; the pipeline below hears the first.
    parser.on('error', () => {})
    parser.on('field', (key: string, value: string) => {
      fields[key] = value
    })
    parser.on('file', (field: string, part: Readable, filename: string | undefined, _e, mime) => {
      if (field !== 'file' || found) return void part.resume()
      found = true
      try {
        refuse(uploadQuery, fields)
      } catch (error) {
        part.resume()
        return reject(error)
      }
      const merged: UploadFields = {
        // Browsers send a type with every part; the general one says nothing.
        ...(mime === 'application/octet-stream' || mime === '' ? {} : { mediaType: mime }),
        ...(filename === undefined || filename === '' ? {} : { name: filename }),
        ...query,
        ...fields,
      }
      // An error of the part (a cut form) has to reach who reads the bytes.
      pipeline(part, bytes).catch((error: unknown) => bytes.destroy(cutForm(error)))
      resolve({ options: optionsOf(merged), bytes })
    })
    pipeline(bodyOf(request), parser, { signal }).then(
      () => {
        if (found) return
        reject(
          interfaceError('BAD_REQUEST', {
            where: 'the form',
            found: 'no part "file"',
            allowed: 'one part named file',
          }),
        )
      },
      (error: unknown) => {
        bytes.destroy(cutForm(error))
        reject(cutForm(error))
      },
    )
  })
}

function cutForm(error: unknown): Error {
  return error instanceof CairnError ? error : interfaceError('BODY_INCOMPLETE', {}, error)
}

function refuse(schema: ObjectSchema, fields: Readonly<Record<string, string>>): void {
  const [problem] = check(schema, fields, 'form')
  if (problem !== undefined) throw interfaceError('BAD_REQUEST', { ...problem })
}

function optionsOf(fields: UploadFields): Partial<AddOptions> {
  const folder = fields.folder?.split('/').filter((part) => part !== '')
  return {
    ...(fields.name === undefined ? {} : { name: fields.name }),
    ...(fields.mediaType === undefined ? {} : { mediaType: fields.mediaType }),
    ...(fields.visibility === undefined ? {} : { visibility: fields.visibility }),
    ...(folder === undefined ? {} : { folder }),
  }
}
