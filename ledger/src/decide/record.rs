//! Record transactions: one, or a batch.

use super::lineage::{self, Origin};
use super::{Decision, Known, recorded, refuse};
use crate::command::{Ask, Batch, Mismatch, Moment, Party, Prior, Record};
use crate::draft::{Draft, Scratch};
use crate::event::{Event, Kind, Movement, NO_BALANCE, Outcome, Recorded};
use crate::limits;
use crate::policy::{Floor, Policed, check_funds};
use crate::rejection::{Refused, Rejection};
use crate::row::{Flags, Status};
use crate::state::{GENERAL_LEDGER, State};
use crate::text::Span;

/// What the checks of one ask found: its sides, and the currency.
struct Checked {
    source: Found,
    destination: Found,
    currency: u32,
}

/// A side of an ask: a balance, an indicator that has none yet, or nothing.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
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
        Party::Unknown(span) => state.find_alias(span.of(text)).map_or(Found::Missing, Found::Balance),
    }
}

/// How a command is decided: what is the same for all its asks.
#[derive(Clone, Copy)]
pub(super) struct How {
    /// Whether request and outcome are two rows.
    pub queued: bool,
    /// Whether what is scheduled waits for its time.
    pub waits: bool,
    /// What to do with a currency that is not that of both balances.
    pub mismatch: Mismatch,
    /// The moment of the command.
    pub at: i64,
}

/// Everything that a transaction must satisfy, in order of precedence. Nothing is changed.
fn check(draft: &Draft<'_>, ask: &Ask, text: &str, checked: &Checked, how: How) -> Result<(), Rejection> {
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
    if how.mismatch == Mismatch::Refuse && !(fits(source) && fits(destination)) {
        return Err(Rejection::CurrencyMismatch);
    }
    if draft.registered_precision(currency).is_some_and(|precision| precision != ask.precision) {
        return Err(Rejection::PrecisionMismatch);
    }
    if let Some(at) = ask.terms().effective_at
        && is_closed(draft.state(), [source, destination], at)
    {
        return Err(Rejection::PeriodClosed);
    }
    let figures = |side| match side {
        Found::Balance(handle) => draft.figures(handle),
        Found::NewIndicator(_) | Found::Missing => Default::default(),
    };
    let (paying, receiving) = (figures(source), figures(destination));
    if !paying.can_debit(ask.amount) || !receiving.can_credit(ask.amount) {
        return Err(Rejection::Overflow);
    }
    let floor = check_policies(draft, source, destination, ask.amount, 1, how.at)?;
    check_funds(paying.available(), ask.amount, ask.overdraft(), floor)
}

/// Whether the books of the ledger of one of two sides are closed at a business date. What has none of its own counts when it is
/// recorded, and no books are closed beyond that.
fn is_closed(state: &State, sides: [Found; 2], at: i64) -> bool {
    if state.closings.is_empty() {
        return false;
    }
    let ledger = |side| match side {
        // Balances that an earlier item opened are those of indicators, as new ones are.
        Found::Balance(handle) => {
            Some(state.balances.get(handle as usize).map_or(GENERAL_LEDGER, |balance| balance.ledger))
        }
        Found::NewIndicator(_) => Some(GENERAL_LEDGER),
        Found::Missing => None,
    };
    sides.into_iter().filter_map(ledger).any(|ledger| state.closings.are_closed(ledger, at))
}

/// What the policies of both sides say to an amount that is newly posted or held, by so many transactions more; answers how
/// low the source may get.
pub(super) fn check_policies(
    draft: &Draft<'_>,
    source: Found,
    destination: Found,
    amount: i128,
    transactions: u64,
    at: i64,
) -> Result<Option<Floor>, Rejection> {
    let handle = |side| if let Found::Balance(handle) = side { Some(handle) } else { None };
    let (source, destination) = (handle(source), handle(destination));
    let paying = source.and_then(|handle| draft.policy(handle));
    let receiving = destination.and_then(|handle| draft.policy(handle));
    if paying.is_some_and(|policed| policed.policy.no_debits) {
        return Err(Rejection::DebitsFrozen);
    }
    if receiving.is_some_and(|policed| policed.policy.no_credits) {
        return Err(Rejection::CreditsFrozen);
    }
    let refuses = |policed: &Policed, other| !policed.allows(other);
    if paying.is_some_and(|policed| refuses(policed, destination))
        || receiving.is_some_and(|policed| refuses(policed, source))
    {
        return Err(Rejection::CounterpartyNotAllowed);
    }
    paying.map_or(Ok(()), |policed| policed.check_velocity(true, amount, transactions, at))?;
    receiving.map_or(Ok(()), |policed| policed.check_velocity(false, amount, transactions, at))?;
    Ok(paying.and_then(|policed| policed.policy.floor))
}

/// Whether there is room for what an ask may open.
fn check_room(draft: &Draft<'_>) -> Result<(), Rejection> {
    if draft.currencies_count() > limits::CURRENCIES_MAX {
        return Err(Rejection::TooManyCurrencies);
    }
    if draft.balances_count() + 2 > limits::BALANCES_MAX { Err(Rejection::TooManyBalances) } else { Ok(()) }
}

/// Decides one ask: its movement, whose outcome tells when it was rejected. The draft is changed accordingly. `index` is
/// that of the movement in the event.
pub(super) fn decide_ask(
    draft: &mut Draft<'_>,
    state: &State,
    ask: &Ask,
    text: &str,
    how: How,
    index: usize,
) -> Movement {
    let checked = look_up(draft, state, ask, text);
    let mut movement = movement_of(ask, how.queued, &checked);
    let verdict = check_room(draft).and_then(|()| check(draft, ask, text, &checked, how));
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
    draft.take(&movement, 0, how.at);
    if !state.tracked.is_empty() {
        let tag = Origin::Tag(ask.terms().provider.of(text));
        if let Err(rejection) = lineage::follow(draft, &movement, index, movement.amount, tag, how.at) {
            movement.outcome = Outcome::Rejected(rejection);
        }
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
pub(super) fn record(
    state: &State,
    scratch: &mut Scratch,
    command: Record,
    moment: Moment,
) -> Result<Decision, Refused> {
    let Record { batch, goes_on, announced, trial, queued, asks, text, priors, mismatch } = command;
    assert!(!asks.is_empty(), "the edge refuses empty batches");
    assert!(!goes_on || batch == Batch::Independent, "only items that stand for themselves are passed over");
    let how = How { queued, waits: queued && !trial, mismatch, at: moment.at };
    if asks.len() > 1 {
        state.bring_near(&asks);
    }
    let mut draft = Draft::new(state, scratch, asks.len());
    let mut movements: Vec<Movement> = Vec::with_capacity(asks.len());
    let mut known: Vec<Known> = Vec::new();
    let mut refused: Vec<Refused> = Vec::new();
    let mut freed: Vec<u32> = Vec::new();
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
        let wanted = Wanted { legs, asks: &asks, first_ask, priors: mine, freed: &freed };
        let before = movements.len();
        let failed = match reference_check(&mut draft, state, &wanted, queued, &text) {
            Ok(None) => decide_item(&mut draft, state, legs, &text, how, &mut movements),
            Ok(Some(rows)) => {
                known.extend(rows.into_iter().map(|row| Known { item, row }));
                continue;
            }
            Err(failed) => Some(failed),
        };
        let Some((leg, rejection)) = failed else { continue };
        draft.undo_item();
        // A refusal of a queued request is a row of its own, unless the row itself cannot be. One that leaves no row leaves
        // its references to later items, also when it is only tried.
        let can_be_row = !matches!(
            rejection,
            Rejection::DuplicateReference | Rejection::TooManyBalances | Rejection::TooManyCurrencies
        );
        if !(queued && can_be_row) {
            freed.push(item);
        }
        if (queued || trial) && can_be_row {
            continue;
        }
        movements.truncate(before);
        draft.undo_currencies();
        refused.push(Refused { item, leg, rejection });
        if !goes_on {
            break;
        }
    }
    if let Some(&first) = refused.first()
        && !goes_on
        && (batch != Batch::Independent || movements.is_empty())
    {
        return Err(first);
    }
    if movements.is_empty() {
        return Ok(Decision { event: None, known, refused });
    }
    if batch == Batch::Atomic && movements.iter().any(|movement| matches!(movement.outcome, Outcome::Rejected(_))) {
        reject_all(&mut movements, state.balances.len());
        draft.opened.clear();
        draft.lineage.following.clear();
    }
    if state.rows_count + (movements.len() * 2 + draft.lineage.following.len()) as u64 > limits::ROWS_MAX {
        return refuse(0, Rejection::TooManyRows);
    }
    let event = recorded(draft, moment, batch, queued, movements, text);
    let announced = announced && refused.is_empty();
    let event = Event::Recorded(Recorded { announced, ..event });
    Ok(Decision { event: Some(event), known, refused })
}

/// Decides the legs of one item. When one is refused, all are: the movements then tell so. Answers the first that is, and why.
fn decide_item(
    draft: &mut Draft<'_>,
    state: &State,
    legs: &[Ask],
    text: &str,
    how: How,
    movements: &mut Vec<Movement>,
) -> Option<(u32, Rejection)> {
    let before = movements.len();
    if how.waits && legs[0].terms().scheduled_at.is_some() && !is_too_late(draft, state, legs, text) {
        for ask in legs {
            let checked = look_up(draft, state, ask, text);
            if let Err(rejection) = check_room(draft) {
                return Some((ask.leg, rejection));
            }
            let mut movement = Movement { outcome: Outcome::Scheduled, ..movement_of(ask, how.queued, &checked) };
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
        let movement = decide_ask(draft, state, ask, text, how, movements.len());
        if let Outcome::Rejected(rejection) = movement.outcome {
            failed = failed.or(Some((ask.leg, rejection)));
        }
        movements.push(movement);
    }
    if failed.is_some() {
        reject_all(&mut movements[before..], draft.balances_before_item());
    }
    failed
}

/// Whether a scheduled item has a business date whose books are closed: they will be when its time has come, so it is refused now,
/// as if that were now.
fn is_too_late(draft: &mut Draft<'_>, state: &State, legs: &[Ask], text: &str) -> bool {
    !state.closings.is_empty()
        && legs.iter().any(|ask| {
            let Some(at) = ask.terms().effective_at else { return false };
            let Checked { source, destination, .. } = look_up(draft, state, ask, text);
            is_closed(state, [source, destination], at)
        })
}

/// Makes rejections of all movements; those that were not rejected themselves fall with the others. Balances that were
/// to be opened, beyond those that are known, are not: they are only named.
pub(super) fn reject_all(movements: &mut [Movement], known: usize) {
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

/// An item whose references are wanted.
struct Wanted<'a> {
    /// Its asks.
    legs: &'a [Ask],
    /// All asks of the command.
    asks: &'a [Ask],
    /// Where the asks of the item begin.
    first_ask: usize,
    /// Who holds its references.
    priors: &'a [Prior],
    /// Items before it that leave no row: their references are free again. In order.
    freed: &'a [u32],
}

/// Whether the references of an item are free; if not, of which leg one is used. A queued item that was recorded before with the
/// same facts is known: its rows are answered.
fn reference_check(
    draft: &mut Draft<'_>,
    state: &State,
    wanted: &Wanted<'_>,
    queued: bool,
    text: &str,
) -> Result<Option<Vec<u64>>, (u32, Rejection)> {
    let Wanted { legs, asks, first_ask, priors, freed } = *wanted;
    let used = |leg: usize| Err((legs[leg].leg, Rejection::DuplicateReference));
    if let Some(first) = priors.first() {
        let same = queued
            && legs.iter().enumerate().all(|(leg, ask)| {
                let prior = priors.iter().find(|prior| prior.ask as usize == first_ask + leg && !prior.of_outcome);
                prior.is_some_and(|prior| same_facts(draft, state, ask, prior, text))
            });
        if !same {
            return used(first.ask as usize - first_ask);
        }
        return Ok(Some(priors.iter().filter(|prior| !prior.of_outcome).map(|prior| prior.row.number).collect()));
    }
    let is_free = |item: u32| freed.binary_search(&item).is_ok();
    for (leg, ask) in legs.iter().enumerate() {
        let index = u32::try_from(first_ask + leg).expect("commands have few asks");
        let outcome = queued.then_some(ask.outcome_fingerprint);
        for fingerprint in [Some(ask.fingerprint), outcome].into_iter().flatten() {
            let taken = draft.note_reference(fingerprint, index, |earlier| {
                let earlier = &asks[earlier as usize];
                !is_free(earlier.item) && same_text(earlier, ask, queued, text)
            });
            if taken {
                return used(leg);
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
fn same_facts(draft: &mut Draft<'_>, state: &State, ask: &Ask, prior: &Prior, text: &str) -> bool {
    let checked = look_up(draft, state, ask, text);
    // What did not exist then is the same when it is named the same, whether it exists by now or not.
    let is = |held: u32, side| held == NO_BALANCE || matches!(side, Found::Balance(handle) if handle == held);
    let row = &prior.row;
    prior.same_names
        && matches!(row.status, Status::Queued | Status::Scheduled)
        && is(row.source, checked.source)
        && is(row.destination, checked.destination)
        && row.amount == ask.amount
        && row.currency == checked.currency
        && row.flags.has(Flags::INFLIGHT) == ask.inflight
}
