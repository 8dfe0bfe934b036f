/** Metadata.update of everything that has metadata, and LedgerBalances.updateIdentity. */
import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';
import type {UpdateBalanceIdentityResponse} from '@blnkfinance/blnk-typescript/dist/src/types/ledgerBalances';
import type {UpdateMetadataResp} from '@blnkfinance/blnk-typescript/dist/src/types/metadata';
import {blnk, object, ok, refused, type Shape, text, typed} from './answers';
import {Books} from './books';

const MISSING = '00000000-0000-4000-8000-000000000000';
const METADATA: Shape<UpdateMetadataResp> = {meta_data: object};
const LINKED: Shape<UpdateBalanceIdentityResponse> = {message: text};

let books: Books;
beforeEach(async () => {
  books = await Books.open();
});

async function update(id: string, meta_data: Record<string, unknown>): Promise<unknown> {
  return typed(METADATA, ok(await blnk.Metadata.update(id, {meta_data}), 200)).meta_data;
}

async function person(meta_data: Record<string, unknown>): Promise<string> {
  const body = {identity_type: 'individual', first_name: 'Ada', last_name: books.run, category: 'test', meta_data};
  return (ok(await blnk.Identity.create(body as never)) as {identity_id: string}).identity_id;
}

test('of a transaction only what was given is answered; the row has both', async () => {
  const paid = ok(await books.pay(books.a, books.b, 'pay', {amount: 1, skip_queue: true, meta_data: {order: 1}})).transaction_id;
  assert.deepEqual(await update(paid, {more: 2}), {more: 2});
  assert.deepEqual((await books.row(paid)).meta_data, {order: 1, more: 2});
});

test('of ledgers, balances and identities all of it is answered', async () => {
  const ledger = ok(await blnk.Ledgers.create({name: 'books', meta_data: {a: 1}})).ledger_id;
  assert.deepEqual(await update(ledger, {a: 2, b: [1]}), {a: 2, b: [1]});
  assert.deepEqual(await update(books.a, {colour: 'blue'}), {colour: 'blue'});
  assert.deepEqual(await update(books.a, {size: 5}), {colour: 'blue', size: 5});
  assert.deepEqual(await update(await person({kyc: 1}), {vip: true}), {kyc: 1, vip: true});
});

test('what is not there has no metadata', async () => {
  for (const prefix of ['ldg', 'bln', 'idt', 'txn', 'bulk']) {
    refused(await blnk.Metadata.update(`${prefix}_${MISSING}`, {meta_data: {a: 1}}), 404, 'META_ENTITY_NOT_FOUND');
  }
  refused(await blnk.Metadata.update('nonsense', {meta_data: {a: 1}}), 400, 'META_INVALID_ENTITY_ID');
});

test('a balance has another owner', async () => {
  const identity_id = await person({});
  const told = typed(LINKED, ok(await blnk.LedgerBalances.updateIdentity(books.a, {identity_id}), 200));
  assert.deepEqual(told, {message: 'Balance identity updated successfully'});
  assert.equal(ok(await blnk.LedgerBalances.get(books.a), 200).identity_id, identity_id);
  refused(await blnk.LedgerBalances.updateIdentity(books.a, {identity_id: `idt_${MISSING}`}), 404, 'BAL_NOT_FOUND');
});
