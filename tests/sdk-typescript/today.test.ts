/** What the server answers today where it should answer otherwise. Each test says what is right, and moves out of here with it. */
import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';
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

test('search: right would be 200 and a SearchTransactionResponse', async () => {
  noSuchPage(await blnk.Search.search({q: '*', query_by: 'reference'}, 'transactions'));
});
