import assert from 'node:assert/strict'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { CONFIG_SCHEMA } from '../../../src/interfaces/config/schema.ts'
import {
  check,
  describe as describeSchema,
  fromText,
  type JsonSchema,
} from '../../../src/interfaces/json-schema.ts'

const schema = {
  type: 'object',
  properties: {
    text: { type: 'string', minLength: 1, maxLength: 3 },
    word: { type: 'string', pattern: '^[a-z]+$' },
    choice: { type: 'string', enum: ['a', 'b'] },
    whole: { type: 'integer', minimum: 0, maximum: 10 },
    number: { type: 'number', minimum: 0.5 },
    yes: { type: 'boolean' },
    list: { type: 'array', items: { type: 'integer' }, maxItems: 2 },
    maybe: { anyOf: [{ type: 'integer' }, { type: 'null' }] },
  },
  required: ['text'],
  additionalProperties: false,
} as const satisfies JsonSchema

describe('JSON Schema check', () => {
  const ajv = new Ajv2020({ strict: false })

  it('accepts and refuses what a full validator does', () => {
    const oracle = ajv.compile(schema)
    const scalar = fc.oneof(
      fc.constantFrom('', 'a', 'b', 'abc', 'abcd', 'A1', '😀😀😀', '😀😀😀😀'),
      fc.constantFrom(0, 1, 10, 11, -1, 0.5, 1.5, 0.25, null, true, false),
      fc.anything(),
    )
    const value = fc.oneof(
      fc.anything(),
      fc.dictionary(
        fc.constantFrom(...Object.keys(schema.properties), 'other'),
        fc.oneof(scalar, fc.array(scalar, { maxLength: 3 })),
      ),
    )
    fc.assert(
      fc.property(value, (any) => {
        // Only what JSON can say is ever checked.
        const json: unknown = JSON.parse(JSON.stringify(any) ?? 'null')
        assert.equal(check(schema, json, '').length === 0, oracle(json), JSON.stringify(json))
      }),
      { numRuns: 3000 },
    )
  })
  it('the schema of config.json is one for others too', () => {
    assert.equal(ajv.validateSchema(CONFIG_SCHEMA), true)
    const oracle = ajv.compile(CONFIG_SCHEMA)
    for (const value of [
      {},
      { port: 1 },
      { port: -1 },
      { prot: 1 },
      { max_storage_gb: null },
      { listen: ['x'] },
      { listen: 'x' },
    ]) {
      assert.equal(
        check(CONFIG_SCHEMA, value, '').length === 0,
        oracle(value),
        JSON.stringify(value),
      )
    }
  })
  it('says where, what was found and what is allowed', () => {
    assert.deepEqual(check(schema, { text: 'abcd', list: [1, 'x'], other: 1 }, 'body'), [
      { where: 'body.text', found: '"abcd"', allowed: 'text of 1 to 3 characters' },
      { where: 'body.list[1]', found: '"x"', allowed: 'a whole number' },
      {
        where: 'body.other',
        found: 'an unknown key',
        allowed: 'one of the keys text, word, choice, whole, number, yes, list, maybe',
      },
    ])
    assert.deepEqual(check(schema, {}, ''), [
      { where: 'text', found: 'nothing', allowed: 'text of 1 to 3 characters' },
    ])
    const [problem] = check(schema, { text: 'x'.repeat(1000) }, '')
    assert.ok((problem?.found.length ?? 0) < 100)
    const many = Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, 1]))
    assert.ok(check(schema, many, '').length < 100)
  })
  it('is not fooled by names of the prototype', () => {
    assert.equal(check(schema, JSON.parse('{"text":"a","__proto__":1}'), '').length, 1)
    assert.equal(check(schema, { text: 'a', constructor: 1 }, '').length, 1)
    assert.equal(check({ ...schema, required: ['toString'] }, { text: 'a' }, '').length, 1)
  })
  it('reads texts of queries and the environment', () => {
    const { properties } = schema
    assert.equal(fromText(properties.whole, '7'), 7)
    assert.equal(fromText(properties.whole, '7x'), '7x')
    assert.equal(fromText(properties.whole, ''), '')
    assert.equal(fromText(properties.yes, 'true'), true)
    assert.equal(fromText(properties.yes, 'no'), 'no')
    assert.deepEqual(fromText(properties.list, '1, 2'), [1, 2])
    assert.equal(fromText(properties.maybe, 'null'), null)
    assert.equal(describeSchema(properties.maybe), 'a whole number or null')
  })
})
