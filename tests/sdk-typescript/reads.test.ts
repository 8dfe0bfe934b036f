/** Transactions.get and getByReference, Search.filter of transactions, and Transactions.recoverQueue. */
import assert from 'node:assert/strict';
import {before, describe, test} from 'node:test';
import type {FilterCondition, FilterOperator, FilterParams, FilterResponse} from '@blnkfinance/blnk-typescript/dist/src/types/search';
import type {RecoverQueueResponse} from '@blnkfinance/blnk-typescript/dist/src/types/transactions';
import {ANY, blnk, notSent, number, ok, read, refused, type Row, type Shape, text, transaction, typed, UNKNOWN} from './answers';
import {Books} from './books';

let books: Books;
before(async () => {
  books = await Books.open();
});

describe('one', () => {
  for (const name of ['plain', 'with space', 'ü+%25#?&=', 'a.b,c;d:e@f']) {
    test(`by its reference: ${name}`, async () => {
      const paid = ok(await books.pay(books.a, books.b, name, {amount: 1, skip_queue: true}));
      const found = ok(await blnk.Transactions.getByReference<Record<string, unknown>>(books.ref(name)), 200);
      const facts = {transaction_id: paid.transaction_id, reference: books.ref(name), status: 'APPLIED', source: books.a, destination: books.b};
      read(found, 100, facts);
      assert.deepEqual(ok(await blnk.Transactions.get(paid.transaction_id), 200), found);
    });
  }

  test('as it has always been, a slash ends a part of the path; the id still leads to the row', async () => {
    const paid = ok(await books.pay(books.a, books.b, 'in/voice', {amount: 1, skip_queue: true}));
    assert.equal((await blnk.Transactions.getByReference(books.ref('in/voice'))).status, 404);
    read(await books.row(paid.transaction_id), 100, {reference: books.ref('in/voice'), status: 'APPLIED'});
  });

  test('missing', async () => {
    const byId = refused(await blnk.Transactions.get(UNKNOWN), 404, 'TXN_NOT_FOUND');
    assert.deepEqual([byId.message, byId.details], [`Transaction with ID '${UNKNOWN}' not found`, {}]);
    const byReference = refused(await blnk.Transactions.getByReference(books.ref('no')), 404, 'TXN_NOT_FOUND');
    assert.deepEqual([byReference.message, byReference.details], [`Transaction with reference '${books.ref('no')}' not found`, {}]);
    notSent(await blnk.Transactions.get(''), 'transaction id is required');
    notSent(await blnk.Transactions.getByReference(''), 'reference is required');
  });
});

function f(field: string, operator: FilterOperator, ...values: unknown[]): FilterCondition {
  if (operator.startsWith('is')) return {field, operator};
  return operator === 'in' || operator === 'between' ? {field, operator, values} : {field, operator, value: values[0]};
}

describe('filter', () => {
  /** Five payments of 1.00 to 5.00, named 0 to 4. */
  let shop: Books;
  before(async () => {
    shop = await Books.open();
    for (const name of [0, 1, 2, 3, 4]) {
      const meta_data = {shop: `shop${name % 2}`, size: name, hot: name > 2};
      const effective_date = `2025-02-1${name}T00:00:00Z`;
      ok(await shop.pay(shop.a, shop.b, String(name), {amount: name + 1, skip_queue: true, effective_date, meta_data}));
    }
  });

  const mine = () => f('source', 'eq', shop.a);
  const find = (asked: FilterParams) => blnk.Search.filter(asked, 'transactions');

  /** The client's type has `data` always; without a count the answer is the list itself. */
  async function rows(asked: FilterParams): Promise<Row[]> {
    const answer = ok(await find(asked), 200);
    if (asked.include_count) return answer.data;
    assert.ok(Array.isArray(answer));
    return answer as Row[];
  }

  const FILTERS: Array<[FilterCondition, string]> = [
    [f('amount', 'eq', 3), '2'],
    [f('amount', 'ne', 3), '0134'],
    [f('amount', 'gt', 3), '34'],
    [f('amount', 'gte', 3), '234'],
    [f('amount', 'lt', 3), '01'],
    [f('amount', 'lte', 3), '012'],
    [f('amount', 'in', 1, 5, 9), '04'],
    [f('amount', 'between', 2, 3), '12'],
    [f('description', 'like', 'te%'), '01234'],
    [f('description', 'like', 'TE%'), ''],
    [f('description', 'ilike', 'TE%'), '01234'],
    [f('status', 'ne', 'APPLIED'), ''],
    [f('currency', 'in', 'EUR', 'USD'), '01234'],
    [f('effective_date', 'between', '2025-02-11T00:00:00Z', '2025-02-12T00:00:00Z'), '12'],
    [f('created_at', 'gt', '2025-02-12T00:00:00Z'), '01234'],
    [f('effective_date', 'isnull'), ''],
    [f('effective_date', 'isnotnull'), '01234'],
    [f('meta_data.shop', 'eq', 'shop1'), '13'],
    [f('meta_data.size', 'gte', 3), '34'],
    [f('meta_data.hot', 'eq', true), '34'],
    [f('meta_data.none', 'isnull'), '01234'],
  ];
  for (const [condition, names] of FILTERS) {
    test(JSON.stringify(condition), async () => {
      const found = await rows({filters: [mine(), condition], sort_by: 'reference', sort_order: 'asc'});
      assert.deepEqual(found.map(row => row.reference), [...names].map(name => shop.ref(name)));
      for (const [at, name] of [...names].entries()) {
        const effective_date = `2025-02-1${name}T00:00:00Z`;
        transaction(found[at], 100 * Number(name) + 100, {status: 'APPLIED', source: shop.a, destination: shop.b, effective_date, meta_data: ANY});
      }
    });
  }

  test('options', async () => {
    const names = async (more: Partial<FilterParams>) => (await rows({filters: [mine()], ...more})).map(row => row.reference[0]).join('');
    assert.equal(await names({}), '43210');
    assert.equal(await names({sort_by: 'created_at', sort_order: 'desc'}), '43210');
    assert.equal(await names({sort_by: 'amount', sort_order: 'asc', limit: 2, offset: 1}), '12');
    assert.equal(await names({include_count: false}), '43210');
    const either = [f('reference', 'eq', shop.ref('1')), f('reference', 'eq', shop.ref('3'))];
    assert.equal(await names({filters: either, logical_operator: 'or'}), '31');
    assert.equal(await names({filters: either, logical_operator: 'and'}), '');
    assert.equal((await rows({filters: [], limit: 3})).length, 3);
  });

  test('with a count', async () => {
    const asked = {filters: [mine(), f('amount', 'in', 1, 2)], sort_by: 'amount', sort_order: 'desc', include_count: true, limit: 1, offset: 1} as const;
    const answer = typed<FilterResponse<Row>>({data: Array.isArray, total_count: number}, ok(await find({...asked, filters: [...asked.filters]}), 200));
    assert.deepEqual([answer.data.map(row => row.reference), answer.total_count], [[shop.ref('0')], 2]);
  });

  test('refused', async () => {
    refused(await find({filters: [f('colour', 'eq', 1)]}), 400, 'GEN_BAD_REQUEST');
    refused(await find({filters: [f('precise_amount', 'gt', 400)]}), 400, 'GEN_BAD_REQUEST');
    refused(await find({filters: [f('amount', 'eq', 'much')]}), 400, 'GEN_BAD_REQUEST');
    const unknown = {field: 'amount', operator: 'equals' as FilterOperator, value: 1};
    notSent(await find({filters: [unknown]}), 'filters[0].operator must be a supported filter operator');
    notSent(await find({filters: [], limit: 101}), 'limit must be an integer between 1 and 100 if provided');
  });
});

/** Nothing is ever stuck here: what is accepted is in the journal, and executed from there. */
describe('recover', () => {
  const ANSWER: Shape<RecoverQueueResponse> = {recovered: number, threshold: text};
  const THRESHOLDS: Array<[string | undefined, string]> = [
    [undefined, '2m0s'],
    ['5m', '5m0s'],
    ['24h', '24h0m0s'],
    ['1h30m', '1h30m0s'],
    ['1.5h', '1h30m0s'],
    ['90s', '1m30s'],
    ['500ms', '500ms'],
    ['20µs', '20µs'],
  ];
  for (const [threshold, answered] of THRESHOLDS) {
    test(threshold ?? 'nothing said', async () => {
      const reply = threshold ? await blnk.Transactions.recoverQueue({threshold}) : await blnk.Transactions.recoverQueue();
      assert.deepEqual(typed(ANSWER, ok(reply, 200)), {recovered: 0, threshold: answered});
      if (!threshold) assert.deepEqual(ok(await blnk.Transactions.recoverQueue({}), 200), reply.data);
    });
  }

  test('refused', async () => {
    for (const threshold of ['soon', '5', '']) {
      notSent(await blnk.Transactions.recoverQueue({threshold}), 'threshold must be a valid duration string (e.g. 5m, 1h).');
    }
    // The client lets spaces around it pass.
    refused(await blnk.Transactions.recoverQueue({threshold: ' 5m '}), 400, 'GEN_VALIDATION_ERROR');
  });
});
