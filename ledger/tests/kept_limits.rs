//! How many closings and assertions there can be: the last that fits, and the first that does not.

use ledger::apply::apply;
use ledger::assertions::Assertion;
use ledger::closings::{Closing, Total, are_lawful};
use ledger::command::{
    Allocation, AssertBalance, CloseLedger, Command, CreateBalance, CreateLedger, DeleteAssertion, Moment,
};
use ledger::decide::decide;
use ledger::draft::Scratch;
use ledger::event::Event;
use ledger::id::Id;
use ledger::limits;
use ledger::rejection::Rejection;
use ledger::state::{GENERAL_LEDGER_ID, NO_RECORD, State};

/// Later than everything here.
const NOW: i64 = 1_000_000_000_000;

fn perform(state: &mut State, command: Command) -> Result<Event, Rejection> {
    let moment = Moment { at: NOW, seed: state.closings.len() as u64 };
    let decided = decide(state, &mut Scratch::default(), command, moment).map_err(|refused| refused.rejection)?;
    let event = decided.event.expect("it changes something");
    apply(state, &event, 1, &mut Vec::new());
    Ok(event)
}

fn close(state: &mut State, ledger: &str, until: i64) -> Result<Event, Rejection> {
    let (ledger, description, metadata) = (ledger.to_owned(), String::new(), String::new());
    perform(state, Command::CloseLedger(CloseLedger { ledger, until, description, metadata }))
}

fn balance(state: &mut State) -> Id {
    let command = CreateBalance {
        ledger: GENERAL_LEDGER_ID.to_owned(),
        currency: "USD".to_owned(),
        identity: String::new(),
        indicator: String::new(),
        metadata: String::new(),
        track_fund_lineage: false,
        allocation: Allocation::Fifo,
        alias: String::new(),
        lineage_label: String::new(),
    };
    perform(state, Command::CreateBalance(command)).expect("a balance");
    state.balance_id(state.balances.len() as u32 - 1)
}

fn assert_of(state: &mut State, balance: Id) -> Result<Event, Rejection> {
    perform(
        state,
        Command::AssertBalance(AssertBalance {
            balance,
            as_of: NOW,
            before_row: 0,
            amount: 0,
            precision: 0,
            description: String::new(),
            source: String::new(),
            metadata: String::new(),
            required: None,
        }),
    )
}

#[test]
fn a_ledger_has_so_many_closings() {
    let mut state = State::new();
    for until in 0..limits::CLOSINGS_PER_LEDGER_MAX as i64 {
        close(&mut state, GENERAL_LEDGER_ID, until).expect("there is room");
    }
    assert_eq!(close(&mut state, GENERAL_LEDGER_ID, NOW), Err(Rejection::TooManyKept));
    let other = CreateLedger { name: "other".to_owned(), metadata: String::new() };
    perform(&mut state, Command::CreateLedger(other)).expect("a ledger");
    let other = state.ledger_text(1);
    close(&mut state, &other, NOW).expect("another ledger has room");
}

#[test]
fn a_server_has_so_many_closings() {
    let mut state = State::new();
    let closing = |number: usize| Closing {
        id: Id::new(NOW, number as u64, 0),
        created_at: NOW,
        ledger: 1_000 + (number / 1_000) as u32,
        until: number as i64,
        record: 1,
        totals: 1,
    };
    for number in 0..limits::CLOSINGS_MAX - 1 {
        assert!(state.closings.restore(closing(number)));
    }
    close(&mut state, GENERAL_LEDGER_ID, 1).expect("the last");
    assert_eq!(close(&mut state, GENERAL_LEDGER_ID, 2), Err(Rejection::TooManyKept));
}

#[test]
fn a_balance_has_so_many_assertions() {
    let mut state = State::new();
    let (one, other) = (balance(&mut state), balance(&mut state));
    let mut first = None;
    for _ in 0..limits::ASSERTIONS_PER_BALANCE_MAX {
        let Ok(Event::BalanceAsserted(event)) = assert_of(&mut state, one) else { panic!("there is room") };
        first.get_or_insert(event.id);
    }
    assert_eq!(assert_of(&mut state, one), Err(Rejection::TooManyKept));
    assert_of(&mut state, other).expect("another balance has room");
    let assertion = first.expect("there is one");
    perform(&mut state, Command::DeleteAssertion(DeleteAssertion { balance: one, assertion })).expect("it is there");
    assert_of(&mut state, one).expect("there is room again");
    assert_eq!(assert_of(&mut state, one), Err(Rejection::TooManyKept));
}

#[test]
fn a_server_has_so_many_assertions() {
    let mut state = State::new();
    let of = balance(&mut state);
    for number in 0..limits::ASSERTIONS_MAX as u64 {
        // One of them was deleted, so there is room for one.
        let record = if number == 7 { NO_RECORD } else { 1 };
        let (balance, as_of, before_row, amount) = (1_000 + (number / 1_000) as u32, 0, 0, 0);
        let id = Id::new(NOW, number, 0);
        state.assertions.restore(Assertion { id, created_at: 0, balance, as_of, before_row, amount, record });
    }
    assert_of(&mut state, of).expect("the last");
    assert_eq!(assert_of(&mut state, of), Err(Rejection::TooManyKept));
}

#[test]
fn totals_are_of_so_many_currencies() {
    let total = |currency: usize| Total { currency: currency as u32, ..Total::default() };
    let mut totals: Vec<Total> = (0..limits::CLOSING_CURRENCIES_MAX).map(total).collect();
    let all = limits::CURRENCIES_MAX;
    assert!(are_lawful(&totals, all) && are_lawful(&totals, totals.len()) && are_lawful(&[], 0));
    assert!(!are_lawful(&totals, totals.len() - 1), "a currency that does not exist");
    assert!(!are_lawful(&[total(1), total(1)], all) && !are_lawful(&[total(2), total(1)], all), "not in order");
    totals.push(total(totals.len()));
    assert!(!are_lawful(&totals, all), "one too many");
}
