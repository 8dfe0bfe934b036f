//! What was answered is there after a restart, whatever is left of the derived files.

mod support {
    pub mod harness;
}

use engine::answer::Answer;
use engine::reading::reference_of;
use journal::disk::{MemoryDisk, RealDisk};
use ledger::command::{Action, Batch};
use ledger::id::Prefix;
use ledger::rejection::Rejection;
use ledger::row::{Flags, Status};
use support::harness::{
    Post, Scratch, balance, change_command, figures, ledger, look, open, pay, post, record, recorded, refund_through,
    settle, submit, verified,
};

#[test]
fn money_is_where_it_was_after_a_clean_stop_and_without_derived_files() {
    let folder = Scratch::new();
    let disk = RealDisk::new();
    let engine = open(&disk, &folder);
    let ledger = ledger(&engine);
    let (a, b) = (balance(&engine, &ledger), balance(&engine, &ledger));
    let (a_text, b_text) = (a.text(Prefix::Balance), b.text(Prefix::Balance));
    let first = recorded(pay(&engine, post("@World", &a_text, 10_000, "fund"))).rows[0];
    let held = recorded(pay(&engine, Post { inflight: true, ..post(&a_text, &b_text, 4_000, "hold") })).rows[0];
    recorded(settle(&engine, held.number, Action::Commit, Some(1_500)));
    recorded(submit(&engine, record(&engine, Batch::Single, true, &[post(&a_text, &b_text, 100, "queued")])));
    assert_eq!(figures(&engine, a), (8_400, 2_500));
    engine.close();
    drop(engine);
    for delete in [false, true] {
        if delete {
            for name in ["tables", "references", "children", "checkpoints"] {
                std::fs::remove_dir_all(folder.0.join(name)).expect("it was made");
            }
        }
        let engine = open(&disk, &folder);
        assert_eq!(engine.started().replayed_records > 0, delete, "a clean stop leaves nothing to replay");
        assert_eq!((figures(&engine, a), figures(&engine, b)), ((8_400, 2_500), (1_600, 0)));
        assert_eq!(engine.books().find_transaction(first.id()).expect("it is readable"), Some(first));
        let again = pay(&engine, post(&a_text, &b_text, 1, "hold"));
        assert!(
            matches!(again, Answer::Refused(refused) if refused.rejection == Rejection::DuplicateReference),
            "{again:?}"
        );
        let again = pay(&engine, post(&a_text, &b_text, 1, "queued_q"));
        assert!(
            matches!(again, Answer::Refused(refused) if refused.rejection == Rejection::DuplicateReference),
            "{again:?}"
        );
        let rows = engine.books().rows.len();
        assert_eq!(rows, 5);
        let outcome = engine.books().row(4).expect("it is readable").expect("it is there");
        assert_eq!(outcome.status, Status::Applied);
        engine.close();
    }
}

#[test]
fn a_hold_ends_once() {
    let folder = Scratch::new();
    let engine = open(&MemoryDisk::new(), &folder);
    let ledger = ledger(&engine);
    let a = balance(&engine, &ledger);
    let hold = |reference: &str| {
        let one = Post { inflight: true, ..post("@World", &a.text(Prefix::Balance), 100, reference) };
        recorded(pay(&engine, one)).rows[0].number
    };
    let refused = |answer: Answer| match answer {
        Answer::Refused(refused) => refused.rejection,
        other => panic!("wanted a refusal, got {other:?}"),
    };
    let (one, two) = (hold("one"), hold("two"));
    assert_eq!(refused(settle(&engine, one, Action::Commit, Some(101))), Rejection::ExceedsOriginal);
    recorded(settle(&engine, one, Action::Commit, Some(60)));
    assert_eq!(refused(settle(&engine, one, Action::Commit, Some(41))), Rejection::ExceedsRemaining);
    // A change is no end, whether it comes before or between.
    recorded(submit(&engine, change_command(one, Some(30), None)));
    recorded(submit(&engine, change_command(two, Some(50), None)));
    recorded(submit(&engine, change_command(one, Some(20), None)));
    recorded(settle(&engine, one, Action::Commit, None));
    recorded(settle(&engine, two, Action::Void, None));
    for action in [Action::Commit, Action::Void] {
        assert_eq!(refused(settle(&engine, one, action, None)), Rejection::AlreadyCommitted);
        assert_eq!(refused(settle(&engine, two, action, None)), Rejection::AlreadyVoided);
        assert_eq!(refused(settle(&engine, 999, action, None)), Rejection::NotInflight);
    }
    // What belongs to a posting is no end of a hold.
    let posted = recorded(pay(&engine, post("@World", &a.text(Prefix::Balance), 5, "posted"))).rows[0].number;
    recorded(submit(&engine, refund_through(&engine, false, posted, None, "back")));
    assert_eq!(refused(settle(&engine, posted, Action::Commit, None)), Rejection::NotInflight);
    for (hold, why) in
        [(one, Rejection::AlreadyCommitted), (two, Rejection::AlreadyVoided), (999, Rejection::NotInflight)]
    {
        assert_eq!(refused(submit(&engine, change_command(hold, Some(1), None))), why);
    }
    assert_eq!(figures(&engine, a), (80, 0));
}

/// Proves that all parts of a refund count, through the queue or not, each with a reference of its own, also after a restart.
#[test]
fn parts_of_a_refund_are_summed() {
    let folder = Scratch::new();
    let disk = RealDisk::new();
    let mut engine = open(&disk, &folder);
    let a = balance(&engine, &ledger(&engine));
    let one = record(&engine, Batch::Single, true, &[post("@World", &a.text(Prefix::Balance), 100, "paid")]);
    let outcome = recorded(submit(&engine, one)).rows[1].number;
    let mut references = Vec::new();
    for (number, queued) in [true, false, true].into_iter().enumerate() {
        let part = recorded(submit(&engine, refund_through(&engine, queued, outcome, Some(25), "back")));
        for row in &part.rows {
            assert_eq!((row.amount, row.flags.has(Flags::REFUND)), (25, true));
            references.push(reference_of(part.event.as_ref().expect("rows were asked for"), row));
        }
        assert_eq!(figures(&engine, a), (75 - 25 * number as i128, 0));
        drop(engine);
        engine = open(&disk, &folder);
    }
    assert_eq!(references, ["back", "back_q", "back_2", "back_3", "back_3_q"]);
    let refused = |queued, amount| match submit(&engine, refund_through(&engine, queued, outcome, amount, "back")) {
        Answer::Refused(refused) => refused.rejection,
        other => panic!("wanted a refusal, got {other:?}"),
    };
    assert_eq!(refused(false, Some(26)), Rejection::ExceedsRefundable);
    assert_eq!(refused(true, Some(26)), Rejection::ExceedsRefundable);
    recorded(submit(&engine, refund_through(&engine, false, outcome, None, "back")));
    assert_eq!(refused(false, None), Rejection::AlreadyRefunded);
    assert_eq!(refused(true, Some(1)), Rejection::AlreadyRefunded);
    assert_eq!(figures(&engine, a), (0, 0));
    drop(engine);
    assert_eq!(verified(&disk, &folder).problems, []);
}

#[test]
fn an_atomic_batch_with_a_bad_item_leaves_nothing() {
    let folder = Scratch::new();
    let engine = open(&MemoryDisk::new(), &folder);
    let ledger = ledger(&engine);
    let a = balance(&engine, &ledger);
    let a_text = a.text(Prefix::Balance);
    recorded(pay(&engine, post("@World", &a_text, 100, "fund")));
    let rows = engine.books().rows.len();
    let posts = [post(&a_text, "@New", 60, "x1"), post(&a_text, "@New", 30, "x2"), post(&a_text, "@Newer", 50, "x3")];
    let answer = submit(&engine, record(&engine, Batch::Atomic, false, &posts));
    assert!(matches!(answer, Answer::Refused(refused) if refused.item == 2), "{answer:?}");
    assert_eq!((figures(&engine, a), engine.books().rows.len()), ((100, 0), rows));
    let balances = look(&engine, |view| view.state.balances.len()).expect("the engine answers");
    assert_eq!(balances, 2, "no balance was made on the way");
    let answer = recorded(submit(&engine, record(&engine, Batch::Independent, false, &posts)));
    assert_eq!((answer.rows_count, answer.refused[0].item), (2, 2));
    assert_eq!(figures(&engine, a), (10, 0));
    recorded(pay(&engine, post(&a_text, "@Newer", 1, "x3")));
}

/// The key of the fingerprints is lost with `format`: what was indexed with it must not be taken for empty.
#[test]
fn references_are_known_when_everything_but_the_journal_is_deleted() {
    let folder = Scratch::new();
    let disk = RealDisk::new();
    let engine = open(&disk, &folder);
    let ledger = ledger(&engine);
    let a = balance(&engine, &ledger).text(Prefix::Balance);
    recorded(pay(&engine, post("@World", &a, 10_000, "fund")));
    drop(engine);
    std::fs::remove_file(folder.0.join("format")).expect("it was made");
    let engine = open(&disk, &folder);
    let again = pay(&engine, post("@World", &a, 10_000, "fund"));
    assert!(
        matches!(again, Answer::Refused(refused) if refused.rejection == Rejection::DuplicateReference),
        "{again:?}"
    );
}
