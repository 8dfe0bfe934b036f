/** What the server answers today where it should answer otherwise. Each test says what is right, and moves out of here with it. */
import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';
import type {MultipleSourcesT} from '@blnkfinance/blnk-typescript/dist/src/types/transactions';
import {blnk, noSuchPage, ok} from './answers';
import {Books} from './books';

let books: Books;
beforeEach(async () => {
  books = await Books.open();
});

test('metadata of a transaction: right would be 200 and {meta_data} with both keys', async () => {
  const paid = ok(await books.pay(books.a, books.b, 'pay', {amount: 1, skip_queue: true, meta_data: {order: 1}})).transaction_id;
  noSuchPage(await blnk.Metadata.update(paid, {meta_data: {more: 2}}));
  assert.deepEqual((await books.row(paid)).meta_data, {order: 1});
});

test('lineage: right would be 200 and {transaction_id, shadow_transactions: null}', async () => {
  const paid = ok(await books.pay(books.a, books.b, 'pay', {amount: 1, skip_queue: true})).transaction_id;
  noSuchPage(await blnk.Transactions.getLineage(paid));
});

test('search: right would be 200 and a SearchTransactionResponse', async () => {
  noSuchPage(await blnk.Search.search({q: '*', query_by: 'reference'}, 'transactions'));
});

for (const skip_queue of [true, false]) {
  test(`amount of a split in minor units, skip_queue ${skip_queue}: that of its first leg; right would be 10`, async () => {
    const shares: MultipleSourcesT[] = [{identifier: books.b, precise_distribution: '600'}, {identifier: books.shop, distribution: 'left'}];
    const whole = ok(await books.pay(books.a, shares, 'split', {precise_amount: 1000, skip_queue}));
    assert.deepEqual([whole.precise_amount, whole.amount], [1000, 6]);
  });
}
