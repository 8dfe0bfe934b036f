/**
 * The card store of the article (scenario 10), played with the official TypeScript client, unchanged.
 *
 *     FLORIN_URL=http://127.0.0.1:5001 FLORIN_KEY=KEY npm test
 *
 * Once against an open server with an empty key and once against a secure one. Amounts are given as printed (L: cents with
 * precision 100, which makes them a hundred times larger) and as meant (I). Figures are minor units.
 */
import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {before, describe, test} from 'node:test';
import {BlnkInit} from '@blnkfinance/blnk-typescript';
import {blnk, eventually, key, ok, quiet, refused, url} from './answers';

/** A plain GET, for the lists that this client has no method for. */
async function list(path: string): Promise<Array<Record<string, unknown>>> {
  const reply = await fetch(url + path, {headers: key ? {'X-Blnk-Key': key} : {}});
  assert.equal(reply.status, 200);
  const rows: unknown = await reply.json();
  assert.ok(Array.isArray(rows));
  return rows as Array<Record<string, unknown>>;
}

/** One customer of the store: ledger, identity and card. */
class Card {
  readonly run = randomUUID().slice(0, 8);
  /** The article's @WorldUSD funds the card and is the merchant; each test has one of its own. */
  readonly world = `@WorldUSD${this.run}`;
  ledger = '';
  identity = '';
  balance = '';

  static async create(): Promise<Card> {
    const card = new Card();
    card.ledger = ok(await blnk.Ledgers.create({name: "Ada's Card Ledger", meta_data: {project: 'Blnk Store'}})).ledger_id;
    card.identity = ok(
      await blnk.Identity.create({
        identity_type: 'individual',
        first_name: 'Ada',
        last_name: 'Lovelace',
        email_address: 'ada@store.test',
        phone_number: '+1234567890',
        gender: 'other',
        dob: new Date('1990-01-01T00:00:00Z'),
        nationality: 'US',
        category: 'customer',
        street: '1 Main Street',
        city: 'San Francisco',
        state: 'CA',
        post_code: '94105',
        country: 'US',
      }),
    ).identity_id;
    card.balance = ok(
      await blnk.LedgerBalances.create({
        ledger_id: card.ledger,
        identity_id: card.identity,
        currency: 'USD',
        meta_data: {last_4_digits: '4242', card_scheme: 'visa', type: 'virtual', card_id: 'card_1'},
      }),
    ).balance_id;
    return card;
  }

  reference(name: string): string {
    return `${name}-${this.run}`;
  }

  pay(source: string, destination: string, reference: string, more: object) {
    return blnk.Transactions.create({
      precision: 100,
      currency: 'USD',
      reference: this.reference(reference),
      description: reference,
      source,
      destination,
      ...more,
    });
  }

  async fund(more: object = {amount: 10_000}, reference = 'FUND') {
    const posted = ok(await this.pay(this.world, this.balance, reference, {allow_overdraft: true, ...more}));
    await this.outcome(reference);
    return posted;
  }

  /** The store holds the price of a purchase until the merchant has decided. */
  async authorise(more: object, reference = 'AUTH') {
    const held = ok(await this.pay(this.balance, this.world, reference, {inflight: true, ...more}));
    await this.outcome(reference);
    return held;
  }

  /** The executed row of a queued transaction. */
  outcome(reference: string) {
    return eventually(() => blnk.Transactions.getByReference(`${this.reference(reference)}_q`));
  }

  async figures(balance = this.balance): Promise<number[]> {
    const found = ok(await blnk.LedgerBalances.get(balance), 200);
    return [found.balance, found.credit_balance, found.debit_balance, found.inflight_debit_balance];
  }

  async worldFigures(): Promise<number[]> {
    const found = ok(await blnk.LedgerBalances.getByIndicator(this.world, 'USD'), 200);
    return [found.balance, found.credit_balance, found.debit_balance, found.inflight_credit_balance];
  }
}

describe('card store', () => {
  let card: Card;
  before(async () => {
    card = await Card.create();
  });

  test('a new card is empty and known', async () => {
    assert.deepEqual(await card.figures(), [0, 0, 0, 0]);
    const balance = ok(await blnk.LedgerBalances.get(card.balance), 200);
    assert.equal(balance.identity_id, card.identity);
    assert.deepEqual(balance.meta_data, {last_4_digits: '4242', card_scheme: 'visa', type: 'virtual', card_id: 'card_1'});
    const identity = ok(await blnk.Identity.get(card.identity), 200);
    assert.deepEqual(
      [identity.first_name, identity.phone_number, identity.gender, identity.category],
      ['Ada', '+1234567890', 'other', 'customer'],
    );
    assert.equal(Date.parse(identity.dob ?? ''), Date.UTC(1990, 0, 1));
    assert.equal(ok(await blnk.Ledgers.get(card.ledger), 200).name, "Ada's Card Ledger");
  });

  test('a date that the client would not send is refused by the client', async () => {
    const reply = await blnk.Identity.create({identity_type: 'individual', first_name: 'Ada', dob: '1990-01-01'});
    assert.deepEqual([reply.status, reply.message], [400, 'dob must be a valid ISO 8601 date string or Date']);
  });

  test('as printed: funded with 1000000 at precision 100', async () => {
    const posted = await card.fund({amount: 1_000_000});
    assert.equal(posted.status, 'QUEUED');
    assert.equal(posted.precise_amount, 100_000_000);
    assert.equal(posted.hash.length, 64);
    assert.equal(posted.parent_transaction, '');
    assert.equal(posted.scheduled_for, '0001-01-01T00:00:00Z');
    const child = await card.outcome('FUND');
    assert.equal(child.status, 'APPLIED');
    assert.equal(child.parent_transaction, posted.transaction_id);
    assert.deepEqual(await card.figures(), [100_000_000, 100_000_000, 0, 0]);
    assert.deepEqual(await card.worldFigures(), [-100_000_000, 0, 100_000_000, 0]);
  });

  test('as printed: $799 authorised, then accepted by the merchant', async () => {
    const held = await card.authorise({amount: 79_900});
    assert.deepEqual([held.status, held.inflight, held.precise_amount], ['QUEUED', true, 7_990_000]);
    assert.deepEqual(await card.figures(), [100_000_000, 100_000_000, 0, 7_990_000]);
    const done = ok(await blnk.Transactions.updateStatus(held.transaction_id, {status: 'commit'}), 200);
    assert.equal(done.queued, true);
    assert.deepEqual(await card.figures(), [92_010_000, 100_000_000, 7_990_000, 0]);
    refused(await blnk.Transactions.updateStatus(held.transaction_id, {status: 'commit'}), 409, 'TXN_ALREADY_COMMITTED', 'GEN_CONFLICT');
    assert.deepEqual(await card.figures(), [92_010_000, 100_000_000, 7_990_000, 0]);
  });

  test('as printed: a second purchase, rejected by the merchant', async () => {
    const held = await card.authorise({amount: 79_900}, 'AUTH-2');
    assert.deepEqual(await card.figures(), [92_010_000, 100_000_000, 7_990_000, 7_990_000]);
    ok(await blnk.Transactions.updateStatus(held.transaction_id, {status: 'void'}), 200);
    assert.deepEqual(await card.figures(), [92_010_000, 100_000_000, 7_990_000, 0]);
    refused(await blnk.Transactions.updateStatus(held.transaction_id, {status: 'commit'}), 409, 'TXN_ALREADY_VOIDED', 'GEN_CONFLICT');
  });

  test("the merchant's lists", async () => {
    assert.ok((await list('/ledgers?limit=100')).some(row => row.ledger_id === card.ledger));
    assert.ok((await list('/balances?limit=100')).some(row => row.balance_id === card.balance));
    assert.ok(ok(await blnk.Identity.list(), 200).some(row => row.identity_id === card.identity));
    const row = ok(await blnk.Transactions.getByReference(card.reference('AUTH')), 200);
    const same = ok(await blnk.Transactions.get(row.transaction_id), 200);
    assert.deepEqual([same.reference, same.status, same.inflight], [card.reference('AUTH'), 'QUEUED', true]);
  });

  test("the article's sample figures add up", async () => {
    const sample = await Card.create();
    await sample.fund({amount: 1_000_000});
    await sample.authorise({amount: 45_000});
    const hold = await sample.outcome('AUTH');
    const done = ok(await blnk.Transactions.updateStatus(hold.transaction_id, {status: 'commit', skip_queue: true}), 200);
    assert.deepEqual([done.status, done.parent_transaction, done.precise_amount], ['APPLIED', hold.transaction_id, 4_500_000]);
    assert.deepEqual(await sample.figures(), [95_500_000, 100_000_000, 4_500_000, 0]);
  });
});

describe('as meant', () => {
  test('funds, hold, accept', async () => {
    const card = await Card.create();
    await card.fund();
    assert.deepEqual(await card.figures(), [1_000_000, 1_000_000, 0, 0]);
    const held = await card.authorise({amount: 799});
    assert.equal(held.precise_amount, 79_900);
    assert.deepEqual(await card.figures(), [1_000_000, 1_000_000, 0, 79_900]);
    ok(await blnk.Transactions.updateStatus(held.transaction_id, {status: 'commit'}), 200);
    assert.deepEqual(await card.figures(), [920_100, 1_000_000, 79_900, 0]);
    assert.deepEqual(await card.worldFigures(), [-920_100, 79_900, 1_000_000, 0]);
  });

  test('19.99 keeps its cent, however it is sent', async () => {
    const card = await Card.create();
    await card.fund();
    const ways: Array<[string, object]> = [
      ['CENTS', {precise_amount: 1999}],
      ['TEXT', {precise_amount: '1999'}],
      ['DOLLARS', {amount: 19.99}],
    ];
    for (const [way, more] of ways) {
      const held = await card.authorise(more, way);
      assert.equal(held.precise_amount, 1999, way);
    }
    assert.deepEqual(await card.figures(), [1_000_000, 1_000_000, 0, 3 * 1999]);
  });

  test('a product of doubles is refused rather than losing a cent', async () => {
    const card = await Card.create();
    await card.fund();
    assert.equal(19.99 * 100, 1998.9999999999998);
    refused(await card.pay(card.balance, card.world, 'PRODUCT', {amount: 19.99 * 100, precision: 1, inflight: true}), 400, 'TXN_VALIDATION_ERROR');
    assert.deepEqual(await card.figures(), [1_000_000, 1_000_000, 0, 0]);
  });

  test('an amount beyond a double stays exact', async () => {
    const card = await Card.create();
    await card.fund({precise_amount: '90071992547409930001'});
    const reply = await fetch(`${url}/balances/${card.balance}`, {headers: key ? {'X-Blnk-Key': key} : {}});
    assert.match(await reply.text(), /"balance": ?90071992547409930001[,}]/);
  });

  test('more than is available is refused', async () => {
    const card = await Card.create();
    await card.fund({amount: 100});
    await card.authorise({amount: 60});
    refused(await card.pay(card.balance, card.world, 'TOO-MUCH', {amount: 40.01, inflight: true, skip_queue: true}), 400, 'TXN_INSUFFICIENT_FUNDS');
    ok(await card.pay(card.balance, card.world, 'TOO-MUCH', {amount: 40, inflight: true, skip_queue: true}));
    assert.deepEqual(await card.figures(), [10_000, 10_000, 0, 10_000]);
    ok(await card.pay(card.balance, card.world, 'LATER', {amount: 0.01}));
    const child = await card.outcome('LATER');
    assert.equal(child.status, 'REJECTED');
  });

  test('partial capture, the rest given back', async () => {
    const card = await Card.create();
    await card.fund({amount: 1000});
    const held = await card.authorise({amount: 100});
    ok(await blnk.Transactions.updateStatus(held.transaction_id, {status: 'commit', precise_amount: 3000}), 200);
    assert.deepEqual(await card.figures(), [97_000, 100_000, 3_000, 7_000]);
    const part = ok(await blnk.Transactions.updateStatus(held.transaction_id, {status: 'commit', precise_amount: '2500', skip_queue: true}), 200);
    assert.deepEqual([part.status, part.precise_amount], ['APPLIED', 2500]);
    refused(
      await blnk.Transactions.updateStatus(held.transaction_id, {status: 'commit', precise_amount: 4501, skip_queue: true}),
      400,
      'TXN_COMMIT_AMOUNT_EXCEEDED',
    );
    ok(await blnk.Transactions.updateStatus(held.transaction_id, {status: 'void', skip_queue: true}), 200);
    assert.deepEqual(await card.figures(), [94_500, 100_000, 5_500, 0]);
  });

  test('refund of a committed purchase', async () => {
    const card = await Card.create();
    await card.fund({amount: 100});
    const bought = ok(await card.pay(card.balance, card.world, 'BUY', {amount: 25, skip_queue: true}));
    const back = ok(await blnk.Transactions.refund(bought.transaction_id, {skip_queue: true}));
    assert.deepEqual(
      [back.status, back.parent_transaction, back.amount, back.source, back.destination],
      ['APPLIED', bought.transaction_id, 25, bought.destination, bought.source],
    );
    refused(await blnk.Transactions.refund(bought.transaction_id, {skip_queue: true}), 409, 'GEN_CONFLICT');
    assert.deepEqual(await card.figures(), [10_000, 12_500, 2_500, 0]);
    const again = ok(await card.pay(card.balance, card.world, 'BUY-2', {amount: 1, skip_queue: true}));
    assert.equal(ok(await blnk.Transactions.refund(again.transaction_id)).status, 'QUEUED');
  });

  test('a basket in bulk', async () => {
    const card = await Card.create();
    await card.fund({amount: 100});
    const item = (reference: string, cents: number, destination = card.world) => ({
      precise_amount: cents,
      precision: 100,
      currency: 'USD',
      reference: card.reference(reference),
      description: reference,
      source: card.balance,
      destination,
    });
    const done = ok(
      await blnk.Transactions.createBulk({atomic: true, skip_queue: true, transactions: [item('i1', 1000), item('i2', 2000)]}),
    );
    assert.match(done.batch_id, /^bulk_/);
    assert.deepEqual([done.status, done.transaction_count], ['applied', 2]);
    const failed = await blnk.Transactions.createBulk({atomic: true, skip_queue: true, transactions: [item('i3', 1000), item('i4', 6001)]});
    refused(failed, 400, 'TXN_INSUFFICIENT_FUNDS');
    assert.deepEqual(await card.figures(), [7_000, 10_000, 3_000, 0]);
    const twice = await blnk.Transactions.createBulk({transactions: [item('same', 1), item('same', 2)]});
    assert.equal(twice.status, 400);

    const held = ok(
      await blnk.Transactions.createBulk({atomic: true, inflight: true, skip_queue: true, transactions: [item('h1', 100), item('h2', 200)]}),
    );
    assert.equal(held.status, 'inflight');
    assert.deepEqual(await card.figures(), [7_000, 10_000, 3_000, 300]);
    const first = ok(await blnk.Transactions.getByReference(card.reference('h1')), 200);
    assert.equal(first.parent_transaction, held.batch_id);
    ok(await blnk.Transactions.updateStatus(held.batch_id, {status: 'commit', skip_queue: true}), 200);
    assert.deepEqual(await card.figures(), [6_700, 10_000, 3_300, 0]);
  });

  test('several holds decided in one call, by the ids of the queued requests', async () => {
    const card = await Card.create();
    await card.fund({amount: 100});
    const held = [await card.authorise({amount: 10}, 'A'), await card.authorise({amount: 20}, 'B'), await card.authorise({amount: 30}, 'C')];
    const [a, b, c] = held.map(hold => hold.transaction_id);
    const committed = ok(
      await blnk.Transactions.bulkCommitInflight({skip_queue: true, transactions: [{transaction_id: a}, {transaction_id: b, amount: 5}]}),
      200,
    );
    assert.deepEqual([committed.succeeded, committed.failed], [2, 0]);
    assert.deepEqual(committed.results.map(result => result.status), ['succeeded', 'succeeded']);
    assert.deepEqual(await card.figures(), [8_500, 10_000, 1_500, 4_500]);
    const voided = ok(await blnk.Transactions.bulkVoidInflight({transaction_ids: [c]}), 200);
    assert.deepEqual([voided.succeeded, voided.results[0].status], [1, 'queued']);
    assert.deepEqual(await card.figures(), [8_500, 10_000, 1_500, 1_500]);
  });

  test('a date is echoed as it was sent', async () => {
    const card = await Card.create();
    const paid = ok(
      await card.pay(card.world, card.balance, 'DATED', {
        amount: 1,
        allow_overdraft: true,
        skip_queue: true,
        effective_date: new Date('2025-02-15T10:30:00Z'),
      }),
    );
    assert.equal(paid.effective_date, '2025-02-15T10:30:00Z');
  });
});

describe('keys', () => {
  test(key ? 'a secure server turns away who has no key' : 'an open server takes an empty key', async () => {
    const stranger = BlnkInit('', {baseUrl: url, logger: quiet});
    const reply = await stranger.Ledgers.get('general_ledger_id');
    if (key) refused(reply, 401, 'AUTH_MISSING_API_KEY');
    else assert.equal(ok(reply, 200).name, 'General Ledger');
  });

  test('a wrong key', async () => {
    const stranger = BlnkInit('not-the-key', {baseUrl: url, logger: quiet});
    const reply = await stranger.Ledgers.get('general_ledger_id');
    if (key) refused(reply, 401, 'AUTH_INVALID_API_KEY');
    else ok(reply, 200);
  });
});
