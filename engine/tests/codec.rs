//! Events as bytes: what is written is read back, the bytes of today are read for ever, and bytes that are no event are
//! refused without a panic and without taking more memory than they are worth.
//!
//! The files in `golden/` are never edited: if that test fails, journals that exist could no longer be read. A new version
//! gets new files, written with `FLORIN_GOLDEN=write`.

mod support {
    pub mod harness;
    pub mod model;
    pub mod workload;
}

use engine::codec::{CodecFault, decode, encode};
use engine::inspect::Record;
use engine::inspect::value::{Value, value_of};
use ledger::command::{Allocation, Batch, Terms};
use ledger::event::{
    BalanceCreated, Event, IdentityCreated, Kind, LedgerCreated, LedgerRenamed, Movement, NO_BALANCE, Opened, Outcome,
    Recorded,
};
use ledger::rejection::Rejection;
use ledger::text::{self, Span};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::{Path, PathBuf};
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

fn any_event(random: &mut Random) -> Event {
    let (at, seed) = (any_number(random) as i64, random.number());
    match random.below(8) {
        0 => Event::LedgerCreated(LedgerCreated { at, seed, name: any_text(random), metadata: any_text(random) }),
        1 => Event::LedgerRenamed(LedgerRenamed { at, ledger: any_number(random) as u32, name: any_text(random) }),
        2 => Event::IdentityCreated(IdentityCreated { at, seed, id: any_text(random), detail: any_text(random) }),
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
        }),
        _ => Event::Recorded(any_recorded(random, at, seed)),
    }
}

fn any_recorded(random: &mut Random, at: i64, seed: u64) -> Recorded {
    let mut arena = String::new();
    let currencies = (0..random.below(3)).map(|_| text::push(&mut arena, &any_text(random))).collect();
    let opened = (0..random.below(3))
        .map(|_| Opened { indicator: text::push(&mut arena, &any_text(random)), currency: any_number(random) as u32 })
        .collect();
    let mut item = 0;
    let movements = (0..random.below(5))
        .map(|_| {
            item += random.below(3) as u32;
            any_movement(random, item, &mut arena)
        })
        .collect();
    Recorded {
        at,
        seed,
        first_row: any_number(random),
        batch: [Batch::Single, Batch::Independent, Batch::Atomic][random.below(3) as usize],
        queued: random.one_in(2),
        key: None,
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
    ];
    let rejection = Rejection::ALL[random.below(Rejection::ALL.len() as u64) as usize];
    let outcomes = [Outcome::Applied, Outcome::Held, Outcome::Voided, Outcome::Rejected(rejection), Outcome::Scheduled];
    let mut time = || random.one_in(2).then(|| any_number(random) as i64);
    let (effective_at, scheduled_at, expires_at, commits_at) = (time(), time(), time(), time());
    let overdraft_limit = if random.one_in(2) { any_amount(random) } else { 0 };
    let mut span = |random: &mut Random| text::push(arena, &any_text(random));
    Movement {
        kind: kinds[random.below(5) as usize],
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
        terms: Terms { overdraft_limit, effective_at, scheduled_at, expires_at, commits_at }.boxed(),
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
            bytes[0] = 1 + random.below(5) as u8;
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
            Event::IdentityCreated(IdentityCreated { at, seed, id: "idt_7".into(), detail: "{}".into() }),
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
            }),
        ),
        ("recorded", Event::Recorded(golden_recorded(at, seed))),
    ]
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
        key: None,
        currencies,
        opened,
        movements,
        text: arena,
    }
}

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(format!("event-1-{name}.hex"))
}

#[test]
fn bytes_are_those_of_version_1() {
    for (name, event) in golden_events() {
        let lines: Vec<String> =
            bytes_of(&event).chunks(32).map(|chunk| chunk.iter().map(|byte| format!("{byte:02x}")).collect()).collect();
        let text = lines.join("\n") + "\n";
        let path = golden(name);
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
