/** Transactions.create with every input it has but parts (splits.test.ts), and every field of what comes back. */
import assert from 'node:assert/strict';
import {beforeEach, describe, test} from 'node:test';
import {blnk, key, made, notSent, ok, queued, read, refused, transaction, until, url} from './answers';
import {Books, type Body} from './books';

const AMOUNTS: Array<Partial<Body>> = [{amount: 10.5}, {precise_amount: 1050}, {precise_amount: '1050'}, {precise_amount: '0001050'}];
const QUEUE: Array<Partial<Body>> = [{skip_queue: true}, {}];

let books: Books;
beforeEach(async () => {
  books = await Books.open();
});

const seconds = (date: Date) => date.toISOString().replace(/\.\d+Z$/, 'Z');

for (const amount of AMOUNTS) {
  describe(JSON.stringify(amount), () => {
    test('at once', async () => {
      const facts = {source: books.a, destination: books.b, reference: books.ref('pay'), status: 'APPLIED'};
      const paid = made(ok(await books.pay(books.a, books.b, 'pay', {skip_queue: true, ...amount})), 1050, facts);
      read(await books.row(paid.transaction_id), 1050, {...facts, transaction_id: paid.transaction_id, created_at: paid.created_at});
      assert.deepEqual([await books.figures(books.a), await books.figures()], [[98_950, 0, 0], [1050, 0, 0]]);
    });

    for (const queue of [{}, {skip_queue: false}]) {
      test(`through the queue ${JSON.stringify(queue)}`, async () => {
        const sides = {source: books.a, destination: books.b};
        const asked = queued(ok(await books.pay(books.a, books.b, 'pay', {...amount, ...queue})), 1050, {...sides, reference: books.ref('pay')});
        const id = asked.transaction_id;
        read(await books.row(id), 1050, {...sides, transaction_id: id, status: 'QUEUED', reference: books.ref('pay'), created_at: asked.created_at});
        read(await books.outcome('pay'), 1050, {...sides, status: 'APPLIED', reference: `${books.ref('pay')}_q`, parent_transaction: id});
        assert.deepEqual(await books.figures(), [1050, 0, 0]);
      });
    }
  });
}

test('the same request again is one', async () => {
  const first = ok(await books.pay(books.a, books.b, 'pay', {amount: 5}));
  assert.equal(ok(await books.pay(books.a, books.b, 'pay', {amount: 5})).transaction_id, first.transaction_id);
  refused(await books.pay(books.a, books.b, 'pay', {amount: 6}), 409, 'TXN_DUPLICATE_REFERENCE');
  refused(await books.pay(books.a, books.b, 'pay', {amount: 5, skip_queue: true}), 409, 'TXN_DUPLICATE_REFERENCE');
  await books.outcome('pay');
  assert.deepEqual(await books.figures(), [500, 0, 0]);
});

describe('amounts', () => {
  for (const [precision, amount, precise] of [[1, 7, 7], [10, 0.5, 5], [100, 19.99, 1999], [1e8, 0.1, 1e7], [1e12, 1.5, 1.5e12]]) {
    test(`${amount} at precision ${precision}`, async () => {
      const paid = await books.pay(books.world, `@Wallet${books.run}`, 'pay', {amount, precision, allow_overdraft: true, skip_queue: true});
      made(ok(paid), precise, {amount, precision, allow_overdraft: true});
    });
  }

  test('beyond a double', async () => {
    const sent = {precise_amount: '90071992547409930001', allow_overdraft: true, skip_queue: true};
    const paid = ok(await books.pay(books.world, books.b, 'pay', sent));
    // This client reads numbers as doubles; what was said is exact.
    assert.equal(paid.precise_amount, 90071992547409930001);
    const reply = await fetch(`${url}/transactions/${paid.transaction_id}`, {headers: key ? {'X-Blnk-Key': key} : {}});
    assert.match(await reply.text(), /"precise_amount": ?90071992547409930001,/);
  });

  test('finer than the precision', async () => {
    const paid = made(ok(await books.pay(books.a, books.b, 'pay', {amount: 1.005, skip_queue: true})), 101, {amount: 1.005});
    read(await books.row(paid.transaction_id), 101, {status: 'APPLIED'});
  });

  test('a rate is ignored', async () => {
    made(ok(await books.pay(books.a, books.b, 'pay', {amount: 1, rate: 1.5, skip_queue: true})), 100);
  });
});

test('names of balances are made on the way', async () => {
  const paid = made(ok(await books.pay(books.a, books.shop, 'pay', {amount: 1, skip_queue: true})), 100, {source: books.a});
  assert.equal(paid.destination, await books.at(books.shop));
  const asked = queued(ok(await books.pay(books.a, books.shop, 'queued', {amount: 1})), 100, {source: books.a, destination: books.shop});
  read(await books.row(asked.transaction_id), 100, {status: 'QUEUED', destination: paid.destination});
  // One name is one balance a currency.
  const euro = ok(await books.pay(books.world, books.shop, 'euro', {amount: 1, currency: 'EUR', allow_overdraft: true, skip_queue: true}));
  made(euro, 100, {currency: 'EUR', allow_overdraft: true, destination: await books.at(books.shop, 'EUR')});
  assert.notEqual(euro.destination, paid.destination);
});

for (const queue of QUEUE) {
  const skip_queue = queue.skip_queue === true;
  describe(skip_queue ? 'at once' : 'queued', () => {
    test('overdraft', async () => {
      if (skip_queue) {
        refused(await books.pay(books.b, books.a, 'without', {amount: 1, ...queue}), 400, 'TXN_INSUFFICIENT_FUNDS');
        refused(await books.pay(books.b, books.a, 'no', {amount: 1, allow_overdraft: false, ...queue}), 400, 'TXN_INSUFFICIENT_FUNDS');
      } else {
        const asked = ok(await books.pay(books.b, books.a, 'without', {amount: 1}));
        const child = read(await books.outcome('without'), 100, {status: 'REJECTED', parent_transaction: asked.transaction_id, source: books.b});
        assert.equal(child.meta_data?.blnk_rejection_reason, 'failed to apply transaction to balances: insufficient funds in source balance');
      }
      const paid = ok(await books.pay(books.b, books.a, 'with', {amount: 1, allow_overdraft: true, ...queue}));
      transaction(paid, 100, {allow_overdraft: true, skip_queue});
      if (!skip_queue) read(await books.outcome('with'), 100, {status: 'APPLIED', parent_transaction: paid.transaction_id});
      assert.deepEqual(await books.figures(), [-100, 0, 0]);
    });

    test('metadata', async () => {
      const noted = {text: 'Käse 🧀', number: 1.5, truth: true, nothing: null, list: [1, 'two', {three: 3}], inner: {deep: {er: []}}};
      const paid = transaction(ok(await books.pay(books.a, books.b, 'pay', {amount: 1, meta_data: noted, ...queue})), 100, {meta_data: noted, skip_queue});
      read(await books.row(paid.transaction_id), 100, {meta_data: noted});
      if (!skip_queue) read(await books.outcome('pay'), 100, {meta_data: noted, parent_transaction: paid.transaction_id});
      transaction(ok(await books.pay(books.a, books.b, 'none', {amount: 1, meta_data: {}, ...queue})), 100, {skip_queue});
    });

    test('atomic', async () => {
      transaction(ok(await books.pay(books.a, books.b, 'pay', {amount: 1, atomic: true, ...queue})), 100, {atomic: true, skip_queue});
    });

    test('inflight', async () => {
      const sides = {source: books.a, destination: books.b, inflight: true};
      const status = skip_queue ? 'INFLIGHT' : 'QUEUED';
      const held = transaction(ok(await books.pay(books.a, books.b, 'hold', {amount: 5, inflight: true, ...queue})), 500, {...sides, status, skip_queue});
      read(await books.row(held.transaction_id), 500, {...sides, status});
      if (!skip_queue) read(await books.outcome('hold'), 500, {...sides, status: 'INFLIGHT', parent_transaction: held.transaction_id});
      transaction(ok(await books.pay(books.a, books.b, 'no-hold', {amount: 5, inflight: false, ...queue})), 500, {skip_queue});
      if (!skip_queue) await books.outcome('no-hold');
      assert.deepEqual([await books.figures(books.a), await books.figures()], [[99_500, 0, 500], [500, 500, 0]]);
    });
  });
}

describe('dates', () => {
  const past = new Date('2025-01-01T00:00:00.987Z');
  const sent: Array<[Date | string, string]> = [
    ['2025-02-15T10:30:00Z', '2025-02-15T10:30:00Z'],
    ['2025-02-15T10:30:00+00:00', '2025-02-15T10:30:00Z'],
    ['2025-02-15T12:30:00+02:00', '2025-02-15T12:30:00+02:00'],
    [new Date('2025-02-15T10:30:00.987Z'), '2025-02-15T10:30:00Z'],
  ];
  for (const [effective_date, answered] of sent) {
    test(`effective_date ${String(effective_date)}`, async () => {
      const more = {amount: 1, effective_date, allow_overdraft: true};
      const expected = {effective_date: answered, allow_overdraft: true};
      made(ok(await books.pay(books.world, books.b, 'pay', {...more, skip_queue: true})), 100, expected);
      for (const [day, balance] of [[14, 0], [16, 100]]) {
        const then = ok(await blnk.LedgerBalances.getAt(books.b, {timestamp: `2025-02-${day}T00:00:00Z`, from_source: true}), 200);
        assert.equal(then.balance.balance, balance);
      }
      queued(ok(await books.pay(books.world, books.b, 'queued', more)), 100, expected);
    });
  }

  test('in the past: executed, committed or given back now', async () => {
    const told = {scheduled_for: '2025-01-01T00:00:00Z'};
    const asked = ok(await books.pay(books.a, books.b, 'late', {amount: 1, scheduled_for: past}));
    queued(asked, 100, {status: 'SCHEDULED', ...told});
    read(await books.row(asked.transaction_id), 100, {status: 'SCHEDULED'});
    read(await books.outcome('late'), 100, {status: 'APPLIED', parent_transaction: asked.transaction_id});
    made(ok(await books.pay(books.a, books.b, 'at-once', {amount: 1, scheduled_for: past, skip_queue: true})), 100, told);
    for (const skip_queue of [true, false]) {
      const expiring = {amount: 5, inflight: true, inflight_expiry_date: past, skip_queue};
      const expected = {inflight: true, skip_queue};
      transaction(ok(await books.pay(books.a, books.b, `expired-${skip_queue}`, expiring)), 500, {...expected, inflight_expiry_date: '2025-01-01T00:00:00Z'});
      const due = {amount: 7, inflight: true, inflight_commit_date: '2025-01-01T00:00:00Z', skip_queue};
      transaction(ok(await books.pay(books.a, books.b, `due-${skip_queue}`, due)), 700, {...expected, inflight_commit_date: '2025-01-01T00:00:00Z'});
    }
    await until(async () => String(await books.figures()) === String([2 * 100 + 2 * 700, 0, 0]));
  });

  test('to come: nothing happens before its time', async () => {
    const then = new Date(Math.floor(Date.now() / 1000 + 4) * 1000);
    const later = ok(await books.pay(books.a, books.b, 'later', {amount: 1, scheduled_for: then}));
    queued(later, 100, {status: 'SCHEDULED', scheduled_for: seconds(then)});
    const expiring = ok(await books.pay(books.a, books.b, 'expiring', {amount: 10, inflight: true, inflight_expiry_date: seconds(then), skip_queue: true}));
    made(expiring, 1000, {status: 'INFLIGHT', inflight: true, inflight_expiry_date: seconds(then)});
    const due = ok(await books.pay(books.a, books.b, 'due', {amount: 100, inflight: true, inflight_commit_date: then}));
    queued(due, 10_000, {inflight: true, inflight_commit_date: seconds(then)});
    await books.outcome('due');
    assert.deepEqual(await books.figures(), [0, 11_000, 0]);
    assert.equal((await blnk.Transactions.getByReference(`${books.ref('later')}_q`)).status, 404);
    assert.ok(Date.now() < then.getTime(), 'too slow to have seen it');
    await until(async () => String(await books.figures()) === String([10_100, 0, 0]));
    const executed = read(await books.outcome('later'), 100, {status: 'APPLIED', parent_transaction: later.transaction_id});
    assert.ok(new Date(executed.created_at) >= then);
    // Reading a row does not bring its dates back.
    read(await books.row(expiring.transaction_id), 1000, {status: 'INFLIGHT', inflight: true});
  });
});

test('everything at once', async () => {
  const asked: Body = {
    amount: 12.34,
    precision: 100,
    reference: books.ref('all'),
    description: 'everything',
    currency: 'USD',
    rate: 1,
    source: books.a,
    destination: books.b,
    inflight: true,
    inflight_expiry_date: new Date('2099-01-01T00:00:00Z'),
    inflight_commit_date: '2098-01-01T00:00:00Z',
    scheduled_for: '2097-01-01T00:00:00Z',
    effective_date: '2025-02-15T10:30:00Z',
    skip_queue: true,
    atomic: true,
    allow_overdraft: true,
    meta_data: {a: 1},
  };
  made(ok(await blnk.Transactions.create(asked)), 1234, {
    status: 'INFLIGHT',
    reference: books.ref('all'),
    description: 'everything',
    source: books.a,
    destination: books.b,
    inflight: true,
    inflight_expiry_date: '2099-01-01T00:00:00Z',
    inflight_commit_date: '2098-01-01T00:00:00Z',
    scheduled_for: '2097-01-01T00:00:00Z',
    effective_date: '2025-02-15T10:30:00Z',
    atomic: true,
    allow_overdraft: true,
    meta_data: {a: 1},
  });
});

test('refused', async () => {
  const pay = (reference: string, more: Partial<Body>, source = books.a, destination = books.b) =>
    books.pay(source, destination, reference, {amount: 1, skip_queue: true, ...more});
  const error = refused(await pay('unknown', {}, books.a, 'bln_00000000-0000-4000-8000-000000000000'), 404, 'TXN_NOT_FOUND');
  assert.deepEqual(error.details, {});
  refused(await pay('nothing', {amount: undefined, precise_amount: 0}), 400, 'TXN_VALIDATION_ERROR');
  refused(await pay('both', {precise_amount: 1}), 400, 'TXN_VALIDATION_ERROR');
  refused(await pay('itself', {}, books.a, books.a), 400, 'TXN_VALIDATION_ERROR');
  refused(await pay('minus', {amount: -1}), 400, 'TXN_VALIDATION_ERROR');
  refused(await pay('half', {precision: 1.5}), 400, 'TXN_VALIDATION_ERROR');
  refused(await pay('currency', {}, books.a, await books.balance('EUR')), 400, 'TXN_VALIDATION_ERROR');
  refused(await pay('empty', {description: ''}), 400, 'TXN_VALIDATION_ERROR');
  assert.deepEqual([await books.figures(books.a), await books.figures()], [[100_000, 0, 0], [0, 0, 0]]);
  for (const name of ['unknown', 'nothing', 'both', 'itself', 'minus', 'half', 'currency', 'empty']) {
    refused(await blnk.Transactions.getByReference(books.ref(name)), 404, 'TXN_NOT_FOUND');
  }
});

test('the client checks requests itself', async () => {
  const pay = (more: Partial<Body>) => books.pay(books.a, books.b, 'pay', more);
  notSent(await pay({}), "Either 'amount' or 'precise_amount' must be provided.");
  notSent(await pay({precise_amount: '1.5'}), 'precise_amount must be a non-negative integer string or number.');
  notSent(await pay({amount: 1, scheduled_for: '2025-02-15'}), 'Invalid scheduled date.');
  notSent(await pay({amount: 1, effective_date: new Date('soon')}), 'Invalid effective_date.');
  notSent(await pay({amount: 1, effective_date: '2025-02-15T10:30:00.5Z'}), 'Invalid effective_date.');
  assert.deepEqual(await books.figures(books.a), [100_000, 0, 0]);
});
