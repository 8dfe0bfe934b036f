/** The books of a test: what most of them begin with, and how they look at what came of it. */
import {randomUUID} from 'node:crypto';
import type {CreateTransactions, MultipleSourcesT} from '@blnkfinance/blnk-typescript/dist/src/types/transactions';
import {blnk, eventually, ok, type Metadata, type Row} from './answers';

export type Body = CreateTransactions<Metadata>;
export type Side = string | MultipleSourcesT[];

/** A ledger with two balances, a holding 1000.00 and b empty. Names and references are its own: others use the same server. */
export class Books {
  readonly run = randomUUID().slice(0, 8);
  readonly world = `@World${this.run}`;
  readonly shop = `@Shop${this.run}`;
  ledger = '';
  a = '';
  b = '';

  static async open(): Promise<Books> {
    const books = new Books();
    books.ledger = ok(await blnk.Ledgers.create({name: `Transactions ${books.run}`})).ledger_id;
    [books.a, books.b] = [await books.balance(), await books.balance()];
    ok(await books.pay(books.world, books.a, 'funds', {precise_amount: 100_000, allow_overdraft: true, skip_queue: true}));
    return books;
  }

  async balance(currency = 'USD'): Promise<string> {
    return ok(await blnk.LedgerBalances.create({ledger_id: this.ledger, currency})).balance_id;
  }

  ref(name: string): string {
    return `${name}-${this.run}`;
  }

  body(source: Side, destination: Side, reference: string, more: Partial<Body> = {}): Body {
    return {
      precision: 100,
      currency: 'USD',
      reference: this.ref(reference),
      description: 'test',
      ...(typeof source === 'string' ? {source} : {sources: source}),
      ...(typeof destination === 'string' ? {destination} : {destinations: destination}),
      ...more,
    };
  }

  pay(source: Side, destination: Side, reference: string, more: Partial<Body>) {
    return blnk.Transactions.create(this.body(source, destination, reference, more));
  }

  /** A hold of b's, at once. */
  async hold(cents: number, reference = 'hold', more: Partial<Body> = {}): Promise<string> {
    return ok(await this.pay(this.a, this.b, reference, {precise_amount: cents, inflight: true, skip_queue: true, ...more})).transaction_id;
  }

  /** The request of a hold, and the hold it has led to. */
  async queuedHold(cents: number, reference = 'queued-hold'): Promise<[string, string]> {
    const request = ok(await this.pay(this.a, this.b, reference, {precise_amount: cents, inflight: true}));
    return [request.transaction_id, (await this.outcome(reference)).transaction_id];
  }

  /** The executed row of a queued transaction. */
  outcome(reference: string): Promise<Row> {
    return this.find(`${this.ref(reference)}_q`);
  }

  find(reference: string): Promise<Row> {
    return eventually(() => blnk.Transactions.getByReference<Metadata>(reference));
  }

  async row(id: string): Promise<Row> {
    return ok(await blnk.Transactions.get<Metadata>(id), 200);
  }

  /** Balance, and what is held of it: coming in, going out. */
  async figures(balance = this.b): Promise<number[]> {
    const found = ok(await blnk.LedgerBalances.get(balance), 200);
    return [found.balance, found.inflight_credit_balance, found.inflight_debit_balance];
  }

  async at(indicator: string, currency = 'USD'): Promise<string> {
    return ok(await blnk.LedgerBalances.getByIndicator(indicator, currency), 200).balance_id;
  }
}
