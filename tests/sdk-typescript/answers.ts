/** What the tests share: how an answer is taken, with or without its error. */
import assert from 'node:assert/strict';
import {BlnkInit} from '@blnkfinance/blnk-typescript';

export const url = process.env.FLORIN_URL ?? 'http://127.0.0.1:5001';
export const key = process.env.FLORIN_KEY ?? '';
export const quiet = {info: () => {}, error: () => {}, debug: () => {}};
export const blnk = BlnkInit(key, {baseUrl: url, logger: quiet});

export interface Reply<T> {
  status: number;
  message: string;
  data: T | null;
  error?: {code: string; message: string} | null;
}

export function ok<T>(reply: Reply<T>, status = 201): T {
  assert.equal(reply.status, status, `${reply.status} ${reply.message} ${JSON.stringify(reply.data)}`);
  assert.ok(reply.data);
  return reply.data;
}

export function refused<T>(reply: Reply<T>, status: number, ...codes: string[]): void {
  assert.equal(reply.status, status, `${reply.status} ${reply.message} ${JSON.stringify(reply.data)}`);
  assert.ok(reply.error && codes.includes(reply.error.code), `${reply.error?.code}, wanted ${codes.join(' or ')}`);
}

/** Reads until there is an answer; what is queued has its outcome a moment later. */
export async function eventually<T>(read: () => Promise<Reply<T>>): Promise<T> {
  for (const deadline = Date.now() + 10_000; ; ) {
    const reply = await read();
    if (reply.status === 200 || Date.now() > deadline) return ok(reply, 200);
    await new Promise(resolve => setTimeout(resolve, 50));
  }
}
