/** What the server answers today where it should answer otherwise. Each test says what is right, and moves out of here with it. */
import {test} from 'node:test';
import {blnk, noSuchPage} from './answers';

test('search: right would be 200 and a SearchTransactionResponse', async () => {
  noSuchPage(await blnk.Search.search({q: '*', query_by: 'reference'}, 'transactions'));
});
