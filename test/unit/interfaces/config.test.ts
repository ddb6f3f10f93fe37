import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setConfig } from '../../../src/interfaces/config/change.ts'
import { dataDirectory } from '../../../src/interfaces/config/data-dir.ts'
import { fromEnvironment, loadConfig } from '../../../src/interfaces/config/load.ts'

describe('configuration', () => {
  let dir: string
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'cairn-config-'))
  })
  afterEach(() => rmSync(dir, { recursive: true }))
  const write = (content: string): void => writeFileSync(join(dir, 'config.json'), content)

  it('flags over environment over file over defaults', () => {
    write('{"port": 1, "gateway_port": 1, "host": "::1", "name": "Ada"}')
    const { values, sources } = loadConfig(
      dir,
      { CAIRN_PORT: '2', CAIRN_GATEWAY_PORT: '2', CAIRN_LISTEN: '/a, /b', HOME: '/' },
      { port: 3 },
    )
    assert.deepEqual(
      [values.port, values.gateway_port, values.host, values.name, values.role],
      [3, 2, '::1', 'Ada', 'member'],
    )
    assert.deepEqual(values.listen, ['/a', '/b'])
    assert.deepEqual(
      [sources.port, sources.gateway_port, sources.host, sources.role],
      ['flag', 'environment', 'file', 'default'],
    )
  })
  it('the defaults are those of the product', () => {
    const { values } = loadConfig(dir, {}, {})
    assert.deepEqual([values.port, values.gateway_port, values.host], [5005, 8085, '127.0.0.1'])
  })
  it("E3: the forerunner's keys are understood", () => {
    write(
      JSON.stringify({
        node_id: 'backup-1',
        storage_path: 'backup_node/storage',
        max_storage_gb: 100,
        port: 8001,
        main_node_address: 'localhost',
        main_node_port: 8000,
        auto_cleanup_enabled: true,
        verification_interval_hours: 24,
        seeding_enabled: true,
        max_concurrent_transfers: 10,
        bandwidth_limit_mbps: null,
      }),
    )
    const { values } = loadConfig(dir, {}, {})
    assert.deepEqual(
      [values.device_name, values.port, values.max_storage_gb],
      ['backup-1', 8001, 100],
    )
    assert.equal(loadConfig(dir, { CAIRN_DEVICE_NAME: 'mine' }, {}).values.device_name, 'mine')
  })
  it('CONFIG_INVALID names the key, what was found and what is allowed, in each source', () => {
    assert.throws(() => loadConfig(dir, { CAIRN_PORT: '70000' }, {}), {
      code: 'CONFIG_INVALID',
      message:
        /CAIRN_PORT in the environment: found 70000, allowed is a whole number from 0 to 65535/,
    })
    assert.throws(() => loadConfig(dir, { CAIRN_PROT: '1' }, {}), /CAIRN_PROT .*unknown key/)
    assert.throws(() => loadConfig(dir, {}, { port: 1.5 }), /--port in flags: found 1.5/)
    write('{"prot": 1, "host": 5}')
    assert.throws(
      () => loadConfig(dir, {}, {}),
      /prot in .*config\.json: found an unknown key.* host .*found 5/,
    )
    write('[]')
    assert.throws(() => loadConfig(dir, {}, {}), /config\.json: found \[\], allowed is an object/)
  })
  it('CONFIG_UNREADABLE for what is no JSON', () => {
    write('{"port": 1')
    assert.throws(() => loadConfig(dir, {}, {}), {
      code: 'CONFIG_UNREADABLE',
      message: /is not JSON/,
    })
  })
  it('what is no setting is left alone', () => {
    assert.deepEqual(fromEnvironment({ CAIRN_DATA_DIR: '/x', PATH: '/', CAIRN_DETACHED: '1' }), {})
  })
  it('is changed by key, kept valid, and readable by its owner alone', async () => {
    await setConfig(dir, 'port', '5006')
    await setConfig(dir, 'max_storage_gb', 'null')
    assert.equal(loadConfig(dir, {}, {}).values.port, 5006)
    await assert.rejects(setConfig(dir, 'port', 'x'), { code: 'CONFIG_INVALID' })
    await assert.rejects(setConfig(dir, 'toString', 'x'), { code: 'CONFIG_INVALID' })
    assert.equal(loadConfig(dir, {}, {}).values.port, 5006)
    await setConfig(dir, 'port', undefined)
    assert.equal(loadConfig(dir, {}, {}).values.port, 5005)
    assert.equal(statSync(join(dir, 'config.json')).mode & 0o777, 0o600)
  })
})

describe('data directory', () => {
  it('flag, environment, the platform', () => {
    const home = '/home/ada'
    assert.equal(dataDirectory('/flag', { CAIRN_DATA_DIR: '/env' }, 'linux', home), '/flag')
    assert.equal(dataDirectory(undefined, { CAIRN_DATA_DIR: '/env' }, 'linux', home), '/env')
    assert.equal(dataDirectory(undefined, { CAIRN_STORAGE_PATH: '/old' }, 'linux', home), '/old')
    assert.equal(dataDirectory(undefined, {}, 'linux', home), '/home/ada/.local/share/cairn')
    assert.equal(dataDirectory(undefined, { XDG_DATA_HOME: '/xdg' }, 'linux', home), '/xdg/cairn')
    assert.equal(
      dataDirectory(undefined, { XDG_DATA_HOME: 'xdg' }, 'linux', home),
      '/home/ada/.local/share/cairn',
    )
    assert.equal(
      dataDirectory(undefined, {}, 'darwin', home),
      '/home/ada/Library/Application Support/cairn',
    )
    assert.match(dataDirectory(undefined, { LOCALAPPDATA: '/app' }, 'win32', home), /app.cairn$/)
  })
})
