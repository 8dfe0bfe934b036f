//! What a run needs before it starts: a ledger, balances, and money on them.

use std::time::Instant;

use serde::{Deserialize, Serialize};

use super::BenchFault;
use super::body::{self, Pool};
use super::exchange::{Ending, Exchange, Loss, Step, Workload};
use super::plan::Plan;
use super::reply::Reply;

/// Minor units that each balance starts with: enough for a billion payments of the largest amount in one direction.
pub(super) const FUNDING_MINOR: u64 = 1_000_000_000_000;
const FUNDING_AMOUNT: &str = "10000000000.00";
const FUNDING_BATCH: usize = 1000;

/// What was prepared and how long it took.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Setup {
    pub ledger_id: String,
    pub balances: usize,
    pub balances_milliseconds: u64,
    /// Balances that were given money; 0 with `--overdraft`.
    pub funded: usize,
    pub funding_milliseconds: u64,
    /// The balance that a hot share hits.
    pub hot_balance_id: String,
}

/// Requests that all must succeed; their replies are handed to `take` with the request's number.
pub(super) struct Sequence<'a> {
    requests: usize,
    issued: usize,
    /// Number of the request under way on each slot.
    under_way: Vec<usize>,
    write: &'a mut dyn FnMut(usize, &mut Vec<u8>),
    take: &'a mut dyn FnMut(usize, &Reply<'_>) -> Result<(), String>,
    failure: Option<String>,
}

/// Runs `requests` requests over all connections and stops at the first failure.
pub(super) fn sequence(
    exchange: &mut Exchange,
    step: &'static str,
    requests: usize,
    write: &mut dyn FnMut(usize, &mut Vec<u8>),
    take: &mut dyn FnMut(usize, &Reply<'_>) -> Result<(), String>,
) -> Result<(), BenchFault> {
    let mut work = Sequence { requests, issued: 0, under_way: Vec::new(), write, take, failure: None };
    let ending = exchange.run(&mut work)?;
    match (work.failure, ending) {
        (Some(answer), _) => Err(BenchFault::Refused { step, answer }),
        (None, Ending::ServerGone) => Err(BenchFault::Refused { step, answer: "the server is gone".to_owned() }),
        (None, Ending::Finished) => Ok(()),
    }
}

impl Workload for Sequence<'_> {
    fn next(&mut self, slot: usize, _now: Instant, request: &mut Vec<u8>) -> Step {
        if self.failure.is_some() || self.issued == self.requests {
            return Step::Done;
        }
        if self.under_way.len() <= slot {
            self.under_way.resize(slot + 1, 0);
        }
        self.under_way[slot] = self.issued;
        (self.write)(self.issued, request);
        self.issued += 1;
        Step::Send
    }

    fn answered(&mut self, slot: usize, _now: Instant, reply: &Reply<'_>) {
        if let Err(reason) = (self.take)(self.under_way[slot], reply) {
            self.failure.get_or_insert(reason);
        }
    }

    fn lost(&mut self, _slot: usize, _now: Instant, loss: Loss) {
        self.failure.get_or_insert(loss.text().to_owned());
    }

    fn tick(&mut self, _now: Instant) {}
}

/// Sends one request and returns status and body of its reply, whatever they are.
pub(super) fn ask(exchange: &mut Exchange, step: &'static str, request: &[u8]) -> Result<(u16, Vec<u8>), BenchFault> {
    let mut answer = (0, Vec::new());
    sequence(exchange, step, 1, &mut |_, buffer| buffer.extend_from_slice(request), &mut |_, reply| {
        answer = (reply.status, reply.body.to_vec());
        Ok(())
    })?;
    Ok(answer)
}

#[derive(Deserialize)]
struct LedgerMade {
    ledger_id: String,
}

#[derive(Deserialize)]
struct BalanceMade {
    balance_id: String,
}

/// Creates what the run posts on.
pub(super) fn prepare(plan: &Plan, exchange: &mut Exchange) -> Result<(Setup, Pool), BenchFault> {
    let (ledger_id, identifiers, balances_milliseconds) = create(plan, exchange)?;
    let pool = Pool::new(&identifiers).ok_or_else(|| BenchFault::Refused {
        step: "creating balances",
        answer: "the identifiers have characters that need escapes".to_owned(),
    })?;
    eprintln!("{} balances created in {balances_milliseconds} ms", plan.balances);
    let mut setup = Setup {
        ledger_id,
        balances: plan.balances,
        balances_milliseconds,
        funded: 0,
        funding_milliseconds: 0,
        hot_balance_id: pool.identifier(0).to_owned(),
    };
    if !plan.overdraft {
        setup.funding_milliseconds = fund(plan, &pool)?;
        setup.funded = plan.balances;
        eprintln!("{} balances funded in {} ms", setup.funded, setup.funding_milliseconds);
    }
    Ok((setup, pool))
}

fn create(plan: &Plan, exchange: &mut Exchange) -> Result<(String, Vec<String>, u64), BenchFault> {
    let body = format!("{{\"name\":\"florin bench {:016x}\"}}", plan.run_id);
    let request = body::request(&plan.target, "POST", "/ledgers", &body);
    let (status, answer) = ask(exchange, "creating a ledger", &request)?;
    let ledger: LedgerMade =
        serde_json::from_slice(&answer).ok().filter(|_| status == 201).ok_or_else(|| BenchFault::Refused {
            step: "creating a ledger",
            answer: Reply { status, body: answer.as_slice().into(), reusable: true }.excerpt(),
        })?;

    let started = Instant::now();
    let body = format!("{{\"ledger_id\":\"{}\",\"currency\":\"{}\"}}", ledger.ledger_id, plan.currency);
    let request = body::request(&plan.target, "POST", "/balances", &body);
    let mut identifiers = Vec::with_capacity(plan.balances);
    let mut write = |_: usize, buffer: &mut Vec<u8>| {
        if buffer.is_empty() {
            buffer.extend_from_slice(&request);
        }
    };
    sequence(exchange, "creating balances", plan.balances, &mut write, &mut |_, reply| {
        let made: Option<BalanceMade> = serde_json::from_slice(&reply.body).ok().filter(|_| reply.succeeded());
        identifiers.push(made.ok_or_else(|| reply.excerpt())?.balance_id);
        Ok(())
    })?;
    Ok((ledger.ledger_id, identifiers, started.elapsed().as_millis() as u64))
}

/// Gives every balance money from `@World`. One batch at a time: servers that lock balances would make parallel ones wait
/// for the lock on `@World` and refuse some.
fn fund(plan: &Plan, pool: &Pool) -> Result<u64, BenchFault> {
    let started = Instant::now();
    let mut exchange = Exchange::open(plan.target.address, 1, plan.timeout)?;
    let batches = pool.len().div_ceil(FUNDING_BATCH);
    let mut write = |batch: usize, buffer: &mut Vec<u8>| {
        let first = batch * FUNDING_BATCH;
        let last = pool.len().min(first + FUNDING_BATCH);
        let mut body = String::from("{\"skip_queue\":true,\"atomic\":true,\"transactions\":[");
        for index in first..last {
            let separator = if index == first { "" } else { "," };
            body.push_str(&format!(
                "{separator}{{\"reference\":\"{:016x}-fund-{index}\",\"amount\":{FUNDING_AMOUNT},\"precision\":100,\
                 \"currency\":\"{}\",\"description\":\"florin bench\",\"source\":\"@World\",\"destination\":\"{}\",\
                 \"allow_overdraft\":true,\"skip_queue\":true}}",
                plan.run_id,
                plan.currency,
                pool.identifier(index),
            ));
        }
        body.push_str("]}");
        buffer.clear();
        buffer.extend_from_slice(&body::request(&plan.target, "POST", "/transactions/bulk", &body));
    };
    sequence(&mut exchange, "funding balances", batches, &mut write, &mut |_, reply| match reply.succeeded() {
        true => Ok(()),
        false => Err(reply.excerpt()),
    })?;
    Ok(started.elapsed().as_millis() as u64)
}
