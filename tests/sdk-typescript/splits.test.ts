/** Transactions.create with parts: several sources or several destinations, each way a part can be given, and the legs. */
import assert from 'node:assert/strict';
import {beforeEach, describe, test} from 'node:test';
import type {Distribution, MultipleSourcesT} from '@blnkfinance/blnk-typescript/dist/src/types/transactions';
import {ANY, blnk, made, notSent, ok, queued, read, refused, type Row, until, type Wanted} from './answers';
import {Books} from './books';

/** Of 100.00: how the parts are given and what they come to. */
const WAYS: Record<string, [Distribution[], number[]]> = {
  percent: [['20%', '30%', '50%'], [2000, 3000, 5000]],
  'decimal percent': [['33.33%', '33.33%', '33.34%'], [3333, 3333, 3334]],
  fixed: [['20', '30.5', '49.50'], [2000, 3050, 4950]],
  left: [['10%', '12.34', 'left'], [1000, 1234, 7766]],
};
const QUEUE = [{skip_queue: true}, {}];

let books: Books;
/** Three that have 100.00 each. */
let parties: string[];
beforeEach(async () => {
  books = await Books.open();
  parties = [];
  for (const place of [0, 1, 2]) {
    ok(await books.pay(books.a, `@Party${place}${books.run}`, `stake-${place}`, {amount: 100, skip_queue: true}));
    parties.push(await books.at(`@Party${place}${books.run}`));
  }
});

const parts = (ways: Distribution[]): MultipleSourcesT[] =>
  ways.map((distribution, place) => ({identifier: parties[place], distribution, narration: 'a part'}));
const balances = () => Promise.all(parties.map(async party => (await books.figures(party))[0]));

/** Reads what the answer says of the parts, and the legs that it names. */
async function legs(side: 'source' | 'destination', whole: Row, cents: number[], expected: Wanted): Promise<void> {
  const atOnce = whole.skip_queue === true;
  const executed = whole.inflight ? 'INFLIGHT' : 'APPLIED';
  const named = whole[`${side}s`] as Array<MultipleSourcesT & {transaction_id: string}>;
  assert.deepEqual(named.map(part => part.identifier), parties);
  for (const [place, part] of named.entries()) {
    const leg = read(await books.row(part.transaction_id), cents[place], {
      ...expected,
      transaction_id: part.transaction_id,
      status: atOnce ? executed : 'QUEUED',
      parent_transaction: whole.transaction_id,
      reference: `${books.ref('split')}${atOnce ? '-' : '_'}${place + 1}`,
    });
    assert.equal(leg[side], part.identifier);
    if (!atOnce) {
      const child = await books.find(`${books.ref('split')}_${place + 1}_q`);
      read(child, cents[place], {...expected, status: executed, parent_transaction: part.transaction_id});
    }
  }
  // The whole has no row of its own.
  refused(await blnk.Transactions.get(whole.transaction_id), 404, 'TXN_NOT_FOUND');
}

for (const queue of QUEUE) {
  const atOnce = queue.skip_queue === true;
  const answer = atOnce ? made : queued;
  describe(atOnce ? 'at once' : 'queued', () => {
    for (const [way, [ways, cents]] of Object.entries(WAYS)) {
      test(`to several: ${way}`, async () => {
        const whole = ok(await books.pay(books.a, parts(ways), 'split', {amount: 100, meta_data: {order: 1}, ...queue}));
        answer(whole, 10_000, {reference: books.ref('split'), source: books.a, destination: undefined, destinations: ANY, meta_data: {order: 1}});
        assert.deepEqual(whole.destinations?.map(part => part.distribution), ways);
        await legs('destination', whole, cents, {source: books.a, meta_data: {order: 1}});
        assert.deepEqual(await balances(), cents.map(share => 10_000 + share));
      });

      test(`from several: ${way}`, async () => {
        const whole = ok(await books.pay(parts(ways), books.b, 'split', {amount: 100, ...queue}));
        answer(whole, 10_000, {reference: books.ref('split'), source: undefined, sources: ANY, destination: books.b});
        assert.deepEqual(whole.sources?.map(part => part.distribution), ways);
        await legs('source', whole, cents, {destination: books.b});
        assert.deepEqual(await balances(), cents.map(share => 10_000 - share));
        assert.deepEqual(await books.figures(), [10_000, 0, 0]);
      });
    }

    for (const [precise_amount, text] of [[10_000, false], ['10000', true]] as Array<[number | string, boolean]>) {
      test(`minor units as ${text ? 'text' : 'numbers'}`, async () => {
        const cents = [2000, 3000, 5000];
        const shares = cents.map((share, place) => ({identifier: parties[place], precise_distribution: text ? String(share) : share}));
        const whole = ok(await books.pay(books.a, shares, 'split', {precise_amount, ...queue}));
        answer(whole, 10_000, {source: books.a, destination: undefined, destinations: ANY});
        assert.deepEqual(whole.destinations?.map(part => part.precise_distribution), cents.map(String));
        await legs('destination', whole, cents, {source: books.a});
      });
    }

    for (const side of ['source', 'destination'] as const) {
      // Each leg is a hold; the id of the whole commits and gives back all of them (inflight.test.ts).
      test(`held: several ${side}s`, async () => {
        const shares = parts(['20%', '30%', 'left']);
        const [source, destination] = side === 'source' ? [shares, books.b] : [books.b, shares];
        const whole = ok(await books.pay(source, destination, 'split', {amount: 100, inflight: true, allow_overdraft: true, ...queue}));
        assert.deepEqual([whole.status, whole.inflight], [atOnce ? 'INFLIGHT' : 'QUEUED', true]);
        await legs(side, whole, [2000, 3000, 5000], {inflight: true});
        assert.equal(ok(await blnk.Transactions.updateStatus(whole.transaction_id, {status: 'commit', skip_queue: true}), 200).status, 'APPLIED');
        assert.deepEqual(await books.figures(), [side === 'source' ? 10_000 : -10_000, 0, 0]);
      });
    }

    for (const [date, received] of [['inflight_expiry_date', 0], ['inflight_commit_date', 5000], ['scheduled_for', 5000]] as const) {
      test(`${date} in the past, so now`, async () => {
        const asked = {amount: 100, inflight: date !== 'scheduled_for', [date]: '2025-01-01T00:00:00Z', ...queue};
        const whole = ok(await books.pay(books.a, parts(['50%', 'left']), 'split', asked));
        assert.equal(whole[date], '2025-01-01T00:00:00Z');
        for (const place of [1, 2]) await books.find(books.ref('split') + (atOnce ? `-${place}` : `_${place}_q`));
        await until(async () => String((await balances()).slice(0, 2)) === String([10_000 + received, 10_000 + received]));
        await until(async () => String(await books.figures(parties[1])) === String([10_000 + received, 0, 0]));
      });
    }

    // One transaction is posted as a whole or not at all, asked for or not.
    for (const atomic of [true, false]) {
      test(`one part without funds, atomic ${atomic}`, async () => {
        const asked = await books.pay(parts(['50', '150', 'left']), books.b, 'split', {amount: 250, atomic, ...queue});
        if (atOnce) {
          refused(asked, 400, 'TXN_INSUFFICIENT_FUNDS');
          refused(await blnk.Transactions.getByReference(`${books.ref('split')}-1`), 404, 'TXN_NOT_FOUND');
        } else {
          queued(ok(asked), 25_000, {source: undefined, sources: ANY, atomic});
          for (const [place, cents] of [[1, 5000], [2, 15_000], [3, 5000]]) {
            const leg = read(await books.find(`${books.ref('split')}_${place}_q`), cents, {status: 'REJECTED', parent_transaction: ANY});
            const reason = place === 2 ? /insufficient funds/ : /another part of the same whole was rejected/;
            assert.match(String(leg.meta_data?.blnk_rejection_reason), reason);
          }
        }
        assert.deepEqual(await books.figures(), [0, 0, 0]);
      });
    }

    test('names as parties', async () => {
      const [fee, tax] = [`@Fee${books.run}`, `@Tax${books.run}`];
      const shares: MultipleSourcesT[] = [{identifier: fee, distribution: '5%'}, {identifier: tax, distribution: 'left'}];
      const whole = ok(await books.pay(books.a, shares, 'split', {amount: 10, ...queue}));
      assert.deepEqual(whole.destinations?.map(part => part.identifier), [fee, tax]);
      if (!atOnce) await books.find(`${books.ref('split')}_2_q`);
      assert.deepEqual([(await books.figures(await books.at(fee)))[0], (await books.figures(await books.at(tax)))[0]], [50, 950]);
    });
  });
}

test('both kinds of parts', async () => {
  const shares: MultipleSourcesT[] = [
    {identifier: parties[0], distribution: '10%'},
    {identifier: parties[1], precise_distribution: '2345'},
    {identifier: parties[2], distribution: 'left'},
  ];
  const whole = ok(await books.pay(books.a, shares, 'split', {precise_amount: 10_000, skip_queue: true}));
  made(whole, 10_000, {destination: undefined, destinations: ANY});
  assert.deepEqual(await balances(), [11_000, 12_345, 16_655]);
});

test('the client checks parts itself', async () => {
  const pay = (ways: Distribution[], more: object = {amount: 100}) => books.pay(books.a, parts(ways), 'split', more);
  notSent(await pay(['10', '20', '30']), 'Total distribution sum (60) does not equal the specified amount (100).');
  notSent(await pay(['50%', '60%', 'left']), 'Total distribution exceeds the specified amount.');
  notSent(await pay(['left', 'left', '10']), "Multiple 'left' distribution types are not allowed.");
  notSent(await pay(['1e1', '50', 'left']), `Invalid distribution type for leg: ${parties[0]}.`);
  // It adds parts in major units to a total in minor ones: what the server would refuse passes, and the other way round.
  const minor = {precise_amount: 10_000, skip_queue: true};
  notSent(await pay(['20', '30', '50'], minor), 'Total distribution sum (100) does not equal the specified amount (10000).');
  refused(await pay(['2000', '3000', '5000'], minor), 400, 'TXN_VALIDATION_ERROR');
});

test('refused', async () => {
  refused(await books.pay(books.a, parts(['100', '0', 'left']), 'split', {amount: 100, skip_queue: true}), 400, 'TXN_VALIDATION_ERROR');
  parties[1] = parties[0];
  refused(await books.pay(books.a, parts(['50%', '50%']), 'split', {amount: 100, skip_queue: true}), 400, 'TXN_INVALID_DISTRIBUTION');
  assert.deepEqual(await balances(), [10_000, 10_000, 10_000]);
});
