/** Transactions.refund: what is given back by which id, at once and queued. */
import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';
import type {MultipleSourcesT, RefundTransactionRequest} from '@blnkfinance/blnk-typescript/dist/src/types/transactions';
import {ANY, blnk, made, notSent, ok, queued, read, refused, type Reply, type Row, transaction, UNKNOWN, type Wanted} from './answers';
import {Books} from './books';

const QUEUE: Array<RefundTransactionRequest | undefined> = [undefined, {}, {skip_queue: false}, {skip_queue: true}];

let books: Books;
beforeEach(async () => {
  books = await Books.open();
});

const refund = (id: string, options?: RefundTransactionRequest): Promise<Reply<Row>> =>
  options ? blnk.Transactions.refund(id, options) : blnk.Transactions.refund(id);

/** Reads the refund of a payment of a to b, and its rows. */
async function refunded(id: string, options: RefundTransactionRequest | undefined, of: string, cents: number, more: Wanted = {}): Promise<void> {
  const sides = {source: books.b, destination: books.a, ...more};
  const answer = ok(await refund(id, options));
  const told = {...sides, parent_transaction: of, reference: `${of}_refund`, allow_overdraft: true};
  if (options?.skip_queue) {
    made(answer, cents, told);
    read(await books.row(answer.transaction_id), cents, {...sides, status: 'APPLIED', parent_transaction: of});
  } else {
    queued(answer, cents, told);
    read(await books.row(answer.transaction_id), cents, {...sides, status: 'QUEUED', parent_transaction: of});
    read(await books.find(`${of}_refund_q`), cents, {...sides, status: 'APPLIED', parent_transaction: answer.transaction_id});
  }
}

for (const options of QUEUE) {
  const way = JSON.stringify(options) ?? 'nothing said';

  test(`payment, ${way}`, async () => {
    const paid = ok(await books.pay(books.a, books.b, 'pay', {amount: 25, skip_queue: true, meta_data: {order: 1}})).transaction_id;
    await refunded(paid, options, paid, 2500, {meta_data: {order: 1}});
    refused(await refund(paid), 409, 'GEN_CONFLICT');
    refused(await refund(paid, {skip_queue: true}), 409, 'GEN_CONFLICT');
    assert.deepEqual([await books.figures(books.a), await books.figures()], [[100_000, 0, 0], [0, 0, 0]]);
    read(await books.row(paid), 2500, {status: 'APPLIED', meta_data: {order: 1}});
  });

  test(`queued payment, named by its request, ${way}`, async () => {
    const asked = ok(await books.pay(books.a, books.b, 'pay', {amount: 25})).transaction_id;
    await refunded(asked, options, (await books.outcome('pay')).transaction_id, 2500);
    refused(await refund(asked, options), 409, 'GEN_CONFLICT');
    assert.deepEqual(await books.figures(), [0, 0, 0]);
  });

  const several: Record<string, () => Promise<string>> = {
    'all parts of a split': async () => {
      const shares: MultipleSourcesT[] = [{identifier: books.b, distribution: '50%'}, {identifier: books.shop, distribution: 'left'}];
      return ok(await books.pay(books.a, shares, 'split', {amount: 20, skip_queue: true})).transaction_id;
    },
    'all items of a batch': async () => {
      const pair = [books.b, books.shop].map((to, at) => books.body(books.a, to, `item-${at}`, {amount: 10}));
      return ok(await blnk.Transactions.createBulk({transactions: pair, skip_queue: true})).batch_id;
    },
    'all commits of a hold': async () => {
      const id = await books.hold(2000);
      for (let times = 0; times < 2; times++) ok(await blnk.Transactions.updateStatus(id, {status: 'commit', amount: 10, skip_queue: true}), 200);
      return id;
    },
  };
  for (const [what, make] of Object.entries(several)) {
    test(`${what} by one id, ${way}: the answer is the first`, async () => {
      const id = await make();
      const first = ok(await refund(id, options));
      const skip_queue = options?.skip_queue === true;
      transaction(first, 1000, {allow_overdraft: true, skip_queue, parent_transaction: ANY, destination: books.a});
      if (!skip_queue) await books.find(`${first.reference}_q`);
      assert.deepEqual([await books.figures(books.a), await books.figures()], [[100_000, 0, 0], [0, 0, 0]]);
      refused(await refund(id, options), 409, 'GEN_CONFLICT');
    });
  }
}

test('the receiver may be overdrawn', async () => {
  const paid = ok(await books.pay(books.a, books.b, 'pay', {amount: 25, skip_queue: true})).transaction_id;
  ok(await books.pay(books.b, books.shop, 'spent', {amount: 25, skip_queue: true}));
  await refunded(paid, {skip_queue: true}, paid, 2500);
  assert.deepEqual([await books.figures(books.a), await books.figures()], [[100_000, 0, 0], [-2500, 0, 0]]);
});

test('a hold that was given back: a quirk that is kept, its amount is held the other way round', async () => {
  const id = await books.hold(1000);
  const back = ok(await blnk.Transactions.updateStatus(id, {status: 'void', skip_queue: true}), 200).transaction_id;
  const facts = {status: 'INFLIGHT', inflight: true, allow_overdraft: true, parent_transaction: back, source: books.b, destination: books.a};
  made(ok(await refund(id, {skip_queue: true})), 1000, facts);
  assert.deepEqual([await books.figures(books.a), await books.figures()], [[100_000, 1000, 0], [0, 0, 1000]]);
});

test('nothing to refund', async () => {
  const back = ok(await blnk.Transactions.updateStatus(await books.hold(1000), {status: 'void', skip_queue: true}), 200).transaction_id;
  for (const id of [UNKNOWN, await books.hold(1000, 'open'), back]) {
    for (const options of [undefined, {skip_queue: true}]) refused(await refund(id, options), 404, 'TXN_NOT_FOUND');
  }
});

test('the client checks refunds itself: it knows no words of its own for them', async () => {
  notSent(await refund(UNKNOWN, {description: 'why'} as RefundTransactionRequest), 'Invalid field: description');
  notSent(await refund(UNKNOWN, {skip_queue: 'no'} as unknown as RefundTransactionRequest), 'skip_queue must be a boolean if provided.');
});
