//! Identities in the engine: what is sealed comes back byte for byte, changes are made from what is true, and a crash at any
//! operation of the disk leaves what was answered.

mod support {
    pub mod harness;
}

use engine::answer::Answer;
use engine::engine::{Engine, Options};
use engine::limits::Sizes;
use journal::disk::{Failure, MemoryDisk};
use ledger::command::{Command, CreateIdentity, DeleteIdentity, RevealIdentity, UpdateIdentity};
use ledger::event::Event;
use ledger::identity::{Detail, KeyName, Sealed};
use ledger::rejection::Rejection;
use ledger::state::{Identity, NO_RECORD};
use std::sync::Arc;
use support::harness::{self, Scratch, look, submit, verified};

/// Operations of the disk at which the workload is stopped.
const STOPS: u64 = 120;

fn options(folder: &Scratch) -> Options {
    // A checkpoint every few records.
    Options {
        sizes: Sizes {
            checkpoint_records: 4,
            checkpoint_rows: 25,
            references_tail_pairs: 16,
            children_tail_pairs: 4,
            dated_chunk_rows: 2,
            alerts_mark_rows: 7,
        },
        ..harness::options(folder)
    }
}

fn sealed(slot: u32, byte: u8) -> Detail {
    Detail::Sealed(Sealed { key: KeyName { slot, id: [byte; 16] }, bytes: vec![byte; 40 + byte as usize] })
}

fn identities(engine: &Engine) -> Vec<Identity> {
    look(engine, |view| view.state.identities.iter().cloned().collect()).expect("the engine answers")
}

/// Commands on three identities, made from what is true then.
fn command(engine: &Engine, step: usize) -> Option<Command> {
    let known = look(engine, |view| view.state.identities.iter().cloned().collect::<Vec<_>>())?;
    let id = format!("idt_{}", step % 3);
    let live = known.iter().rev().find(|one| one.chosen.as_deref() == Some(&id) && !one.is_deleted);
    Some(match live {
        None => Command::CreateIdentity(CreateIdentity { id, detail: sealed(step as u32, step as u8) }),
        Some(_) if step % 7 == 6 => Command::DeleteIdentity(DeleteIdentity { identity: id }),
        Some(_) if step.is_multiple_of(2) => Command::RevealIdentity(RevealIdentity {
            identity: id,
            who: "master".into(),
            request: format!("r-{step}"),
            fields: vec!["FirstName".into(), "Street".into()],
        }),
        Some(live) => Command::UpdateIdentity(UpdateIdentity {
            identity: id,
            basis: live.detail,
            detail: sealed(live.key.map_or(7, |key| key.slot), step as u8),
        }),
    })
}

const STEPS: usize = 40;

/// Carries out the commands until one is not carried out. Answers the identities after each that was.
fn carry_out(engine: &Engine) -> Vec<Vec<Identity>> {
    let mut after = vec![Vec::new()];
    for step in 0..STEPS {
        let Some(command) = command(engine, step) else { break };
        let Answer::Made { .. } = submit(engine, command) else { break };
        let Some(known) = look(engine, |view| view.state.identities.iter().cloned().collect()) else { break };
        after.push(known);
    }
    after
}

/// What of an identity is the same in every run.
fn said(one: &Identity) -> (u64, u64, Option<u32>, u64, bool, Option<String>) {
    (
        one.record,
        one.detail,
        one.key.map(|key| key.slot),
        one.revealed,
        one.is_deleted,
        one.chosen.as_deref().map(str::to_owned),
    )
}

#[test]
fn a_stop_at_any_operation_keeps_what_was_answered() {
    let folder = Scratch::new();
    let engine = Engine::open(Arc::new(MemoryDisk::new()), options(&folder)).expect("a new folder opens");
    let whole: Vec<Vec<_>> = carry_out(&engine).iter().map(|all| all.iter().map(said).collect()).collect();
    let mut stopped = 0;
    for failure in [Failure::PowerLost, Failure::Io] {
        for operations in (0..STOPS).step_by(3) {
            let (folder, disk) = (Scratch::new(), MemoryDisk::new());
            let engine = Engine::open(Arc::new(disk.clone()), options(&folder)).expect("a new folder opens");
            disk.fail_after(operations, failure);
            let answered = carry_out(&engine).len() - 1;
            stopped += usize::from((1..STEPS).contains(&answered));
            engine.close();
            drop(engine);
            let left = disk.crash(operations);
            let engine = Engine::open(Arc::new(left.clone()), options(&folder)).expect("what is left opens");
            let found: Vec<_> = identities(&engine).iter().map(said).collect();
            // The one that was not answered may be there too.
            let is_known = whole[answered..].iter().take(2).any(|known| *known == found);
            assert!(is_known, "stopped at {operations} after {answered} answers: {found:?}");
            harness::ledger(&engine);
            engine.close();
            drop(engine);
            assert_eq!(verified(&left, &folder).problems, [], "stopped at {operations}");
        }
    }
    assert!(stopped > 20, "{stopped} were stopped in the middle");
}

#[test]
fn what_is_replayed_is_what_was() {
    let (folder, disk) = (Scratch::new(), MemoryDisk::new());
    let engine = Engine::open(Arc::new(disk.clone()), options(&folder)).expect("a new folder opens");
    let after = carry_out(&engine);
    assert_eq!(after.len(), STEPS + 1, "all commands are carried out");
    let wanted = after.last().expect("there is one").clone();
    assert!(wanted.iter().any(|one| one.is_deleted) && wanted.iter().any(|one| one.revealed != NO_RECORD));
    for one in &wanted {
        let detail = match engine.books().event(one.detail).expect("its record is readable") {
            Event::IdentityCreated(event) => event.detail,
            Event::IdentityChanged(event) => event.detail,
            other => panic!("its fields are not in {other:?}"),
        };
        let Detail::Sealed(sealed) = detail else { panic!("it is sealed") };
        assert_eq!((Some(sealed.key), sealed.bytes.len()), (one.key, 40 + sealed.key.id[0] as usize));
        // Its reveals are found from the newest on.
        let mut at = one.revealed;
        while at != NO_RECORD {
            let Ok(Event::IdentityRevealed(event)) = engine.books().event(at) else { panic!("{at} is a reveal") };
            assert!(event.previous == NO_RECORD || event.previous < at, "it goes back");
            at = event.previous;
        }
    }
    engine.close();
    drop(engine);
    assert_eq!(verified(&disk, &folder).problems, []);
    // With the checkpoint, then without.
    for replays in [false, true] {
        if replays {
            for name in disk_checkpoints(&disk, &folder) {
                journal::disk::Disk::remove(&disk, &name).expect("it is there");
            }
        }
        let engine = Engine::open(Arc::new(disk.clone()), options(&folder)).expect("it opens");
        assert_eq!(engine.started().replayed_records > 4, replays, "{:?}", engine.started());
        assert_eq!(identities(&engine), wanted);
        engine.close();
    }
}

fn disk_checkpoints(disk: &MemoryDisk, folder: &Scratch) -> Vec<std::path::PathBuf> {
    let folder = folder.0.join("checkpoints");
    let names = journal::disk::Disk::list(disk, &folder).expect("it is there");
    assert!(!names.is_empty(), "checkpoints were made");
    names.iter().map(|name| folder.join(name)).collect()
}

/// Of two changes from the same fields one is made.
#[test]
fn no_change_is_lost() {
    let folder = Scratch::new();
    let engine = harness::open(&MemoryDisk::new(), &folder);
    submit(&engine, Command::CreateIdentity(CreateIdentity { id: "idt_0".into(), detail: sealed(1, 1) }));
    let basis = identities(&engine)[0].detail;
    let update =
        |byte| Command::UpdateIdentity(UpdateIdentity { identity: "idt_0".into(), basis, detail: sealed(1, byte) });
    assert!(matches!(submit(&engine, update(2)), Answer::Made { handle: 0, .. }));
    let second = submit(&engine, update(3));
    assert!(
        matches!(second, Answer::Refused(refused) if refused.rejection == Rejection::IdentityChanged),
        "{second:?}"
    );
}
