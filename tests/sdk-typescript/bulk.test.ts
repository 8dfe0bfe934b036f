/** Transactions.createBulk: at once and queued, as one or one by one, held, in the background, and what is said when an item fails. */
import assert from 'node:assert/strict';
import {beforeEach, describe, test} from 'node:test';
import type {BulkTransactionResponse} from '@blnkfinance/blnk-typescript/dist/src/types/transactions';
import {blnk, maybe, notSent, number, ok, read, refused, type Shape, text, typed, until, type Wanted} from './answers';
import {Books, type Body} from './books';

const ANSWER: Shape<BulkTransactionResponse> = {
  batch_id: value => /^bulk_.{36}$/.test(String(value)),
  status: text,
  transaction_count: maybe(number),
  message: maybe(text),
};
const QUEUE: Array<{skip_queue?: boolean}> = [{skip_queue: true}, {skip_queue: false}];
const ATOMIC: Array<{atomic?: boolean}> = [{atomic: true}, {atomic: false}];

let books: Books;
beforeEach(async () => {
  books = await Books.open();
});

const items = (...cents: number[]): Body[] =>
  cents.map((precise_amount, at) => books.body(books.a, books.b, `item-${at + 1}`, {precise_amount, meta_data: {item: at + 1}}));

function accepted(answer: BulkTransactionResponse, status: string, transaction_count: number): string {
  assert.deepEqual(typed(ANSWER, answer), {batch_id: answer.batch_id, status, transaction_count});
  return answer.batch_id;
}

/** Reads the rows of a batch of executed or of queued items, and what these have led to. */
async function rows(batch: string, atOnce: boolean | undefined, cents: number[], expected: Wanted = {}): Promise<string[]> {
  const statuses: string[] = [];
  for (const [at, amount] of cents.entries()) {
    const facts = {source: books.a, destination: books.b, meta_data: {item: at + 1}, ...expected};
    const executed = expected.inflight ? 'INFLIGHT' : 'APPLIED';
    const row = read(await books.find(books.ref(`item-${at + 1}`)), amount, {...facts, status: atOnce ? executed : 'QUEUED', parent_transaction: batch});
    assert.equal(row.meta_data?.sequence, at + 1);
    if (!atOnce) {
      assert.equal(row.meta_data?.QUEUED_PARENT_TRANSACTION, batch);
      const child = await books.outcome(`item-${at + 1}`);
      statuses.push(read(child, amount, {...facts, parent_transaction: row.transaction_id}).status);
    }
  }
  return statuses;
}

for (const queue of QUEUE) {
  for (const atomic of ATOMIC) {
    describe(`${JSON.stringify(queue)} ${JSON.stringify(atomic)}`, () => {
      for (const inflight of [false, true]) {
        const [status, figures] = inflight ? ['inflight', [0, 3000, 0]] : ['applied', [3000, 0, 0]];
        const expected = inflight ? {inflight} : {};

        test(status as string, async () => {
          const answer = ok(await blnk.Transactions.createBulk({transactions: items(1000, 2000), inflight, run_async: false, ...atomic, ...queue}));
          await rows(accepted(answer, status as string, 2), queue.skip_queue, [1000, 2000], expected);
          assert.deepEqual(await books.figures(), figures);
        });

        test(`${status} in the background`, async () => {
          const answer = ok(await blnk.Transactions.createBulk({transactions: items(1000, 2000), inflight, run_async: true, ...atomic, ...queue}), 202);
          const {batch_id} = typed(ANSWER, answer);
          assert.deepEqual(answer, {batch_id, status: 'processing', message: 'Bulk transaction processing started'});
          await rows(batch_id, queue.skip_queue, [1000, 2000], expected);
          assert.deepEqual(await books.figures(), figures);
        });
      }
    });
  }
}

test('items of every kind', async () => {
  const batch = accepted(
    ok(
      await blnk.Transactions.createBulk({
        skip_queue: true,
        transactions: [
          books.body(books.a, books.b, 'decimal', {amount: 19.99}),
          books.body(books.a, books.b, 'text', {precise_amount: '1'}),
          books.body(books.a, [{identifier: books.b, distribution: '10%'}, {identifier: books.shop, distribution: 'left'}], 'to', {amount: 10}),
          books.body([{identifier: books.a, precise_distribution: '600'}, {identifier: books.shop, distribution: 'left'}], books.b, 'from', {
            precise_amount: 1000,
          }),
          books.body(books.a, books.b, 'dated', {amount: 1, effective_date: new Date('2025-02-15T10:30:00Z')}),
          books.body(books.world, books.shop, 'euro', {amount: 3, currency: 'EUR', allow_overdraft: true}),
        ],
      }),
    ),
    'applied',
    6,
  );
  assert.deepEqual(await books.figures(), [1999 + 1 + 100 + 1000 + 100, 0, 0]);
  assert.deepEqual(await books.figures(await books.at(books.shop)), [500, 0, 0]);
  read(await books.find(books.ref('dated')), 100, {status: 'APPLIED', parent_transaction: batch});
  const euro = {status: 'APPLIED', parent_transaction: batch, currency: 'EUR', destination: await books.at(books.shop, 'EUR')};
  read(await books.find(books.ref('euro')), 300, euro);
});

for (const inflight of [false, true]) {
  test(`one item fails at once, inflight ${inflight}: as one nothing is left, otherwise what came before stays`, async () => {
    const asked = {transactions: items(1000, 200_000, 3000), inflight, skip_queue: true};
    const failed = await blnk.Transactions.createBulk({...asked, atomic: true});
    const error = refused(failed, 400, 'TXN_INSUFFICIENT_FUNDS');
    assert.deepEqual(error.details, {batch_id: failed.data?.batch_id});
    assert.match(String(failed.data?.batch_id), /^bulk_/);
    assert.ok(error.message.includes(books.ref('item-2')));
    assert.deepEqual([await books.figures(books.a), await books.figures()], [[100_000, 0, 0], [0, 0, 0]]);
    for (const at of [1, 2, 3]) refused(await blnk.Transactions.getByReference(books.ref(`item-${at}`)), 404, 'TXN_NOT_FOUND');

    const partly = refused(await blnk.Transactions.createBulk({...asked, atomic: false}), 400, 'TXN_INSUFFICIENT_FUNDS');
    await rows((partly.details as BulkTransactionResponse).batch_id, true, [1000], inflight ? {inflight} : {});
    assert.deepEqual(await books.figures(), inflight ? [0, 1000, 0] : [1000, 0, 0]);
    refused(await blnk.Transactions.getByReference(books.ref('item-3')), 404, 'TXN_NOT_FOUND');
  });
}

test('one item fails in the background', async () => {
  const asked = {transactions: items(1000, 200_000, 3000), skip_queue: true, run_async: true};
  await rows(ok(await blnk.Transactions.createBulk(asked), 202).batch_id, true, [1000]);
  for (const at of [2, 3]) refused(await blnk.Transactions.getByReference(books.ref(`item-${at}`)), 404, 'TXN_NOT_FOUND');
  assert.deepEqual(await books.figures(), [1000, 0, 0]);
});

for (const queue of QUEUE) {
  test(`items with dates in the past, so now, ${JSON.stringify(queue)}`, async () => {
    const dates = ['inflight_expiry_date', 'inflight_commit_date', 'scheduled_for'];
    const dated = items(100, 200, 400).map((item, at) => ({...item, [dates[at]]: new Date('2025-01-01T00:00:00Z')}));
    accepted(ok(await blnk.Transactions.createBulk({transactions: dated, inflight: true, ...queue})), 'inflight', 3);
    for (const at of [1, 2, 3]) await books.find(books.ref(`item-${at}`) + (queue.skip_queue ? '' : '_q'));
    await until(async () => String(await books.figures()) === String([200, 400, 0]));
  });
}

for (const run_async of [false, true]) {
  for (const {atomic} of ATOMIC) {
    test(`one item fails in the queue, atomic ${atomic}, run_async ${run_async}`, async () => {
      const asked = {transactions: items(1000, 200_000, 3000), run_async, atomic};
      const batch = ok(await blnk.Transactions.createBulk(asked), run_async ? 202 : 201).batch_id;
      const statuses = await rows(batch, false, [1000, 200_000, 3000]);
      assert.deepEqual(statuses, atomic ? ['REJECTED', 'REJECTED', 'REJECTED'] : ['APPLIED', 'REJECTED', 'APPLIED']);
      assert.deepEqual(await books.figures(), [atomic ? 0 : 4000, 0, 0]);
    });
  }
}

test('refused', async () => {
  const create = (...transactions: Body[]) => blnk.Transactions.createBulk({transactions, skip_queue: true, atomic: true});
  const [good, bad] = items(100, 100);
  const error = refused(await create(good, {...bad, currency: ''}), 400, 'TXN_VALIDATION_ERROR');
  assert.deepEqual(error.details, {index: 1});
  assert.match(error.message, /^transactions\[1\]: /);
  refused(await create(good, {...bad, source: 'bln_00000000-0000-4000-8000-000000000000'}), 404, 'TXN_NOT_FOUND');
  ok(await create(good));
  refused(await create(good, bad), 409, 'TXN_DUPLICATE_REFERENCE');
  assert.deepEqual(await books.figures(), [100, 0, 0]);
});

test('as many as the client allows', async () => {
  const many = Array.from({length: 10_000}, (_, at) => books.body(books.a, books.b, `item-${at}`, {precise_amount: 1}));
  accepted(ok(await blnk.Transactions.createBulk({transactions: many, skip_queue: true, atomic: true})), 'applied', 10_000);
  assert.deepEqual(await books.figures(), [10_000, 0, 0]);
  notSent(await blnk.Transactions.createBulk({transactions: [...many, many[0]]}), 'Too many transactions; max is 10000.');
  notSent(await blnk.Transactions.createBulk({transactions: []}), 'Transactions array cannot be empty.');
  const twice = await blnk.Transactions.createBulk({transactions: [many[0], many[0]]});
  notSent(twice, 'All transactions must have unique references within the bulk request.');
});
