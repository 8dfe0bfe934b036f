//! What is tried must be what happens, but for what trying is there for: every refusal is told, and nothing waits.

use ledger::command::{Batch, Command, Record};
use ledger::decide::Decision;
use ledger::event::{Event, Movement, Outcome};
use ledger::rejection::{Refused, Rejection};
use std::collections::BTreeMap;

/// The same command, only tried.
pub fn of(mut command: Command) -> Command {
    if let Command::Record(record) = &mut command {
        record.trial = true;
        record.goes_on = record.batch == Batch::Independent;
    }
    command
}

/// What came of one item.
#[derive(Clone, PartialEq, Debug)]
enum Fate {
    Known,
    Refused(Rejection),
    Moved(Vec<Movement>),
}

fn fates(answer: &Result<Decision, Refused>) -> BTreeMap<u32, Fate> {
    let mut fates = BTreeMap::new();
    let Decision { event, known, refused } = match answer {
        Err(refused) => return BTreeMap::from([(refused.item, Fate::Refused(refused.rejection))]),
        Ok(decision) => decision,
    };
    if let Some(Event::Recorded(event)) = event {
        for movements in event.main_movements().chunk_by(|one, next| one.item == next.item) {
            // A trial numbers the currencies of what it refuses too.
            let same_currency = movements.iter().map(|one| Movement { currency: 0, ..one.clone() });
            fates.insert(movements[0].item, Fate::Moved(same_currency.collect()));
        }
    }
    let before = fates.len();
    let known: BTreeMap<u32, Fate> = known.iter().map(|known| (known.item, Fate::Known)).collect();
    let others = known.len() + refused.len();
    fates.extend(known);
    fates.extend(refused.iter().map(|refused| (refused.item, Fate::Refused(refused.rejection))));
    assert_eq!(fates.len(), before + others, "an item has one fate: {answer:?}");
    fates
}

/// Why the movements of an item were rejected: the first reason of their own.
fn reason(movements: &[Movement]) -> Option<Rejection> {
    let reasons = movements.iter().filter_map(|movement| match movement.outcome {
        Outcome::Rejected(rejection) => Some(rejection),
        _ => None,
    });
    let mut reasons = reasons.filter(|rejection| *rejection != Rejection::BatchRejected);
    reasons.next()
}

/// Panics unless what was tried is what happened.
pub fn compare(record: &Record, tried: &Result<Decision, Refused>, happened: &Result<Decision, Refused>) {
    let waits = record.queued && record.asks.iter().any(|ask| ask.terms().scheduled_at.is_some());
    if waits {
        // Later items are judged after what waits, or after it has run: both are right.
        return;
    }
    let tried_fates = fates(tried);
    if tried.is_err() {
        // Only what cannot be told as a movement ends a trial.
        let rejection = tried.as_ref().err().map(|refused| refused.rejection);
        assert_eq!(rejection, Some(Rejection::DuplicateReference), "{tried:?}");
        assert!(happened.is_err(), "a trial is refused only when the command is: {tried:?} {happened:?}");
        return;
    }
    for (item, fate) in fates(happened) {
        let tried = tried_fates.get(&item).unwrap_or_else(|| panic!("item {item} was tried: {tried:?}"));
        match (&fate, tried) {
            (Fate::Refused(rejection), Fate::Moved(movements)) => {
                assert_eq!(reason(movements), Some(*rejection), "item {item} is refused as it was tried");
            }
            (fate, tried) => assert_eq!(fate, tried, "item {item} ends as it was tried"),
        }
    }
}
