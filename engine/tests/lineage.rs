//! Fund lineage on a disk: it is written with the transaction that it follows from, and is the same after a clean stop, a
//! crash at any operation, and when everything but the journal was deleted. References are used once, also by what nobody
//! asked for.

mod support {
    pub mod harness;
    pub mod model;
    pub mod workload;
}

use engine::answer::{Answer, Recorded};
use engine::clock::Clock;
use engine::engine::{Engine, Options};
use engine::limits::Sizes;
use engine::reading::reference_of;
use journal::disk::{Disk, Failure, MemoryDisk, RealDisk};
use journal::open::Options as JournalOptions;
use ledger::command::{Action, Allocation, Batch, Command, CreateBalance, CreateIdentity};
use ledger::event::Kind;
use ledger::id::{Id, Prefix};
use ledger::lineage::{HeldPart, Tracked};
use ledger::rejection::Rejection;
use ledger::row::{Flags, Row, Status};
use ledger::state::Figures;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use support::harness::{self, Post, Scratch, look, pay, post, record, recorded, refund_part, settle, submit, verified};
use support::workload::{Random, START};

const STEPS: u64 = 160;
const SECOND: i64 = 1_000_000;

fn options(folder: &Scratch, clock: &Arc<AtomicI64>) -> Options {
    Options {
        journal: JournalOptions { segment_bytes: 256 << 10, record_bytes_max: 200 << 10 },
        clock: Clock::Moved(Arc::clone(clock)),
        sizes: Sizes {
            checkpoint_rows: 60,
            checkpoint_records: 40,
            references_tail_pairs: 16,
            children_tail_pairs: 4,
            dated_chunk_rows: 2,
            alerts_mark_rows: 7,
        },
        ..harness::options(folder)
    }
}

/// All that a state and the rows say of lineage.
#[derive(Clone, PartialEq, Debug)]
struct Picture {
    tracked: Vec<(u32, Tracked)>,
    parts: Vec<(u64, Vec<HeldPart>)>,
    figures: Vec<Figures>,
    rows: Vec<Row>,
}

fn picture(engine: &Engine) -> Option<Picture> {
    let rows = &engine.books().rows;
    let (mut tracked, mut parts, figures) = look(engine, |view| {
        let tracked: Vec<_> = view.state.tracked.iter().map(|(handle, one)| (*handle, one.clone())).collect();
        let parts: Vec<_> = view.state.held_parts.iter().map(|(row, one)| (*row, one.clone())).collect();
        (tracked, parts, view.state.balances.iter().map(|balance| balance.figures).collect())
    })?;
    tracked.sort_by_key(|one| one.0);
    parts.sort_by_key(|one| one.0);
    let rows = (0..rows.len()).map(|number| rows.get(number).expect("it is readable").expect("it is there")).collect();
    Some(Picture { tracked, parts, figures, rows })
}

/// Makes a tracked balance of an owner of its own.
fn tracked(engine: &Engine, label: &str, allocation: Allocation) -> Option<String> {
    let identity = Command::CreateIdentity(CreateIdentity {
        id: String::new(),
        detail: ledger::identity::Detail::Plain("{}".into()),
    });
    let Answer::Made { handle, .. } = submit(engine, identity) else { return None };
    let identity = look(engine, move |view| view.state.identity_text(handle))?;
    let command = Command::CreateBalance(CreateBalance {
        ledger: "general_ledger_id".into(),
        currency: "USD".into(),
        identity,
        indicator: String::new(),
        metadata: String::new(),
        track_fund_lineage: true,
        allocation,
        lineage_label: label.into(),
        alias: String::new(),
    });
    let Answer::Made { handle, .. } = submit(engine, command) else { return None };
    look(engine, move |view| view.state.balance_id(handle).text(Prefix::Balance))
}

/// Work on three tracked balances, one step after the other; with timers, what is done when is not the same every time.
/// Answers what there was after each step, as far as it came.
fn work(engine: &Engine, clock: &AtomicI64, seed: u64, timers: bool) -> Vec<Picture> {
    let mut pictures = Vec::new();
    let mut random = Random(seed);
    let strategies = [("ada", Allocation::Fifo), ("bo", Allocation::Lifo), ("", Allocation::Proportional)];
    let balances: Option<Vec<String>> =
        strategies.iter().map(|(label, allocation)| tracked(engine, label, *allocation)).collect();
    let Some(balances) = balances else { return pictures };
    for step in 0..STEPS {
        let answer = submit(engine, command_of(engine, &mut random, &balances, step, timers));
        clock.fetch_add(SECOND, Ordering::Relaxed);
        if matches!(answer, Answer::Unavailable(_)) {
            break;
        }
        pictures.extend(picture(engine));
    }
    pictures
}

fn command_of(engine: &Engine, random: &mut Random, balances: &[String], step: u64, timers: bool) -> Command {
    let any = |random: &mut Random| balances[random.below(3) as usize].clone();
    let provider = ["stripe", "paypal", "cash"][random.below(3) as usize];
    let amount = 1 + i128::from(random.below(900));
    let reference = format!("r{step}");
    let (one, other) = (any(random), any(random));
    let mut single = match random.below(4) {
        _ if step < 9 => post("@World", &balances[step as usize % 3], 10 * amount, &reference),
        0 => post("@World", &one, amount, &reference),
        1 => post(&one, "@Shop", amount, &reference),
        _ => post(&one, &other, amount, &reference),
    };
    single.provider = provider.into();
    single.inflight = step >= 9 && random.one_in(3);
    single.expires_at = (timers && single.inflight && random.one_in(3)).then(|| START + (step as i64 + 5) * SECOND);
    let open: Vec<u64> = look(engine, |view| {
        let mut open: Vec<u64> = view.state.holds.iter().map(|(row, _)| *row).collect();
        open.sort_unstable();
        open
    })
    .unwrap_or_default();
    match random.below(10) {
        0..3 if !open.is_empty() => {
            let row = open[random.below(open.len() as u64) as usize];
            let action = if random.one_in(3) { Action::Void } else { Action::Commit };
            harness::settle_command(row, action, random.one_in(2).then_some(amount / 3 + 1))
        }
        3 => refund_part(engine, random.below(engine.books().rows.len()), random.one_in(2).then_some(7), &reference),
        4 => {
            let more = Post { reference: format!("{reference}b"), ..post(&other, "@Shop", amount, "") };
            record(engine, Batch::Independent, random.one_in(2), &[single, more])
        }
        _ => record(engine, Batch::Single, random.one_in(2), &[single]),
    }
}

fn reopen(disk: &(impl Disk + Clone + 'static), folder: &Scratch) -> Engine {
    // The clock stands at the beginning again, so that nothing becomes due by itself.
    let clock = Arc::new(AtomicI64::new(START));
    let opened = Engine::open(Arc::new(disk.clone()), options(folder, &clock));
    opened.unwrap_or_else(|fault| panic!("it opens: {}", engine::fault_text(&fault)))
}

#[test]
fn lineage_is_in_the_journal() {
    let (disk, folder, clock) = (RealDisk::new(), Scratch::new(), Arc::new(AtomicI64::new(START)));
    let engine = Engine::open(Arc::new(disk), options(&folder, &clock)).expect("it opens");
    work(&engine, &clock, 5, true);
    let tracked = look(&engine, |view| view.state.balance_id(0).text(Prefix::Balance)).expect("the engine answers");
    recorded(pay(&engine, Post { provider: "cash".into(), ..post("@World", &tracked, 500, "last") }));
    recorded(pay(&engine, Post { inflight: true, ..post(&tracked, "@Shop", 400, "last-hold") }));
    let last = picture(&engine).expect("the engine answers");
    let count = |flags: Flags, status| {
        let rows = last.rows.iter().filter(|row| row.flags.has(Flags::LINEAGE.with(flags)) && row.status == status);
        rows.count()
    };
    let settled = [Status::Applied, Status::Void].map(|status| count(Flags::SETTLEMENT, status));
    let followed = [Status::Applied, Status::Inflight].map(|status| count(Flags::default(), status));
    assert!(settled.iter().chain(&followed).all(|count| *count > 5), "{settled:?} {followed:?}");
    assert!(!last.parts.is_empty() && last.tracked.iter().all(|(_, one)| !one.funds.is_empty()));
    engine.close();
    drop(engine);
    let harness_verified = |what: &str| {
        let report = engine::verify::run(
            Arc::new(disk),
            &folder.0,
            JournalOptions { segment_bytes: 256 << 10, record_bytes_max: 200 << 10 },
            |_| {},
        );
        assert_eq!(report.expect("it can be checked").problems, [], "{what}");
    };
    harness_verified("after a clean stop");
    for what in ["checkpoints", "tables", "references", "children", ""] {
        if !what.is_empty() {
            std::fs::remove_dir_all(folder.0.join(what)).expect("it is there");
        }
        let engine = reopen(&disk, &folder);
        assert_eq!(picture(&engine).expect("the engine answers"), last, "without {what}");
        engine.close();
        drop(engine);
        harness_verified(what);
    }
}

#[test]
fn lineage_survives_a_crash_with_what_it_follows_from() {
    let clock = Arc::new(AtomicI64::new(START));
    let (disk, folder) = (MemoryDisk::new(), Scratch::new());
    let engine = Engine::open(Arc::new(disk.clone()), options(&folder, &clock)).expect("it opens");
    let pictures = work(&engine, &clock, 9, false);
    engine.close();
    let operations = disk.operations();
    let mut replayed = 0;
    for n in (10..operations).step_by(11) {
        let (disk, folder) = (MemoryDisk::new(), Scratch::new());
        disk.fail_after(n, Failure::PowerLost);
        let clock = Arc::new(AtomicI64::new(START));
        if let Ok(engine) = Engine::open(Arc::new(disk.clone()), options(&folder, &clock)) {
            work(&engine, &clock, 9, false);
            engine.close();
        }
        let left = disk.crash(n);
        let engine = reopen(&left, &folder);
        let found = picture(&engine).expect("the engine answers");
        // Ids are of the moment, so labels and rows are compared by what they say.
        let said = |picture: &Picture| -> Vec<_> {
            picture.rows.iter().map(|row| (row.number, row.amount, row.status, row.flags, row.source)).collect()
        };
        let funds = |picture: &Picture| -> Vec<_> {
            picture.tracked.iter().map(|(handle, one)| (*handle, one.funds.clone())).collect()
        };
        if let Some(wanted) = pictures.iter().find(|picture| picture.rows.len() == found.rows.len()) {
            assert_eq!((said(&found), &found.figures), (said(wanted), &wanted.figures));
            assert_eq!((funds(&found), &found.parts), (funds(wanted), &wanted.parts));
            replayed += 1;
        }
        engine.close();
    }
    assert!(replayed > 20, "{replayed} crashes left something");
}

/// A client has a reference that a lineage row would have: the row gets another, the client's request is not refused for it;
/// and a client that comes later does not get one that a lineage row has.
#[test]
fn references_are_used_once() {
    let folder = Scratch::new();
    let clock = Arc::new(AtomicI64::new(START));
    let engine = Engine::open(Arc::new(MemoryDisk::new()), options(&folder, &clock)).expect("it opens");
    let balance = tracked(&engine, "ada", Allocation::Fifo).expect("it is made");
    let tagged = |reference: &str| Post { provider: "stripe".into(), ..post("@World", &balance, 100, reference) };
    recorded(pay(&engine, post("@World", "@Shop", 1, "d1_shadow_stripe")));
    recorded(pay(&engine, post("@World", "@Shop", 1, "d1_shadow_stripe_2")));
    let names = |made: &Recorded| -> Vec<String> {
        let event = made.event.as_ref().expect("rows were asked for");
        let follow = event.lineage().map(|(_, movement)| movement.reference.of(&event.text).to_owned());
        made.rows.iter().map(|row| reference_of(event, row)).chain(follow).collect()
    };
    let made = recorded(pay(&engine, tagged("d1")));
    assert_eq!(names(&made), ["d1", "d1_shadow_stripe_3"]);
    let batch = [tagged("d2"), Post { provider: String::new(), ..post("@World", "@Shop", 1, "d2_shadow_stripe") }];
    let made = recorded(submit(&engine, record(&engine, Batch::Atomic, false, &batch)));
    assert_eq!(names(&made), ["d2", "d2_shadow_stripe", "d2_shadow_stripe_2"]);
    let late = pay(&engine, post("@World", "@Shop", 1, "d2_shadow_stripe_2"));
    assert!(matches!(late, Answer::Refused(refused) if refused.rejection == Rejection::DuplicateReference), "{late:?}");
    engine.close();
}

/// What follows a hold ends with it; by itself it is neither settled, changed nor given back.
#[test]
fn what_follows_does_not_change_by_itself() {
    let folder = Scratch::new();
    let disk = MemoryDisk::new();
    let engine = harness::open(&disk, &folder);
    let balance = tracked(&engine, "ada", Allocation::Fifo).expect("it is made");
    let provider = "stripe".to_owned();
    recorded(pay(&engine, Post { provider: provider.clone(), ..post("@World", &balance, 100, "d1") }));
    let hold = recorded(pay(&engine, Post { inflight: true, ..post(&balance, "@Shop", 60, "h1") }));
    let [main] = hold.rows[..] else { panic!("only what was asked for is answered: {:?}", hold.rows) };
    let event = hold.event.as_ref().expect("rows were asked for");
    let follows = |event: &ledger::event::Recorded| event.lineage().next().expect("something follows").0;
    let held = follows(event);
    assert!(matches!(event.movements[1].kind, Kind::Lineage { of: 0, .. }));
    let refused = |answer: Answer| {
        let follows = matches!(&answer, Answer::Refused(refused) if refused.rejection == Rejection::FollowsAnother);
        assert!(follows, "{answer:?}");
    };
    for action in [Action::Commit, Action::Void] {
        refused(settle(&engine, held, action, None));
    }
    refused(submit(&engine, harness::change_command(held, Some(5), None)));
    let done = recorded(settle(&engine, main.number, Action::Commit, None));
    assert_eq!((done.rows.len(), done.rows_count), (1, 1));
    refused(settle(&engine, held, Action::Commit, None));
    let posted = follows(done.event.as_ref().expect("rows were asked for"));
    refused(submit(&engine, refund_part(&engine, posted, None, "x")));
    // What is tried tells what was asked for.
    let command = record(&engine, Batch::Single, false, &[post(&balance, "@Shop", 5, "p1")]);
    let tried = harness::attempt(&engine, command);
    assert_eq!(tried.steps.len(), 1);
    let id = Id::parse(Prefix::Balance, &balance).expect("it is an id");
    assert_eq!(harness::figures(&engine, id), (40, 0));
    engine.close();
    drop(engine);
    assert_eq!(verified(&disk, &folder).problems, []);
}

/// What is scheduled must be able to run, whatever follows from it then: it is taken only where a record has room for the
/// lineage of every provider that a tracked balance may have. What touches no tracked balance needs none.
#[test]
fn what_is_scheduled_has_room_for_its_lineage() {
    let needed = 2 * ledger::limits::PROVIDERS_MAX * engine::limits::LINEAGE_MOVEMENT_BYTES_MAX;
    for (segment_bytes, taken) in [(256 << 10, false), (2 << 20, true)] {
        assert_eq!(segment_bytes > needed as u64, taken, "the sizes are on both sides of what is needed");
        let (folder, clock) = (Scratch::new(), Arc::new(AtomicI64::new(START)));
        let journal = JournalOptions { segment_bytes, record_bytes_max: segment_bytes as u32 - 8192 };
        let options = Options { journal, ..options(&folder, &clock) };
        let engine = Engine::open(Arc::new(MemoryDisk::new()), options).expect("it opens");
        let balance = tracked(&engine, "ada", Allocation::Fifo).expect("it is made");
        let later = |destination: &str, reference: &str| {
            let due = Some(START + SECOND);
            let one =
                Post { scheduled_at: due, provider: "stripe".into(), ..post("@World", destination, 5, reference) };
            submit(&engine, record(&engine, Batch::Single, true, &[one]))
        };
        recorded(later("@Shop", "plain"));
        let answer = later(&balance, "traced");
        let refused = matches!(answer, Answer::Unavailable(engine::answer::Unavailable::TooLarge));
        assert_eq!(refused, !taken, "{answer:?}");
        clock.fetch_add(2 * SECOND, Ordering::Relaxed);
        let ran = || look(&engine, |view| view.state.timers.first().is_none()).expect("the engine answers");
        assert!((0..10_000).any(|_| ran()), "what is due is done");
        let came = look(&engine, |view| {
            let tracked = view.state.tracked(0).expect("it is tracked");
            tracked.funds.iter().map(|fund| fund.purse.received).sum::<i128>()
        });
        assert_eq!(came, Some(if taken { 5 } else { 0 }));
        engine.close();
    }
}
