//! Things of which there may be a million: one more is refused, and those that exist can still be used.

use ledger::apply::apply;
use ledger::command::{Allocation, Command, CreateBalance, Moment, RegisterCurrency, SetMonitor};
use ledger::decide::{Decision, decide};
use ledger::draft::Scratch;
use ledger::event::{CurrencyRegistered, Event, MonitorSet};
use ledger::id::Id;
use ledger::limits::{CURRENCIES_MAX, MONITORS_MAX, MONITORS_PER_BALANCE_MAX};
use ledger::monitor::{Condition, Definition, Field, Operator};
use ledger::rejection::Rejection;
use ledger::state::State;

fn try_one(state: &State, command: Command) -> Result<Decision, Rejection> {
    let moment = Moment { at: state.latest_at + 1, seed: 7 };
    decide(state, &mut Scratch::default(), command, moment).map_err(|refused| refused.rejection)
}

fn carry_out(state: &mut State, command: Command) {
    let decision = try_one(state, command).expect("it is not refused");
    apply(state, &decision.event.expect("something changes"), 0, &mut Vec::new());
}

fn currency(number: usize) -> Command {
    Command::RegisterCurrency(RegisterCurrency { code: format!("C{number}"), precision: 100, name: String::new() })
}

fn balance(currency: &str) -> Command {
    Command::CreateBalance(CreateBalance {
        ledger: "general_ledger_id".into(),
        currency: currency.into(),
        identity: String::new(),
        indicator: String::new(),
        metadata: String::new(),
        track_fund_lineage: false,
        allocation: Allocation::Fifo,
        lineage_label: String::new(),
        alias: String::new(),
    })
}

#[test]
fn currencies() {
    let mut state = State::new();
    for number in 0..CURRENCIES_MAX - 1 {
        let event = CurrencyRegistered { at: 1, code: format!("C{number}"), precision: 100, name: String::new() };
        apply(&mut state, &Event::CurrencyRegistered(event), 0, &mut Vec::new());
    }
    carry_out(&mut state, currency(CURRENCIES_MAX - 1));
    assert_eq!(state.currencies.len(), CURRENCIES_MAX);
    assert_eq!(try_one(&state, currency(CURRENCIES_MAX)).expect_err("one too many"), Rejection::TooManyCurrencies);
    assert_eq!(try_one(&state, balance("NEW")).expect_err("one too many"), Rejection::TooManyCurrencies);
    carry_out(&mut state, balance("C7"));
}

#[test]
fn monitors() {
    let mut state = State::new();
    for _ in 0..=MONITORS_MAX / MONITORS_PER_BALANCE_MAX {
        carry_out(&mut state, balance("USD"));
    }
    let condition = Condition { field: Field::ALL[0], operator: Operator::ALL[0], threshold: 1, precision: 100 };
    let definition = Definition {
        conditions: vec![condition],
        any: false,
        edge: false,
        description: String::new(),
        call_back_url: String::new(),
        metadata: String::new(),
    };
    let watched = |number: usize| (number / MONITORS_PER_BALANCE_MAX) as u32;
    let at = state.latest_at;
    for number in 0..MONITORS_MAX - 1 {
        let event = MonitorSet {
            at,
            id: Id::new(at, number as u64, 7),
            created_at: at,
            first_row: 0,
            balance: watched(number),
            definition: definition.clone(),
        };
        apply(&mut state, &Event::MonitorSet(event), 0, &mut Vec::new());
    }
    let last = state.balance_id(watched(MONITORS_MAX));
    let set = |monitor| Command::SetMonitor(SetMonitor { monitor, balance: last, definition: definition.clone() });
    carry_out(&mut state, set(None));
    assert_eq!(state.monitors.existing_count(), MONITORS_MAX);
    assert_eq!(try_one(&state, set(None)).expect_err("one too many"), Rejection::TooManyMonitors);
    let known = state.monitors.get(7).map(|monitor| monitor.id);
    carry_out(&mut state, set(known));
}
