//! What the tests of the engine share: an engine on a disk in memory, and commands in short.
#![allow(
    dead_code,
    missing_docs,
    clippy::new_without_default,
    reason = "each test uses a part of it, and only tests do"
)]

use engine::answer::{Answer, Recorded, Trial};
use engine::clock::Clock;
use engine::engine::{Engine, Options};
use engine::limits::Sizes;
use engine::verify::{self, Report};
use engine::writer::{KeyAsk, View};
use journal::disk::Disk;
use journal::open::Options as JournalOptions;
use ledger::command::{
    Action, Allocation, Ask, Batch, Cancel, ChangeHold, Command, CreateBalance, CreateLedger, HoldAsk, Mismatch,
    Original, Overdraft, Party, Record, Refund, Settle, Terms,
};
use ledger::id::{Id, Prefix};
use ledger::text;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

/// A folder of its own, removed when dropped.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Scratch {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let name = format!("florin-engine-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        Scratch(std::env::temp_dir().join(name))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}

pub fn options(folder: &Scratch) -> Options {
    Options {
        folder: folder.0.clone(),
        make: true,
        journal: JournalOptions { segment_bytes: 256 << 10, record_bytes_max: 200 << 10 },
        mismatch: Mismatch::Refuse,
        clock: Clock::System,
        sizes: Sizes::USUAL,
    }
}

pub fn open(disk: &(impl Disk + Clone + 'static), folder: &Scratch) -> Engine {
    Engine::open(Arc::new(disk.clone()), options(folder)).expect("the engine opens")
}

pub fn submit(engine: &Engine, command: Command) -> Answer {
    let (sender, receiver) = channel();
    engine.submit(command, 100, Box::new(move |answer| drop(sender.send(answer))));
    receiver.recv().expect("every command is answered")
}

pub fn recorded(answer: Answer) -> Recorded {
    match answer {
        Answer::Recorded(recorded) => recorded,
        other => panic!("wanted a recorded answer, got {other:?}"),
    }
}

pub fn look<T: Send + 'static>(engine: &Engine, look: impl FnOnce(&View<'_>) -> T + Send + 'static) -> Option<T> {
    let (sender, receiver) = channel();
    engine.read(look, move |found| drop(sender.send(found)));
    receiver.recv().ok()
}

pub fn ledger(engine: &Engine) -> String {
    let made = submit(engine, Command::CreateLedger(CreateLedger { name: "test".into(), metadata: String::new() }));
    let Answer::Made { handle, .. } = made else { panic!("a ledger is made, not {made:?}") };
    look(engine, move |view| view.state.ledger_text(handle)).expect("the engine answers")
}

pub fn balance(engine: &Engine, ledger: &str) -> Id {
    let made = submit(
        engine,
        Command::CreateBalance(CreateBalance {
            ledger: ledger.into(),
            currency: "USD".into(),
            identity: String::new(),
            indicator: String::new(),
            metadata: String::new(),
            track_fund_lineage: false,
            allocation: Allocation::Fifo,
            alias: String::new(),
            lineage_label: String::new(),
        }),
    );
    let Answer::Made { handle, .. } = made else { panic!("a balance is made, not {made:?}") };
    look(engine, move |view| view.state.balance_id(handle)).expect("the engine answers")
}

/// One posting in short.
#[derive(Clone)]
pub struct Post {
    pub source: String,
    pub destination: String,
    pub amount: i128,
    pub reference: String,
    pub overdraft: bool,
    pub inflight: bool,
    pub scheduled_at: Option<i64>,
    pub expires_at: Option<i64>,
    /// Where the money comes from, or empty.
    pub provider: String,
    /// Bytes of the description.
    pub padding: usize,
}

pub fn post(source: &str, destination: &str, amount: i128, reference: &str) -> Post {
    Post {
        source: source.into(),
        destination: destination.into(),
        amount,
        reference: reference.into(),
        overdraft: source.starts_with('@'),
        inflight: false,
        scheduled_at: None,
        expires_at: None,
        provider: String::new(),
        padding: 4,
    }
}

pub fn record(engine: &Engine, batch: Batch, queued: bool, posts: &[Post]) -> Command {
    record_all(engine, batch, false, queued, posts)
}

pub fn record_all(engine: &Engine, batch: Batch, goes_on: bool, queued: bool, posts: &[Post]) -> Command {
    let mut arena = String::new();
    let currency = text::push(&mut arena, "USD");
    let party = |arena: &mut String, name: &str| {
        let span = text::push(arena, name);
        match Id::parse(Prefix::Balance, name) {
            Some(id) => Party::Id(id, span),
            None if name.starts_with('@') => Party::Indicator(span),
            None => Party::Unknown(span),
        }
    };
    let mut asks = Vec::new();
    for (item, one) in posts.iter().enumerate() {
        asks.push(Ask {
            item: item as u32,
            leg: 0,
            source: party(&mut arena, &one.source),
            destination: party(&mut arena, &one.destination),
            amount: one.amount,
            precision: 100,
            currency,
            reference: text::push(&mut arena, &one.reference),
            fingerprint: engine.books().fingerprint(&one.reference),
            outcome_fingerprint: engine.books().fingerprint_of_parts(&one.reference, "_q"),
            description: text::push(&mut arena, &"t".repeat(one.padding)),
            metadata: text::Span::EMPTY,
            allow_overdraft: one.overdraft,
            inflight: one.inflight,
            atomic: false,
            terms: Terms {
                scheduled_at: one.scheduled_at,
                expires_at: one.expires_at,
                provider: text::push(&mut arena, &one.provider),
                ..Terms::NONE
            }
            .boxed(),
        });
    }
    Command::Record(Record {
        batch,
        goes_on,
        announced: false,
        trial: false,
        queued,
        asks,
        text: arena,
        priors: Vec::new(),
        mismatch: Mismatch::Refuse,
    })
}

pub fn pay(engine: &Engine, one: Post) -> Answer {
    submit(engine, record(engine, Batch::Single, false, &[one]))
}

pub fn settle(engine: &Engine, row: u64, action: Action, amount: Option<i128>) -> Answer {
    submit(engine, settle_command(row, action, amount))
}

pub fn settle_command(row: u64, action: Action, amount: Option<i128>) -> Command {
    settle_as_far(row, action, amount, false)
}

pub fn settle_as_far(row: u64, action: Action, amount: Option<i128>, over_capture: bool) -> Command {
    let (holds, text) = (vec![hold_ask(row)], String::new());
    let (scope, passes_ended) = (None, false);
    Command::Settle(Settle { scope, action, holds, amount, over_capture, passes_ended, queued: false, text })
}

pub fn change_command(row: u64, held: Option<i128>, expires_at: Option<i64>) -> Command {
    let (hold, text) = (hold_ask(row), String::new());
    Command::ChangeHold(ChangeHold { scope: None, hold, held, expires_at, commits_at: None, text })
}

pub fn cancel_command(groups: &[u64]) -> Command {
    Command::Cancel(Cancel { groups: groups.to_vec(), runs: Vec::new(), text: String::new() })
}

pub fn keyed(name: &str, request: u8) -> KeyAsk {
    KeyAsk { name: name.into(), request: [request; 32] }
}

pub fn submit_once(engine: &Engine, command: Command, key: KeyAsk) -> Answer {
    let (sender, receiver) = channel();
    engine.submit_once(command, Some(key), 100, Box::new(move |answer| drop(sender.send(answer))));
    receiver.recv().expect("every command is answered")
}

/// What would become of a command.
pub fn attempt(engine: &Engine, command: Command) -> Trial {
    let (sender, receiver) = channel();
    engine.attempt(vec![command], move |trials| drop(sender.send(trials)));
    receiver.recv().expect("every trial is answered").expect("the engine is there").remove(0)
}

fn hold_ask(row: u64) -> HoldAsk {
    HoldAsk {
        row,
        ended: None,
        precision: 100,
        overdraft: Overdraft::NONE,
        reference: text::Span::EMPTY,
        description: text::Span::EMPTY,
        metadata: text::Span::EMPTY,
    }
}

/// Posted balance, held debits.
pub fn figures(engine: &Engine, id: Id) -> (i128, i128) {
    look(engine, move |view| {
        let balance = view.state.balance(view.state.find_balance(id).expect("the balance exists"));
        (balance.figures.balance(), balance.figures.held.debit)
    })
    .expect("the engine answers")
}

pub fn refund_command(engine: &Engine, row: u64, reference: &str) -> Command {
    refund_part(engine, row, None, reference)
}

pub fn refund_part(engine: &Engine, row: u64, amount: Option<i128>, reference: &str) -> Command {
    refund_through(engine, false, row, amount, reference)
}

/// A refund, perhaps through the queue.
pub fn refund_through(engine: &Engine, queued: bool, row: u64, amount: Option<i128>, reference: &str) -> Command {
    let mut arena = String::new();
    let original = Original {
        row,
        amount,
        facts: None,
        refunded: Vec::new(),
        lineage: Vec::new(),
        reference: text::push(&mut arena, reference),
        fingerprint: engine.books().fingerprint(reference),
        outcome_fingerprint: engine.books().fingerprint_of_parts(reference, "_q"),
        prior: None,
        description: text::Span::EMPTY,
        metadata: text::Span::EMPTY,
    };
    Command::Refund(Refund { scope: None, originals: vec![original], queued, text: arena })
}

/// What `verify` finds in a folder.
pub fn verified(disk: &(impl Disk + Clone + 'static), folder: &Scratch) -> Report {
    let journal = options(folder).journal;
    verify::run(Arc::new(disk.clone()), &folder.0, journal, |_| {}).expect("the folder can be checked")
}

/// Holds the writer, so that what is sent waits for it and is decided in one group. It goes on when something is sent.
pub fn hold_writer(engine: &Engine) -> Sender<()> {
    let (entered_sender, entered) = channel();
    let (release, released) = channel::<()>();
    // A look at the state must not block; this one does, so that the writer takes nothing.
    engine.read(
        move |_| {
            entered_sender.send(()).expect("the test waits");
            released.recv().expect("the test lets go");
        },
        |()| {},
    );
    entered.recv().expect("the writer looks");
    release
}
