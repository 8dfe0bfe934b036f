//! Whether closings and assertions may follow a state, and whether postings keep out of closed books.

use ledger::closings::are_lawful;
use ledger::event::{
    AssertionDeleted, BalanceAsserted, ClosingTotalled, LedgerClosed, Movement, NO_BALANCE, Outcome, Recorded,
};
use ledger::limits;
use ledger::state::{GENERAL_LEDGER, NO_RECORD, State};

pub fn check_closed(state: &State, event: &LedgerClosed) -> Result<(), String> {
    if event.ledger as usize >= state.ledgers.len() {
        return Err(format!("it closes the books of ledger {}, which does not exist", event.ledger));
    }
    let from = state.closings.closed_until(event.ledger);
    if event.from != from || from.is_some_and(|from| event.until <= from) || event.until > event.at {
        return Err(format!("it closes the books of ledger {} up to a moment that cannot be", event.ledger));
    }
    if event.id.row() != state.closings.len() as u64 || state.closings.len() >= limits::CLOSINGS_MAX {
        return Err("its closing has the number of another".to_owned());
    }
    Ok(())
}

pub fn check_totalled(state: &State, event: &ClosingTotalled) -> Result<(), String> {
    let known = state.closings.find(event.closing);
    if known.is_none_or(|closing| closing.totals != NO_RECORD) {
        return Err("it tells the totals of a closing that does not exist, or has some".to_owned());
    }
    let lawful = are_lawful(&event.totals, state.currencies.len());
    if lawful { Ok(()) } else { Err("it tells totals of currencies that do not exist, or not in order".to_owned()) }
}

pub fn check_asserted(state: &State, event: &BalanceAsserted) -> Result<(), String> {
    if event.balance as usize >= state.balances.len() {
        return Err(format!("it says what balance {} was, which does not exist", event.balance));
    }
    let made = state.assertions.made_count();
    if event.id.row() != made as u64 || made >= limits::ASSERTIONS_MADE_MAX {
        return Err("its assertion has the number of another".to_owned());
    }
    Ok(())
}

pub fn check_deleted(state: &State, event: &AssertionDeleted) -> Result<(), String> {
    let exists = state.assertions.find(event.id).is_some();
    if exists { Ok(()) } else { Err(format!("it deletes assertion {}, which does not exist", event.id)) }
}

/// A movement with a business date of its own is not in books that are closed.
pub fn check_date(state: &State, movement: &Movement, event: &Recorded) -> Result<(), String> {
    let stands = matches!(movement.outcome, Outcome::Applied | Outcome::Held);
    let Some(at) = movement.terms().effective_at.filter(|_| stands && !state.closings.is_empty()) else {
        return Ok(());
    };
    let ledger = |handle: u32| state.balances.get(handle as usize).map_or(GENERAL_LEDGER, |balance| balance.ledger);
    let sides = [movement.source, movement.destination].into_iter().filter(|handle| *handle != NO_BALANCE);
    match sides.map(ledger).find(|ledger| state.closings.are_closed(*ledger, at)) {
        Some(ledger) => Err(format!("of {} counts at {at}, where the books of ledger {ledger} are closed", event.at)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check;
    use ledger::apply::apply;
    use ledger::closings::Total;
    use ledger::command::{Allocation, Batch, Terms};
    use ledger::event::{
        AssertionDeleted, BalanceAsserted, BalanceCreated, ClosingTotalled, Event, Kind, LedgerClosed, LedgerCreated,
        Movement, Outcome, Recorded,
    };
    use ledger::id::Id;
    use ledger::state::State;
    use ledger::text::Span;

    const NOW: i64 = 100;

    fn follow(state: &mut State, event: &Event) {
        assert_eq!(check(state, event), Ok(()), "{event:?}");
        apply(state, event, 7, &mut Vec::new());
    }

    /// Ledger 1 with balance 0, and balance 1 in the General Ledger.
    fn state() -> State {
        let mut state = State::new();
        let name = String::new();
        follow(&mut state, &Event::LedgerCreated(LedgerCreated { at: 0, seed: 1, name: name.clone(), metadata: name }));
        for ledger in [1, 0] {
            let balance = BalanceCreated {
                at: 0,
                seed: 1,
                ledger,
                identity: None,
                currency: "USD".into(),
                indicator: String::new(),
                metadata: String::new(),
                track_fund_lineage: false,
                allocation: Allocation::Fifo,
                alias: String::new(),
                lineage_label: String::new(),
            };
            follow(&mut state, &Event::BalanceCreated(balance));
        }
        state
    }

    fn close(number: u64, ledger: u32, from: Option<i64>, until: i64) -> Event {
        let (id, description, metadata) = (Id::new(NOW, number, 3), String::new(), String::new());
        Event::LedgerClosed(LedgerClosed { at: NOW, id, ledger, from, until, description, metadata })
    }

    fn total(number: u64, nonce: u64, currencies: &[u32]) -> Event {
        let totals = currencies.iter().map(|currency| Total { currency: *currency, ..Total::default() }).collect();
        Event::ClosingTotalled(ClosingTotalled { at: NOW, closing: Id::new(NOW, number, nonce), totals })
    }

    #[test]
    fn books_are_closed_forwards_and_summed_once() {
        let mut state = state();
        assert!(check(&state, &total(0, 3, &[])).is_err(), "there is none yet");
        follow(&mut state, &close(0, 1, None, 50));
        for event in [
            close(1, 1, Some(50), 50),
            close(1, 1, Some(50), 49),
            close(1, 1, Some(49), 60),
            close(1, 1, None, 60),
            close(1, 1, Some(50), NOW + 1),
            close(2, 1, Some(50), 60),
            close(1, 2, None, 60),
            total(0, 4, &[0]),
            total(1, 3, &[0]),
            total(0, 3, &[1]),
            total(0, 3, &[0, 0]),
        ] {
            assert!(check(&state, &event).is_err(), "{event:?}");
        }
        follow(&mut state, &total(0, 3, &[0]));
        assert!(check(&state, &total(0, 3, &[0])).is_err(), "it has its totals");
        follow(&mut state, &close(1, 1, Some(50), NOW));
        follow(&mut state, &close(2, 0, None, 7));
    }

    #[test]
    fn what_is_said_is_said_of_balances_that_exist() {
        let mut state = state();
        let assert = |number: u64, balance: u32| {
            Event::BalanceAsserted(BalanceAsserted {
                at: NOW,
                id: Id::new(NOW, number, 3),
                balance,
                as_of: 5,
                before_row: 0,
                amount: 1,
                precision: 0,
                description: String::new(),
                source: String::new(),
                metadata: String::new(),
            })
        };
        let delete = |number: u64, nonce: u64| {
            Event::AssertionDeleted(AssertionDeleted { at: NOW, id: Id::new(NOW, number, nonce) })
        };
        follow(&mut state, &assert(0, 1));
        for event in [assert(0, 1), assert(2, 1), assert(1, 2), delete(0, 4), delete(1, 3)] {
            assert!(check(&state, &event).is_err(), "{event:?}");
        }
        follow(&mut state, &delete(0, 3));
        assert!(check(&state, &delete(0, 3)).is_err(), "it is gone");
        follow(&mut state, &assert(1, 1));
    }

    #[test]
    fn nothing_comes_to_count_in_closed_books() {
        let mut state = state();
        follow(&mut state, &close(0, 1, None, 50));
        let post = |source: u32, destination: u32, outcome: Outcome, effective_at: Option<i64>| {
            let movement = Movement {
                kind: Kind::Posting,
                outcome,
                queued: matches!(outcome, Outcome::Rejected(_)),
                item: 0,
                leg: 0,
                source,
                destination,
                source_text: Span::EMPTY,
                destination_text: Span::EMPTY,
                amount: 5,
                precision: 100,
                currency: 0,
                reference: Span::EMPTY,
                description: Span::EMPTY,
                metadata: Span::EMPTY,
                allow_overdraft: true,
                inflight: outcome == Outcome::Held,
                atomic: false,
                terms: Terms { effective_at, ..Terms::NONE }.boxed(),
            };
            Event::Recorded(Recorded {
                at: NOW,
                seed: 1,
                first_row: 0,
                batch: Batch::Single,
                queued: false,
                announced: false,
                key: None,
                currencies: Vec::new(),
                opened: Vec::new(),
                movements: vec![movement],
                text: String::new(),
            })
        };
        let rejected = Outcome::Rejected(ledger::rejection::Rejection::PeriodClosed);
        for (source, destination, outcome, effective_at, is_lawful) in [
            (0, 1, Outcome::Applied, Some(49), false),
            (1, 0, Outcome::Applied, Some(49), false),
            (0, 1, Outcome::Held, Some(49), false),
            (0, 1, rejected, Some(49), true),
            (0, 1, Outcome::Applied, Some(50), true),
            (0, 1, Outcome::Applied, None, true),
        ] {
            let event = post(source, destination, outcome, effective_at);
            assert_eq!(check(&state, &event).is_ok(), is_lawful, "{event:?}");
        }
    }
}
