/**
 * That nothing of the client is left out. A version with another method or another type fails here; one with another field in an
 * answer or an input is not compiled.
 *
 * The client lacks, though the server has it: lists (Search.filter has them), `overdraft_limit`, dry runs, the description and the
 * metadata of a refund.
 */
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {describe, test} from 'node:test';
import type {FilterCondition, FilterParams} from '@blnkfinance/blnk-typescript/dist/src/types/search';
import type * as types from '@blnkfinance/blnk-typescript/dist/src/types/transactions';
import {blnk, type Metadata} from './answers';

const METHODS: Record<string, Record<string, string>> = {
  Transactions: {
    create: 'books.ts',
    updateStatus: 'inflight.test.ts',
    refund: 'refunds.test.ts',
    get: 'reads.test.ts',
    getByReference: 'reads.test.ts',
    getLineage: 'lineage.test.ts',
    recoverQueue: 'reads.test.ts',
    bulkCommitInflight: 'inflight.test.ts',
    bulkVoidInflight: 'inflight.test.ts',
    createBulk: 'bulk.test.ts',
  },
  Search: {filter: 'reads.test.ts', search: 'today.test.ts'},
  Metadata: {update: 'metadata.test.ts'},
  Ledgers: {create: 'balances.test.ts', get: 'balances.test.ts', update: 'balances.test.ts'},
  LedgerBalances: {
    create: 'balances.test.ts',
    get: 'balances.test.ts',
    getByIndicator: 'balances.test.ts',
    updateIdentity: 'metadata.test.ts',
    createSnapshot: 'history.test.ts',
    getAt: 'history.test.ts',
    getLineage: 'lineage.test.ts',
  },
  Identity: {
    create: 'identities.test.ts',
    get: 'identities.test.ts',
    list: 'identities.test.ts',
    update: 'identities.test.ts',
    delete: 'identities.test.ts',
    getTokenizedFields: 'identities.test.ts',
    tokenizeField: 'identities.test.ts',
    tokenize: 'identities.test.ts',
    detokenizeField: 'identities.test.ts',
    detokenize: 'identities.test.ts',
  },
  BalanceMonitor: {create: 'monitors.test.ts', get: 'monitors.test.ts', list: 'monitors.test.ts', update: 'monitors.test.ts', delete: 'monitors.test.ts'},
};
/** Of Search, but not of transactions. */
const ELSEWHERE = ['startReindex', 'getReindexStatus'];

/** Each field of an input; the compiler misses the one that is left out. */
type Fields<T> = {[K in keyof Required<T>]: true};
const create: Fields<types.CreateTransactions<Metadata>> = {
  amount: true,
  precise_amount: true,
  precision: true,
  reference: true,
  description: true,
  currency: true,
  rate: true,
  source: true,
  sources: true,
  destinations: true,
  destination: true,
  inflight: true,
  inflight_expiry_date: true,
  inflight_commit_date: true,
  scheduled_for: true,
  effective_date: true,
  skip_queue: true,
  atomic: true,
  allow_overdraft: true,
  meta_data: true,
};
const part: Fields<types.MultipleSourcesT> = {identifier: true, distribution: true, precise_distribution: true, narration: true};
const update: Fields<types.UpdateTransactionStatus<Metadata>> = {status: true, amount: true, precise_amount: true, meta_data: true, skip_queue: true};
const refund: Fields<types.RefundTransactionRequest> = {skip_queue: true};
const bulk: Fields<types.BulkTransactions<Metadata>> = {atomic: true, inflight: true, run_async: true, skip_queue: true, transactions: true};
const item: Fields<types.BulkCommitInflightItem> = {transaction_id: true, amount: true, precise_amount: true};
const commit: Fields<types.BulkCommitInflightRequest> = {skip_queue: true, transactions: true};
const giveBack: Fields<types.BulkVoidInflightRequest> = {skip_queue: true, transaction_ids: true};
const recover: Fields<types.RecoverQueueRequest> = {threshold: true};
const condition: Fields<FilterCondition> = {field: true, operator: true, value: true, values: true};
const filter: Fields<FilterParams> = {filters: true, logical_operator: true, sort_by: true, sort_order: true, include_count: true, limit: true, offset: true};
const INPUTS: Record<string, [fields: object, ...files: string[]]> = {
  CreateTransactions: [create, 'transactions.test.ts', 'books.ts'],
  MultipleSourcesT: [part, 'splits.test.ts'],
  UpdateTransactionStatus: [update, 'inflight.test.ts'],
  RefundTransactionRequest: [refund, 'refunds.test.ts'],
  BulkTransactions: [bulk, 'bulk.test.ts'],
  BulkCommitInflightItem: [item, 'inflight.test.ts'],
  BulkCommitInflightRequest: [commit, 'inflight.test.ts'],
  BulkVoidInflightRequest: [giveBack, 'inflight.test.ts'],
  RecoverQueueRequest: [recover, 'reads.test.ts'],
  FilterCondition: [condition, 'reads.test.ts'],
  FilterParams: [filter, 'reads.test.ts'],
};
/** Answers whose every field is read: where they come there is a Shape of them. */
const ANSWERS: Record<string, string> = {
  CreateTransactionResponse: 'answers.ts',
  BulkTransactionResponse: 'bulk.test.ts',
  BulkCommitInflightResponse: 'inflight.test.ts',
  BulkCommitInflightResult: 'inflight.test.ts',
  BulkVoidInflightResponse: 'inflight.test.ts',
  BulkVoidInflightResult: 'inflight.test.ts',
  RecoverQueueResponse: 'reads.test.ts',
  TransactionLineageFundAllocation: 'lineage.test.ts',
  TransactionLineageResponse: 'lineage.test.ts',
  TransactionLineageShadowTransaction: 'lineage.test.ts',
};
/** Names of values, not of requests or answers. */
const VALUES = [
  'BulkInflightResultStatus',
  'BulkTransactionStatus',
  'Distribution',
  'FixedAmountDistribution',
  'InflightStatus',
  'LeftDistribution',
  'PercentageDistribution',
  'PryTransactionStatus',
  'StatusType',
  'TransactionDateInput',
];

const source = (...files: string[]) => files.map(file => readFileSync(join(__dirname, '..', file), 'utf8')).join('');
const declarations = (path: string) => readFileSync(require.resolve('@blnkfinance/blnk-typescript').replace('index.js', path), 'utf8');

describe('methods', () => {
  const services = blnk as unknown as Record<string, object>;
  for (const [service, methods] of Object.entries(METHODS)) {
    test(`${service}: every one is called`, () => {
      const found = Object.getOwnPropertyNames(Object.getPrototypeOf(services[service])).filter(name => name !== 'constructor');
      assert.deepEqual(found.filter(name => !ELSEWHERE.includes(name)).sort(), Object.keys(methods).sort());
      for (const [name, file] of Object.entries(methods)) {
        assert.match(source(file), new RegExp(`blnk\\.${service}\\.${name}(<.+>)?\\(`), `${service}.${name} is not called in ${file}`);
      }
    });
  }

  test('no other service reaches transactions', () => {
    const names = Object.getOwnPropertyNames(Object.getPrototypeOf(blnk)).filter(name => /^[A-Z]/.test(name));
    const reaching = names.filter(name => /\.request\(`(transactions|refund-transaction)/.test(Object.getPrototypeOf(services[name]).constructor.toString()));
    assert.deepEqual(reaching, ['Transactions']);
  });
});

describe('types', () => {
  test('every one is known', () => {
    const named = [...declarations('types/transactions.d.ts').matchAll(/^export (?:interface|type) (\w+)/gm)].map(match => match[1]);
    const elsewhere = ['FilterCondition', 'FilterParams'];
    const inputs = Object.keys(INPUTS).filter(name => !elsewhere.includes(name));
    assert.deepEqual(named.sort(), [...inputs, ...Object.keys(ANSWERS), ...VALUES].sort());
  });

  test('every input is sent', () => {
    for (const [kind, [fields, ...files]] of Object.entries(INPUTS)) {
      const sent = source(...files);
      const missing = Object.keys(fields).filter(name => !new RegExp(`\\b${name}\\b[:,}]`).test(sent));
      assert.deepEqual(missing, [], `of ${kind} in ${files.join(', ')}`);
    }
  });

  test('every answer is read', () => {
    for (const [kind, file] of Object.entries(ANSWERS)) {
      const shape = kind === 'CreateTransactionResponse' ? 'Row' : kind;
      assert.ok(source(file).includes(`: Shape<${shape}> = {`), `${kind} in ${file}`);
    }
  });
});
