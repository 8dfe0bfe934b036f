//! Events that may follow a state, and those that may not: what is told as a contradiction here is what `apply` would stop at.

use super::check;
use ledger::apply::apply;
use ledger::command::{Allocation, Batch, Terms};
use ledger::event::{
    AccountCreated, BalanceCreated, BalanceLinked, BalanceNamed, CurrencyRegistered, Event, IdentityCreated, Kind,
    MetadataChanged, MonitorDeleted, MonitorSet, Movement, NO_BALANCE, Outcome, PolicySet, Recorded, Rescheduled,
};
use ledger::id::Id;
use ledger::identity::Detail;
use ledger::limits::SUM_MAX;
use ledger::lineage::Role;
use ledger::monitor::{Condition, Definition, Field, Operator};
use ledger::notes::Subject;
use ledger::policy::Policy;
use ledger::rejection::Rejection;
use ledger::row::Parent;
use ledger::state::{NO_RECORD, State};
use ledger::text::Span;

const HOLD: u64 = 1;
const REQUEST: u64 = 2;
/// Two requests that run together.
const GROUP: u64 = 3;

fn movement(kind: Kind, outcome: Outcome, amount: i128) -> Movement {
    let waits = outcome == Outcome::Scheduled || matches!(kind, Kind::Execution(_));
    Movement {
        kind,
        outcome,
        queued: outcome == Outcome::Scheduled,
        item: 0,
        leg: 0,
        source: 0,
        destination: 1,
        source_text: Span::EMPTY,
        destination_text: Span::EMPTY,
        amount,
        precision: 100,
        currency: 0,
        reference: Span::EMPTY,
        description: Span::EMPTY,
        metadata: Span::EMPTY,
        allow_overdraft: true,
        inflight: outcome == Outcome::Held,
        atomic: false,
        terms: Terms { scheduled_at: waits.then_some(50), ..Terms::NONE }.boxed(),
    }
}

fn recorded(state: &State, movements: Vec<Movement>) -> Event {
    Event::Recorded(Recorded {
        at: 9,
        seed: 1,
        first_row: state.rows_count,
        batch: Batch::Atomic,
        queued: false,
        announced: false,
        key: None,
        currencies: Vec::new(),
        opened: Vec::new(),
        movements,
        text: String::new(),
    })
}

/// Two balances, a posting, an open hold of 60 of 100, a request that waits, and two that wait together.
fn state() -> State {
    let mut state = State::new();
    for _ in 0..2 {
        let event = Event::BalanceCreated(BalanceCreated {
            at: 1,
            seed: 1,
            ledger: 0,
            identity: None,
            currency: "USD".into(),
            indicator: String::new(),
            metadata: String::new(),
            track_fund_lineage: false,
            allocation: Allocation::Fifo,
            alias: String::new(),
            lineage_label: String::new(),
        });
        follow(&mut state, &event);
    }
    let waits = |at| Movement {
        terms: Terms { scheduled_at: Some(at), ..Terms::NONE }.boxed(),
        ..movement(Kind::Posting, Outcome::Scheduled, 5)
    };
    let first = vec![
        movement(Kind::Posting, Outcome::Applied, 1000),
        movement(Kind::Posting, Outcome::Held, 100),
        waits(40),
        waits(50),
        waits(50),
    ];
    let event = recorded(&state, first);
    follow(&mut state, &event);
    let event = recorded(&state, vec![movement(Kind::Settlement { hold: HOLD, queued: false }, Outcome::Applied, 40)]);
    follow(&mut state, &event);
    assert_eq!((state.holds.len(), state.scheduled.len()), (1, 2));
    state
}

/// What is lawful can be applied.
fn follow(state: &mut State, event: &Event) {
    assert_eq!(check(state, event), Ok(()), "{event:?}");
    apply(state, event, 0, &mut Vec::new());
}

fn lawful(movements: Vec<Movement>) {
    let mut state = state();
    let event = recorded(&state, movements);
    follow(&mut state, &event);
}

fn contradicts(movements: Vec<Movement>, told: &str) {
    let state = state();
    let found = check(&state, &recorded(&state, movements)).expect_err(told);
    assert!(found.contains(told), "{found:?} tells {told:?}");
}

#[test]
fn holds_are_changed_within_what_is_left() {
    let change = |outcome, amount| movement(Kind::Change { hold: HOLD }, outcome, amount);
    lawful(vec![change(Outcome::Held, 1)]);
    lawful(vec![change(Outcome::Held, 0)]);
    lawful(vec![change(Outcome::Voided, 59)]);
    contradicts(vec![change(Outcome::Voided, 60)], "by an amount that cannot be");
    contradicts(vec![change(Outcome::Applied, 5)], "by an amount that cannot be");
    contradicts(vec![change(Outcome::Held, -1)], "which cannot be");
    contradicts(vec![change(Outcome::Held, SUM_MAX)], "which cannot be");
    contradicts(vec![change(Outcome::Held, i128::MAX)], "which cannot be");
    let other = Movement { source: 1, destination: 0, ..change(Outcome::Held, 1) };
    contradicts(vec![other], "between other balances");
    contradicts(vec![movement(Kind::Change { hold: 0 }, Outcome::Held, 1)], "which is not open");
}

#[test]
fn commits_go_beyond_the_rest_once_and_not_beyond_what_a_balance_can_be() {
    let commit = |amount| movement(Kind::Settlement { hold: HOLD, queued: false }, Outcome::Applied, amount);
    let void = |amount| movement(Kind::Release { hold: HOLD, queued: false }, Outcome::Voided, amount);
    lawful(vec![commit(60)]);
    lawful(vec![commit(500)]);
    lawful(vec![commit(20), commit(40)]);
    lawful(vec![commit(20), void(40)]);
    lawful(vec![void(60)]);
    contradicts(vec![commit(20), commit(41)], "more than is left");
    contradicts(vec![commit(500), commit(1)], "more than is left");
    contradicts(vec![commit(60), void(1)], "more than is left");
    contradicts(vec![void(59)], "in part");
    contradicts(vec![commit(0)], "which cannot be");
    contradicts(vec![commit(SUM_MAX)], "which cannot be");
    contradicts(vec![commit(i128::MAX)], "which cannot be");
    contradicts(vec![Movement { outcome: Outcome::Rejected(Rejection::SameBalance), ..commit(5) }], "does nothing");
}

#[test]
fn requests_end_once_and_what_is_called_off_moves_nothing() {
    let end = |request, outcome, amount| movement(Kind::Execution(request), outcome, amount);
    lawful(vec![end(REQUEST, Outcome::Applied, 5)]);
    lawful(vec![end(GROUP, Outcome::Applied, 5), end(GROUP + 1, Outcome::Held, 5)]);
    // What could never have run can be called off: to nobody, of nothing, beyond everything.
    lawful(vec![end(REQUEST, Outcome::Voided, 5)]);
    lawful(vec![Movement { destination: NO_BALANCE, ..end(REQUEST, Outcome::Voided, 5) }]);
    for amount in [0, -5, i128::MAX, i128::MIN] {
        lawful(vec![end(REQUEST, Outcome::Voided, amount)]);
    }
    contradicts(vec![end(0, Outcome::Applied, 5)], "which does not wait");
    contradicts(vec![end(GROUP + 1, Outcome::Applied, 5)], "which does not wait");
    contradicts(vec![Movement { destination: 2, ..end(REQUEST, Outcome::Voided, 5) }], "which does not exist");
    contradicts(
        vec![Movement { destination: NO_BALANCE, ..end(REQUEST, Outcome::Applied, 5) }],
        "which does not exist",
    );
    contradicts(vec![end(REQUEST, Outcome::Applied, 0)], "which cannot be");
    contradicts(vec![Movement { terms: None, ..end(REQUEST, Outcome::Applied, 5) }], "does not tell");
    let mut state = state();
    let once = recorded(&state, vec![end(REQUEST, Outcome::Voided, 5)]);
    follow(&mut state, &once);
    let again = recorded(&state, vec![end(REQUEST, Outcome::Voided, 5)]);
    assert!(check(&state, &again).is_err(), "it has ended");
}

#[test]
fn only_what_waits_is_moved() {
    let rescheduled = |groups: &[u64], due_at, amount| {
        let groups = groups.to_vec();
        Event::Rescheduled(Rescheduled { at: 9, groups, due_at, amount })
    };
    for event in [
        rescheduled(&[REQUEST, GROUP], Some(-5), None),
        rescheduled(&[GROUP, GROUP], Some(70), None),
        rescheduled(&[REQUEST], None, Some(7)),
    ] {
        follow(&mut state(), &event);
    }
    for event in [
        rescheduled(&[REQUEST, HOLD], Some(70), None),
        rescheduled(&[GROUP + 1], Some(70), None),
        rescheduled(&[REQUEST], None, Some(0)),
        rescheduled(&[REQUEST, GROUP], None, Some(7)),
    ] {
        assert!(check(&state(), &event).is_err(), "{event:?}");
    }
}

#[test]
fn accounts_name_what_is_there_and_numbers_are_given_once() {
    let account = |balance, identity, number: &str| {
        let (number, bank, metadata) = (number.to_owned(), String::new(), String::new());
        Event::AccountCreated(AccountCreated { at: 9, seed: 1, balance, identity, number, bank, metadata })
    };
    let mut state = state();
    let (id, detail) = (String::new(), Detail::Plain("{}".to_owned()));
    follow(&mut state, &Event::IdentityCreated(IdentityCreated { at: 9, seed: 1, id, detail }));
    let owner = u32::try_from(state.identities.len()).expect("few") - 1;
    for event in [account(0, owner, ""), account(1, owner, "0123")] {
        follow(&mut state, &event);
    }
    for event in [
        account(NO_BALANCE, owner, "1"),
        account(2, owner, "1"),
        account(0, owner + 1, "1"),
        account(0, owner, "0123"),
        account(1, owner, ""),
    ] {
        assert!(check(&state, &event).is_err(), "{event:?}");
    }
}

#[test]
fn policies_and_currencies_name_what_is_there() {
    let policy = |counterparties| Policy {
        floor: None,
        no_debits: false,
        no_credits: false,
        counterparties,
        velocities: Vec::new(),
    };
    let set = |balance, policy| Event::PolicySet(PolicySet { at: 9, balance, policy });
    let register = |code: &str, precision| {
        let (code, name) = (code.to_owned(), String::new());
        Event::CurrencyRegistered(CurrencyRegistered { at: 9, code, precision, name })
    };
    let mut state = state();
    for event in [
        set(1, Some(policy(Some(vec![0, 1])))),
        set(1, Some(policy(None))),
        set(1, None),
        set(1, None),
        register("USD", 100),
        register("XTS", 7),
        register("USD", 100),
    ] {
        follow(&mut state, &event);
    }
    for event in [
        set(2, None),
        set(NO_BALANCE, Some(policy(None))),
        set(0, Some(policy(Some(vec![1, 2])))),
        register("USD", 1000),
        register("ABC", 0),
    ] {
        assert!(check(&state, &event).is_err(), "{event:?}");
    }
}

#[test]
fn what_is_said_is_said_of_what_is_there() {
    let mut state = state();
    let rows = state.rows_count;
    let change = |subject, first_row, earlier| {
        Event::MetadataChanged(MetadataChanged { at: 9, subject, first_row, earlier, metadata: "{}".into() })
    };
    let link = |balance, identity| {
        Event::BalanceLinked(BalanceLinked { at: 9, balance, identity, lineage_label: String::new() })
    };
    let name = |balance, alias: &str| Event::BalanceNamed(BalanceNamed { at: 9, balance, alias: alias.to_owned() });
    let row = Subject::Rows(Parent::Row(HOLD));
    for event in [
        Event::IdentityCreated(IdentityCreated {
            at: 9,
            seed: 1,
            id: String::new(),
            detail: Detail::Plain("{}".into()),
        }),
        change(Subject::Ledger(0), rows, NO_RECORD),
        change(Subject::Balance(1), rows, NO_RECORD),
        change(row, rows, NO_RECORD),
        link(0, 0),
        link(0, 0),
        name(0, "purse"),
        name(0, "wallet"),
        name(1, "purse"),
        name(1, ""),
    ] {
        follow(&mut state, &event);
    }
    let newest = state.newest_note(row);
    for event in [
        change(Subject::Ledger(1), rows, NO_RECORD),
        change(Subject::Balance(2), rows, NO_RECORD),
        change(Subject::Rows(Parent::Row(rows)), rows, NO_RECORD),
        change(Subject::Rows(Parent::None), rows, NO_RECORD),
        change(Subject::Balance(0), rows + 1, NO_RECORD),
        change(Subject::Balance(0), rows, newest),
        change(row, rows, NO_RECORD),
        link(2, 0),
        link(0, 1),
        name(2, "other"),
        name(1, "wallet"),
    ] {
        assert!(check(&state, &event).is_err(), "{event:?}");
    }
    follow(&mut state, &change(row, rows, newest));
}

#[test]
fn monitors_watch_what_is_there_and_follow_each_other() {
    let condition = Condition { field: Field::Balance, operator: Operator::Less, threshold: 0, precision: 1 };
    let definition = Definition {
        conditions: vec![condition],
        any: false,
        edge: false,
        description: String::new(),
        call_back_url: String::new(),
        metadata: String::new(),
    };
    let mut state = state();
    let next = state.rows_count;
    let set = |number, nonce, first_row, balance| {
        let (id, definition) = (Id::new(9, number, nonce), definition.clone());
        Event::MonitorSet(MonitorSet { at: 9, id, created_at: 9, first_row, balance, definition })
    };
    let delete =
        |number, first_row| Event::MonitorDeleted(MonitorDeleted { at: 9, id: Id::new(9, number, 1), first_row });
    assert!(check(&state, &delete(0, next)).is_err(), "there is none yet");
    for event in [set(0, 1, next, 0), set(1, 1, next, 0), set(0, 1, next, 1), delete(0, next)] {
        follow(&mut state, &event);
    }
    let made_later = MonitorSet {
        at: 9,
        id: Id::new(9, 1, 1),
        created_at: 8,
        first_row: next,
        balance: 0,
        definition: definition.clone(),
    };
    for event in [
        set(3, 1, next, 0),
        set(0, 1, next, 0),
        set(1, 2, next, 0),
        set(1, 1, next + 1, 0),
        set(1, 1, next, 2),
        set(2, 1, next, NO_BALANCE),
        Event::MonitorSet(made_later),
        delete(0, next),
        delete(2, next),
        delete(1, next + 1),
    ] {
        assert!(check(&state, &event).is_err(), "{event:?}");
    }
    follow(&mut state, &delete(1, next));
}

/// A tracked balance (0) with 100 of a provider, of which a hold (row 2, its lineage row 3) takes 60.
fn traced_state() -> State {
    let mut state = State::new();
    let identity =
        ledger::event::IdentityCreated { at: 1, seed: 1, id: String::new(), detail: Detail::Plain("{}".into()) };
    apply(&mut state, &Event::IdentityCreated(identity), 0, &mut Vec::new());
    for (index, indicator) in ["", "@World", "@shadow", "@aggregate"].into_iter().enumerate() {
        let event = Event::BalanceCreated(BalanceCreated {
            at: 1,
            seed: 1,
            ledger: 0,
            identity: (index == 0).then_some(0),
            currency: "USD".into(),
            indicator: indicator.into(),
            metadata: String::new(),
            track_fund_lineage: index == 0,
            allocation: Allocation::Fifo,
            alias: String::new(),
            lineage_label: String::new(),
        });
        apply(&mut state, &event, 0, &mut Vec::new());
    }
    let deposit = Movement { source: 1, destination: 0, ..movement(Kind::Posting, Outcome::Applied, 100) };
    let event = traced(&state, vec![deposit, follows(Role::Credit, None, Outcome::Applied, 100, "stripe")]);
    apply(&mut state, &event, 0, &mut Vec::new());
    let hold = movement(Kind::Posting, Outcome::Held, 60);
    let event = traced(&state, vec![hold, follows(RELEASE, None, Outcome::Held, 60, "stripe")]);
    apply(&mut state, &event, 0, &mut Vec::new());
    state
}

const RELEASE: Role = Role::Release(Allocation::Fifo);

/// A lineage movement of the first movement, between the shadow (2) and the aggregate (3). Its provider is its reference.
fn follows(role: Role, hold: Option<u64>, outcome: Outcome, amount: i128, provider: &str) -> Movement {
    let (source, destination) = role.sides(2, 3);
    let kind = match hold {
        Some(hold) => Kind::LineageSettlement { role, of: 0, hold },
        None => Kind::Lineage { role, of: 0 },
    };
    let start = TEXT.find(provider).expect("it is one of the texts") as u32;
    let provider = Span { start, len: provider.len() as u32 };
    let terms = Terms { provider, ..Terms::NONE }.boxed();
    Movement { source, destination, terms, ..movement(kind, outcome, amount) }
}

const TEXT: &str = "stripe paypal";

fn traced(state: &State, movements: Vec<Movement>) -> Event {
    let Event::Recorded(event) = recorded(state, movements) else { unreachable!("it is one") };
    Event::Recorded(Recorded { text: TEXT.into(), ..event })
}

#[test]
fn lineage_follows_what_moves_money_of_tracked_balances() {
    let state = traced_state();
    let lawful = |movements| assert_eq!(check(&state, &traced(&state, movements)), Ok(()));
    let contradicts = |movements: Vec<Movement>, text: &str| {
        let fault = check(&state, &traced(&state, movements)).expect_err("it contradicts the state");
        assert!(fault.contains(text), "{fault}");
    };
    let spend = || movement(Kind::Posting, Outcome::Applied, 50);
    let release = |amount, provider| follows(RELEASE, None, Outcome::Applied, amount, provider);
    lawful(vec![spend(), release(40, "stripe")]);
    contradicts(vec![spend(), release(41, "stripe")], "spends more of stripe than there is");
    contradicts(vec![spend(), release(30, "stripe"), release(11, "stripe")], "spends more of stripe");
    contradicts(vec![spend(), release(1, "paypal")], "spends more of paypal");
    contradicts(vec![spend(), release(0, "stripe")], "which cannot be");
    contradicts(vec![spend(), follows(RELEASE, None, Outcome::Held, 1, "stripe")], "is not what it follows from");
    contradicts(vec![spend(), follows(Role::Credit, None, Outcome::Applied, 1, "stripe")], "which is not tracked");
    let other = Movement { source: 2, destination: 3, ..release(1, "stripe") };
    contradicts(vec![spend(), other], "is not between the balances of stripe");
    let commit = |amount| movement(Kind::Settlement { hold: 2, queued: false }, Outcome::Applied, amount);
    let settle = |row, amount| follows(RELEASE, Some(row), Outcome::Applied, amount, "stripe");
    lawful(vec![commit(60), settle(3, 60)]);
    lawful(vec![commit(60), settle(3, 20), settle(3, 40)]);
    contradicts(vec![commit(60), settle(3, 61)], "more than is left");
    contradicts(vec![commit(60), settle(3, 20), settle(3, 41)], "more than is left");
    contradicts(vec![commit(60), settle(2, 1)], "which is not a part of hold 2");
    contradicts(vec![spend(), settle(3, 1)], "without its hold");
    let other = follows(Role::Release(Allocation::Lifo), Some(3), Outcome::Applied, 1, "stripe");
    contradicts(vec![commit(60), other], "as what it is not");
    contradicts(vec![commit(60), follows(RELEASE, Some(3), Outcome::Applied, 1, "paypal")], "as what it is not");
}
