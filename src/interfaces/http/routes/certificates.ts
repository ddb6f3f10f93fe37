/** What shows, without a node, that a version stands in the chain. */
import type { VersionId } from '../../../chain/ids.ts'
import type { NodeApi } from '../api.ts'
import { contentDisposition, INERT_CONTENT_POLICY } from '../content-headers.ts'
import { objectOf, type Route, route } from '../route.ts'
import { pickVersion } from '../versions.ts'
import { versionSchema } from './files.ts'

export function certificateRoutes({
  files,
  certificates,
}: Pick<NodeApi, 'files' | 'certificates'>): Route[] {
  return [
    route('GET', '/api/v1/files/:id/certificate', {
      summary: 'The certificate of a version: one page, with its proof inside',
      query: objectOf({ version: versionSchema }),
      type: 'text/html',
      gives: 'the page',
      handle: async ({ params, query, request, response, signal }) => {
        const info = files.info(files.find(params.id ?? '').file)
        const { version, name } = pickVersion(info, query.version)
        const page = await certificates.of(version as VersionId, signal)
        response.setHeader('Content-Type', 'text/html; charset=utf-8')
        response.setHeader('Content-Length', page.length)
        response.setHeader('Cache-Control', 'no-store')
        response.setHeader('Content-Security-Policy', INERT_CONTENT_POLICY)
        const filename = `${(name ?? 'file').slice(0, 200)}.certificate.html`
        response.setHeader('Content-Disposition', contentDisposition('attachment', filename))
        response.end(request.method === 'HEAD' ? undefined : page)
        return undefined
      },
    }),
  ]
}
