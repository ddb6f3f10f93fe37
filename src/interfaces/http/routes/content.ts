/** The bytes of a file. They were chosen by somebody else: no browser runs them on this origin. */
import { interfaceError } from '../../errors.ts'
import type { NodeApi } from '../api.ts'
import { contentDisposition, INERT_CONTENT_POLICY, safeMediaType } from '../content-headers.ts'
import { matchesEtag, parseRange } from '../ranges.ts'
import { objectOf, type Route, route } from '../route.ts'
import { openVersion } from '../sealed.ts'
import { sendAll } from '../streams.ts'
import { pickVersion } from '../versions.ts'
import { versionSchema } from './files.ts'

export function contentRoutes({ files }: Pick<NodeApi, 'files'>): Route[] {
  return [
    route('GET', '/api/v1/files/:id/content', {
      summary: 'The bytes of a version, verified; one range (Range: bytes=a-b) is possible',
      query: objectOf({ version: versionSchema }),
      type: 'application/octet-stream',
      gives: 'the bytes',
      also: { 206: 'the range', 304: 'If-None-Match names these bytes' },
      handle: async ({ params, query, request, response, signal }) => {
        const info = files.info(files.find(params.id ?? '').file)
        const version = openVersion(info, pickVersion(info, query.version))
        const etag = `"${version.root}"`
        response.setHeader('ETag', etag)
        response.setHeader('Accept-Ranges', 'bytes')
        response.setHeader('Cache-Control', 'private, no-cache')
        response.setHeader('Content-Security-Policy', INERT_CONTENT_POLICY)
        response.setHeader('X-Cairn-Version', version.version)
        response.setHeader('X-Cairn-Sha256', version.sha256)
        if (matchesEtag(request.headers['if-none-match'], etag)) {
          response.writeHead(304).end()
          return
        }
        const header = request.headers['if-range']
        const fresh = header === undefined || header === etag
        const range = fresh ? parseRange(request.headers.range, version.size) : undefined
        if (range === 'unsatisfiable') {
          response.setHeader('Content-Range', `bytes */${version.size}`)
          response.removeHeader('ETag')
          throw interfaceError('RANGE_UNSATISFIABLE', { size: version.size })
        }
        const { start, end } = range ?? { start: 0, end: version.size }
        response.setHeader('Content-Type', safeMediaType(version.mediaType))
        response.setHeader('Content-Length', end - start)
        response.setHeader('Content-Disposition', contentDisposition('attachment', version.name))
        if (range !== undefined) {
          response.setHeader('Content-Range', `bytes ${start}-${end - 1}/${version.size}`)
        }
        response.statusCode = range === undefined ? 200 : 206
        if (request.method !== 'HEAD' && end > start) {
          const part = { version: version.version, offset: start, length: end - start }
          await sendAll(response, files.read(info.file, part, signal), signal)
        }
        return undefined
      },
    }),
  ]
}
