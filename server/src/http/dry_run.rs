//! Dry runs: what a request would do. It is decided as the real one is, against the same state, and then dropped; nothing
//! of it leaves the writer but what is told here.

pub mod batch;
pub mod document;
pub mod ends;
pub mod exchange;
pub mod record;

use super::error::{ApiError, Code};
use crate::api::lineage::shares_of;
use crate::api::projection::{BalanceProjection, LineageProjection, ProjectionView, RejectionView};
use engine::answer::Trial;
use engine::reading::Books;
use ledger::event::{Event, Movement, NO_BALANCE, Opened, Outcome, Recorded};
use ledger::id::Prefix;
use ledger::projection::{Seen, Step};
use ledger::rejection::Rejection;
use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::Arc;

/// The role of whoever pays.
pub const SOURCE: &str = "source";
/// The role of whoever is paid.
pub const DESTINATION: &str = "destination";

/// The movements of an event that was only tried.
pub struct Tried<'a> {
    books: &'a Books,
    /// The event.
    pub event: &'a Recorded,
    steps: &'a [Step],
    /// What would follow from the movements.
    followed: &'a [Movement],
    /// Indicators that would get their balances. Told by name: the handles that they would have may have become those of
    /// other balances by now.
    opened: HashSet<(&'a str, u32)>,
    /// The number of the first currency that the event would make known.
    currencies_before: u32,
}

/// What a side of a movement is known by.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Name<'a> {
    Balance(u32),
    /// An indicator, and the number of a currency, that have no balance.
    New(&'a str, u32),
}

struct Side<'a> {
    name: Name<'a>,
    role: &'static str,
    seen: Seen,
}

impl<'a> Tried<'a> {
    /// What was tried, if it comes to an event.
    pub fn of(books: &'a Books, trial: &'a Trial) -> Option<Tried<'a>> {
        let Some(Event::Recorded(event)) = trial.decided.as_ref().ok()?.event.as_ref() else { return None };
        let name = |opened: &'a Opened| (opened.indicator.of(&event.text), opened.currency);
        // Currencies are numbered one after the other, and each that is new is named by a movement.
        let currencies_count = event.movements.iter().map(|movement| movement.currency + 1).max().unwrap_or_default();
        let currencies_new = u32::try_from(event.currencies.len()).expect("currencies are limited");
        Some(Tried {
            books,
            event,
            steps: &trial.steps,
            followed: &trial.followed,
            opened: event.opened.iter().map(name).collect(),
            currencies_before: if currencies_new == 0 { u32::MAX } else { currencies_count - currencies_new },
        })
    }

    /// Both sides of one movement.
    pub fn pair(&self, index: usize) -> Vec<BalanceProjection> {
        let [source, destination] = self.sides(index);
        [source, destination].map(|side| BalanceProjection { after: side.seen.after, ..self.balance(&side) }).into()
    }

    /// The balances that movements name, each once, in order: as they are before the first that names them, and after the
    /// last that does and stands before `end`.
    pub fn balances(&self, movements: Range<usize>, end: usize) -> Vec<BalanceProjection> {
        let mut found: Vec<BalanceProjection> = Vec::new();
        let mut places: HashMap<Name<'_>, usize> = HashMap::new();
        for index in movements {
            for side in self.sides(index) {
                let place = *places.entry(side.name).or_insert_with(|| {
                    found.push(self.balance(&side));
                    found.len() - 1
                });
                if index < end {
                    found[place].after = side.seen.after;
                }
            }
        }
        found
    }

    /// Tells what would follow from movements in the lineage of tracked balances.
    pub fn tell_lineage(&self, movements: Range<usize>, view: &mut ProjectionView) {
        let main = |index: usize| &self.event.movements[index];
        let kinds = movements.clone().map(|index| (main(index).kind, self.followed_from(index).iter().collect()));
        view.fund_allocation = shares_of(kinds, &self.event.text);
        for index in movements {
            for movement in self.followed_from(index) {
                let Some((role, _)) = movement.kind.lineage() else { continue };
                let balance = self.books.balance_id(role.balance_of(main(index)));
                let balance_id = balance.map(|id| id.text(Prefix::Balance)).unwrap_or_default();
                let provider = movement.terms().provider.of(&self.event.text);
                let status = status_of(movement).unwrap_or_default();
                let amount = (movement.amount, movement.precision);
                view.lineage.push(LineageProjection::new(role, provider, balance_id, status, amount));
            }
        }
    }

    /// What would follow from one movement.
    fn followed_from(&self, index: usize) -> &'a [Movement] {
        // They stand in the order of what they follow from.
        let of = |movement: &Movement| movement.kind.lineage().map_or(0, |(_, of)| of as usize);
        let start = self.followed.partition_point(|movement| of(movement) < index);
        let end = self.followed.partition_point(|movement| of(movement) <= index);
        &self.followed[start..end]
    }

    /// The text of a currency that a movement, or one of its balances, has.
    pub fn currency(&self, number: u32) -> Arc<str> {
        match number.checked_sub(self.currencies_before) {
            Some(index) => self.event.currencies[index as usize].of(&self.event.text).into(),
            None => self.books.currency(number),
        }
    }

    fn sides(&self, index: usize) -> [Side<'a>; 2] {
        let (movement, step) = (&self.event.movements[index], self.steps[index]);
        let name = |handle: u32, text: &'a str| {
            if handle == NO_BALANCE || self.opened.contains(&(text, movement.currency)) {
                Name::New(text, movement.currency)
            } else {
                Name::Balance(handle)
            }
        };
        let (source, destination) =
            (movement.source_text.of(&self.event.text), movement.destination_text.of(&self.event.text));
        [
            Side { name: name(movement.source, source), role: SOURCE, seen: step.source },
            Side { name: name(movement.destination, destination), role: DESTINATION, seen: step.destination },
        ]
    }

    /// A balance that nothing has happened to.
    fn balance(&self, side: &Side<'_>) -> BalanceProjection {
        let (balance_id, is_new) = match side.name {
            Name::Balance(handle) => {
                let id = self.books.balance_id(handle).expect("a trial is told when what it names is durable");
                (id.text(Prefix::Balance), false)
            }
            Name::New(indicator, _) => (indicator.to_owned(), true),
        };
        let currency = self.currency(side.seen.currency).to_string();
        let before = side.seen.before;
        BalanceProjection { balance_id, role: side.role, currency, is_new, before, after: before }
    }
}

/// The status that a movement gives its row.
fn status_of(movement: &Movement) -> Option<&'static str> {
    match movement.outcome {
        Outcome::Applied => Some("APPLIED"),
        Outcome::Held => Some("INFLIGHT"),
        Outcome::Voided => Some("VOID"),
        Outcome::Rejected(_) | Outcome::Scheduled => None,
    }
}

/// A refusal, as dry runs tell it, from the error of the real call; `None` when it was not the ledger that refused.
fn rejection_view(rejection: Option<Rejection>, error: ApiError) -> RejectionView {
    let (code, reason) = match rejection {
        Some(Rejection::InsufficientFunds) => (error.code, "insufficient_funds"),
        Some(Rejection::OverdraftExceeded) => (error.code, "overdraft_limit"),
        // The reference server does not tell this one from others when it only tries.
        Some(Rejection::SameBalance) => (Code::TxnValidationError, "other"),
        _ => (error.code, "other"),
    };
    RejectionView { code: code.text(), reason, message: error.message }
}
