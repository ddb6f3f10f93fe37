/** Which content the policy "keep everything" wants here: all current versions, pending ones too. */
import type { VersionId } from '../../chain/ids.ts'
import type { Pins } from '../../storage/pins.ts'
import type { FileEntry, Projections, VersionRecord } from '../../storage/projections.ts'

/** Files read between two turns of the event loop: a millisecond or two. */
const PAGE_FILES = 200

export interface WantedContent {
  readonly version: VersionId
  readonly record: VersionRecord
}

export interface WantedComponents {
  readonly projections: Pick<Projections, 'listFiles' | 'versionsOf'>
  readonly pins: Pick<Pins, 'choice'>
}

/** Pages of what is wanted; a caller gives others a turn between them. */
export function* wantedContent(components: WantedComponents): Generator<WantedContent[]> {
  const { projections, pins } = components
  let after: FileEntry | undefined
  for (;;) {
    const query = { limit: PAGE_FILES, ...(after === undefined ? {} : { after: after.file }) }
    const page = projections.listFiles(query)
    yield page
      .filter(({ file }) => pins.choice(file) !== 'freed')
      .flatMap((entry) => currentVersions(projections, entry))
    after = page.at(-1)
    if (after === undefined || page.length < PAGE_FILES) return
  }
}

function currentVersions(
  projections: Pick<Projections, 'versionsOf'>,
  { file, version, record, heads }: FileEntry,
): WantedContent[] {
  if (heads.length < 2) return heads.map(() => ({ version, record }))
  return projections
    .versionsOf(file)
    .filter(({ head }) => head)
    .map((each) => ({ version: each.version, record: each.record as VersionRecord }))
}
