/** What the tests share: how an answer is taken, and how each field is read that the client's types name. */
import assert from 'node:assert/strict';
import {BlnkInit} from '@blnkfinance/blnk-typescript';
import type {CreateTransactionResponse, MultipleSourcesT} from '@blnkfinance/blnk-typescript/dist/src/types/transactions';

export const url = process.env.FLORIN_URL ?? 'http://127.0.0.1:5001';
export const key = process.env.FLORIN_KEY ?? '';
export const quiet = {info: () => {}, error: () => {}, debug: () => {}};
export const blnk = BlnkInit(key, {baseUrl: url, logger: quiet});
export const UNKNOWN = 'txn_00000000-0000-4000-8000-000000000000';
export const ZERO = '0001-01-01T00:00:00Z';

// -- an answer --------------------------------------------------------------------------------------------------------
export interface Reply<T> {
  status: number;
  message: string;
  data: T | null;
  error?: {code: string; message: string; details?: unknown} | null;
}

export function ok<T>(reply: Reply<T>, status = 201): T {
  assert.equal(reply.status, status, `${reply.status} ${reply.message} ${JSON.stringify(reply.data)}`);
  assert.ok(reply.data);
  return reply.data;
}

export function refused<T>(reply: Reply<T>, status: number, ...codes: string[]): {message: string; details?: unknown} {
  assert.equal(reply.status, status, `${reply.status} ${reply.message} ${JSON.stringify(reply.data)}`);
  assert.ok(reply.error && codes.includes(reply.error.code), `${reply.error?.code}, wanted ${codes.join(' or ')}`);
  assert.equal(reply.error.message, reply.message);
  assert.notEqual(reply.message, '');
  return reply.error;
}

/** The client refused it itself. */
export function notSent<T>(reply: Reply<T>, message: string): void {
  assert.deepEqual(reply, {status: 400, message, data: null});
}

/** Plain text, of which the client makes nothing. */
export function noSuchPage<T>(reply: Reply<T>): void {
  assert.deepEqual(reply, {status: 404, message: 'Not Found', data: null});
}

/** Reads until there is an answer; what is queued has its outcome a moment later. */
export async function eventually<T>(read: () => Promise<Reply<T>>): Promise<T> {
  for (const deadline = Date.now() + 10_000; ; ) {
    const reply = await read();
    if (reply.status === 200 || Date.now() > deadline) return ok(reply, 200);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

export async function until(holds: () => Promise<boolean>): Promise<void> {
  for (const deadline = Date.now() + 10_000; !(await holds()); ) {
    assert.ok(Date.now() < deadline, 'it did not come to pass');
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}

// -- its types --------------------------------------------------------------------------------------------------------
/** Whether a value from the wire is what the client's type says. */
export type Is = (value: unknown) => boolean;
/** A check for each field of a type; the compiler misses the one that is left out. */
export type Shape<T> = {[K in keyof Required<T>]: Is};

export const number: Is = value => typeof value === 'number' && Number.isFinite(value);
export const text: Is = value => typeof value === 'string';
export const flag: Is = value => typeof value === 'boolean';
export const object: Is = value => typeof value === 'object' && value !== null && !Array.isArray(value);
export const time: Is = value =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(value) && !Number.isNaN(Date.parse(value));
export const maybe = (is: Is): Is => value => value === undefined || is(value);
export const listOf = <T extends object>(shape: Shape<T>): Is => value => Array.isArray(value) && value.every(item => typed(shape, item as T));

/** Each field of an answer is there, unless it may be absent, and is of its type. */
export function typed<T extends object>(shape: Shape<T>, answer: T): T {
  for (const name of Object.keys(shape) as Array<keyof T & string>) {
    assert.ok(shape[name](answer[name]), `${name} is ${JSON.stringify(answer[name])} in ${JSON.stringify(answer)}`);
  }
  return answer;
}

// -- transactions -----------------------------------------------------------------------------------------------------
export type Metadata = Record<string, unknown>;
export type Row = CreateTransactionResponse<Metadata>;

/** The server knows no `narration` and does not give it back. */
const PART: Shape<MultipleSourcesT> = {
  identifier: text,
  distribution: maybe(text),
  precise_distribution: maybe(text),
  narration: value => value === undefined,
};

const ROW: Shape<Row> = {
  transaction_id: value => /^txn_.{36}$/.test(String(value)),
  amount: number,
  precision: Number.isSafeInteger,
  precise_amount: value => typeof value === 'number' && Number.isInteger(value),
  reference: text,
  description: text,
  rate: value => value === undefined,
  currency: text,
  status: text,
  hash: value => /^[0-9a-f]{64}$/.test(String(value)),
  parent_transaction: text,
  source: maybe(text),
  destination: maybe(text),
  sources: maybe(listOf(PART)),
  destinations: maybe(listOf(PART)),
  allow_overdraft: flag,
  skip_queue: flag,
  inflight: flag,
  queued: maybe(flag),
  atomic: flag,
  overdraft_limit: number,
  created_at: value => time(value) && Math.abs(Date.now() - Date.parse(String(value))) < 60_000,
  scheduled_for: time,
  inflight_expiry_date: time,
  inflight_commit_date: time,
  effective_date: maybe(time),
  meta_data: maybe(object),
};

/** A value, or that it is of its type. */
export const ANY = Symbol('anything of its type');
export const NOW = Symbol('a moment ago');
export type Wanted = Partial<{[K in keyof Row]: unknown}>;
/** Metadata that the server writes next to the caller's own. */
const WRITTEN = ['QUEUED_PARENT_TRANSACTION', 'allow_overdraft', 'atomic', 'sequence', 'blnk_rejection_reason'];

/** Reads every field of a transaction. What a test does not say is as it is when nothing was asked for. */
export function transaction(row: Row, cents: number, expected: Wanted = {}): Row {
  typed(ROW, row);
  const wanted: {[K in keyof Required<Row>]: unknown} = {
    transaction_id: ANY,
    amount: cents / 100,
    precision: 100,
    precise_amount: cents,
    reference: ANY,
    description: 'test',
    rate: undefined,
    currency: 'USD',
    status: ANY,
    hash: ANY,
    parent_transaction: '',
    source: ANY,
    destination: ANY,
    sources: undefined,
    destinations: undefined,
    allow_overdraft: false,
    skip_queue: false,
    inflight: false,
    queued: undefined,
    atomic: false,
    overdraft_limit: 0,
    created_at: ANY,
    scheduled_for: ZERO,
    inflight_expiry_date: ZERO,
    inflight_commit_date: ZERO,
    effective_date: NOW,
    meta_data: {},
    ...expected,
  };
  const own = Object.entries(row.meta_data ?? {}).filter(([name]) => !WRITTEN.includes(name));
  const found: Row = {...row, meta_data: Object.fromEntries(own)};
  for (const [name, value] of Object.entries(wanted) as Array<[keyof Row, unknown]>) {
    if (value === NOW) assert.ok(ROW.created_at(found[name]), `${name} is ${String(found[name])}`);
    else if (value === ANY) assert.notEqual(found[name], undefined, name);
    else assert.deepEqual(found[name], value, `${name} of ${JSON.stringify(row)}`);
  }
  return row;
}

/** The answer to a request that was carried out at once. */
export function made(row: Row, cents: number, expected: Wanted = {}): Row {
  return transaction(row, cents, {status: 'APPLIED', skip_queue: true, ...expected});
}

/** The answer to a request that waits for its turn. */
export function queued(row: Row, cents: number, expected: Wanted = {}): Row {
  assert.equal(row.meta_data?.QUEUED_PARENT_TRANSACTION, row.transaction_id);
  return transaction(row, cents, {status: 'QUEUED', ...expected});
}

/** What is read by id or reference: without what the request asked for, and without its business date. */
export function read(row: Row, cents: number, expected: Wanted = {}): Row {
  return transaction(row, cents, {effective_date: undefined, ...expected});
}
