/** Identity: every method of the client, and every field of its answers. */
import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {beforeEach, test} from 'node:test';
import type {IdentityData, TokenizableIdentityField} from '@blnkfinance/blnk-typescript/dist/src/types/identity';
import {blnk, ok, refused} from './answers';

const MISSING = 'idt_00000000-0000-4000-8000-000000000000';
const ADA: IdentityData<Record<string, unknown>> = {
  identity_type: 'individual',
  first_name: 'Ada',
  last_name: 'Obi',
  other_names: 'N',
  gender: 'female',
  email_address: 'ada@example.com',
  phone_number: '+2348012345678',
  nationality: 'NG',
  category: 'customer',
  street: '1 Main St',
  country: 'NG',
  state: 'Lagos',
  post_code: '100001',
  city: 'Lagos',
  dob: '1990-05-10T00:00:00Z',
  meta_data: {kyc: 'tier1'},
};
const FIELDS: TokenizableIdentityField[] = ['FirstName', 'LastName', 'OtherNames', 'EmailAddress', 'PhoneNumber', 'Street', 'PostCode'];

let ada = '';
beforeEach(async () => {
  ada = ok(await blnk.Identity.create(ADA)).identity_id;
});

test('made and read', async () => {
  const mine = `idt_${randomUUID()}`;
  const made = ok(await blnk.Identity.create({...ADA, identity_id: mine}));
  assert.deepEqual(made, {...ADA, identity_id: mine, organization_name: '', created_at: made.created_at});
  assert.ok(Math.abs(Date.parse(made.created_at) - Date.now()) < 60_000);
  assert.deepEqual({...ok(await blnk.Identity.get(mine), 200), created_at: made.created_at}, made);
  assert.ok(ok(await blnk.Identity.list(), 200).some(row => row.identity_id === mine));
  refused(await blnk.Identity.create({...ADA, identity_id: mine}), 400, 'IDT_VALIDATION_ERROR');
  refused(await blnk.Identity.get(MISSING), 404, 'IDT_NOT_FOUND');
});

test('updated', async () => {
  const change: IdentityData<Record<string, unknown>> = {identity_type: 'individual', first_name: 'Adaeze', last_name: '', meta_data: {other: 1}};
  assert.deepEqual(ok(await blnk.Identity.update(ada, change), 200), {message: 'Identity updated successfully'});
  const read = ok(await blnk.Identity.get(ada), 200);
  assert.deepEqual([read.first_name, read.last_name, read.city, read.meta_data], ['Adaeze', 'Obi', 'Lagos', {other: 1}]);
  refused(await blnk.Identity.update(MISSING, change), 404, 'IDT_NOT_FOUND');
});

test('deleted', async () => {
  assert.deepEqual(ok(await blnk.Identity.delete(ada), 200), {message: 'Identity deleted successfully'});
  refused(await blnk.Identity.get(ada), 404, 'IDT_NOT_FOUND');
  refused(await blnk.Identity.delete(ada), 404, 'IDT_NOT_FOUND');
});

test('who owns a balance stays', async () => {
  const ledger = ok(await blnk.Ledgers.create({name: 'identities'})).ledger_id;
  ok(await blnk.LedgerBalances.create({ledger_id: ledger, identity_id: ada, currency: 'USD'}));
  refused(await blnk.Identity.delete(ada), 409, 'GEN_CONFLICT');
});

test('one token', async () => {
  assert.deepEqual(ok(await blnk.Identity.tokenizeField(ada, 'FirstName'), 200), {message: 'Field tokenized successfully'});
  refused(await blnk.Identity.tokenizeField(ada, 'FirstName'), 409, 'IDT_FIELD_ALREADY_TOKENIZED');
  const read = ok(await blnk.Identity.get(ada), 200);
  assert.match(read.first_name ?? '', /^FPT:[A-Z][a-z]{2}:/);
  assert.deepEqual(read.meta_data, {kyc: 'tier1', tokenized_fields: {FirstName: true}});
  assert.deepEqual(ok(await blnk.Identity.getTokenizedFields(ada), 200), {tokenized_fields: ['FirstName']});
  assert.deepEqual(ok(await blnk.Identity.detokenizeField(ada, 'FirstName'), 200), {field: 'FirstName', value: 'Ada'});
  refused(await blnk.Identity.detokenizeField(ada, 'LastName'), 400, 'IDT_FIELD_NOT_TOKENIZED');
});

test('every field as a token', async () => {
  assert.deepEqual(ok(await blnk.Identity.tokenize(ada, {fields: FIELDS}), 200), {message: 'Fields tokenized successfully'});
  const told = ok(await blnk.Identity.getTokenizedFields(ada), 200);
  assert.deepEqual([...told.tokenized_fields].sort(), [...FIELDS].sort());
  assert.deepEqual(ok(await blnk.Identity.detokenize(ada, {fields: ['Street']}), 200), {fields: {Street: '1 Main St'}});
  assert.deepEqual(ok(await blnk.Identity.detokenize(ada, {fields: []}), 200), {
    fields: {
      FirstName: 'Ada',
      LastName: 'Obi',
      OtherNames: 'N',
      EmailAddress: 'ada@example.com',
      PhoneNumber: '+2348012345678',
      Street: '1 Main St',
      PostCode: '100001',
    },
  });
});
