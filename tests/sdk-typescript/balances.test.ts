/** Ledgers and LedgerBalances: every method that the server answers today, and every field of every answer. */
import assert from 'node:assert/strict';
import {randomUUID} from 'node:crypto';
import {beforeEach, test} from 'node:test';
import type {CreateLedgerResp} from '@blnkfinance/blnk-typescript/dist/src/types/ledger';
import type {CreateLedgerBalanceResp, GetBalanceAtResponse, HistoricalBalanceDetails} from '@blnkfinance/blnk-typescript/dist/src/types/ledgerBalances';
import {blnk, flag, type Is, maybe, type Metadata, number, object, ok, refused, type Shape, text, time, typed} from './answers';

const MISSING = '00000000-0000-4000-8000-000000000000';
const none: Is = value => value === undefined;
const objectOrNull: Is = value => value === null || object(value);
const LEDGER: Shape<CreateLedgerResp<Metadata>> = {ledger_id: text, name: text, created_at: time, meta_data: objectOrNull};
const BALANCE: Shape<CreateLedgerBalanceResp<Metadata>> = {
  balance: number,
  version: number,
  inflight_balance: number,
  credit_balance: number,
  inflight_credit_balance: number,
  debit_balance: number,
  inflight_debit_balance: number,
  currency_multiplier: none,
  ledger_id: text,
  identity_id: text,
  balance_id: text,
  // Of balances with an indicator only, though the client's type says always.
  indicator: maybe(text),
  currency: text,
  created_at: time,
  queued_credit_balance: none,
  queued_debit_balance: none,
  track_fund_lineage: flag,
  allocation_strategy: text,
  meta_data: objectOrNull,
};
const FIGURES: Shape<HistoricalBalanceDetails> = {balance: number, balance_id: text, credit_balance: number, currency: text, debit_balance: number};
const AT: Shape<GetBalanceAtResponse> = {balance: value => typed(FIGURES, value as HistoricalBalanceDetails) !== undefined, timestamp: time, from_source: flag};

let run: string;
beforeEach(() => {
  run = randomUUID().slice(0, 10);
});

async function fund(balance: string, amount: number): Promise<void> {
  const paid = await blnk.Transactions.create({
    precise_amount: amount, precision: 100, currency: 'USD', reference: `fund-${balance}`, description: 'fund', source: `@World${run}`, destination: balance,
    allow_overdraft: true, skip_queue: true,
  });
  assert.equal(paid.status, 201, JSON.stringify(paid));
}

test('ledgers are made, read and renamed', async () => {
  const made = typed(LEDGER, ok(await blnk.Ledgers.create<Metadata>({name: `Ledger ${run}`, meta_data: {team: 'core'}})));
  assert.deepEqual([made.name, made.meta_data], [`Ledger ${run}`, {team: 'core'}]);
  assert.deepEqual(ok(await blnk.Ledgers.get(made.ledger_id), 200), made);
  const renamed = typed(LEDGER, ok(await blnk.Ledgers.update<Metadata>(made.ledger_id, {name: `Renamed ${run}`}), 200));
  assert.deepEqual(renamed, {...made, name: `Renamed ${run}`});
  assert.deepEqual(ok(await blnk.Ledgers.get(made.ledger_id), 200), renamed);
  refused(await blnk.Ledgers.get(`ldg_${MISSING}`), 404, 'LGR_NOT_FOUND');
  refused(await blnk.Ledgers.update(`ldg_${MISSING}`, {name: 'x'}), 404, 'LGR_NOT_FOUND');
});

test('balances are made and read', async () => {
  const ledger_id = ok(await blnk.Ledgers.create({name: `Ledger ${run}`})).ledger_id;
  const made = typed(BALANCE, ok(await blnk.LedgerBalances.create<Metadata>({ledger_id, currency: 'USD', allocation_strategy: 'LIFO', meta_data: {tier: 'gold'}})));
  const {balance, version, identity_id, currency, track_fund_lineage, allocation_strategy, meta_data} = made;
  assert.deepEqual(
    [balance, version, made.ledger_id, identity_id, currency, track_fund_lineage, allocation_strategy, meta_data],
    [0, 1, ledger_id, '', 'USD', false, 'LIFO', {tier: 'gold'}],
  );
  await fund(made.balance_id, 500);
  const read = typed(BALANCE, ok(await blnk.LedgerBalances.get<Metadata>(made.balance_id), 200));
  assert.deepEqual(read, {...made, balance: 500, credit_balance: 500, version: 2});
  assert.deepEqual(ok(await blnk.LedgerBalances.get(made.balance_id, {from_source: true}), 200), read);
  const found = ok(await blnk.Search.filter({filters: [{field: 'ledger_id', operator: 'eq', value: ledger_id}]}, 'balances'), 200);
  assert.deepEqual(found, [read], 'rows of lists are complete');
  refused(await blnk.LedgerBalances.get(`bln_${MISSING}`), 404, 'BAL_NOT_FOUND');
  refused(await blnk.LedgerBalances.create({ledger_id: `ldg_${MISSING}`, currency: 'USD'}), 400, 'GEN_BAD_REQUEST');
});

test('a balance is read by its indicator', async () => {
  const ledger_id = ok(await blnk.Ledgers.create({name: `Ledger ${run}`})).ledger_id;
  const to = ok(await blnk.LedgerBalances.create({ledger_id, currency: 'USD'})).balance_id;
  await fund(to, 300);
  const world = typed(BALANCE, ok(await blnk.LedgerBalances.getByIndicator<Metadata>(`@World${run}`, 'USD'), 200));
  assert.deepEqual([world.indicator, world.balance, world.debit_balance, world.ledger_id], [`@World${run}`, -300, 300, 'general_ledger_id']);
  assert.deepEqual(ok(await blnk.LedgerBalances.get(world.balance_id), 200), world);
  refused(await blnk.LedgerBalances.getByIndicator(`@World${run}`, 'EUR'), 404, 'BAL_NOT_FOUND');
});

test('a balance is read as it was', async () => {
  const ledger_id = ok(await blnk.Ledgers.create({name: `Ledger ${run}`})).ledger_id;
  const one = ok(await blnk.LedgerBalances.create({ledger_id, currency: 'USD'})).balance_id;
  await fund(one, 700);
  for (const [timestamp, sum] of [['2001-01-01T00:00:00Z', 0], ['2999-01-01T00:00:00Z', 700]] as const) {
    const told = typed(AT, ok(await blnk.LedgerBalances.getAt(one, {timestamp, from_source: true}), 200));
    assert.deepEqual(told, {balance: {balance: sum, balance_id: one, credit_balance: sum, currency: 'USD', debit_balance: 0}, timestamp, from_source: true});
  }
  refused(await blnk.LedgerBalances.getAt(`bln_${MISSING}`, {timestamp: '2001-01-01T00:00:00Z'}), 404, 'BAL_NOT_FOUND');
});
