/** BalanceMonitor: every method of the client, every field and operator, and every answer. */
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {join} from 'node:path';
import {beforeEach, test} from 'node:test';
import type {MonitorCondition, MonitorConditionOperators, MonitorDataResp} from '@blnkfinance/blnk-typescript/dist/src/types/balanceMonitor';
import {blnk, notSent, ok, refused} from './answers';
import {Books} from './books';

const MISSING = 'mon_00000000-0000-4000-8000-000000000000';
const FIELDS = ['debit_balance', 'credit_balance', 'balance', 'inflight_debit_balance', 'inflight_credit_balance', 'inflight_balance'];
const OPERATORS: MonitorConditionOperators[] = ['>', '<', '>=', '<=', '=', '!='];

let books: Books;
beforeEach(async () => {
  books = await Books.open();
});

const condition = (more: Partial<MonitorCondition> = {}): MonitorCondition => ({field: 'balance', operator: '>', value: 1000, precision: 100, ...more});

/** Reads every field of a monitor. */
function shown(answer: MonitorDataResp, balance: string, wanted: MonitorCondition, description?: string): string {
  assert.deepEqual(answer.condition, {...wanted, precise_value: wanted.value * wanted.precision});
  assert.deepEqual([answer.balance_id, answer.description, answer.call_back_url], [balance, description, undefined]);
  assert.match(answer.monitor_id, /^mon_/);
  assert.match(answer.created_at, /Z$/);
  return answer.monitor_id;
}

test('life of a monitor', async () => {
  const data = {balance_id: books.a, condition: condition(), description: 'over', call_back_url: 'https://example.com/x'};
  const monitor = shown(ok(await blnk.BalanceMonitor.create(data)), books.a, condition(), 'over');
  shown(ok(await blnk.BalanceMonitor.get(monitor), 200), books.a, condition(), 'over');
  const changed = {balance_id: books.b, description: 'low', condition: condition({field: 'credit_balance', operator: '<=', value: 20})};
  assert.deepEqual(ok(await blnk.BalanceMonitor.update(monitor, changed), 200), {message: 'BalanceMonitor updated successfully'});
  shown(ok(await blnk.BalanceMonitor.get(monitor), 200), books.b, changed.condition, 'low');
  assert.deepEqual(ok(await blnk.BalanceMonitor.delete(monitor), 200), {message: 'BalanceMonitor deleted successfully'});
  refused(await blnk.BalanceMonitor.get(monitor), 404, 'BAL_MONITOR_NOT_FOUND');
  refused(await blnk.BalanceMonitor.update(monitor, changed), 404, 'BAL_MONITOR_NOT_FOUND');
  refused(await blnk.BalanceMonitor.delete(monitor), 404, 'BAL_MONITOR_NOT_FOUND');
});

test('fields and operators', async () => {
  for (const field of FIELDS) {
    for (const operator of OPERATORS) {
      const wanted = condition({field, operator, value: -5, precision: 1000});
      shown(ok(await blnk.BalanceMonitor.create({balance_id: books.a, condition: wanted})), books.a, wanted);
    }
  }
});

test('lists', async () => {
  const made: string[] = [];
  for (const value of [1, 2]) {
    made.push(shown(ok(await blnk.BalanceMonitor.create({balance_id: books.a, condition: condition({value})})), books.a, condition({value})));
  }
  const mine = ok(await blnk.BalanceMonitor.list(), 200).filter(one => made.includes(one.monitor_id));
  assert.deepEqual(mine.map(one => one.condition.value), [1, 2]);
});

test('refused', async () => {
  const missing = {balance_id: 'bln_00000000-0000-4000-8000-000000000000', condition: condition()};
  refused(await blnk.BalanceMonitor.create(missing), 400, 'GEN_BAD_REQUEST');
  for (const wrong of [{field: 'colour'}, {value: 10.5}, {value: 0}, {precision: -1}]) {
    refused(await blnk.BalanceMonitor.create({balance_id: books.a, condition: condition(wrong)}), 400, 'GEN_VALIDATION_ERROR');
  }
  refused(await blnk.BalanceMonitor.get(MISSING), 404, 'BAL_MONITOR_NOT_FOUND');
  notSent(await blnk.BalanceMonitor.delete(''), 'monitor id is required');
});

test('every method is called', () => {
  const found = Object.getOwnPropertyNames(Object.getPrototypeOf(blnk.BalanceMonitor)).filter(name => name !== 'constructor');
  const own = readFileSync(join(__dirname, '..', 'monitors.test.ts'), 'utf8');
  for (const name of found) assert.ok(own.includes(`blnk.BalanceMonitor.${name}(`), name);
});
