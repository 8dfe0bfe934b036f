//! Seeded work, and carrying it out on an engine.
#![allow(dead_code, missing_docs, reason = "each test uses a part of it, and only tests do")]

use super::harness::{Post, cancel_command, change_command, look, record_all, refund_part, settle_as_far};
use super::model::{Expected, Model, Order, Rules, Step};
use engine::answer::{Answer, Trial, Unavailable, Untried};
use engine::engine::Engine;
use engine::reading::reference_of;
use engine::writer::KeyAsk;
use ledger::command::{
    Action, Allocation, Batch, Command, CreateBalance, CreateLedger, RegisterCurrency, Reschedule, SetPolicy, Wanted,
};
use ledger::decide::Decision;
use ledger::event::{Event, Outcome};
use ledger::id::{Id, Prefix};
use ledger::policy::{Floor, Policy, Velocity, Window};
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
const SECOND: i64 = 1_000_000;

/// Steps in bursts: those of one burst are submitted before any answer is waited for.
pub fn plan(seed: u64, bursts: usize) -> Vec<Vec<Step>> {
    let mut planner = Planner { random: Random(seed), model: Model::default(), now: START, made: 0, keyed: Vec::new() };
    let mut plan: Vec<Vec<Step>> = vec![vec![Step::Advance(START)], vec![Step::Ledger]];
    plan.extend(ACCOUNTS.iter().map(|name| vec![Step::Account((*name).to_owned())]));
    plan.push(
        ACCOUNTS.iter().map(|name| record_step(vec![order("@World", name, 500, format!("fund-{name}"))])).collect(),
    );
    for step in plan.iter().flatten() {
        planner.model.take(step);
    }
    while plan.len() < bursts {
        let mut burst = Vec::new();
        for _ in 0..=planner.random.below(4) {
            let step = planner.step();
            planner.model.take(&step);
            burst.push(step);
        }
        plan.push(burst);
        if planner.random.one_in(5) {
            planner.now += if planner.random.one_in(6) { SECOND } else { 10 };
            let advance = Step::Advance(planner.now);
            planner.model.take(&advance);
            plan.push(vec![advance]);
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
    Step::Record { batch: Batch::Single, goes_on: false, queued: false, orders }
}

/// Makes one step after another.
struct Planner {
    random: Random,
    model: Model,
    now: i64,
    made: u64,
    /// Steps that were sent with a key.
    keyed: Vec<Step>,
}

impl Planner {
    fn step(&mut self) -> Step {
        let again = !self.keyed.is_empty() && self.random.one_in(10);
        if again {
            return self.send_again();
        }
        let step = self.any_step();
        let keeps_key = matches!(
            step,
            Step::Record { .. } | Step::Settle { .. } | Step::Change { .. } | Step::Refund { .. } | Step::Cancel(_)
        );
        if !keeps_key || !self.random.one_in(4) {
            return step;
        }
        let key = format!("key-{}", self.keyed.len());
        let step = Step::Keyed { key, request: self.random.number() as u8, step: Box::new(step) };
        self.keyed.push(step.clone());
        step
    }

    /// A step that was sent with a key: the same, or another with its key.
    fn send_again(&mut self) -> Step {
        let step = self.keyed[self.random.below(self.keyed.len() as u64) as usize].clone();
        let Step::Keyed { key, request, mut step } = step else { unreachable!("only such are kept") };
        // A date that has passed would come due between this step and the next, or behind both: nobody could say which.
        let ahead = |at: &i64| *at > self.now;
        match &mut *step {
            Step::Change { expires_at, .. } => *expires_at = expires_at.filter(ahead),
            Step::Record { orders, .. } => {
                for order in orders {
                    order.scheduled_at = order.scheduled_at.filter(ahead);
                    order.expires_at = order.expires_at.filter(ahead);
                }
            }
            _ => {}
        }
        let request = if self.random.one_in(3) { request.wrapping_add(1) } else { request };
        // What was refused may go through now, and could then be refused the first time: its references are used once.
        Step::Keyed { key, request, step }
    }

    fn hold(&mut self) -> Option<u64> {
        let holds: Vec<u64> = self.model.holds.keys().copied().collect();
        (!holds.is_empty()).then(|| holds[self.random.below(holds.len() as u64) as usize])
    }

    /// The first rows of some groups that wait; sometimes of one that does not.
    fn groups(&mut self) -> Vec<u64> {
        let waiting: Vec<u64> = self.model.scheduled.keys().map(|key| key.1).collect();
        let mut groups = Vec::new();
        for _ in 0..=self.random.below(2) {
            groups.push(waiting[self.random.below(waiting.len() as u64) as usize]);
        }
        groups.dedup();
        groups
    }

    fn any_step(&mut self) -> Step {
        match self.random.below(20) {
            0..4 if !self.model.holds.is_empty() => {
                let action = if self.random.one_in(3) { Action::Void } else { Action::Commit };
                let amount = (!self.random.one_in(3)).then(|| 1 + i128::from(self.random.below(60)));
                let over = action == Action::Commit && self.random.one_in(2);
                Step::Settle { hold: self.hold().expect("there are some"), action, amount, over }
            }
            4 | 5 if !self.model.holds.is_empty() => {
                let held = (!self.random.one_in(4)).then(|| 1 + i128::from(self.random.below(200)));
                let expires_at = self.random.one_in(2).then(|| self.now + 1 + self.random.below(40) as i64);
                Step::Change { hold: self.hold().expect("there are some"), held, expires_at }
            }
            6 | 7 => {
                self.made += 1;
                let row = self.random.below(self.model.rows.len() as u64 + 2);
                let amount = self.random.one_in(2).then(|| 1 + i128::from(self.random.below(60)));
                Step::Refund { row, amount, reference: format!("refund-{}", self.made) }
            }
            8 if !self.model.scheduled.is_empty() => Step::Cancel(self.groups()),
            9 if !self.model.scheduled.is_empty() => self.reschedule(),
            10 => self.setting(),
            kind => {
                let count = if kind < 15 { 1 } else { 2 + self.random.below(4) };
                let queued = self.random.one_in(3);
                let mut orders: Vec<Order> = (0..count)
                    .map(|_| any_order(&mut self.random, &self.model, self.now, &mut self.made, queued))
                    .collect();
                let batch = match (count, self.random.one_in(2)) {
                    (1, _) => Batch::Single,
                    (_, true) => Batch::Atomic,
                    _ => Batch::Independent,
                };
                if let (Some(at), true) = (orders[0].scheduled_at, self.random.one_in(2)) {
                    // Several are due at one moment.
                    orders
                        .iter_mut()
                        .filter(|one| one.scheduled_at.is_some())
                        .for_each(|one| one.scheduled_at = Some(at));
                }
                Step::Record { batch, goes_on: batch == Batch::Independent && self.random.one_in(2), queued, orders }
            }
        }
    }

    fn reschedule(&mut self) -> Step {
        let mut groups = self.groups();
        let by_itself = |group: &u64| {
            let group = self.model.scheduled.iter().find(|(key, _)| key.1 == *group);
            group.is_some_and(|(_, requests)| requests.len() == 1)
        };
        let mut amount = None;
        if by_itself(&groups[0]) && self.random.one_in(2) {
            groups.truncate(1);
            amount = Some(1 + i128::from(self.random.below(120)));
        }
        let due = amount.is_none() || self.random.one_in(2);
        let due_at = due.then(|| self.now + 1 + self.random.below(30) as i64);
        Step::Reschedule { groups, due_at, amount }
    }

    fn setting(&mut self) -> Step {
        if self.random.one_in(4) {
            let code = ["USD", "EUR", "XTS"][self.random.below(3) as usize].to_owned();
            // What is posted has a hundred minor units.
            let other = code != "USD" && self.random.one_in(3);
            return Step::Register { code, precision: if other { 1000 } else { 100 } };
        }
        let name = ACCOUNTS[self.random.below(3) as usize].to_owned();
        let rules = Rules {
            minimum: self.random.one_in(3).then(|| i128::from(self.random.below(200)) - 50),
            no_credits: self.random.one_in(8),
            debits: self
                .random
                .one_in(2)
                .then(|| (1 + self.random.below(2) as u32, 100 + i128::from(self.random.below(400)))),
        };
        Step::Policy(name, if self.random.one_in(3) { None } else { Some(rules) })
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
            let trial = try_step(engine, step, &ids);
            waiting.push((submit_step(engine, step, &ids), expected, trace.books.len() - 1, step, trial));
        }
        for (receiver, expected, events, step, trial) in waiting {
            match receiver.recv().expect("every command is answered") {
                Answer::Unavailable(Unavailable::Stopped(_)) => trace.stopped = true,
                answer => {
                    assert!(!trace.stopped, "nothing is carried out after the engine has stopped: {answer:?}");
                    assert_eq!(told(&answer), expected, "{step:?} {answer:?}");
                    if let (Some(trial), Step::Record { orders, .. }) = (trial, step) {
                        let trial = trial.recv().expect("a trial is answered").expect("it is told");
                        check_trial(&trial, &orders[0], &answer, &trace.books[events]);
                    }
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

/// Tries a step before it is sent: a single order that does not wait.
fn try_step(engine: &Engine, step: &Step, ids: &BTreeMap<String, String>) -> Option<Receiver<Tried>> {
    let Step::Record { batch: Batch::Single, orders, .. } = step else { return None };
    if orders[0].scheduled_at.is_some() {
        return None;
    }
    let (sender, receiver) = channel();
    engine.attempt(vec![command_of(engine, step, ids)], move |trials| {
        drop(sender.send(trials.map(|mut trials| trials.remove(0))));
    });
    Some(receiver)
}

/// What a trial answers.
type Tried = Result<Trial, Untried>;

fn told(answer: &Answer) -> Expected {
    match answer {
        Answer::Made { .. } => Expected::Made,
        Answer::Recorded(recorded) => {
            assert_eq!(recorded.known, []);
            let refused = recorded.refused.iter().map(|refused| refused.item).collect();
            Expected::Recorded { rows: recorded.rows_count, refused, replayed: recorded.replayed }
        }
        Answer::Rescheduled(groups) => Expected::Rescheduled(groups.clone()),
        Answer::Unchanged => Expected::Unchanged,
        Answer::KeyTaken => Expected::KeyTaken,
        Answer::Refused(_) => Expected::Refused,
        Answer::Outdated => panic!("these commands name what they are about by its row"),
        Answer::Unavailable(why) => panic!("the engine is there: {why}"),
    }
}

/// What was tried just before a single order was sent is what came of it, with the figures that it left.
fn check_trial(trial: &Trial, order: &Order, answer: &Answer, after: &Model) {
    match answer {
        Answer::Refused(refused) => match &trial.decided {
            Err(tried) => assert_eq!(tried.rejection, refused.rejection),
            Ok(Decision { event: Some(Event::Recorded(event)), .. }) => {
                assert_eq!(event.movements[0].outcome, Outcome::Rejected(refused.rejection));
            }
            other => panic!("a refusal is told: {other:?}"),
        },
        Answer::Recorded(recorded) => {
            let Ok(Decision { event: Some(Event::Recorded(tried)), .. }) = &trial.decided else {
                panic!("what goes through is told: {trial:?}")
            };
            let real = recorded.event.as_ref().expect("rows were asked for");
            assert_eq!(tried.movements[0].outcome, real.movements[0].outcome, "{order:?}");
            assert_eq!(tried.rows_count(), real.rows_count());
            let moved = !matches!(real.movements[0].outcome, Outcome::Rejected(_));
            for (name, seen) in
                [(&order.source, trial.steps[0].source), (&order.destination, trial.steps[0].destination)]
            {
                let account = after.accounts.get(name).cloned().unwrap_or_default();
                let figures = seen.after;
                let found = (figures.posted.credit, figures.posted.debit, figures.held.credit, figures.held.debit);
                assert_eq!(found, (account.credit, account.debit, account.held_credit, account.held_debit), "{name}");
                assert_eq!(seen.before != seen.after, moved);
            }
        }
        other => panic!("a single order is recorded or refused: {other:?}"),
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

/// Has a step carried out, with the key that it may have.
fn submit_step(engine: &Engine, step: &Step, ids: &BTreeMap<String, String>) -> Receiver<Answer> {
    let (step, key) = match step {
        Step::Keyed { key, request, step } => (&**step, Some(KeyAsk { name: key.clone(), request: [*request; 32] })),
        step => (step, None),
    };
    let (sender, receiver) = channel();
    let reply = Box::new(move |answer| drop(sender.send(answer)));
    engine.submit_once(command_of(engine, step, ids), key, 10, reply);
    receiver
}

fn command_of(engine: &Engine, step: &Step, ids: &BTreeMap<String, String>) -> Command {
    let name_of = |name: &String| ids.get(name).unwrap_or(name).clone();
    match step {
        Step::Ledger => Command::CreateLedger(CreateLedger { name: "books".into(), metadata: String::new() }),
        Step::Account(_) => Command::CreateBalance(CreateBalance {
            ledger: "general_ledger_id".into(),
            currency: "USD".into(),
            identity: String::new(),
            indicator: String::new(),
            metadata: "{\"a\":1}".into(),
            track_fund_lineage: false,
            allocation: Allocation::Fifo,
            alias: String::new(),
            lineage_label: String::new(),
        }),
        Step::Record { batch, goes_on, queued, orders } => {
            let posts: Vec<Post> = orders.iter().map(|order| post_of(order, &name_of)).collect();
            record_all(engine, *batch, *goes_on, *queued, &posts)
        }
        Step::Settle { hold, action, amount, over } => settle_as_far(*hold, *action, *amount, *over),
        Step::Change { hold, held, expires_at } => change_command(*hold, *held, *expires_at),
        Step::Refund { row, amount, reference } => refund_part(engine, *row, *amount, reference),
        Step::Cancel(groups) => cancel_command(groups),
        Step::Reschedule { groups, due_at, amount } => {
            Command::Reschedule(Reschedule { groups: groups.clone(), due_at: *due_at, amount: *amount })
        }
        Step::Policy(name, rules) => {
            let balance = Id::parse(Prefix::Balance, &name_of(name)).expect("policies are of accounts");
            let policy = rules.map(|rules| Wanted { policy: policy_of(&rules), counterparties: None });
            Command::SetPolicy(SetPolicy { balance, policy })
        }
        Step::Register { code, precision } => {
            let (code, precision, name) = (code.clone(), *precision, format!("currency {code}"));
            Command::RegisterCurrency(RegisterCurrency { code, precision, name })
        }
        Step::Keyed { .. } => unreachable!("the key is taken off"),
        Step::Advance(_) => unreachable!("a clock is not submitted"),
    }
}

fn policy_of(rules: &Rules) -> Policy {
    let velocity = |(seconds, most)| Velocity {
        debits: true,
        window: Window::Seconds(seconds),
        sum_max: Some(most),
        count_max: None,
    };
    Policy {
        floor: rules.minimum.map(Floor::Minimum),
        no_debits: false,
        no_credits: rules.no_credits,
        counterparties: None,
        velocities: rules.debits.map(velocity).into_iter().collect(),
    }
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
        provider: String::new(),
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
    let scheduled: BTreeMap<u64, i64> = state.scheduled.iter().map(|(row, at)| (*row, *at)).collect();
    assert_eq!(scheduled, model.scheduled.keys().map(|(at, row)| (*row, *at)).collect(), "what waits");
    let adjusted: BTreeMap<u64, i128> = state.adjusted.iter().map(|(row, amount)| (*row, *amount)).collect();
    assert_eq!(adjusted, model.adjusted, "amounts that were changed");
    let registered = state.currencies.all_registered();
    let registered = registered.map(|(number, one)| (state.currencies.text(number).to_owned(), one.precision));
    assert_eq!(registered.collect::<BTreeMap<_, _>>(), model.registered, "registered currencies");
    for (handle, name) in model.names.iter().enumerate() {
        let account = &model.accounts[name];
        let policed = state.policy(handle as u32);
        assert_eq!(policed.is_some(), account.rules.is_some(), "{name} has a policy");
        let (Some(policed), Some(rules)) = (policed, account.rules) else { continue };
        assert_eq!(*policed.policy, policy_of(&rules), "{name} has the policy that was set");
        if let (Some((seconds, _)), Some(spent)) = (rules.debits, policed.spent.first()) {
            let last = account.spent.last().map_or(0, |(at, _)| *at);
            assert_eq!(spent.sum, model.spent_in_window(account, seconds, last), "{name} has spent as much");
            assert_eq!(spent.since, last - last.rem_euclid(i64::from(seconds) * SECOND), "{name} in this window");
        }
    }
}
