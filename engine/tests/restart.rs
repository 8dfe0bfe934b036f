//! What was answered is there after a restart, whatever is left of the derived files.

mod support {
    pub mod harness;
}

use engine::answer::Answer;
use journal::disk::{MemoryDisk, RealDisk};
use ledger::command::{Action, Batch};
use ledger::id::Prefix;
use ledger::rejection::Rejection;
use ledger::row::Status;
use support::harness::{
    Post, Scratch, balance, figures, ledger, look, open, pay, post, record, recorded, settle, submit,
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
    recorded(settle(&engine, one, Action::Commit, None));
    recorded(settle(&engine, two, Action::Void, None));
    for action in [Action::Commit, Action::Void] {
        assert_eq!(refused(settle(&engine, one, action, None)), Rejection::AlreadyCommitted);
        assert_eq!(refused(settle(&engine, two, action, None)), Rejection::AlreadyVoided);
        assert_eq!(refused(settle(&engine, 999, action, None)), Rejection::NotInflight);
    }
    assert_eq!(figures(&engine, a), (100, 0));
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
