//! What is said of ledgers, balances and transactions after they were made, and the aliases of balances: there after a stop,
//! after a crash, and when everything that is derived is gone.

mod support {
    pub mod harness;
}

use engine::answer::Answer;
use engine::engine::Engine;
use engine::limits::Sizes;
use journal::disk::RealDisk;
use ledger::command::{ChangeMetadata, Command, CreateIdentity, LinkIdentity, NameBalance};
use ledger::id::{Id, Prefix};
use ledger::identity::Detail;
use ledger::limits::METADATA_CHANGES_MAX;
use ledger::notes::Subject;
use ledger::rejection::Rejection;
use ledger::row::Parent;
use ledger::state::NO_RECORD;
use std::sync::Arc;
use support::harness::{Scratch, balance, ledger, look, options, pay, post, recorded, submit, verified};

/// What of these things can be read.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Said {
    /// By subject: what was said, oldest first.
    changes: Vec<Vec<String>>,
    aliases: Vec<String>,
    owners: Vec<Option<u32>>,
}

fn subjects() -> Vec<Subject> {
    let rows = [Parent::Row(0), Parent::Row(1), Parent::Batch(1)].map(Subject::Rows);
    [Subject::Ledger(0), Subject::Ledger(1), Subject::Balance(0), Subject::Balance(1)].into_iter().chain(rows).collect()
}

fn said(engine: &Engine) -> Said {
    let (newest, aliases, owners) = look(engine, |view| {
        let handles = 0..view.state.balances.len() as u32;
        let newest: Vec<u64> = subjects().into_iter().map(|subject| view.state.newest_note(subject)).collect();
        let aliases = handles.clone().map(|handle| view.state.alias(handle).to_owned()).collect();
        (newest, aliases, handles.map(|handle| view.state.balance(handle).identity).collect())
    })
    .expect("the engine answers");
    let changes = subjects().into_iter().zip(newest).map(|(subject, newest)| {
        assert_eq!(engine.books().notes().newest(subject), newest, "readers know what the state knows");
        let changes = engine.books().changes(subject).expect("changes can be read");
        assert_eq!(changes.last().map_or(NO_RECORD, |(record, _)| *record), newest);
        changes.into_iter().map(|(_, change)| change.metadata).collect()
    });
    Said { changes: changes.collect(), aliases, owners }
}

fn change(engine: &Engine, subject: Subject, metadata: &str) -> Answer {
    let seen = look(engine, move |view| view.state.newest_note(subject)).expect("the engine answers");
    submit(engine, Command::ChangeMetadata(ChangeMetadata { subject, metadata: metadata.into(), seen }))
}

fn name(engine: &Engine, balance: Id, alias: &str) -> Answer {
    submit(engine, Command::NameBalance(NameBalance { balance, alias: alias.into() }))
}

fn assert_made(answer: &Answer) {
    assert!(matches!(answer, Answer::Made { .. }), "{answer:?}");
}

/// An engine that makes a checkpoint after every few records.
fn open_often(folder: &Scratch) -> Engine {
    let sizes = Sizes { checkpoint_rows: 1_000, checkpoint_records: 3, ..Sizes::USUAL };
    let options = engine::engine::Options { sizes, ..options(folder) };
    Engine::open(Arc::new(RealDisk::new()), options).expect("the engine opens")
}

#[test]
fn what_was_said_is_there_after_a_restart_and_without_derived_files() {
    let folder = Scratch::new();
    let engine = open_often(&folder);
    let of = ledger(&engine);
    let (a, b) = (balance(&engine, &of), balance(&engine, &of));
    recorded(pay(&engine, post("@World", &a.text(Prefix::Balance), 500, "one")));
    recorded(pay(&engine, post(&a.text(Prefix::Balance), &b.text(Prefix::Balance), 200, "two")));
    for detail in ["{\"name\":\"Ada\"}", "{}"] {
        assert_made(&submit(
            &engine,
            Command::CreateIdentity(CreateIdentity { id: String::new(), detail: Detail::Plain(detail.into()) }),
        ));
    }
    let identity = look(&engine, |view| view.state.identity_text(1)).expect("the engine answers");
    assert_made(&submit(
        &engine,
        Command::LinkIdentity(LinkIdentity { balance: Some(b), identity, lineage_label: String::new() }),
    ));
    for (index, subject) in subjects().into_iter().enumerate() {
        for round in 0..=index {
            assert_made(&change(&engine, subject, &format!("{{\"round\":{round}}}")));
        }
    }
    assert_made(&name(&engine, a, "purse"));
    assert_made(&name(&engine, b, "wallet"));
    assert_made(&name(&engine, b, "pocket"));
    recorded(pay(&engine, post("purse", "pocket", 1, "three")));
    let before = said(&engine);
    assert_eq!(before.aliases, ["purse", "pocket", ""]);
    assert_eq!(before.owners, [None, Some(1), None]);
    assert_eq!(before.changes[2], ["{\"round\":0}", "{\"round\":1}", "{\"round\":2}"]);
    engine.close();
    drop(engine);
    for delete in [false, true, false] {
        if delete {
            for name in ["tables", "references", "children", "checkpoints"] {
                std::fs::remove_dir_all(folder.0.join(name)).expect("it was made");
            }
        }
        let engine = open_often(&folder);
        assert_eq!(said(&engine), before);
        let taken = name(&engine, a, "pocket");
        assert!(matches!(taken, Answer::Refused(refused) if refused.rejection == Rejection::AliasTaken), "{taken:?}");
        engine.close();
        drop(engine);
        assert_eq!(verified(&RealDisk::new(), &folder).problems, []);
    }
}

#[test]
fn the_metadata_of_a_transaction_changes_so_often() {
    let folder = Scratch::new();
    let engine = open_often(&folder);
    let a = balance(&engine, &ledger(&engine));
    recorded(pay(&engine, post("@World", &a.text(Prefix::Balance), 500, "one")));
    let row = Subject::Rows(Parent::Row(0));
    for _ in 0..METADATA_CHANGES_MAX {
        assert_made(&change(&engine, row, "{}"));
    }
    let more = change(&engine, row, "{}");
    assert!(matches!(more, Answer::Refused(refused) if refused.rejection == Rejection::TooManyChanges), "{more:?}");
    // A balance has a whole of its own: it never leads back further than one change.
    for _ in 0..=METADATA_CHANGES_MAX {
        assert_made(&change(&engine, Subject::Balance(0), "{}"));
    }
}
