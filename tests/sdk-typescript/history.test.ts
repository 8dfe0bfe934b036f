/** What a balance was at a moment, and snapshots, which change nothing. */
import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';
import {blnk, ok, refused} from './answers';
import {Books} from './books';

const PAST = {allow_overdraft: true, skip_queue: true};
let books: Books;
beforeEach(async () => {
  books = await Books.open();
});

async function at(timestamp: string, from_source?: boolean) {
  const found = ok(await blnk.LedgerBalances.getAt(books.b, {timestamp, ...(from_source === undefined ? {} : {from_source})}), 200);
  assert.deepEqual([found.from_source, found.timestamp], [from_source === true, timestamp]);
  const {balance_id, currency, balance, credit_balance, debit_balance} = found.balance;
  assert.deepEqual([balance_id, currency], [books.b, 'USD']);
  return [balance, credit_balance, debit_balance];
}

test('postings count at their business date', async () => {
  for (const [name, precise_amount, effective_date] of [
    ['one', 500, '2024-01-01T10:00:00Z'],
    ['two', 100, '2024-01-08T10:00:00Z'],
    ['late', 7, '2023-06-01T00:00:00Z'],
  ] as const) {
    ok(await books.pay(books.world, books.b, name, {precise_amount, effective_date, ...PAST}));
  }
  ok(await books.pay(books.b, books.shop, 'out', {precise_amount: 50, effective_date: '2024-01-09T10:00:00Z', skip_queue: true}));
  for (const [moment, wanted] of [
    ['2023-01-01T00:00:00Z', [0, 0, 0]],
    ['2023-12-31T00:00:00Z', [7, 7, 0]],
    ['2024-01-01T10:00:00Z', [507, 507, 0]],
    ['2024-01-08T12:00:00+02:00', [607, 607, 0]],
    ['2024-01-09T10:00:00Z', [557, 607, 50]],
  ] as const) {
    assert.deepEqual(await at(moment), wanted, moment);
    assert.deepEqual(await at(moment, true), wanted, moment);
  }
});

test('snapshots change nothing', async () => {
  for (const options of [undefined, {batch_size: 500}, {batch_size: 1}]) {
    const {message} = ok(await blnk.LedgerBalances.createSnapshot(options), 200);
    assert.equal(message, 'Snapshotting in progress. should be completed shortly');
  }
  ok(await books.pay(books.world, books.b, 'late', {precise_amount: 7, effective_date: '2024-01-01T00:00:00Z', ...PAST}));
  assert.deepEqual(await at('2024-01-02T00:00:00Z'), [7, 7, 0]);
});

test('what is refused', async () => {
  const timestamp = '2024-01-01T00:00:00Z';
  refused(await blnk.LedgerBalances.getAt('bln_00000000-0000-4000-8000-000000000000', {timestamp}), 404, 'BAL_NOT_FOUND');
  refused(await blnk.LedgerBalances.getAt(books.b, {timestamp: '0001-01-01T00:00:00Z'}), 400, 'GEN_BAD_REQUEST');
});
