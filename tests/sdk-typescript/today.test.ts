/** What the server answers today where it should answer otherwise. Each test says what is right, and moves out of here with it. */
import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';
import {blnk, noSuchPage, ok} from './answers';
import {Books} from './books';

let books: Books;
beforeEach(async () => {
  books = await Books.open();
});

test('search: right would be 200 and a SearchTransactionResponse', async () => {
  noSuchPage(await blnk.Search.search({q: '*', query_by: 'reference'}, 'transactions'));
});
