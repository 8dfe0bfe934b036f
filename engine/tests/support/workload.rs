//! Seeded work, and carrying it out on an engine.
#![allow(dead_code, missing_docs, reason = "each test uses a part of it, and only tests do")]

use super::harness::{Post, look, record, refund_command, settle_command};
use super::model::{Expected, Model, Order, Step};
use engine::answer::{Answer, Unavailable};
use engine::engine::Engine;
use engine::reading::reference_of;
use ledger::command::{Action, Allocation, Batch, Command, CreateBalance, CreateLedger};
use ledger::id::Prefix;
use ledger::row::{Parent, Row};
use ledger::state::State;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, channel};

/// Where the clock of a workload begins.
pub const START: i64 = 1_790_000_000_000_000;

/// A sequence that a seed decides: splitmix64.
pub struct Random(pub u64);

impl Random {
    pub fn number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, limit: u64) -> u64 {
        self.number() % limit
    }

    pub fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }
}

const ACCOUNTS: [&str; 3] = ["A", "B", "C"];

/// Steps in bursts: those of one burst are submitted before any answer is waited for.
pub fn plan(seed: u64, bursts: usize) -> Vec<Vec<Step>> {
    let mut random = Random(seed);
    let mut model = Model::default();
    let mut now = START;
    let mut made = 0;
    let mut plan: Vec<Vec<Step>> = vec![vec![Step::Ledger]];
    plan.extend(ACCOUNTS.iter().map(|name| vec![Step::Account((*name).to_owned())]));
    plan.push(
        ACCOUNTS.iter().map(|name| record_step(vec![order("@World", name, 500, format!("fund-{name}"))])).collect(),
    );
    for step in plan.iter().flatten() {
        model.take(step);
    }
    while plan.len() < bursts {
        let mut burst = Vec::new();
        for _ in 0..=random.below(4) {
            let step = step(&mut random, &model, now, &mut made);
            model.take(&step);
            burst.push(step);
        }
        plan.push(burst);
        if random.one_in(5) {
            now += 10;
            model.take(&Step::Advance(now));
            plan.push(vec![Step::Advance(now)]);
        }
    }
    plan
}

fn order(source: &str, destination: &str, amount: i128, reference: String) -> Order {
    Order {
        source: source.to_owned(),
        destination: destination.to_owned(),
        amount,
        reference,
        inflight: false,
        scheduled_at: None,
        expires_at: None,
        padding: 4,
    }
}

fn record_step(orders: Vec<Order>) -> Step {
    Step::Record { batch: Batch::Single, queued: false, orders }
}

fn step(random: &mut Random, model: &Model, now: i64, made: &mut u64) -> Step {
    let holds: Vec<u64> = model.holds.keys().copied().collect();
    match random.below(10) {
        0 | 1 if !holds.is_empty() => {
            let action = if random.one_in(3) { Action::Void } else { Action::Commit };
            let amount = (!random.one_in(3)).then(|| 1 + i128::from(random.below(60)));
            Step::Settle { hold: holds[random.below(holds.len() as u64) as usize], action, amount }
        }
        2 => {
            *made += 1;
            Step::Refund { row: random.below(model.rows.len() as u64 + 2), reference: format!("refund-{made}") }
        }
        kind => {
            let count = if kind < 7 { 1 } else { 2 + random.below(4) };
            let queued = random.one_in(3);
            let orders = (0..count).map(|_| any_order(random, model, now, made, queued)).collect();
            let batch = match (count, random.one_in(2)) {
                (1, _) => Batch::Single,
                (_, true) => Batch::Atomic,
                _ => Batch::Independent,
            };
            Step::Record { batch, queued, orders }
        }
    }
}

fn any_order(random: &mut Random, model: &Model, now: i64, made: &mut u64, queued: bool) -> Order {
    *made += 1;
    let mut party = |besides: &str| loop {
        let name = match random.below(6) {
            0 => "@World".to_owned(),
            1 => format!("@Fee{}", random.below(12)),
            _ => ACCOUNTS[random.below(3) as usize].to_owned(),
        };
        if name != besides {
            return name;
        }
    };
    let source = party("");
    let destination = party(&source);
    let mut reference = format!("r{made}");
    if !queued && random.one_in(6) {
        let used: Vec<&String> = model.references.iter().collect();
        reference = used[random.below(used.len() as u64) as usize].clone();
    }
    let accounts_only = !source.starts_with('@') && !destination.starts_with('@');
    let mut one = order(&source, &destination, 1 + i128::from(random.below(120)), reference);
    one.inflight = random.one_in(3);
    one.scheduled_at = (queued && accounts_only && random.one_in(3)).then(|| now + 1 + random.below(30) as i64);
    one.expires_at = (one.inflight && random.one_in(3)).then(|| now + 1 + random.below(40) as i64);
    if random.one_in(12) {
        one.padding = 1_000 + random.below(12_000) as usize;
    }
    one
}

/// What carrying out a plan has shown.
pub struct Trace {
    /// The books after each event, from none on; also after those whose answer never came.
    pub books: Vec<Model>,
    /// How many events were answered: these must be there.
    pub answered: usize,
    /// Whether the engine stopped.
    pub stopped: bool,
}

/// Carries out a plan, comparing every answer with the model, until it is done or the engine has stopped.
pub fn carry_out(engine: &Engine, clock: &Arc<AtomicI64>, plan: &[Vec<Step>]) -> Trace {
    let mut model = Model::default();
    let mut trace = Trace { books: vec![model.clone()], answered: 0, stopped: false };
    let mut ids = BTreeMap::new();
    for burst in plan {
        if let [Step::Advance(to)] = burst[..] {
            trace.books.extend(model.take(&burst[0]).1);
            clock.store(to, Ordering::Relaxed);
            if wait_for_timers(engine, to) {
                trace.answered = trace.books.len() - 1;
                continue;
            }
            trace.stopped = true;
            return trace;
        }
        let mut waiting = Vec::new();
        for step in burst {
            let (expected, after) = model.take(step);
            trace.books.extend(after);
            waiting.push((submit_step(engine, step, &ids), expected, trace.books.len() - 1, step));
        }
        for (receiver, expected, events, step) in waiting {
            match receiver.recv().expect("every command is answered") {
                Answer::Unavailable(Unavailable::Stopped(_)) => trace.stopped = true,
                answer => {
                    assert!(!trace.stopped, "nothing is carried out after the engine has stopped: {answer:?}");
                    assert_eq!(told(&answer), expected, "{step:?} {answer:?}");
                    trace.answered = events;
                    if let (Step::Account(name), Answer::Made { handle, .. }) = (step, answer)
                        && let Some(id) = look(engine, move |view| view.state.balance_id(handle))
                    {
                        ids.insert(name.clone(), id.text(Prefix::Balance));
                    }
                }
            }
        }
        if trace.stopped {
            return trace;
        }
    }
    trace
}

fn told(answer: &Answer) -> Expected {
    match answer {
        Answer::Made { .. } => Expected::Made,
        Answer::Recorded(recorded) => {
            assert_eq!(recorded.known, []);
            Expected::Recorded { rows: recorded.rows_count, whole: recorded.refused.is_empty() }
        }
        Answer::Refused(_) => Expected::Refused,
        other => panic!("no such answer is expected: {other:?}"),
    }
}

/// Waits until nothing is due any more. False when the engine has stopped.
fn wait_for_timers(engine: &Engine, now: i64) -> bool {
    loop {
        match look(engine, move |view| view.state.timers.first().is_none_or(|(at, _, _)| at > now)) {
            Some(true) => return engine.health().stopped().is_none(),
            Some(false) => std::thread::yield_now(),
            None => return false,
        }
    }
}

fn submit_step(engine: &Engine, step: &Step, ids: &BTreeMap<String, String>) -> Receiver<Answer> {
    let name_of = |name: &String| ids.get(name).unwrap_or(name).clone();
    let command = match step {
        Step::Ledger => Command::CreateLedger(CreateLedger { name: "books".into(), metadata: String::new() }),
        Step::Account(_) => Command::CreateBalance(CreateBalance {
            ledger: "general_ledger_id".into(),
            currency: "USD".into(),
            identity: String::new(),
            indicator: String::new(),
            metadata: "{\"a\":1}".into(),
            track_fund_lineage: false,
            allocation: Allocation::Fifo,
        }),
        Step::Record { batch, queued, orders } => {
            let posts: Vec<Post> = orders.iter().map(|order| post_of(order, &name_of)).collect();
            record(engine, *batch, *queued, &posts)
        }
        Step::Settle { hold, action, amount } => settle_command(*hold, *action, *amount),
        Step::Refund { row, reference } => refund_command(engine, *row, reference),
        Step::Advance(_) => unreachable!("a clock is not submitted"),
    };
    let (sender, receiver) = channel();
    engine.submit(command, 10, Box::new(move |answer| drop(sender.send(answer))));
    receiver
}

fn post_of(order: &Order, name_of: &impl Fn(&String) -> String) -> Post {
    Post {
        source: name_of(&order.source),
        destination: name_of(&order.destination),
        amount: order.amount,
        reference: order.reference.clone(),
        overdraft: order.source.starts_with('@'),
        inflight: order.inflight,
        scheduled_at: order.scheduled_at,
        expires_at: order.expires_at,
        padding: order.padding,
    }
}

/// How many records the journal of an engine has.
pub fn records_count(engine: &Engine) -> usize {
    let mut scan = engine.books().journal().scan_all();
    let mut count = 0;
    while scan.next().expect("the journal is whole").is_some() {
        count += 1;
    }
    count
}

/// Holds an engine against the model: figures, holds, timers, and every row with its reference.
pub fn compare(engine: &Engine, model: &Model) {
    let state = look(engine, |view| view.state.clone()).expect("the engine answers");
    compare_state(&state, model);
    let name = |handle: u32| model.names.get(handle as usize).cloned();
    assert_eq!(engine.books().rows.len(), model.rows.len() as u64, "rows");
    for (number, wanted) in model.rows.iter().enumerate() {
        let row = engine.books().row(number as u64).expect("rows are readable").expect("the row is there");
        let parent = if let Parent::Row(parent) = row.parent { Some(parent) } else { None };
        assert_eq!((row.status, row.amount, parent), (wanted.status, wanted.amount, wanted.parent), "row {number}");
        for (handle, party) in [(row.source, &wanted.source), (row.destination, &wanted.destination)] {
            let named = name(handle).or_else(|| row_text(engine, &row, party));
            assert_eq!(named.as_ref(), Some(party), "row {number}");
        }
        if let Some(reference) = &wanted.reference {
            let event = engine.books().recorded(&row).expect("records are readable");
            assert_eq!(&reference_of(&event, &row), reference, "row {number}");
        }
    }
}

/// The name of a party that was never opened, from the record.
fn row_text(engine: &Engine, row: &Row, wanted: &str) -> Option<String> {
    let event = engine.books().recorded(row).expect("records are readable");
    let movement = &event.movements[row.movement as usize];
    let texts = [movement.source_text, movement.destination_text];
    texts.iter().map(|text| text.of(&event.text).to_owned()).find(|text| text == wanted)
}

fn compare_state(state: &State, model: &Model) {
    assert_eq!(state.ledgers.len() as u64, model.ledgers + 1);
    assert_eq!(state.balances.len(), model.names.len());
    for (handle, name) in model.names.iter().enumerate() {
        let (figures, wanted) = (state.balance(handle as u32).figures, &model.accounts[name]);
        let found = (figures.posted.credit, figures.posted.debit, figures.held.credit, figures.held.debit);
        assert_eq!(found, (wanted.credit, wanted.debit, wanted.held_credit, wanted.held_debit), "{name}");
    }
    let holds: BTreeMap<u64, i128> = state.holds.iter().map(|(row, hold)| (*row, hold.remaining)).collect();
    assert_eq!(holds, model.holds.iter().map(|(row, hold)| (*row, hold.remaining)).collect(), "holds");
    let mut timers: Vec<(i64, u64)> = model.scheduled.keys().copied().collect();
    timers.extend(model.holds.iter().filter_map(|(row, hold)| Some((hold.expires_at?, *row))));
    timers.sort_unstable();
    assert_eq!(state.timers.iter().map(|(at, row, _)| (at, row)).collect::<Vec<_>>(), timers, "timers");
}
