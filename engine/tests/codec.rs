//! Events as bytes: what is written is read back, the bytes of today are read for ever, and bytes that are no event are
//! refused without a panic and without taking more memory than they are worth.
//!
//! The files in `golden/` are never edited: if that test fails, journals that exist could no longer be read. A new version
//! gets new files, written with `FLORIN_GOLDEN=write`.

#[path = "records/extract.rs"]
mod extract;

mod support {
    pub mod closings;
    pub mod harness;
    pub mod model;
    pub mod workload;
}

use engine::codec::extract::Extract;
use engine::codec::{CodecFault, decode, encode};
use engine::inspect::Record;
use engine::inspect::value::{Value, value_of};
use ledger::command::{Allocation, Batch, Terms};
use ledger::decide::Known;
use ledger::event::{
    AccountCreated, BalanceCreated, BalanceLinked, BalanceNamed, BatchFailed, CurrencyRegistered, Event,
    IdentityChanged, IdentityCreated, IdentityDeleted, IdentityRevealed, Key, KeyKept, Kind, LedgerCreated,
    LedgerRenamed, MetadataChanged, MonitorDeleted, MonitorSet, Movement, NO_BALANCE, Opened, Outcome, PolicySet,
    Recorded, Rescheduled,
};
use ledger::id::Id;
use ledger::identity::{Detail, KeyName, Sealed};
use ledger::limits::{self, MONITOR_CONDITIONS_MAX, PRECISION_MAX};
use ledger::lineage::Role;
use ledger::monitor::{Condition, Definition, Field, Operator};
use ledger::notes::Subject;
use ledger::policy::{Floor, Policy, Velocity, Window};
use ledger::rejection::{Refused, Rejection};
use ledger::row::Parent;
use ledger::state::NO_RECORD;
use ledger::text::{self, Span};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::{Path, PathBuf};
use support::closings;
use support::workload::Random;

/// Remembers the largest piece of memory that the thread asked for.
struct Watching;

thread_local! {
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

fn note(bytes: usize) {
    // While a thread ends there is nothing to remember it in.
    let _ = LARGEST.try_with(|largest| largest.set(largest.get().max(bytes)));
}

// SAFETY: every call goes to the system's allocator as it is.
unsafe impl GlobalAlloc for Watching {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        note(layout.size());
        // SAFETY: the caller keeps the contract of `alloc`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller keeps the contract of `dealloc`.
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        note(size);
        // SAFETY: the caller keeps the contract of `realloc`.
        unsafe { System.realloc(at, layout, size) }
    }
}

#[global_allocator]
static WATCHING: Watching = Watching;

/// Bytes of memory, in one piece, that a byte of a record may cost: a movement has ten bytes at least and becomes some
/// hundred, and its count is believed up to one a byte.
const MEMORY_PER_BYTE: usize = 320;

fn bytes_of(event: &Event) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(event, &mut bytes);
    bytes
}

/// Everything that an event says, without where its texts lie in memory.
fn said(event: &Event) -> Value {
    value_of(&Record { seq: 1, position: 0, bytes: 0, chain: String::new(), event: event.clone() })
}

fn any_text(random: &mut Random) -> String {
    let length = if random.one_in(20) { random.below(3_000) } else { random.below(12) };
    (0..length).map(|_| ['a', 'Z', '0', '"', '\0', 'é', '貨', '𝄞'][random.below(8) as usize]).collect()
}

fn any_number(random: &mut Random) -> u64 {
    let bits = random.below(65) as u32;
    random.number().checked_shr(64 - bits).unwrap_or(0)
}

fn any_handle(random: &mut Random) -> u32 {
    if random.one_in(4) { NO_BALANCE } else { any_number(random) as u32 % NO_BALANCE }
}

fn any_amount(random: &mut Random) -> i128 {
    let amount = i128::from(any_number(random)) << random.below(60);
    if random.one_in(3) { -amount } else { amount }
}

fn any_monitor(random: &mut Random, at: i64) -> Id {
    Id::new(at, u64::from(any_number(random) as u32), any_number(random))
}

fn any_definition(random: &mut Random) -> Definition {
    let count = 1 + random.below(MONITOR_CONDITIONS_MAX as u64);
    let conditions = (0..count).map(|_| Condition {
        field: Field::ALL[random.below(6) as usize],
        operator: Operator::ALL[random.below(6) as usize],
        threshold: any_amount(random),
        precision: any_number(random).clamp(1, PRECISION_MAX),
    });
    Definition {
        conditions: conditions.collect(),
        any: random.one_in(2),
        edge: random.one_in(2),
        description: any_text(random),
        call_back_url: any_text(random).chars().take(99).collect(),
        metadata: any_text(random),
    }
}

fn any_detail(random: &mut Random) -> Detail {
    if random.one_in(3) {
        return Detail::Plain(any_text(random));
    }
    let bytes = (0..random.below(200)).map(|_| random.number() as u8).collect();
    Detail::Sealed(Sealed { key: KeyName { slot: any_number(random) as u32, id: [random.number() as u8; 16] }, bytes })
}

fn any_event(random: &mut Random) -> Event {
    let (at, seed) = (any_number(random) as i64, random.number());
    match random.below(31) {
        0 => Event::LedgerCreated(LedgerCreated { at, seed, name: any_text(random), metadata: any_text(random) }),
        1 => Event::LedgerRenamed(LedgerRenamed { at, ledger: any_number(random) as u32, name: any_text(random) }),
        2 => Event::IdentityCreated(IdentityCreated { at, seed, id: any_text(random), detail: any_detail(random) }),
        3 => Event::BalanceCreated(BalanceCreated {
            at,
            seed,
            ledger: any_number(random) as u32,
            identity: random.one_in(2).then(|| any_number(random) as u32 % NO_BALANCE),
            currency: any_text(random),
            indicator: any_text(random),
            metadata: any_text(random),
            track_fund_lineage: random.one_in(2),
            allocation: [Allocation::Fifo, Allocation::Lifo, Allocation::Proportional][random.below(3) as usize],
            alias: any_text(random),
            lineage_label: any_text(random),
        }),
        4 => Event::Rescheduled(Rescheduled {
            at,
            groups: (0..random.below(5)).map(|_| any_number(random)).collect(),
            due_at: random.one_in(2).then(|| any_number(random) as i64),
            amount: random.one_in(2).then(|| any_amount(random)),
        }),
        5 => {
            let (code, precision) = (any_text(random), any_number(random));
            Event::CurrencyRegistered(CurrencyRegistered { at, code, precision, name: any_text(random) })
        }
        6 => {
            let batch = Id::new(at, any_number(random), any_number(random));
            Event::BatchFailed(BatchFailed { at, batch, error: any_text(random) })
        }
        7 => Event::PolicySet(PolicySet {
            at,
            balance: any_number(random) as u32,
            policy: (!random.one_in(4)).then(|| any_policy(random)),
        }),
        8 => Event::MetadataChanged(MetadataChanged {
            at,
            subject: any_subject(random),
            first_row: any_number(random),
            earlier: random.number(),
            metadata: any_text(random),
        }),
        9 => {
            let (balance, identity) = (any_number(random) as u32, any_number(random) as u32);
            Event::BalanceLinked(BalanceLinked { at, balance, identity, lineage_label: any_text(random) })
        }
        10 => Event::BalanceNamed(BalanceNamed { at, balance: any_number(random) as u32, alias: any_text(random) }),
        11 => Event::AccountCreated(AccountCreated {
            at,
            seed,
            balance: any_number(random) as u32,
            identity: any_number(random) as u32,
            number: any_text(random),
            bank: any_text(random),
            metadata: any_text(random),
        }),
        12 => Event::MonitorSet(MonitorSet {
            at,
            id: any_monitor(random, at),
            created_at: any_number(random) as i64,
            first_row: any_number(random),
            balance: any_number(random) as u32,
            definition: any_definition(random),
        }),
        13 => {
            let id = any_monitor(random, at);
            Event::MonitorDeleted(MonitorDeleted { at, id, first_row: any_number(random) })
        }
        14 => {
            let identity = any_number(random) as u32;
            Event::IdentityChanged(IdentityChanged { at, identity, detail: any_detail(random) })
        }
        15 => Event::IdentityDeleted(IdentityDeleted { at, identity: any_number(random) as u32 }),
        16 => Event::IdentityRevealed(IdentityRevealed {
            at,
            identity: any_number(random) as u32,
            who: any_text(random),
            request: any_text(random),
            fields: (0..random.below(5)).map(|_| any_text(random)).collect(),
            previous: any_number(random),
        }),
        which @ 17..=20 => closings::any(random, at, which),
        21 => Event::KeyKept(KeyKept { at, key: *any_key(random) }),
        _ => Event::Recorded(any_recorded(random, at, seed)),
    }
}

fn any_subject(random: &mut Random) -> Subject {
    let number = any_number(random) >> 2;
    match random.below(5) {
        0 => Subject::Ledger(number as u32),
        1 => Subject::Balance(number as u32),
        2 => Subject::Rows(Parent::Row(number)),
        3 => Subject::Rows(Parent::Batch(number)),
        _ => Subject::Rows(Parent::Split(number)),
    }
}

fn any_policy(random: &mut Random) -> Policy {
    let floors = [None, Some(Floor::Minimum(any_amount(random))), Some(Floor::Credit(any_amount(random)))];
    let counterparties = random.one_in(2).then(|| {
        let mut handles: Vec<u32> = (0..random.below(6)).map(|_| any_number(random) as u32).collect();
        handles.sort_unstable();
        handles.dedup();
        handles
    });
    let velocities = (0..random.below(4))
        .map(|_| Velocity {
            debits: random.one_in(2),
            window: match random.below(4) {
                0 => Window::Week,
                1 => Window::Month,
                _ => Window::Seconds(1 + any_number(random) as u32 % limits::POLICY_WINDOW_SECONDS_MAX),
            },
            sum_max: random.one_in(2).then(|| any_amount(random)),
            count_max: random.one_in(2).then(|| any_number(random)),
        })
        .collect();
    Policy {
        floor: floors[random.below(3) as usize],
        no_debits: random.one_in(2),
        no_credits: random.one_in(2),
        counterparties,
        velocities,
    }
}

fn any_key(random: &mut Random) -> Box<Key> {
    let mut request = [0; 32];
    request.iter_mut().for_each(|byte| *byte = random.number() as u8);
    let known = (0..random.below(4)).map(|_| Known { item: any_number(random) as u32, row: any_number(random) });
    let known = known.collect();
    let refused = (0..random.below(4)).map(|_| Refused {
        item: any_number(random) as u32,
        leg: if random.below(2) == 0 { 0 } else { any_number(random) as u32 },
        rejection: Rejection::ALL[random.below(Rejection::ALL.len() as u64) as usize],
    });
    let refused = refused.collect();
    Box::new(Key { name: any_text(random), request, known, refused })
}

fn any_recorded(random: &mut Random, at: i64, seed: u64) -> Recorded {
    let mut arena = String::new();
    let currencies = (0..random.below(3)).map(|_| text::push(&mut arena, &any_text(random))).collect();
    let opened = (0..random.below(3))
        .map(|_| Opened { indicator: text::push(&mut arena, &any_text(random)), currency: any_number(random) as u32 })
        .collect();
    let mut item = 0;
    let mut movements: Vec<Movement> = (0..random.below(5))
        .map(|_| {
            item += random.below(3) as u32;
            any_movement(random, item, &mut arena)
        })
        .collect();
    // They stand in the order of what they follow from.
    let main = movements.len() as u64;
    let mut following: Vec<u32> = (0..random.below(4)).map(|_| random.below(main.max(1)) as u32).collect();
    following.sort_unstable();
    for of in following.into_iter().filter(|_| main > 0) {
        let following = any_following(random, of, &movements[of as usize], &mut arena);
        movements.push(following);
    }
    Recorded {
        at,
        seed,
        first_row: any_number(random),
        batch: [Batch::Single, Batch::Independent, Batch::Atomic][random.below(3) as usize],
        queued: random.one_in(2),
        announced: random.one_in(3),
        key: random.one_in(3).then(|| any_key(random)),
        currencies,
        opened,
        movements,
        text: arena,
    }
}

fn any_movement(random: &mut Random, item: u32, arena: &mut String) -> Movement {
    let row = any_number(random);
    let queued = random.one_in(2);
    let kinds = [
        Kind::Posting,
        Kind::Execution(row),
        Kind::Settlement { hold: row, queued },
        Kind::Release { hold: row, queued },
        Kind::Refund(row),
        Kind::Change { hold: row },
    ];
    let rejection = Rejection::ALL[random.below(Rejection::ALL.len() as u64) as usize];
    let outcomes = [Outcome::Applied, Outcome::Held, Outcome::Voided, Outcome::Rejected(rejection), Outcome::Scheduled];
    let mut time = || random.one_in(2).then(|| any_number(random) as i64);
    let (effective_at, scheduled_at, expires_at, commits_at) = (time(), time(), time(), time());
    let overdraft_limit = if random.one_in(2) { any_amount(random) } else { 0 };
    let mut span = |random: &mut Random| text::push(arena, &any_text(random));
    Movement {
        kind: kinds[random.below(6) as usize],
        outcome: outcomes[random.below(5) as usize],
        queued: random.one_in(2),
        item,
        leg: if random.one_in(2) { 0 } else { any_number(random) as u32 },
        source: any_handle(random),
        destination: any_handle(random),
        source_text: span(random),
        destination_text: span(random),
        amount: any_amount(random),
        precision: any_number(random),
        currency: any_number(random) as u32,
        reference: span(random),
        description: span(random),
        metadata: span(random),
        allow_overdraft: random.one_in(2),
        inflight: random.one_in(2),
        atomic: random.one_in(2),
        terms: Terms {
            overdraft_limit,
            effective_at,
            scheduled_at,
            expires_at,
            commits_at,
            provider: span(random),
            owner: Span::EMPTY,
        }
        .boxed(),
    }
}

/// A movement that follows from another in the lineage of a balance.
fn any_following(random: &mut Random, of: u32, main: &Movement, arena: &mut String) -> Movement {
    let settles = random.one_in(2);
    let outcomes = if settles { [Outcome::Applied, Outcome::Voided] } else { [Outcome::Applied, Outcome::Held] };
    let outcome = outcomes[random.below(2) as usize];
    let roles = [
        Role::Credit,
        Role::Receive,
        Role::Release(Allocation::Fifo),
        Role::Release(Allocation::Lifo),
        Role::Release(Allocation::Proportional),
    ];
    let role = roles[random.below(5) as usize];
    let provider = any_text(random);
    let main_reference = [main.reference.of(arena), main.outcome_suffix()].concat();
    let reference = if random.one_in(3) { any_text(random) } else { role.reference(&main_reference, &provider) };
    let owner = text::push(arena, &if random.one_in(2) { any_text(random) } else { String::new() });
    Movement {
        kind: match settles {
            true => Kind::LineageSettlement { role, of, hold: any_number(random) },
            false => Kind::Lineage { role, of },
        },
        outcome,
        source: any_number(random) as u32 % NO_BALANCE,
        destination: any_number(random) as u32 % NO_BALANCE,
        source_text: Span::EMPTY,
        destination_text: Span::EMPTY,
        amount: any_amount(random),
        currency: any_number(random) as u32,
        reference: text::push(arena, &reference),
        description: text::push(arena, &role.description(&provider)),
        metadata: Span::EMPTY,
        queued: false,
        leg: 0,
        atomic: false,
        allow_overdraft: role.is_incoming(),
        inflight: outcome == Outcome::Held,
        terms: Terms { provider: text::push(arena, &provider), owner, ..Terms::NONE }.boxed(),
        ..main.clone()
    }
}

#[test]
fn what_is_written_is_read_back() {
    let mut random = Random(1);
    for turn in 0..20_000 {
        let event = any_event(&mut random);
        let bytes = bytes_of(&event);
        let read = decode(&bytes).unwrap_or_else(|fault| panic!("turn {turn}: {fault}: {event:?}"));
        assert_eq!(said(&read), said(&event), "turn {turn}");
        assert_eq!(bytes_of(&read), bytes, "turn {turn}");
        if turn % 10 == 0 {
            for length in 0..bytes.len().min(400) {
                assert!(decode(&bytes[..length]).is_err(), "turn {turn}: {length} of {} bytes", bytes.len());
            }
            let longer = [&bytes[..], &[0]].concat();
            assert_eq!(decode(&longer), Err(CodecFault::Trailing), "turn {turn}");
        }
    }
}

/// Decodes bytes that may be no event. Whatever comes out can be written and is then the same.
fn try_bytes(bytes: &[u8]) -> bool {
    LARGEST.set(0);
    let read = decode(bytes);
    let largest = LARGEST.get();
    for index in 0..3 {
        // Whatever it is, it is read or refused.
        if let Ok(Ok(extract)) = Extract::take(bytes.to_vec(), index) {
            let _ = extract.has_lineage();
        }
    }
    assert!(largest <= bytes.len() * MEMORY_PER_BYTE + 256, "{largest} bytes of memory for {} bytes", bytes.len());
    match read {
        Ok(event) => {
            let again = decode(&bytes_of(&event)).expect("what was read can be written and read");
            assert_eq!(said(&again), said(&event));
            true
        }
        Err(fault) => {
            assert!(!fault.to_string().is_empty());
            false
        }
    }
}

#[test]
fn bytes_that_are_no_event_are_refused() {
    let mut random = Random(2);
    let mut read = 0;
    for turn in 0..60_000 {
        let mut bytes = if turn % 3 == 0 {
            (0..random.below(200)).map(|_| random.number() as u8).collect()
        } else {
            bytes_of(&any_event(&mut random))
        };
        if turn % 3 == 0 && bytes.len() > 2 {
            // Nearly all random bytes fail at the first two.
            bytes[0] = 1 + random.below(8) as u8;
            bytes[1] = 1;
        }
        for _ in 0..=random.below(3) {
            let at = random.below(bytes.len().max(1) as u64) as usize;
            match random.below(5) {
                _ if bytes.is_empty() => {}
                0 => bytes[at] = 0xff,
                1 => bytes[at] ^= 1 << random.below(8),
                2 => bytes.truncate(at),
                3 => bytes.insert(at, random.number() as u8),
                _ => drop(bytes.remove(at)),
            }
        }
        read += u32::from(try_bytes(&bytes));
    }
    assert!(read > 1_000, "{read}: some changes give another event, or nothing is tested behind the first bytes");
}

#[test]
fn counts_are_not_believed() {
    // A record of five bytes more than its head that claims as many movements as there may be.
    let event = Event::Recorded(Recorded {
        at: 1,
        seed: 2,
        first_row: 3,
        batch: Batch::Single,
        queued: false,
        announced: false,
        key: None,
        currencies: Vec::new(),
        opened: Vec::new(),
        movements: Vec::new(),
        text: String::new(),
    });
    let mut bytes = bytes_of(&event);
    assert_eq!(bytes.pop(), Some(0), "the count of movements is last");
    bytes.extend([0xc0, 0xb8, 0x02]);
    assert!(!try_bytes(&bytes));
    bytes.extend([0; 5]);
    assert!(!try_bytes(&bytes));
    // The same of everything else that is counted: what is claimed is the most that there may be.
    let groups = Event::Rescheduled(Rescheduled { at: 1, groups: Vec::new(), due_at: None, amount: None });
    let policy = Policy { floor: None, no_debits: false, no_credits: false, counterparties: None, velocities: vec![] };
    let policy = Event::PolicySet(PolicySet { at: 1, balance: 0, policy: Some(policy) });
    for (event, kept) in [(groups, 10), (policy, 13)] {
        for most in [&[0x08][..], &[0xe8, 0x07], &[0xc0, 0xb8, 0x02], &[0xff; 9]] {
            let bytes = [&bytes_of(&event)[..kept], most, &[0; 4]].concat();
            assert!(!try_bytes(&bytes), "{event:?} {most:?}");
        }
    }
}

/// Policies whose bytes are well formed and that no policy can be are refused.
#[test]
fn policies_that_cannot_be_are_refused() {
    let head = |balance: u8| [&[8, 1][..], &[0; 8], &[balance, 1]].concat();
    let refused = |bytes: &[u8], what: &str| {
        let bytes = [&head(0), bytes].concat();
        assert!(matches!(decode(&bytes), Err(CodecFault::Value(_))), "{what}: {:?}", decode(&bytes));
    };
    assert!(decode(&[&head(0)[..], &[0, 0]].concat()).is_ok(), "a policy without a rule");
    refused(&[0b1100, 2, 2, 0], "two floors");
    refused(&[1 << 5, 0], "an unknown mark");
    refused(&[1 << 4, 2, 5, 5, 0], "a counterparty twice");
    refused(&[1 << 4, 2, 6, 5, 0], "counterparties that are not in order");
    refused(&[0, 1, 8, 0], "an unknown mark of a velocity");
    refused(&[0, 1, 1, 2], "a window of no seconds");
    let longest = u64::from(limits::POLICY_WINDOW_SECONDS_MAX) + 2;
    for (window, is_fine) in [(longest, true), (longest + 1, false), (u64::MAX, false)] {
        let mut bytes = [&head(0)[..], &[0, 1, 1]].concat();
        let mut rest = window;
        while rest >= 0x80 {
            bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        bytes.push(rest as u8);
        assert_eq!(decode(&bytes).is_ok(), is_fine, "a window of {window} less two");
    }
}

fn golden_events() -> Vec<(&'static str, Event)> {
    let (at, seed) = (1_790_000_000_123_456, 0x0123_4567_89ab_cdef);
    vec![
        (
            "ledger_created",
            Event::LedgerCreated(LedgerCreated { at, seed, name: "Büro".into(), metadata: "{\"a\":1}".into() }),
        ),
        ("ledger_renamed", Event::LedgerRenamed(LedgerRenamed { at, ledger: 300, name: "Kasse".into() })),
        (
            "identity_created",
            Event::IdentityCreated(IdentityCreated {
                at,
                seed,
                id: "idt_7".into(),
                detail: Detail::Plain("{}".into()),
            }),
        ),
        (
            "balance_created",
            Event::BalanceCreated(BalanceCreated {
                at,
                seed,
                ledger: 1,
                identity: Some(0),
                currency: "USD".into(),
                indicator: "@World".into(),
                metadata: String::new(),
                track_fund_lineage: true,
                allocation: Allocation::Proportional,
                alias: String::new(),
                lineage_label: String::new(),
            }),
        ),
        (
            "balance_created_named",
            Event::BalanceCreated(BalanceCreated {
                at,
                seed,
                ledger: 1,
                identity: None,
                currency: "USD".into(),
                indicator: String::new(),
                metadata: "{}".into(),
                track_fund_lineage: false,
                allocation: Allocation::Fifo,
                alias: "wallet-claire".into(),
                lineage_label: String::new(),
            }),
        ),
        (
            "metadata_changed",
            Event::MetadataChanged(MetadataChanged {
                at,
                subject: Subject::Balance(300),
                first_row: 7,
                earlier: NO_RECORD,
                metadata: "{\"a\":1}".into(),
            }),
        ),
        (
            "metadata_changed_rows",
            Event::MetadataChanged(MetadataChanged {
                at,
                subject: Subject::Rows(Parent::Batch(70_000)),
                first_row: 80_000,
                earlier: 4096,
                metadata: "{\"ä\":null}".into(),
            }),
        ),
        (
            "balance_linked",
            Event::BalanceLinked(BalanceLinked {
                at,
                balance: 300,
                identity: 7,
                lineage_label: "ada_obi_idt_7b1e".into(),
            }),
        ),
        ("balance_named", Event::BalanceNamed(BalanceNamed { at, balance: 300, alias: "purse".into() })),
        ("balance_unnamed", Event::BalanceNamed(BalanceNamed { at, balance: 0, alias: String::new() })),
        (
            "balance_labelled",
            Event::BalanceCreated(BalanceCreated {
                at,
                seed,
                ledger: 0,
                identity: Some(300),
                currency: "USD".into(),
                indicator: String::new(),
                metadata: String::new(),
                track_fund_lineage: true,
                allocation: Allocation::Lifo,
                alias: String::new(),
                lineage_label: "jürgen_obi_idt_7b1e".into(),
            }),
        ),
        ("recorded_lineage", Event::Recorded(golden_lineage(at, seed))),
        ("recorded", Event::Recorded(golden_recorded(at, seed))),
        ("recorded_with_key", Event::Recorded(golden_with_key(at, seed))),
        (
            "rescheduled",
            Event::Rescheduled(Rescheduled { at, groups: vec![7, 300], due_at: Some(at + 5), amount: None }),
        ),
        (
            "rescheduled_amount",
            Event::Rescheduled(Rescheduled { at, groups: vec![7], due_at: None, amount: Some(12_345) }),
        ),
        (
            "currency_registered",
            Event::CurrencyRegistered(CurrencyRegistered {
                at,
                code: "JPY".into(),
                precision: 1,
                name: "日本円".into(),
            }),
        ),
        (
            "batch_failed",
            Event::BatchFailed(BatchFailed { at, batch: Id::new(at, 300, 7), error: "no funds: 資金".into() }),
        ),
        ("policy_set", Event::PolicySet(PolicySet { at, balance: 300, policy: Some(golden_policy()) })),
        (
            "policy_set_credit",
            Event::PolicySet(PolicySet {
                at,
                balance: 0,
                policy: Some(Policy {
                    floor: Some(Floor::Credit(1 << 80)),
                    no_debits: false,
                    counterparties: None,
                    velocities: Vec::new(),
                    ..golden_policy()
                }),
            }),
        ),
        ("policy_taken", Event::PolicySet(PolicySet { at, balance: 300, policy: None })),
        (
            "account_created",
            Event::AccountCreated(AccountCreated {
                at,
                seed,
                balance: 300,
                identity: 0,
                number: "0123".into(),
                bank: "Erste Bank – Zürich".into(),
                metadata: "{\"k\":1}".into(),
            }),
        ),
        (
            "monitor_set",
            Event::MonitorSet(MonitorSet {
                at,
                id: Id::new(at - 1, 300, 7),
                created_at: at - 1,
                first_row: 70_000,
                balance: 300,
                definition: golden_definition(),
            }),
        ),
        (
            "monitor_deleted",
            Event::MonitorDeleted(MonitorDeleted { at, id: Id::new(at - 1, 300, 7), first_row: 70_001 }),
        ),
        (
            "identity_created",
            Event::IdentityCreated(IdentityCreated { at, seed, id: "idt_7".into(), detail: golden_sealed() }),
        ),
        (
            "identity_changed",
            Event::IdentityChanged(IdentityChanged { at, identity: 300, detail: Detail::Plain("{}".into()) }),
        ),
        ("identity_changed", Event::IdentityChanged(IdentityChanged { at, identity: 300, detail: golden_sealed() })),
        ("identity_deleted", Event::IdentityDeleted(IdentityDeleted { at, identity: 300 })),
        (
            "identity_revealed",
            Event::IdentityRevealed(IdentityRevealed {
                at,
                identity: 300,
                who: "master".into(),
                request: "r-1".into(),
                fields: vec!["FirstName".into(), "Street".into()],
                previous: 4096,
            }),
        ),
        ("key_kept", Event::KeyKept(KeyKept { at, key: golden_key() })),
        ("key_kept_of_legs", Event::KeyKept(KeyKept { at, key: golden_key_of_legs() })),
    ]
}

/// A monitor with everything that one can have.
fn golden_definition() -> Definition {
    let condition = |field, operator, threshold| Condition { field, operator, threshold, precision: 100 };
    Definition {
        conditions: vec![
            condition(Field::Balance, Operator::Less, -250),
            condition(Field::InflightDebit, Operator::NotEqual, i128::MAX),
        ],
        any: true,
        edge: true,
        description: "low float: 資金".into(),
        call_back_url: "https://example.com/hook".into(),
        metadata: "{\"team\":7}".into(),
    }
}

fn golden_sealed() -> Detail {
    Detail::Sealed(Sealed { key: KeyName { slot: 300, id: [0xa5; 16] }, bytes: (0..30).collect() })
}

/// A policy with everything that one can have.
fn golden_policy() -> Policy {
    let velocity = |debits, window, sum_max, count_max| Velocity { debits, window, sum_max, count_max };
    Policy {
        floor: Some(Floor::Minimum(-250)),
        no_debits: true,
        no_credits: true,
        counterparties: Some(vec![0, 7, 70_000]),
        velocities: vec![
            velocity(true, Window::Seconds(3_600), Some(100_000), None),
            velocity(false, Window::Week, None, Some(300)),
            velocity(true, Window::Month, Some(i128::MAX), Some(0)),
        ],
    }
}

/// What came with keys, changed holds and requests that were called off.
fn golden_with_key(at: i64, seed: u64) -> Recorded {
    let golden = golden_recorded(at, seed);
    let plain = golden.movements[0].clone();
    let dates = Terms { expires_at: Some(at + 2), commits_at: Some(at + 3), ..Terms::NONE };
    let movements = vec![
        Movement {
            kind: Kind::Change { hold: 6 },
            outcome: Outcome::Held,
            inflight: true,
            terms: dates.boxed(),
            ..plain.clone()
        },
        Movement {
            kind: Kind::Change { hold: 300 },
            outcome: Outcome::Voided,
            item: 1,
            inflight: true,
            ..plain.clone()
        },
        Movement {
            kind: Kind::Execution(5),
            outcome: Outcome::Voided,
            item: 2,
            destination: NO_BALANCE,
            destination_text: golden.movements[1].source_text,
            amount: 0,
            ..plain
        },
    ];
    let key = Some(Box::new(golden_key()));
    Recorded { batch: Batch::Independent, queued: false, key, movements, ..golden }
}

fn golden_key() -> Key {
    let mut request = [0xab; 32];
    request[31] = 0;
    let known = vec![Known { item: 0, row: 1 << 39 }, Known { item: 300, row: 7 }];
    let refused = vec![
        Refused { item: 1, leg: 0, rejection: Rejection::DuplicateReference },
        Refused { item: 70_000, leg: 0, rejection: Rejection::BalanceNotFound },
    ];
    Key { name: "Schlüssel-1".into(), request, known, refused }
}

/// A key of a batch whose split items were refused because of one of their legs.
fn golden_key_of_legs() -> Key {
    let refused = vec![
        Refused { item: 1, leg: 1, rejection: Rejection::DuplicateReference },
        Refused { item: 70_000, leg: 1_000, rejection: Rejection::DestinationNotFound },
    ];
    Key { refused, ..golden_key() }
}

/// What follows in the lineage of tracked balances: every role, posted, held and settled; one with a reference of its own.
fn golden_lineage(at: i64, seed: u64) -> Recorded {
    let mut golden = golden_recorded(at, seed);
    let mut arena = std::mem::take(&mut golden.text);
    let plain = golden.movements[0].clone();
    let tagged = Terms { provider: text::push(&mut arena, "stripe"), ..Terms::NONE };
    let settled = Kind::Settlement { hold: 6, queued: false };
    golden.movements = vec![
        Movement { terms: tagged.boxed(), ..plain.clone() },
        Movement { outcome: Outcome::Held, queued: true, item: 1, inflight: true, ..plain.clone() },
        Movement { kind: settled, item: 2, ..plain },
    ];
    let mut follow = |of: u32, role: Role, hold: Option<u64>, outcome: Outcome, reference: Option<&str>| {
        let main = &golden.movements[of as usize];
        let named = [main.reference.of(&arena), main.outcome_suffix()].concat();
        let reference = reference.map_or_else(|| role.reference(&named, "stripe"), str::to_owned);
        let owner = if role == Role::Credit { "idt_7" } else { "" };
        let kind = match hold {
            Some(hold) => Kind::LineageSettlement { role, of, hold },
            None => Kind::Lineage { role, of },
        };
        Movement {
            kind,
            outcome,
            item: main.item,
            source: 300,
            destination: 2,
            amount: 5,
            precision: main.precision,
            reference: text::push(&mut arena, &reference),
            description: text::push(&mut arena, &role.description("stripe")),
            allow_overdraft: role.is_incoming(),
            inflight: outcome == Outcome::Held,
            queued: false,
            terms: Terms {
                provider: text::push(&mut arena, "stripe"),
                owner: text::push(&mut arena, owner),
                ..Terms::NONE
            }
            .boxed(),
            ..main.clone()
        }
    };
    let following = [
        follow(0, Role::Credit, None, Outcome::Applied, None),
        follow(1, Role::Release(Allocation::Lifo), None, Outcome::Held, None),
        follow(1, Role::Receive, None, Outcome::Held, Some("order-1_q_receive_stripe_2")),
        follow(2, Role::Release(Allocation::Fifo), Some(300), Outcome::Applied, None),
        follow(2, Role::Release(Allocation::Proportional), Some(7), Outcome::Voided, None),
    ];
    golden.movements.extend(following);
    Recorded { batch: Batch::Independent, text: arena, ..golden }
}

/// A movement of every kind and outcome, with everything that one can have.
fn golden_recorded(at: i64, seed: u64) -> Recorded {
    let mut arena = String::new();
    let mut span = |text: &str| text::push(&mut arena, text);
    let plain = Movement {
        kind: Kind::Posting,
        outcome: Outcome::Applied,
        queued: false,
        item: 0,
        leg: 0,
        source: 0,
        destination: 1,
        source_text: Span::EMPTY,
        destination_text: Span::EMPTY,
        amount: 12_345,
        precision: 100,
        currency: 0,
        reference: span("order-1"),
        description: Span::EMPTY,
        metadata: Span::EMPTY,
        allow_overdraft: false,
        inflight: false,
        atomic: false,
        terms: None,
    };
    let terms = Terms {
        overdraft_limit: -(1 << 100),
        effective_at: Some(-1),
        scheduled_at: Some(at + 1),
        expires_at: Some(at + 2),
        commits_at: Some(at + 3),
        ..Terms::NONE
    };
    let movements = vec![
        plain.clone(),
        Movement {
            outcome: Outcome::Rejected(Rejection::SourceNotFound),
            queued: true,
            item: 1,
            leg: 2,
            source: NO_BALANCE,
            source_text: span("bln_nowhere"),
            description: span("Miete"),
            metadata: span("{\"k\":[]}"),
            allow_overdraft: true,
            inflight: true,
            atomic: true,
            terms: terms.boxed(),
            ..plain.clone()
        },
        Movement { kind: Kind::Execution(5), outcome: Outcome::Held, item: 1, ..plain.clone() },
        Movement { kind: Kind::Settlement { hold: 6, queued: true }, item: 130, amount: i128::MAX, ..plain.clone() },
        Movement {
            kind: Kind::Release { hold: 1 << 39, queued: false },
            outcome: Outcome::Voided,
            item: 131,
            ..plain.clone()
        },
        Movement { kind: Kind::Refund(8), item: 131, amount: i128::MIN, ..plain.clone() },
        Movement { outcome: Outcome::Scheduled, item: 132, source: 70_000, ..plain },
    ];
    let currencies = vec![span("USD")];
    let opened = vec![Opened { indicator: span("@Fees"), currency: 0 }];
    Recorded {
        at,
        seed,
        first_row: 9,
        batch: Batch::Atomic,
        queued: true,
        announced: false,
        key: None,
        currencies,
        opened,
        movements,
        text: arena,
    }
}

fn golden(version: u8, name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("event-{version}-{name}.hex"))
}

#[test]
fn bytes_are_those_of_their_version() {
    for (name, event) in golden_events().into_iter().chain(closings::golden()) {
        let lines: Vec<String> =
            bytes_of(&event).chunks(32).map(|chunk| chunk.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
        let text = lines.join("\n") + "\n";
        let path = golden(bytes_of(&event)[1], name);
        if std::env::var("FLORIN_GOLDEN").is_ok_and(|value| value == "write") && !path.exists() {
            std::fs::create_dir_all(path.parent().expect("it is in a folder")).expect("folders can be made");
            std::fs::write(&path, &text).expect("it can be written");
        }
        let kept = std::fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        assert_eq!(text, kept, "{name}: what is written has changed");
        let digits: Vec<char> = kept.chars().filter(|digit| *digit != '\n').collect();
        let bytes: Vec<u8> = digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).expect("two digits"))
            .collect();
        assert_eq!(said(&decode(&bytes).expect("it is read for ever")), said(&event), "{name}");
    }
}
