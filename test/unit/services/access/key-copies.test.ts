import assert from 'node:assert/strict'
import { deviceIdOf, type UserId } from '../../../../src/chain/ids.ts'
import type { SignedRecord } from '../../../../src/chain/record.ts'
import { createFileKeys } from '../../../../src/services/access/file-keys.ts'
import { createKeyCopies } from '../../../../src/services/access/key-copies.ts'
import { createKeyring } from '../../../../src/services/people/keyring.ts'
import { handClock, seedOf } from '../../../helpers/chain-node.ts'
import { withDirectory } from '../../storage/blockstore-helpers.ts'
import { userCreate, write } from '../../storage/chain-model.ts'
import { streamOf } from '../files/files-node.ts'
import { createPrivateNode } from './private-node.ts'

const PEOPLE = 1000
const VERSIONS = 100
const { signal } = new AbortController()

const person = (name: string): SignedRecord =>
  write({ device: deviceIdOf(seedOf(name)), user: null, last: undefined }, userCreate(name))

describe('copies of keys', () => {
  it('what is sealed to others costs the same however many people there are', () =>
    withDirectory(async (dir) => {
      const clock = handClock(1_700_000_100_000)
      const ada = await createPrivateNode('ada', { dir, clock, userSecret: seedOf('ada user') })
      const bob = await createPrivateNode('bob', { dir, clock, userSecret: seedOf('bob user') })
      await ada.joinAsUser()
      await bob.joinAsUser()
      for (let at = 0; at < VERSIONS; at += 1) {
        await ada.files.add(streamOf(`${at}`), { name: `poem ${at}` }, { signal })
      }
      await ada.tell(bob)
      bob.store.transaction(() => {
        for (let at = 0; at < PEOPLE; at += 1) {
          bob.store.putRecord(person(`person ${at}`), { own: false, received: 1 })
        }
      })
      let decoded = 0
      const { projections } = bob.store
      const counted = {
        ...projections,
        peopleRecords: () => {
          const found = projections.peopleRecords()
          decoded += found.length
          return found
        },
        peopleRecordsOf: (user: UserId) => {
          const found = projections.peopleRecordsOf(user)
          decoded += found.length
          return found
        },
      }
      const store = { ...bob.store, projections: counted }
      const self = { device: bob.device, user: () => bob.chain.user }
      const init = { network: bob.chain.network }
      const secrets = {
        device: seedOf('bob device encryption'),
        user: undefined,
        recovery: undefined,
      }
      const { events } = bob
      const keyring = createKeyring({ store, events, secrets, user: self.user }, init)
      const copies = createKeyCopies({ store, events })
      const keys = createFileKeys({ store, keyring, copies, self, clock }, init)
      const sealed = bob.store.sealedVersions(1000)
      assert.equal(sealed.length, VERSIONS)
      for (const version of sealed) assert.equal(await keys.open(version), undefined)
      assert.ok(projections.peopleRecords().length > PEOPLE)
      assert.ok(decoded < 2 * PEOPLE, `${decoded} records for ${VERSIONS} versions`)
      // One more person is one more record, not another look at all.
      decoded = 0
      const late = person('one more')
      bob.store.putRecord(late, { own: false, received: 1 })
      events.emit('record:pending', { record: late, own: false })
      for (const version of sealed) await keys.open(version)
      assert.equal(decoded, 0)
      await ada.chain.stop()
      await bob.chain.stop()
    }))
})
