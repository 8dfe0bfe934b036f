//! The rules. Each command is decided against the state, without changing it: an event, or a refusal.
//!
//! The checks of a transaction are one flat list in [`record`], in order of precedence. What the state does not hold
//! (who has a reference, how a hold ended) was gathered into the command before.

mod accounts;
mod closings;
mod holds;
mod identities;
mod lineage;
mod monitors;
mod naming;
mod record;
mod refunds;
mod schedule;

use crate::command::{
    Batch, Command, CreateBalance, CreateLedger, KeepKey, Moment, RegisterCurrency, RenameLedger, ReportBatch,
    SetPolicy,
};
use crate::draft::{Draft, Scratch};
use crate::event::{
    BalanceCreated, BatchFailed, CurrencyRegistered, Event, Kind, LedgerCreated, LedgerRenamed, Movement, NO_BALANCE,
    Opened, Outcome, PolicySet, Recorded,
};
use crate::limits;
use crate::policy::Policy;
use crate::rejection::{Refused, Rejection};
use crate::state::{GENERAL_LEDGER, State};
use crate::text::{self, Span};

/// What was decided about a command that was not refused as a whole.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Decision {
    /// What happens; nothing when all that was asked is known or refused.
    pub event: Option<Event>,
    /// Queued requests that were made before, with the same facts.
    pub known: Vec<Known>,
    /// Items that were refused while others stand: the one that ended an independent batch, or all of them when the batch
    /// goes on.
    pub refused: Vec<Refused>,
}

/// A queued request that was made before, with the same facts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Known {
    /// Position of its item in the command, from 0.
    pub item: u32,
    /// Its row of the first time.
    pub row: u64,
}

impl Decision {
    /// It happens, as it was asked.
    pub const fn of(event: Event) -> Decision {
        Decision { event: Some(event), known: Vec::new(), refused: Vec::new() }
    }
}

/// Decides a command. The state stays as it is; the scratch is only memory.
pub fn decide(state: &State, scratch: &mut Scratch, command: Command, moment: Moment) -> Result<Decision, Refused> {
    assert!(moment.at >= state.latest_at, "time does not go back");
    match command {
        Command::CreateLedger(command) => Ok(Decision::of(create_ledger(command, moment))),
        Command::RenameLedger(command) => rename_ledger(state, command, moment),
        Command::CreateIdentity(command) => identities::create(state, command, moment),
        Command::CreateBalance(command) => create_balance(state, command, moment),
        Command::Record(command) => record::record(state, scratch, command, moment),
        Command::Execute(command) => schedule::execute(state, scratch, command, moment),
        Command::Cancel(command) => schedule::cancel(state, scratch, command, moment),
        Command::Reschedule(command) => schedule::reschedule(state, command, moment),
        Command::Settle(command) => holds::settle(state, scratch, command, moment),
        Command::ChangeHold(command) => holds::change_hold(state, scratch, command, moment),
        Command::Refund(command) => refunds::refund(state, scratch, command, moment),
        Command::ReportBatch(ReportBatch { batch, error }) => {
            Ok(Decision::of(Event::BatchFailed(BatchFailed { at: moment.at, batch, error })))
        }
        Command::RegisterCurrency(command) => register_currency(state, command, moment),
        Command::SetPolicy(command) => set_policy(state, command, moment),
        Command::ChangeMetadata(command) => naming::change_metadata(state, command, moment),
        Command::LinkIdentity(command) => naming::link_identity(state, command, moment),
        Command::NameBalance(command) => naming::name_balance(state, command, moment),
        Command::CreateAccount(command) => accounts::create_account(state, command, moment),
        Command::SetMonitor(command) => monitors::set(state, command, moment),
        Command::DeleteMonitor(command) => monitors::delete(state, command, moment),
        Command::UpdateIdentity(command) => identities::update(state, command, moment),
        Command::DeleteIdentity(command) => identities::delete(state, &command, moment),
        Command::RevealIdentity(command) => identities::reveal(state, command, moment),
        Command::CloseLedger(command) => closings::close(state, command, moment),
        Command::RecordTotals(command) => Ok(closings::total(state, command, moment)),
        Command::AssertBalance(command) => closings::assert(state, command, moment),
        Command::DeleteAssertion(command) => closings::delete(state, command, moment),
        // Whoever knows the key makes the event of it.
        Command::KeepKey(KeepKey { known }) => Ok(Decision { event: None, known, refused: Vec::new() }),
    }
}

fn refuse<T>(item: usize, rejection: Rejection) -> Result<T, Refused> {
    Err(Refused { item: u32::try_from(item).expect("commands have few items"), leg: 0, rejection })
}

fn create_ledger(command: CreateLedger, moment: Moment) -> Event {
    let CreateLedger { name, metadata } = command;
    Event::LedgerCreated(LedgerCreated { at: moment.at, seed: moment.seed, name, metadata })
}

fn rename_ledger(state: &State, command: RenameLedger, moment: Moment) -> Result<Decision, Refused> {
    match state.find_ledger(&command.ledger) {
        Some(ledger) => {
            Ok(Decision::of(Event::LedgerRenamed(LedgerRenamed { at: moment.at, ledger, name: command.name })))
        }
        None => refuse(0, Rejection::LedgerNotFound),
    }
}

fn create_balance(state: &State, command: CreateBalance, moment: Moment) -> Result<Decision, Refused> {
    let Some(ledger) = state.find_ledger(&command.ledger) else { return refuse(0, Rejection::LedgerNotFound) };
    let identity = match command.identity.as_str() {
        "" => None,
        id => match state.find_identity(id) {
            None => return refuse(0, Rejection::IdentityNotFound),
            found => found,
        },
    };
    assert!(
        command.indicator.is_empty() || ledger == GENERAL_LEDGER,
        "the edge allows indicators in the General Ledger only"
    );
    let known = state.currencies.find(&command.currency);
    if known.is_some_and(|currency| state.find_indicator(&command.indicator, currency).is_some()) {
        return refuse(0, Rejection::IndicatorTaken);
    }
    if state.find_alias(&command.alias).is_some() {
        return refuse(0, Rejection::AliasTaken);
    }
    if known.is_none() && state.currencies.len() >= limits::CURRENCIES_MAX {
        return refuse(0, Rejection::TooManyCurrencies);
    }
    if state.balances.len() >= limits::BALANCES_MAX {
        return refuse(0, Rejection::TooManyBalances);
    }
    Ok(Decision::of(Event::BalanceCreated(BalanceCreated {
        at: moment.at,
        seed: moment.seed,
        ledger,
        identity,
        currency: command.currency,
        indicator: command.indicator,
        metadata: command.metadata,
        track_fund_lineage: command.track_fund_lineage,
        allocation: command.allocation,
        alias: command.alias,
        lineage_label: command.lineage_label,
    })))
}

/// Register a currency. Doing so again with the same precision changes only its name.
fn register_currency(state: &State, command: RegisterCurrency, moment: Moment) -> Result<Decision, Refused> {
    let RegisterCurrency { code, precision, name } = command;
    assert!(precision > 0, "the edge refuses precisions that are not above zero");
    let number = state.currencies.find(&code);
    if let Some(known) = number.and_then(|number| state.currencies.registered(number)) {
        if known.precision != precision {
            return refuse(0, Rejection::CurrencyTaken);
        }
        if *known.name == *name {
            return Ok(Decision::default());
        }
    }
    if number.is_none() && state.currencies.len() >= limits::CURRENCIES_MAX {
        return refuse(0, Rejection::TooManyCurrencies);
    }
    Ok(Decision::of(Event::CurrencyRegistered(CurrencyRegistered { at: moment.at, code, precision, name })))
}

/// Set the policy of a balance, or take it away.
fn set_policy(state: &State, command: SetPolicy, moment: Moment) -> Result<Decision, Refused> {
    let Some(balance) = state.find_balance(command.balance) else { return refuse(0, Rejection::BalanceNotFound) };
    let Some(wanted) = command.policy else {
        let policed = state.policy(balance).is_some();
        let event = Event::PolicySet(PolicySet { at: moment.at, balance, policy: None });
        return Ok(if policed { Decision::of(event) } else { Decision::default() });
    };
    let mut counterparties = None;
    if let Some(ids) = wanted.counterparties {
        let mut handles = Vec::with_capacity(ids.len());
        for (index, id) in ids.into_iter().enumerate() {
            let Some(handle) = state.find_balance(id) else { return refuse(index + 1, Rejection::BalanceNotFound) };
            handles.push(handle);
        }
        handles.sort_unstable();
        handles.dedup();
        counterparties = Some(handles);
    }
    let policy = Policy { counterparties, ..wanted.policy };
    assert!(policy.is_within_limits(), "the edge refuses policies that could not be read back");
    let policy = Some(policy);
    Ok(Decision::of(Event::PolicySet(PolicySet { at: moment.at, balance, policy })))
}

/// The event of some movements, whose texts are in an arena, and of what follows from them.
fn recorded(
    draft: Draft<'_>,
    moment: Moment,
    batch: Batch,
    queued: bool,
    movements: Vec<Movement>,
    mut text: String,
) -> Recorded {
    let currencies = draft.currencies.iter().map(|currency| text::push(&mut text, currency)).collect();
    let opened = draft
        .opened
        .iter()
        .map(|(indicator, currency)| Opened { indicator: text::push(&mut text, indicator), currency: *currency })
        .collect();
    let Moment { at, seed } = moment;
    let mut event = Recorded {
        at,
        seed,
        first_row: draft.state().rows_count,
        batch,
        queued,
        announced: false,
        key: None,
        currencies,
        opened,
        movements,
        text,
    };
    lineage::write(draft, &mut event);
    event
}

impl Movement {
    pub(crate) const EMPTY: Movement = Movement {
        kind: Kind::Posting,
        outcome: Outcome::Applied,
        queued: false,
        item: 0,
        leg: 0,
        source: NO_BALANCE,
        destination: NO_BALANCE,
        source_text: Span::EMPTY,
        destination_text: Span::EMPTY,
        amount: 0,
        precision: 0,
        currency: 0,
        reference: Span::EMPTY,
        description: Span::EMPTY,
        metadata: Span::EMPTY,
        allow_overdraft: false,
        inflight: false,
        atomic: false,
        terms: None,
    };
}
