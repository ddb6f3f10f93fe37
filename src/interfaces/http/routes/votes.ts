/** What people think of a file. */
import { MAX_COMMENT_CHARACTERS } from '../../../chain/record-bodies.ts'
import type { NodeApi } from '../api.ts'
import { objectOf, ok, type Route, route } from '../route.ts'
import { pickVersion } from '../versions.ts'
import { versionSchema } from './files.ts'

const voteBody = objectOf(
  {
    verdict: { type: 'string', enum: ['authentic', 'suspicious'] },
    comment: { type: 'string', maxLength: MAX_COMMENT_CHARACTERS },
    version: versionSchema,
  },
  'verdict',
)

export function voteRoutes({ files, votes }: Pick<NodeApi, 'files' | 'votes'>): Route[] {
  return [
    route('POST', '/api/v1/files/:id/votes', {
      summary: 'Vote on a version; the latest vote of a user counts',
      body: voteBody,
      status: 201,
      reply: 'Vote',
      gives: 'the vote',
      handle: async ({ params, body, signal }) => {
        const info = files.info(files.find(params.id ?? '').file)
        const { version } = pickVersion(info, body.version)
        return { status: 201, json: await votes.cast(info.file, { ...body, version }, signal) }
      },
    }),
    route('GET', '/api/v1/files/:id/votes', {
      summary: 'The votes on all versions of a file, newest first, and what they come to',
      reply: 'Votes',
      gives: '{file, name, tally, items}',
      handle: ({ params }) => {
        const { file, name, tally } = files.find(params.id ?? '')
        return ok({ file, name, tally, items: votes.of(file) })
      },
    }),
  ]
}
