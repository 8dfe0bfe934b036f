//! The rules. Each command is decided against the state, without changing it: an event, or a refusal.
//!
//! The checks of a transaction are one flat list in [`check`], in order of precedence. What the state does not hold
//! (who has a reference, how a hold ended) was gathered into the command before.

use crate::command::{
    Action, Ask, Batch, Command, CreateBalance, CreateIdentity, CreateLedger, Ended, Execute, Mismatch, Moment, Party,
    Prior, Record, Refund, RenameLedger, Settle,
};
use crate::draft::{Draft, Scratch, Side};
use crate::event::{
    BalanceCreated, Event, IdentityCreated, Kind, LedgerCreated, LedgerRenamed, Movement, NO_BALANCE, Opened, Outcome,
    Recorded,
};
use crate::limits;
use crate::rejection::{Refused, Rejection};
use crate::row::{Flags, Parent, Row, Status};
use crate::state::{GENERAL_LEDGER, State};
use crate::text::{self, Span};

/// What was decided about a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decision {
    /// It happened.
    Event(Event),
    /// Nothing new: a queued request that was made before, with the same facts. The rows are those of the first time.
    Known(Vec<u64>),
    /// An independent batch that ended at a refused item: what went before it happened.
    Partly(Event, Refused),
}

/// Decides a command. The state stays as it is; the scratch is only memory.
pub fn decide(state: &State, scratch: &mut Scratch, command: Command, moment: Moment) -> Result<Decision, Refused> {
    assert!(moment.at >= state.latest_at, "time does not go back");
    match command {
        Command::CreateLedger(command) => Ok(Decision::Event(create_ledger(command, moment))),
        Command::RenameLedger(command) => rename_ledger(state, command, moment),
        Command::CreateIdentity(command) => create_identity(state, command, moment),
        Command::CreateBalance(command) => create_balance(state, command, moment),
        Command::Record(command) => record(state, scratch, command, moment),
        Command::Execute(command) => execute(state, scratch, command, moment),
        Command::Settle(command) => settle(state, command, moment),
        Command::Refund(command) => refund(state, scratch, command, moment),
    }
}

fn refuse<T>(item: usize, rejection: Rejection) -> Result<T, Refused> {
    Err(Refused { item: u32::try_from(item).expect("commands have few items"), rejection })
}

fn create_ledger(command: CreateLedger, moment: Moment) -> Event {
    let CreateLedger { name, metadata } = command;
    Event::LedgerCreated(LedgerCreated { at: moment.at, seed: moment.seed, name, metadata })
}

fn rename_ledger(state: &State, command: RenameLedger, moment: Moment) -> Result<Decision, Refused> {
    match state.find_ledger(&command.ledger) {
        Some(ledger) => {
            Ok(Decision::Event(Event::LedgerRenamed(LedgerRenamed { at: moment.at, ledger, name: command.name })))
        }
        None => refuse(0, Rejection::LedgerNotFound),
    }
}

fn create_identity(state: &State, command: CreateIdentity, moment: Moment) -> Result<Decision, Refused> {
    if !command.id.is_empty() && state.find_identity(&command.id).is_some() {
        return refuse(0, Rejection::IdentityTaken);
    }
    let CreateIdentity { id, detail } = command;
    Ok(Decision::Event(Event::IdentityCreated(IdentityCreated { at: moment.at, seed: moment.seed, id, detail })))
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
    if known.is_none() && state.currencies.len() >= limits::CURRENCIES_MAX {
        return refuse(0, Rejection::TooManyCurrencies);
    }
    if state.balances.len() >= limits::BALANCES_MAX {
        return refuse(0, Rejection::TooManyBalances);
    }
    Ok(Decision::Event(Event::BalanceCreated(BalanceCreated {
        at: moment.at,
        seed: moment.seed,
        ledger,
        identity,
        currency: command.currency,
        indicator: command.indicator,
        metadata: command.metadata,
        track_fund_lineage: command.track_fund_lineage,
        allocation: command.allocation,
    })))
}

/// What the checks of one ask found: its sides, and the currency.
struct Checked {
    source: Found,
    destination: Found,
    currency: u32,
}

/// A side of an ask: a balance, an indicator that has none yet, or nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Found {
    Balance(u32),
    NewIndicator(Span),
    Missing,
}

fn resolve(draft: &Draft<'_>, state: &State, party: Party, currency: u32, text: &str) -> Found {
    match party {
        Party::Id(id, _) => state.find_balance(id).map_or(Found::Missing, Found::Balance),
        Party::Handle(handle) => Found::Balance(handle),
        Party::Indicator(span) => {
            draft.indicator(span.of(text), currency).map_or(Found::NewIndicator(span), Found::Balance)
        }
        Party::Unknown(_) => Found::Missing,
    }
}

/// Everything that a transaction must satisfy, in order of precedence. Nothing is changed.
fn check(draft: &Draft<'_>, ask: &Ask, text: &str, checked: &Checked, mismatch: Mismatch) -> Result<(), Rejection> {
    let Checked { source, destination, currency } = *checked;
    if source == Found::Missing {
        return Err(Rejection::SourceNotFound);
    }
    if destination == Found::Missing {
        return Err(Rejection::DestinationNotFound);
    }
    if ask.amount < 0 {
        return Err(Rejection::AmountNegative);
    }
    if ask.amount == 0 {
        return Err(Rejection::AmountZero);
    }
    let same = match (source, destination) {
        (Found::NewIndicator(source), Found::NewIndicator(destination)) => source.of(text) == destination.of(text),
        _ => source == destination,
    };
    if same {
        return Err(Rejection::SameBalance);
    }
    let fits = |side| match side {
        Found::Balance(handle) => draft.currency_of(handle) == currency,
        Found::NewIndicator(_) | Found::Missing => true,
    };
    if mismatch == Mismatch::Refuse && !(fits(source) && fits(destination)) {
        return Err(Rejection::CurrencyMismatch);
    }
    let figures = |side| match side {
        Found::Balance(handle) => draft.figures(handle),
        Found::NewIndicator(_) | Found::Missing => Default::default(),
    };
    let (paying, receiving) = (figures(source), figures(destination));
    if !paying.can_debit(ask.amount) || !receiving.can_credit(ask.amount) {
        return Err(Rejection::Overflow);
    }
    check_funds(paying.available(), ask)
}

/// Whether the source can pay. A limit counts without the flag too, as the reference server has it.
fn check_funds(available: i128, ask: &Ask) -> Result<(), Rejection> {
    let limit = ask.terms().overdraft_limit;
    if ask.allow_overdraft && limit == 0 || available >= ask.amount {
        return Ok(());
    }
    if limit <= 0 {
        return Err(Rejection::InsufficientFunds);
    }
    if available - ask.amount >= -limit { Ok(()) } else { Err(Rejection::OverdraftExceeded) }
}

/// Whether there is room for what an ask may open.
fn check_room(draft: &Draft<'_>) -> Result<(), Rejection> {
    if draft.currencies_count() > limits::CURRENCIES_MAX {
        return Err(Rejection::TooManyCurrencies);
    }
    if draft.balances_count() + 2 > limits::BALANCES_MAX { Err(Rejection::TooManyBalances) } else { Ok(()) }
}

/// Decides one ask: its movement, whose outcome tells when it was rejected. The draft is changed accordingly.
fn decide_ask(
    draft: &mut Draft<'_>,
    state: &State,
    ask: &Ask,
    text: &str,
    queued: bool,
    mismatch: Mismatch,
) -> Movement {
    let checked = look_up(draft, state, ask, text);
    let mut movement = movement_of(ask, queued, &checked);
    let verdict = check_room(draft).and_then(|()| check(draft, ask, text, &checked, mismatch));
    if let Err(rejection) = verdict {
        movement.outcome = Outcome::Rejected(rejection);
        return movement;
    }
    let mut open = |side| match side {
        Found::Balance(handle) => handle,
        Found::NewIndicator(span) => draft.open(span.of(text), checked.currency),
        Found::Missing => unreachable!("a missing balance is refused above"),
    };
    movement.source = open(checked.source);
    movement.destination = open(checked.destination);
    movement.outcome = if ask.inflight { Outcome::Held } else { Outcome::Applied };
    for (side, handle) in [(Side::Source, movement.source), (Side::Destination, movement.destination)] {
        let mut figures = draft.figures(handle);
        if ask.inflight {
            figures.hold(side, ask.amount)
        } else {
            figures.post(side, ask.amount)
        }
        draft.set(handle, figures);
    }
    movement
}

fn look_up(draft: &mut Draft<'_>, state: &State, ask: &Ask, text: &str) -> Checked {
    let currency = draft.currency(ask.currency.of(text));
    let source = resolve(draft, state, ask.source, currency, text);
    let destination = resolve(draft, state, ask.destination, currency, text);
    Checked { source, destination, currency }
}

/// The movement of an ask before its outcome is known: existing balances are named, others only as text.
fn movement_of(ask: &Ask, queued: bool, checked: &Checked) -> Movement {
    let handle = |side| if let Found::Balance(handle) = side { handle } else { NO_BALANCE };
    let words = |party| match party {
        Party::Id(_, span) | Party::Indicator(span) | Party::Unknown(span) => span,
        Party::Handle(_) => Span::EMPTY,
    };
    Movement {
        kind: Kind::Posting,
        outcome: Outcome::Applied,
        queued,
        item: ask.item,
        leg: ask.leg,
        source: handle(checked.source),
        destination: handle(checked.destination),
        source_text: words(ask.source),
        destination_text: words(ask.destination),
        amount: ask.amount,
        precision: ask.precision,
        currency: checked.currency,
        reference: ask.reference,
        description: ask.description,
        metadata: ask.metadata,
        allow_overdraft: ask.allow_overdraft,
        inflight: ask.inflight,
        atomic: ask.atomic,
        terms: ask.terms.clone(),
    }
}

/// Record one transaction or a batch, item by item; the legs of one item stand or fall together.
fn record(state: &State, scratch: &mut Scratch, command: Record, moment: Moment) -> Result<Decision, Refused> {
    let Record { batch, queued, asks, mut text, priors, mismatch } = command;
    assert!(!asks.is_empty(), "the edge refuses empty batches");
    if asks.len() > 1 {
        state.bring_near(&asks);
    }
    let mut draft = Draft::new(state, scratch, asks.len());
    let mut movements: Vec<Movement> = Vec::with_capacity(asks.len());
    let mut known: Vec<u64> = Vec::new();
    let mut stopped: Option<Refused> = None;
    let mut priors = priors.as_slice();
    let mut asks_before = 0;
    for legs in asks.chunk_by(|one, next| one.item == next.item) {
        let item = legs[0].item;
        let first_ask = asks_before;
        asks_before += legs.len();
        let of_item = priors.iter().take_while(|prior| (prior.ask as usize) < first_ask + legs.len()).count();
        let (mine, later) = priors.split_at(of_item);
        priors = later;
        draft.begin_item();
        match reference_check(&mut draft, state, legs, &asks, first_ask, mine, queued, &text) {
            Ok(None) => {}
            Ok(Some(rows)) => {
                known.extend(rows);
                continue;
            }
            Err(rejection) => {
                draft.undo_currencies();
                stopped = Some(Refused { item, rejection });
                break;
            }
        }
        let before = movements.len();
        let failed = decide_item(&mut draft, state, legs, &text, queued, mismatch, &mut movements);
        let Some(rejection) = failed else { continue };
        draft.undo_item();
        if !queued || matches!(rejection, Rejection::TooManyBalances | Rejection::TooManyCurrencies) {
            movements.truncate(before);
            draft.undo_currencies();
            stopped = Some(Refused { item, rejection });
            break;
        }
    }
    if let Some(refused) = stopped {
        if batch != Batch::Independent || movements.is_empty() {
            return Err(refused);
        }
    } else if movements.is_empty() {
        return Ok(Decision::Known(known));
    }
    if batch == Batch::Atomic && movements.iter().any(|movement| matches!(movement.outcome, Outcome::Rejected(_))) {
        reject_all(&mut movements, state.balances.len());
        draft.opened.clear();
    }
    if state.rows_count + movements.len() as u64 * 2 > limits::ROWS_MAX {
        return refuse(0, Rejection::TooManyRows);
    }
    let event = recorded(state, &draft, moment, batch, queued, movements, &mut text);
    let event = Event::Recorded(Recorded { text, ..event });
    Ok(match stopped {
        Some(refused) => Decision::Partly(event, refused),
        None => Decision::Event(event),
    })
}

/// Decides the legs of one item. When one is refused, all are: the movements then tell so.
fn decide_item(
    draft: &mut Draft<'_>,
    state: &State,
    legs: &[Ask],
    text: &str,
    queued: bool,
    mismatch: Mismatch,
    movements: &mut Vec<Movement>,
) -> Option<Rejection> {
    let before = movements.len();
    if queued && legs[0].terms().scheduled_at.is_some() {
        for ask in legs {
            let checked = look_up(draft, state, ask, text);
            if let Err(rejection) = check_room(draft) {
                return Some(rejection);
            }
            let mut movement = Movement { outcome: Outcome::Scheduled, ..movement_of(ask, queued, &checked) };
            // The request is accepted, so the indicators it names get their balances now.
            for (side, found) in
                [(&mut movement.source, checked.source), (&mut movement.destination, checked.destination)]
            {
                if let Found::NewIndicator(span) = found {
                    *side = draft
                        .indicator(span.of(text), checked.currency)
                        .unwrap_or_else(|| draft.open(span.of(text), checked.currency));
                }
            }
            movements.push(movement);
        }
        return None;
    }
    let mut failed = None;
    for ask in legs {
        let movement = decide_ask(draft, state, ask, text, queued, mismatch);
        if let Outcome::Rejected(rejection) = movement.outcome {
            failed = failed.or(Some(rejection));
        }
        movements.push(movement);
    }
    if failed.is_some() {
        reject_all(&mut movements[before..], draft.balances_before_item());
    }
    failed
}

/// Makes rejections of all movements; those that were not rejected themselves fall with the others. Balances that were
/// to be opened, beyond those that are known, are not: they are only named.
fn reject_all(movements: &mut [Movement], known: usize) {
    for movement in movements {
        if !matches!(movement.outcome, Outcome::Rejected(_)) {
            movement.outcome = Outcome::Rejected(Rejection::BatchRejected);
        }
        for side in [&mut movement.source, &mut movement.destination] {
            if *side as usize >= known {
                *side = NO_BALANCE;
            }
        }
    }
}

/// Whether the references of an item are free. A queued item that was recorded before with the same facts is known: its
/// rows are answered.
#[expect(clippy::too_many_arguments, reason = "the facts of one item, each used once")]
fn reference_check(
    draft: &mut Draft<'_>,
    state: &State,
    legs: &[Ask],
    asks: &[Ask],
    first_ask: usize,
    priors: &[Prior],
    queued: bool,
    text: &str,
) -> Result<Option<Vec<u64>>, Rejection> {
    if !priors.is_empty() {
        let same = queued
            && legs.iter().enumerate().all(|(leg, ask)| {
                let prior = priors.iter().find(|prior| prior.ask as usize == first_ask + leg && !prior.of_outcome);
                prior.is_some_and(|prior| same_facts(draft, state, ask, &prior.row, text))
            });
        if !same {
            return Err(Rejection::DuplicateReference);
        }
        return Ok(Some(priors.iter().filter(|prior| !prior.of_outcome).map(|prior| prior.row.number).collect()));
    }
    for (leg, ask) in legs.iter().enumerate() {
        let index = u32::try_from(first_ask + leg).expect("commands have few asks");
        let outcome = queued.then_some(ask.outcome_fingerprint);
        for fingerprint in [Some(ask.fingerprint), outcome].into_iter().flatten() {
            if draft.note_reference(fingerprint, index, |earlier| same_text(&asks[earlier as usize], ask, queued, text))
            {
                return Err(Rejection::DuplicateReference);
            }
        }
    }
    Ok(None)
}

/// Whether two asks of one command want one reference. Equal fingerprints of different texts are possible, if unlikely.
fn same_text(one: &Ask, other: &Ask, queued: bool, text: &str) -> bool {
    let (one, other) = (one.reference.of(text), other.reference.of(text));
    one == other || queued && (one.strip_suffix("_q") == Some(other) || other.strip_suffix("_q") == Some(one))
}

/// Whether a queued request says what an earlier one said: parties, amount, currency and kind.
fn same_facts(draft: &mut Draft<'_>, state: &State, ask: &Ask, row: &Row, text: &str) -> bool {
    let checked = look_up(draft, state, ask, text);
    let handle = |side| if let Found::Balance(handle) = side { handle } else { NO_BALANCE };
    matches!(row.status, Status::Queued | Status::Scheduled)
        && row.source == handle(checked.source)
        && row.destination == handle(checked.destination)
        && row.amount == ask.amount
        && row.currency == checked.currency
        && row.flags.has(Flags::INFLIGHT) == ask.inflight
}

/// The event of some movements; its text is filled by the caller, as it is still borrowed here.
fn recorded(
    state: &State,
    draft: &Draft<'_>,
    moment: Moment,
    batch: Batch,
    queued: bool,
    movements: Vec<Movement>,
    text: &mut String,
) -> Recorded {
    let currencies = draft.currencies.iter().map(|currency| text::push(text, currency)).collect();
    let opened = draft
        .opened
        .iter()
        .map(|(indicator, currency)| Opened { indicator: text::push(text, indicator), currency: *currency })
        .collect();
    let Moment { at, seed } = moment;
    Recorded {
        at,
        seed,
        first_row: state.rows_count,
        batch,
        queued,
        currencies,
        opened,
        movements,
        text: String::new(),
    }
}

/// Run a scheduled transaction. There is always an event: what cannot be posted is rejected.
fn execute(state: &State, scratch: &mut Scratch, command: Execute, moment: Moment) -> Result<Decision, Refused> {
    let Execute { request, ask, mut text, mismatch } = command;
    let mut draft = Draft::new(state, scratch, 1);
    draft.begin_item();
    let movement = decide_ask(&mut draft, state, &ask, &text, false, mismatch);
    if matches!(movement.outcome, Outcome::Rejected(_)) {
        draft.undo_item();
    }
    let movement = Movement { kind: Kind::Execution(request), ..movement };
    let event = recorded(state, &draft, moment, Batch::Single, false, vec![movement], &mut text);
    Ok(Decision::Event(Event::Recorded(Recorded { text, ..event })))
}

/// Commit or void holds: all that are named, or none.
fn settle(state: &State, command: Settle, moment: Moment) -> Result<Decision, Refused> {
    let Settle { action, holds, amount, queued, text } = command;
    if holds.is_empty() {
        return refuse(0, Rejection::NotInflight);
    }
    let mut movements = Vec::with_capacity(holds.len());
    for (index, ask) in holds.iter().enumerate() {
        let Some(hold) = state.holds.get(&ask.row) else {
            return refuse(
                index,
                match ask.ended {
                    Some(Ended::Committed) => Rejection::AlreadyCommitted,
                    Some(Ended::Voided) => Rejection::AlreadyVoided,
                    Some(Ended::NoHold) | None => Rejection::NotInflight,
                },
            );
        };
        let (kind, outcome, amount) = match action {
            Action::Void => (Kind::Release { hold: ask.row, queued }, Outcome::Voided, hold.remaining),
            Action::Commit => {
                let amount = amount.unwrap_or(hold.remaining);
                if amount < 0 {
                    return refuse(index, Rejection::AmountNegative);
                }
                if amount == 0 {
                    return refuse(index, Rejection::AmountZero);
                }
                if amount > hold.amount {
                    return refuse(index, Rejection::ExceedsOriginal);
                }
                if amount > hold.remaining {
                    return refuse(index, Rejection::ExceedsRemaining);
                }
                (Kind::Settlement { hold: ask.row, queued }, Outcome::Applied, amount)
            }
        };
        movements.push(Movement {
            kind,
            outcome,
            item: u32::try_from(index).expect("commands have few items"),
            source: hold.source,
            destination: hold.destination,
            amount,
            precision: ask.precision,
            currency: hold.currency,
            reference: ask.reference,
            description: ask.description,
            metadata: ask.metadata,
            ..Movement::EMPTY
        });
    }
    let twice = |at: usize| holds[..at].iter().any(|before| before.row == holds[at].row);
    assert!(holds.len() > 64 || !(0..holds.len()).any(twice), "the gatherer names each hold once");
    let Moment { at, seed } = moment;
    Ok(Decision::Event(Event::Recorded(Recorded {
        at,
        seed,
        first_row: state.rows_count,
        batch: Batch::Single,
        queued: false,
        currencies: Vec::new(),
        opened: Vec::new(),
        movements,
        text,
    })))
}

/// Give back what was posted; what was voided is held in the other direction. All of it, or nothing.
fn refund(state: &State, scratch: &mut Scratch, command: Refund, moment: Moment) -> Result<Decision, Refused> {
    let Refund { originals, queued, text } = command;
    if originals.is_empty() {
        return refuse(0, Rejection::NothingToRefund);
    }
    let mut draft = Draft::new(state, scratch, originals.len());
    let mut movements = Vec::with_capacity(originals.len());
    for (index, original) in originals.iter().enumerate() {
        let row = match &original.facts {
            Some(row) if matches!(row.status, Status::Applied | Status::Void) => row,
            _ => return refuse(index, Rejection::NothingToRefund),
        };
        if let Some(prior) = &original.prior {
            let refunded = prior.flags.has(Flags::REFUND) && prior.parent == Parent::Row(row.number);
            return refuse(index, if refunded { Rejection::AlreadyRefunded } else { Rejection::DuplicateReference });
        }
        let held = row.status == Status::Void;
        let (source, destination) = (row.destination, row.source);
        if !draft.figures(source).can_debit(row.amount) || !draft.figures(destination).can_credit(row.amount) {
            return refuse(index, Rejection::Overflow);
        }
        for (side, handle) in [(Side::Source, source), (Side::Destination, destination)] {
            let mut figures = draft.figures(handle);
            if held {
                figures.hold(side, row.amount)
            } else {
                figures.post(side, row.amount)
            }
            draft.set(handle, figures);
        }
        movements.push(Movement {
            kind: Kind::Refund(row.number),
            outcome: if held { Outcome::Held } else { Outcome::Applied },
            queued,
            item: u32::try_from(index).expect("commands have few items"),
            source,
            destination,
            amount: row.amount,
            precision: row.precision,
            currency: row.currency,
            reference: original.reference,
            description: original.description,
            metadata: original.metadata,
            allow_overdraft: true,
            inflight: held,
            ..Movement::EMPTY
        });
    }
    let event = recorded(state, &draft, moment, Batch::Single, queued, movements, &mut String::new());
    Ok(Decision::Event(Event::Recorded(Recorded { text, ..event })))
}

impl Movement {
    const EMPTY: Movement = Movement {
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
