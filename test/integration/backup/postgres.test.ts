import { systemClock } from '../../../src/common/clock.ts'
import { createPostgresDestination } from '../../../src/services/backup/destinations/postgres.ts'
import { destinationSuite } from '../../contract/destination.ts'
import { type RealPostgres, startPostgres } from '../../helpers/backup/postgres.ts'

describe('backups in a real PostgreSQL', function () {
  this.timeout(60_000)
  let server: RealPostgres

  before(async () => {
    server = await startPostgres()
  })
  after(() => server.stop())

  destinationSuite('PostgreSQL', async () => {
    const url = await server.database()
    const open = () =>
      createPostgresDestination({ clock: systemClock }, { name: 'postgres test', url })
    return { destination: open(), again: async () => open(), end: async () => {} }
  })
})
