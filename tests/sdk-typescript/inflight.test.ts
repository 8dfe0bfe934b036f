/** Transactions.updateStatus, bulkCommitInflight and bulkVoidInflight: holds are committed, in parts or as a whole, and given back. */
import assert from 'node:assert/strict';
import {beforeEach, describe, test} from 'node:test';
import type {
  BulkCommitInflightResponse,
  BulkCommitInflightResult,
  BulkVoidInflightResponse,
  BulkVoidInflightResult,
  InflightStatus,
  MultipleSourcesT,
  UpdateTransactionStatus,
} from '@blnkfinance/blnk-typescript/dist/src/types/transactions';
import {ANY, blnk, listOf, maybe, type Metadata, notSent, number, ok, read, refused, type Reply, type Row, type Shape, text, transaction, typed, UNKNOWN} from './answers';
import {Books} from './books';

type Update = Partial<UpdateTransactionStatus<Metadata>>;
const PARTS: Update[] = [{amount: 4}, {precise_amount: 400}, {precise_amount: '400'}, {amount: 9, precise_amount: 400}];
const QUEUE: Array<{skip_queue?: boolean}> = [{skip_queue: true}, {}];

let books: Books;
beforeEach(async () => {
  books = await Books.open();
});

/** The client's types allow no metadata but `{}` here; it sends what it is given. */
type Sent = UpdateTransactionStatus<Record<string, never>>;
const update = (id: string, status: InflightStatus, more: Update = {}): Promise<Reply<Row>> =>
  blnk.Transactions.updateStatus(id, {status, ...more} as Sent);

/** Reads what a commit or a return of a hold of 10.00 has answered. */
async function settled(answer: Row, id: string, of: string, cents: number, status: string, atOnce?: boolean): Promise<void> {
  const sides = {source: books.a, destination: books.b};
  if (!atOnce) {
    read(answer, 1000, {...sides, transaction_id: id, status: id === of ? 'INFLIGHT' : 'QUEUED', inflight: true, queued: true});
    return;
  }
  const row = transaction(answer, cents, {...sides, status, parent_transaction: of});
  assert.notEqual(row.transaction_id, id);
  assert.match(row.reference, /^ref_/);
  read(await books.row(row.transaction_id), cents, {...sides, transaction_id: row.transaction_id, status, parent_transaction: of});
}

for (const queue of QUEUE) {
  for (const kind of ['hold', 'request']) {
    describe(`${kind} ${JSON.stringify(queue)}`, () => {
      let id: string;
      let of: string;
      beforeEach(async () => {
        [id, of] = kind === 'request' ? await books.queuedHold(1000) : Array<string>(2).fill(await books.hold(1000));
      });

      test('commit', async () => {
        await settled(ok(await update(id, 'commit', queue), 200), id, of, 1000, 'APPLIED', queue.skip_queue);
        assert.deepEqual([await books.figures(books.a), await books.figures()], [[99_000, 0, 0], [1000, 0, 0]]);
        refused(await update(id, 'commit', queue), 409, 'TXN_ALREADY_COMMITTED');
        refused(await update(id, 'void', queue), 409, 'TXN_ALREADY_COMMITTED');
      });

      for (const part of PARTS) {
        test(`commit of ${JSON.stringify(part)}`, async () => {
          await settled(ok(await update(id, 'commit', {...part, ...queue}), 200), id, of, 400, 'APPLIED', queue.skip_queue);
          assert.deepEqual([await books.figures(books.a), await books.figures()], [[99_600, 0, 600], [400, 600, 0]]);
          refused(await update(id, 'commit', {precise_amount: 601, ...queue}), 400, 'TXN_COMMIT_AMOUNT_EXCEEDED');
          await settled(ok(await update(id, 'commit', queue), 200), id, of, 600, 'APPLIED', queue.skip_queue);
          assert.deepEqual(await books.figures(), [1000, 0, 0]);
        });
      }

      test('void of what a commit has left', async () => {
        ok(await update(id, 'commit', {amount: 4, skip_queue: true}), 200);
        await settled(ok(await update(id, 'void', queue), 200), id, of, 600, 'VOID', queue.skip_queue);
        assert.deepEqual([await books.figures(books.a), await books.figures()], [[99_600, 0, 0], [400, 0, 0]]);
        refused(await update(id, 'commit', queue), 409, 'TXN_ALREADY_VOIDED');
        refused(await update(id, 'void', queue), 409, 'TXN_ALREADY_VOIDED');
      });
    });
  }
}

test('said not to skip the queue, it is queued', async () => {
  const [one, two, three] = [await books.hold(1000, 'one'), await books.hold(1000, 'two'), await books.hold(1000, 'three')];
  const queue = {skip_queue: false};
  await settled(ok(await update(one, 'commit', queue), 200), one, one, 1000, 'APPLIED', false);
  assert.deepEqual(await commit({transactions: [{transaction_id: two}], ...queue}, 1, 0), [done(two)]);
  assert.deepEqual(await giveBack({transaction_ids: [three], ...queue}, 1, 0), [done(three)]);
  assert.deepEqual(await books.figures(), [2000, 0, 0]);
});

test('metadata of a commit is that of its hold', async () => {
  const id = await books.hold(1000, 'hold', {meta_data: {order: 1}});
  const done = ok(await update(id, 'commit', {skip_queue: true, meta_data: {order: 2, more: true}}), 200);
  transaction(done, 1000, {status: 'APPLIED', parent_transaction: id, meta_data: {order: 1}});
});

describe('several holds by one id: the answer is the first of them', () => {
  for (const status of ['commit', 'void'] as const) {
    for (const skip_queue of [true, false]) {
      const decide = async (id: string) => {
        transaction(ok(await update(id, status, {skip_queue: true}), 200), 2000, {status: status === 'commit' ? 'APPLIED' : 'VOID', parent_transaction: ANY});
        const left = status === 'commit' ? [2000, 0, 0] : [0, 0, 0];
        assert.deepEqual([await books.figures(), await books.figures(await books.at(books.shop))], [left, left]);
      };

      test(`${status} of a split, skip_queue ${skip_queue}`, async () => {
        const shares: MultipleSourcesT[] = [{identifier: books.b, distribution: '50%'}, {identifier: books.shop, distribution: 'left'}];
        await decide(ok(await books.pay(books.a, shares, 'split', {amount: 40, inflight: true, skip_queue})).transaction_id);
      });

      test(`${status} of a batch, skip_queue ${skip_queue}`, async () => {
        const pair = [books.b, books.shop].map((to, place) => books.body(books.a, to, `item-${place}`, {amount: 20}));
        const batch = ok(await blnk.Transactions.createBulk({transactions: pair, inflight: true, skip_queue})).batch_id;
        if (!skip_queue) await books.outcome('item-1');
        await decide(batch);
      });
    }
  }
});

test('refused', async () => {
  for (const status of ['commit', 'void'] as const) {
    refused(await update(UNKNOWN, status), 404, 'TXN_NOT_FOUND');
    refused(await update(UNKNOWN, status, {skip_queue: true}), 400, 'TXN_NOT_INFLIGHT');
  }
  const paid = ok(await books.pay(books.a, books.b, 'paid', {amount: 1, skip_queue: true})).transaction_id;
  refused(await update(paid, 'commit'), 400, 'TXN_NOT_INFLIGHT');
  const id = await books.hold(1000);
  refused(await update(id, 'COMMIT' as InflightStatus), 400, 'TXN_INVALID_STATUS_ACTION');
  refused(await update(id, 'commit', {precise_amount: 0}), 400, 'TXN_INVALID_AMOUNT');
  refused(await update(id, 'commit', {amount: 0.001}), 400, 'TXN_INVALID_AMOUNT');
  assert.deepEqual(await books.figures(), [100, 1000, 0]);
});

// -- many holds -------------------------------------------------------------------------------------------------------
const COMMITTED: Shape<BulkCommitInflightResult> = {transaction_id: text, status: text, code: maybe(text), message: maybe(text)};
const VOIDED: Shape<BulkVoidInflightResult> = {transaction_id: text, status: text, code: maybe(text), message: maybe(text)};
const COMMITS: Shape<BulkCommitInflightResponse> = {succeeded: number, failed: number, results: listOf(COMMITTED)};
const VOIDS: Shape<BulkVoidInflightResponse> = {succeeded: number, failed: number, results: listOf(VOIDED)};
type Outcome = [id: string, status: string, code: string | undefined, hasMessage: boolean];

/** Reads what happened to each hold: its id, its status, its code, and whether something is said about it. */
function outcomes(answer: BulkCommitInflightResponse | BulkVoidInflightResponse, succeeded: number, failed: number): Outcome[] {
  assert.deepEqual([answer.succeeded, answer.failed, answer.results.length], [succeeded, failed, succeeded + failed]);
  return answer.results.map(result => [result.transaction_id, result.status, result.code, result.message !== undefined]);
}

const commit = async (data: Parameters<typeof blnk.Transactions.bulkCommitInflight>[0], succeeded: number, failed: number) =>
  outcomes(typed(COMMITS, ok(await blnk.Transactions.bulkCommitInflight(data), 200)), succeeded, failed);
const giveBack = async (data: Parameters<typeof blnk.Transactions.bulkVoidInflight>[0], succeeded: number, failed: number) =>
  outcomes(typed(VOIDS, ok(await blnk.Transactions.bulkVoidInflight(data), 200)), succeeded, failed);
const done = (id: string, atOnce?: boolean): Outcome => (atOnce ? [id, 'succeeded', undefined, false] : [id, 'queued', 'QUEUED', false]);

for (const queue of QUEUE) {
  for (const kind of ['hold', 'request']) {
    describe(`bulk, ${kind} ${JSON.stringify(queue)}`, () => {
      let ids: string[];
      beforeEach(async () => {
        ids = [];
        for (const name of ['0', '1', '2', '3']) ids.push(kind === 'hold' ? await books.hold(1000, name) : (await books.queuedHold(1000, name))[0]);
      });

      test('commit, as a whole and each way a part can be given', async () => {
        const [a, b, c, d] = ids;
        const asked = [{transaction_id: d}, {transaction_id: a, amount: 1.5}, {transaction_id: b, precise_amount: 300}, {transaction_id: c, amount: 9, precise_amount: '700'}];
        assert.deepEqual(await commit({transactions: asked, ...queue}, 4, 0), asked.map(item => done(item.transaction_id, queue.skip_queue)));
        assert.deepEqual(await books.figures(), [1000 + 150 + 300 + 700, 850 + 700 + 300, 0]);
        // The rest of them: nothing said, or 0.
        await commit({transactions: [{transaction_id: a}, {transaction_id: b, amount: 0}, {transaction_id: c, precise_amount: 0}], ...queue}, 3, 0);
        assert.deepEqual(await books.figures(), [4000, 0, 0]);
      });

      test('void', async () => {
        const answer = await giveBack({transaction_ids: [ids[2], ids[0]], ...queue}, 2, 0);
        assert.deepEqual(answer, [done(ids[2], queue.skip_queue), done(ids[0], queue.skip_queue)]);
        assert.deepEqual([await books.figures(books.a), await books.figures()], [[100_000, 0, 2000], [0, 2000, 0]]);
      });
    });
  }

  test(`bulk tells what failed ${JSON.stringify(queue)}`, async () => {
    const [open, taken, back] = [await books.hold(1000, 'open'), await books.hold(1000, 'taken'), await books.hold(1000, 'back')];
    const paid = ok(await books.pay(books.a, books.b, 'paid', {amount: 1, skip_queue: true})).transaction_id;
    ok(await update(taken, 'commit', {skip_queue: true}), 200);
    ok(await update(back, 'void', {skip_queue: true}), 200);
    const failed: Outcome[] = [
      [UNKNOWN, 'failed', 'NOT_FOUND', true],
      [taken, 'failed', 'ALREADY_COMMITTED', true],
      [back, 'failed', 'ALREADY_VOIDED', true],
      [paid, 'failed', 'NOT_INFLIGHT', true],
    ];
    const ids = failed.map(([id]) => id);
    const items = [...ids.map(transaction_id => ({transaction_id})), {transaction_id: open, precise_amount: 1001}, {transaction_id: open, precise_amount: 400}];
    const expected: Outcome[] = [...failed, [open, 'failed', 'INVALID_AMOUNT', true], done(open, queue.skip_queue)];
    assert.deepEqual(await commit({transactions: items, ...queue}, 1, 5), expected);
    assert.deepEqual(await giveBack({transaction_ids: [...ids, open], ...queue}, 1, 4), [...failed, done(open, queue.skip_queue)]);
    assert.deepEqual(await books.figures(), [1000 + 100 + 400, 0, 0]);
  });
}

test('as many as the client allows', async () => {
  const ids = [...Array<string>(99).fill(UNKNOWN), await books.hold(1000)];
  const items = ids.map(transaction_id => ({transaction_id, precise_amount: 1}));
  assert.equal((await commit({transactions: items, skip_queue: true}, 1, 99))[99][1], 'succeeded');
  assert.equal((await giveBack({transaction_ids: ids, skip_queue: true}, 1, 99))[99][1], 'succeeded');
  notSent(await blnk.Transactions.bulkCommitInflight({transactions: [...items, items[0]]}), 'Too many transactions; max is 100.');
  notSent(await blnk.Transactions.bulkVoidInflight({transaction_ids: [...ids, UNKNOWN]}), 'Too many transaction_ids; max is 100.');
  notSent(await blnk.Transactions.bulkCommitInflight({transactions: []}), 'Transactions array cannot be empty.');
  notSent(await blnk.Transactions.bulkVoidInflight({transaction_ids: [' ']}), 'transaction_id is required at index 0.');
});

test('the client checks updates itself', async () => {
  notSent(await blnk.Transactions.updateStatus(UNKNOWN, {} as Sent), 'Status must be a string.');
  notSent(await update(UNKNOWN, 'commit', {precise_amount: '-1'}), 'precise_amount must be a non-negative integer string or number.');
  notSent(await update(UNKNOWN, 'commit', {dry_run: true} as Update), 'Invalid field: dry_run');
});
