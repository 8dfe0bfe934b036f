//! Sums over many balances are those of the balances, one by one: now, at every moment that something happened, by every way,
//! and month by month; with business dates that go back and forth, holds, refusals, and money that comes back.

mod support {
    pub mod harness;
}

use engine::aggregate::each::{each_at, each_at_by};
use engine::aggregate::{Ask, By, Key, Snapshot, Sums, Way, aggregate, aggregate_by};
use engine::answer::Answer;
use engine::clock::Clock;
use engine::engine::{Engine, Options};
use engine::reading::Books;
use journal::disk::MemoryDisk;
use ledger::command::{Action, Allocation, Batch, Command, CreateBalance, CreateIdentity, CreateLedger, Record, Terms};
use ledger::id::{Id, Prefix};
use ledger::row::Status;
use ledger::state::{Balance, State};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use support::harness::{Post, Scratch, look, options, post, record, settle_command, submit};

const DAY: i64 = 86_400_000_000;
const START: i64 = 1_790_000_000_000_000;

struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

struct Books3 {
    engine: Engine,
    clock: Arc<AtomicI64>,
    balances: Vec<(Id, &'static str)>,
    _folder: Scratch,
}

fn made(answer: &Answer) -> u32 {
    match answer {
        Answer::Made { handle, .. } => *handle,
        other => panic!("wanted something that was made, got {other:?}"),
    }
}

/// Some ledgers, owners, currencies and balances, not all made at one time.
fn books(random: &mut Random) -> Books3 {
    let (folder, clock) = (Scratch::new(), Arc::new(AtomicI64::new(START)));
    let options = Options { clock: Clock::Moved(Arc::clone(&clock)), ..options(&folder) };
    let engine = Engine::open(Arc::new(MemoryDisk::new()), options).expect("it opens");
    let mut books = Books3 { engine, clock, balances: Vec::new(), _folder: folder };
    for name in ["one", "two"] {
        made(&submit(
            &books.engine,
            Command::CreateLedger(CreateLedger { name: name.into(), metadata: String::new() }),
        ));
        let (id, detail) = (format!("idt_{name}"), ledger::identity::Detail::Plain("{}".into()));
        made(&submit(&books.engine, Command::CreateIdentity(CreateIdentity { id, detail })));
    }
    for _ in 0..6 {
        add_balance(&mut books, random);
    }
    books
}

fn add_balance(books: &mut Books3, random: &mut Random) {
    let ledger = look(&books.engine, |view| (0..3).map(|handle| view.state.ledger_text(handle)).collect::<Vec<_>>());
    let currency = ["USD", "EUR"][random.below(2) as usize];
    let command = CreateBalance {
        ledger: ledger.expect("the engine answers")[random.below(3) as usize].clone(),
        currency: currency.into(),
        identity: ["", "idt_one", "idt_two"][random.below(3) as usize].into(),
        indicator: String::new(),
        metadata: String::new(),
        track_fund_lineage: false,
        allocation: Allocation::Fifo,
        alias: String::new(),
        lineage_label: String::new(),
    };
    let handle = made(&submit(&books.engine, Command::CreateBalance(command)));
    let id = look(&books.engine, move |view| view.state.balance_id(handle)).expect("the engine answers");
    books.balances.push((id, currency));
}

/// A payment, sometimes held, queued, or with a business date of its own.
fn step(books: &mut Books3, random: &mut Random, number: u64) {
    books.clock.fetch_add(random.below(3) as i64 * 6 * DAY, Ordering::SeqCst);
    if random.below(12) == 0 {
        add_balance(books, random);
    }
    let (first, currency) = books.balances[random.below(books.balances.len() as u64) as usize];
    let others: Vec<_> = books.balances.iter().filter(|(id, of)| *of == currency && *id != first).collect();
    let other = match others.len() {
        0 => "@World".to_owned(),
        _ if random.below(3) == 0 => "@World".to_owned(),
        count => others[random.below(count as u64) as usize].0.text(Prefix::Balance),
    };
    let first = first.text(Prefix::Balance);
    let (source, destination) = if random.below(2) == 0 { (&first, &other) } else { (&other, &first) };
    let amount = 1 + i128::from(random.below(10_000));
    let inflight = random.below(5) == 0;
    let one = Post { inflight, ..post(source, destination, amount, &format!("r{number}")) };
    let Command::Record(mut command) = record(&books.engine, Batch::Single, random.below(3) == 0, &[one]) else {
        unreachable!("it records")
    };
    let effective =
        (random.below(8) == 0).then(|| books.clock.load(Ordering::SeqCst) + (random.below(200) as i64 - 100) * DAY / 2);
    change(&mut command, currency, effective);
    let answer = submit(&books.engine, Command::Record(command));
    if let (Answer::Recorded(recorded), true) = (&answer, inflight) {
        let hold = recorded.rows.iter().find(|row| row.status == Status::Inflight);
        if let (Some(row), true) = (hold, random.below(3) > 0) {
            let action = if random.below(3) == 0 { Action::Void } else { Action::Commit };
            let part = (action == Action::Commit && random.below(2) == 0).then(|| 1 + amount / 2);
            books.clock.fetch_add(random.below(9) as i64 * DAY, Ordering::SeqCst);
            submit(&books.engine, settle_command(row.number, action, part));
        }
    }
}

fn change(command: &mut Record, currency: &str, effective_at: Option<i64>) {
    let span = ledger::text::push(&mut command.text, currency);
    for ask in &mut command.asks {
        ask.currency = span;
        ask.allow_overdraft = true;
        ask.terms = Terms { effective_at, ..Terms::NONE }.boxed();
    }
}

/// The sums that a group would have, by one balance after the other and one row after the other.
fn naive(books: &Books, state: &State, ask: Ask) -> BTreeMap<Key, Sums> {
    let mut groups = BTreeMap::<Key, Sums>::new();
    for (handle, balance) in (0u32..).zip(state.balances.iter()) {
        let wanted = ask.ledger.is_none_or(|one| one == balance.ledger)
            && ask.currency.is_none_or(|one| one == balance.currency)
            && ask.identity.is_none_or(|one| Some(one) == balance.identity);
        if !wanted {
            continue;
        }
        let key = Key {
            ledger: ask.by.ledger.then_some(balance.ledger),
            currency: balance.currency,
            identity: balance.identity.filter(|_| ask.by.identity),
            month: None,
        };
        match (ask.by.month, ask.at) {
            (false, None) => {
                let sums = groups.entry(key).or_default();
                sums.balances += 1;
                add(sums, balance.figures.posted.credit, balance.figures.posted.debit);
                sums.held_credit.add(balance.figures.held.credit);
                sums.held_debit.add(balance.figures.held.debit);
            }
            (by_month, at) => {
                let sums = groups.entry(key).or_default();
                sums.balances += u64::from(!by_month && balance.created_at <= at.unwrap_or(i64::MAX));
                for (month, credit, debit) in moved(books, handle, balance, at.unwrap_or(i64::MAX)) {
                    let month = by_month.then_some(month);
                    add(groups.entry(Key { month, ..key }).or_default(), credit, debit);
                }
            }
        }
    }
    groups.retain(|_, sums| *sums != Sums::default());
    groups
}

fn add(sums: &mut Sums, credit: i128, debit: i128) {
    sums.credit.add(credit);
    sums.debit.add(debit);
}

/// What was posted to a balance by a moment: month, credit, debit.
fn moved(books: &Books, handle: u32, _: &Balance, at: i64) -> Vec<(i32, i128, i128)> {
    let mut all = Vec::new();
    for number in 0..books.rows.len() {
        let row = books.row(number).expect("rows are readable").expect("it is there");
        if row.status == Status::Applied && row.effective_at <= at {
            let text = engine::inspect::line::time(row.effective_at);
            let (year, month): (i32, i32) = (text[..4].parse().expect("a year"), text[5..7].parse().expect("a month"));
            let month = year * 12 + month - 1;
            if row.source == handle {
                all.push((month, 0, row.amount));
            }
            if row.destination == handle {
                all.push((month, row.amount, 0));
            }
        }
    }
    all
}

fn asks() -> Vec<Ask> {
    let mut asks = Vec::new();
    for bits in 0..8u8 {
        let by = By { ledger: bits & 1 > 0, identity: bits & 2 > 0, month: bits & 4 > 0 };
        for only in 0..4 {
            asks.push(Ask {
                by,
                ledger: (only == 1).then_some(1),
                currency: (only == 2).then_some(0),
                identity: (only >= 2).then(|| only - 2),
                at: None,
            });
        }
    }
    asks
}

#[test]
fn sums_are_those_of_the_balances() {
    let stop = AtomicBool::new(false);
    for seed in 0..4 {
        let mut random = Random(seed);
        let mut books = books(&mut random);
        for number in 0..120 {
            step(&mut books, &mut random, number);
        }
        let read = books.engine.books();
        let (state, snapshot) =
            look(&books.engine, |view| (view.state.clone(), Snapshot::of(view.state))).expect("the engine answers");
        assert!(state.balances.iter().any(|balance| balance.dated) && state.balances.iter().any(|one| !one.dated));
        let mut moments = vec![START - 500 * DAY, START - 1, START, i64::MAX];
        for _ in 0..6 {
            let row = read.row(random.below(read.rows.len())).expect("readable").expect("there");
            moments.extend([row.created_at, row.created_at - 1, row.effective_at]);
        }
        for ask in asks() {
            for at in [None].into_iter().chain(moments.iter().copied().map(Some)) {
                let ask = Ask { at, ..ask };
                let wanted = naive(read, &state, ask);
                let found = aggregate(read, &snapshot, ask, &stop).expect("it can be summed");
                assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), wanted, "seed {seed} {ask:?}");
                if ask.by.month || at.is_none() {
                    continue;
                }
                for way in [Way::Back, Way::Forth, Way::All, Way::Each] {
                    let found = aggregate_by(read, &snapshot, ask, way, &stop).expect("it can be summed");
                    assert_eq!(found.into_iter().collect::<BTreeMap<_, _>>(), wanted, "seed {seed} {way:?} {ask:?}");
                }
            }
        }
    }
}

/// The months of a balance add up to what it is, and per currency everything adds up to nothing.
#[test]
fn months_add_up_to_now_and_currencies_to_nothing() {
    let stop = AtomicBool::new(false);
    let mut random = Random(77);
    let mut books = books(&mut random);
    for number in 0..200 {
        step(&mut books, &mut random, number);
    }
    let snapshot = look(&books.engine, |view| Snapshot::of(view.state)).expect("the engine answers");
    let by = By { ledger: true, identity: true, month: false };
    let ask = Ask { by, ledger: None, currency: None, identity: None, at: None };
    let sum = |ask| aggregate(books.engine.books(), &snapshot, ask, &stop).expect("it can be summed");
    let mut months = BTreeMap::<Key, Sums>::new();
    for (key, sums) in sum(Ask { by: By { month: true, ..by }, ..ask }) {
        let all = months.entry(Key { month: None, ..key }).or_default();
        all.credit.add_wide(sums.credit);
        all.debit.add_wide(sums.debit);
    }
    for (key, sums) in sum(ask) {
        let told = months.get(&key).copied().unwrap_or_default();
        assert_eq!((told.credit, told.debit), (sums.credit, sums.debit), "{key:?}");
    }
    for at in [None, Some(START + 20 * DAY), Some(START - DAY)] {
        for (_, sums) in sum(Ask { by: By::default(), at, ..ask }) {
            assert_eq!(sums.credit, sums.debit);
            assert_eq!(sums.held_credit, sums.held_debit);
        }
    }
}

/// Each balance at each moment is what its rows add up to, by every way.
#[test]
fn balances_one_by_one_are_what_their_rows_add_up_to() {
    let stop = AtomicBool::new(false);
    for seed in 10..13 {
        let mut random = Random(seed);
        let mut books = books(&mut random);
        for number in 0..120 {
            step(&mut books, &mut random, number);
        }
        let read = books.engine.books();
        let (state, snapshot) =
            look(&books.engine, |view| (view.state.clone(), Snapshot::of(view.state))).expect("the engine answers");
        let mut moments = vec![START - 500 * DAY, START - 1, START, i64::MAX];
        for _ in 0..6 {
            let row = read.row(random.below(read.rows.len())).expect("readable").expect("there");
            moments.extend([row.created_at, row.created_at - 1, row.effective_at]);
        }
        let is = |handle: u32, _: &Balance| handle % 5 != 1;
        for at in moments {
            let mut wanted = BTreeMap::new();
            for (handle, balance) in (0u32..).zip(state.balances.iter()).filter(|(handle, one)| is(*handle, one)) {
                let moved = moved(read, handle, balance, at);
                let amount: i128 = moved.iter().map(|(_, credit, debit)| credit - debit).sum();
                if balance.created_at <= at || amount != 0 {
                    wanted.insert(handle, amount);
                }
            }
            let mut found = BTreeMap::new();
            let visit = |handle: u32, _: &Balance, amount: i128| {
                found.insert(handle, amount);
            };
            each_at(read, &snapshot, at, is, visit, &stop).expect("it can be summed");
            assert_eq!(found, wanted, "seed {seed} at {at}");
            for way in [Way::Back, Way::Forth, Way::All, Way::Each] {
                let mut found = BTreeMap::new();
                let visit = |handle: u32, _: &Balance, amount: i128| {
                    found.insert(handle, amount);
                };
                each_at_by(read, &snapshot, (at, way), is, visit, &stop).expect("it can be summed");
                assert_eq!(found, wanted, "seed {seed} {way:?} at {at}");
            }
        }
    }
}

#[test]
fn what_is_not_wanted_any_more_ends() {
    let mut random = Random(5);
    let mut books = books(&mut random);
    step(&mut books, &mut random, 0);
    let snapshot = look(&books.engine, |view| Snapshot::of(view.state)).expect("the engine answers");
    let stop = AtomicBool::new(true);
    for at in [None, Some(START)] {
        let ask = Ask { by: By::default(), ledger: None, currency: None, identity: None, at };
        let ended = aggregate(books.engine.books(), &snapshot, ask, &stop);
        assert!(matches!(ended, Err(engine::aggregate::AggregateFault::Stopped)), "{ended:?}");
    }
}
