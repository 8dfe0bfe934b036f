/** LedgerBalances.getLineage and Transactions.getLineage: whose money a balance has, and whose money a transaction spent. */
import assert from 'node:assert/strict';
import {beforeEach, test} from 'node:test';
import type {BalanceLineageResponse, LineageProviderBreakdown} from '@blnkfinance/blnk-typescript/dist/src/types/ledgerBalances';
import type {
  TransactionLineageFundAllocation,
  TransactionLineageResponse,
  TransactionLineageShadowTransaction,
} from '@blnkfinance/blnk-typescript/dist/src/types/transactions';
import {blnk, listOf, maybe, number, object, ok, refused, type Shape, text, typed, UNKNOWN} from './answers';
import {Books} from './books';

const PROVIDER: Shape<LineageProviderBreakdown> = {provider: text, amount: number, available: number, spent: number, shadow_balance_id: text};
const BALANCE: Shape<BalanceLineageResponse> = {balance_id: text, aggregate_balance_id: text, total_with_lineage: number, providers: listOf(PROVIDER)};
const SHARE: Shape<TransactionLineageFundAllocation> = {provider: text, amount: number};
const SHADOW: Shape<TransactionLineageShadowTransaction> = {
  transaction_id: text,
  reference: text,
  precise_amount: number,
  amount: number,
  precision: number,
  currency: text,
  status: text,
  parent_transaction: value => value === '',
  meta_data: object,
};
const TRANSACTION: Shape<TransactionLineageResponse> = {transaction_id: text, fund_allocation: maybe(listOf(SHARE)), shadow_transactions: listOf(SHADOW)};

let books: Books;
beforeEach(async () => {
  books = await Books.open();
});

async function tracked(allocation_strategy: 'FIFO' | 'LIFO' | 'PROPORTIONAL'): Promise<string> {
  const owner = ok(await blnk.Identity.create({identity_type: 'individual', first_name: 'Ada', last_name: books.run, category: 'test'} as never));
  const {identity_id} = owner as {identity_id: string};
  const body = {ledger_id: books.ledger, currency: 'USD', identity_id, track_fund_lineage: true, allocation_strategy};
  return ok(await blnk.LedgerBalances.create(body)).balance_id;
}

async function deposit(balance: string, provider: string, cents: number): Promise<void> {
  const meta_data = {BLNK_LINEAGE_PROVIDER: provider};
  ok(await books.pay(books.world, balance, provider, {precise_amount: cents, allow_overdraft: true, skip_queue: true, meta_data}));
}

/** By provider: what came, what is there, what went. */
async function funds(balance: string): Promise<Record<string, unknown[]>> {
  const found = typed(BALANCE, ok(await blnk.LedgerBalances.getLineage(balance), 200));
  assert.equal(found.balance_id, balance);
  assert.equal(found.total_with_lineage, found.providers.reduce((sum, one) => sum + Number(one.available), 0));
  return Object.fromEntries(found.providers.map(one => [one.provider, [one.amount, one.available, one.spent]]));
}

async function lineage(id: string): Promise<[shares: unknown, shadows: unknown[]]> {
  const found = typed(TRANSACTION, ok(await blnk.Transactions.getLineage(id), 200));
  assert.equal(found.transaction_id, id);
  const shadows = found.shadow_transactions ?? [];
  return [found.fund_allocation, shadows.map(row => [row.reference, row.status, row.precise_amount])];
}

test('funds of a balance', async () => {
  const account = await tracked('LIFO');
  assert.deepEqual(await funds(account), {});
  await deposit(account, 'stripe', 10_000);
  await deposit(account, 'paypal', 5_000);
  const spent = ok(await books.pay(account, books.shop, 'out', {precise_amount: 12_000, skip_queue: true})).transaction_id;
  assert.deepEqual(await funds(account), {stripe: [10_000, 3_000, 7_000], paypal: [5_000, 0, 5_000]});
  const shares = [{amount: 5_000, provider: 'paypal'}, {amount: 7_000, provider: 'stripe'}];
  const shadows = [[`${books.ref('out')}_release_paypal`, 'APPLIED', 5_000], [`${books.ref('out')}_release_stripe`, 'APPLIED', 7_000]];
  assert.deepEqual(await lineage(spent), [shares, shadows]);
  assert.deepEqual((await books.row(spent)).meta_data, {BLNK_FUND_ALLOCATION: shares});
});

test('a hold', async () => {
  const account = await tracked('FIFO');
  await deposit(account, 'stripe', 1_000);
  const hold = ok(await books.pay(account, books.shop, 'hold', {precise_amount: 400, inflight: true, skip_queue: true})).transaction_id;
  assert.deepEqual(await funds(account), {stripe: [1_000, 1_000, 0]});
  ok(await blnk.Transactions.updateStatus(hold, {status: 'commit', precise_amount: 100, skip_queue: true}), 200);
  ok(await blnk.Transactions.updateStatus(hold, {status: 'void', skip_queue: true}), 200);
  assert.deepEqual(await funds(account), {stripe: [1_000, 900, 100]});
  const [shares, shadows] = await lineage(hold);
  assert.deepEqual(shares, [{amount: 400, provider: 'stripe'}]);
  assert.deepEqual(shadows.map(row => (row as unknown[]).slice(1)), [['INFLIGHT', 400], ['APPLIED', 100], ['VOID', 300]]);
});

test('without a lineage', async () => {
  const paid = ok(await books.pay(books.a, books.b, 'pay', {amount: 1, skip_queue: true})).transaction_id;
  assert.deepEqual(await lineage(paid), [undefined, []]);
  refused(await blnk.Transactions.getLineage(UNKNOWN), 404, 'TXN_NOT_FOUND');
  refused(await blnk.LedgerBalances.getLineage(UNKNOWN.replace('txn', 'bln')), 404, 'BAL_NOT_FOUND');
  const {message} = refused(await blnk.LedgerBalances.getLineage(books.a), 400, 'GEN_BAD_REQUEST');
  assert.equal(message, `balance ${books.a} does not have fund lineage tracking enabled`);
});
