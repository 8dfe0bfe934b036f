//! Looks at a state as an accountant does: does every currency sum to zero, does what is held belong to a hold, and is a
//! state that was read from a checkpoint the same as the one that the journal makes.

use super::{CurrencyTotal, Part, Problems};
use ledger::apply::{Change, change_of};
use ledger::event::{Kind, NO_BALANCE, Outcome, Recorded};
use ledger::row::Posted;
use ledger::sharded::Sharded;
use ledger::state::{Balance, State};
use ledger::timers::{Due, Timer};
use std::collections::BTreeMap;

/// Postings in a currency that is not that of both balances, which a server makes only when it is told to.
#[derive(Default)]
pub struct Mismatched {
    /// How many there are.
    pub count: u64,
    /// What they moved into each currency: posted, held.
    moved: BTreeMap<u32, (i128, i128)>,
}

impl Mismatched {
    /// Looks at the movements of an event, before it is applied.
    pub fn see(&mut self, state: &State, event: &Recorded) {
        let currency_of = |handle: u32| match state.balances.get(handle as usize) {
            Some(balance) => Some(balance.currency),
            None => event.opened.get(handle as usize - state.balances.len()).map(|opened| opened.currency),
        };
        for movement in &event.movements {
            let moves = matches!(movement.outcome, Outcome::Applied | Outcome::Held | Outcome::Voided);
            if !moves || movement.source == NO_BALANCE || movement.destination == NO_BALANCE {
                continue;
            }
            let (source, destination) = (currency_of(movement.source), currency_of(movement.destination));
            if source == destination && source == Some(movement.currency) {
                continue;
            }
            let open = match movement.kind {
                Kind::Settlement { hold, .. } => state.holds.get(&hold).map_or(0, |hold| hold.remaining),
                _ => 0,
            };
            let Some(Change { posted, held }) = change_of(movement, open) else { continue };
            self.count += 1;
            for (currency, sign) in [(source, -1), (destination, 1)] {
                let Some(currency) = currency else { continue };
                let moved = self.moved.entry(currency).or_default();
                moved.0 = moved.0.wrapping_add(sign * posted);
                moved.1 = moved.1.wrapping_add(sign * held);
            }
        }
    }
}

/// Sums every currency. Sums wrap around: they are zero or they are not.
pub fn totals(state: &State, mismatched: &Mismatched, problems: &mut Problems) -> Vec<CurrencyTotal> {
    let mut totals: Vec<CurrencyTotal> = state
        .currencies
        .iter()
        .map(|text| CurrencyTotal { currency: text.to_owned(), ..CurrencyTotal::default() })
        .collect();
    for balance in state.balances.iter() {
        let total = &mut totals[balance.currency as usize];
        total.balances += 1;
        total.balance = total.balance.wrapping_add(balance.figures.balance());
        total.held = total.held.wrapping_add(balance.figures.inflight());
        total.credit = total.credit.saturating_add(balance.figures.posted.credit);
    }
    for (number, total) in totals.iter().enumerate() {
        let explained = mismatched.moved.get(&(number as u32)).copied().unwrap_or_default();
        if (total.balance, total.held) != explained {
            let text =
                format!("the balances of {} sum to {}, those held to {}", total.currency, total.balance, total.held);
            problems.add(Part::Books, text);
        }
    }
    totals
}

/// Sees that what balances hold is what the open holds say, and that every hold that ends by itself has a timer.
pub fn check_holds(state: &State, problems: &mut Problems) {
    let mut held: BTreeMap<u32, Posted> = BTreeMap::new();
    let mut timers = 0;
    for (row, hold) in state.holds.iter() {
        if hold.remaining <= 0 || hold.remaining > hold.amount {
            problems.add(Part::Books, format!("hold {row} has {} left of {}", hold.remaining, hold.amount));
        }
        held.entry(hold.source).or_default().debit += hold.remaining;
        held.entry(hold.destination).or_default().credit += hold.remaining;
        timers += usize::from(hold.expires_at.is_some()) + usize::from(hold.commits_at.is_some());
    }
    for part in state.held_parts.iter().flat_map(|(_, parts)| parts) {
        let fund = state.tracked(part.balance).and_then(|tracked| tracked.funds.get(part.fund as usize));
        let Some(fund) = fund else {
            problems.add(Part::Books, format!("lineage hold {} is of no fund", part.row));
            continue;
        };
        let (source, destination) = part.role.sides(fund.shadow, fund.aggregate);
        held.entry(source).or_default().debit += part.remaining;
        held.entry(destination).or_default().credit += part.remaining;
    }
    for (handle, balance) in state.balances.iter().enumerate() {
        let wanted = held.get(&(handle as u32)).copied().unwrap_or_default();
        if balance.figures.held != wanted {
            let text = format!("balance {} holds other amounts than its holds say", state.balance_id(handle as u32));
            problems.add(Part::Books, text);
        }
    }
    if state.timers.iter().filter(|(_, _, due)| *due != Due::Execute).count() != timers {
        problems.add(Part::Books, "the timers are not those of the holds".to_owned());
    }
    let waits = |&(at, row, due): &Timer| due == Due::Execute && state.scheduled.get(&row) == Some(&at);
    if state.timers.iter().filter(waits).count() != state.scheduled.len() {
        problems.add(Part::Books, "the timers are not those of the scheduled requests".to_owned());
    }
}

/// Compares a state that was read from a file with the one that the journal makes there.
pub fn compare(wanted: &State, found: &State, name: &str, problems: &mut Problems) {
    let mut differ =
        |what: String| problems.add(Part::Checkpoint, format!("{name} has other {what} than the journal makes"));
    if (wanted.rows_count, wanted.latest_at) != (found.rows_count, found.latest_at) {
        differ("numbers of rows, or another time,".to_owned());
    }
    if !wanted.currencies.iter().eq(found.currencies.iter()) {
        differ("currencies".to_owned());
    }
    if !wanted.ledgers.iter().eq(found.ledgers.iter()) {
        differ("ledgers".to_owned());
    }
    if !wanted.identities.iter().eq(found.identities.iter()) {
        differ("identities".to_owned());
    }
    if wanted.balances.len() != found.balances.len() {
        differ(format!("balances ({} instead of {})", found.balances.len(), wanted.balances.len()));
    }
    for (handle, (wanted_one, found_one)) in wanted.balances.iter().zip(found.balances.iter()).enumerate() {
        if !same_balance(wanted_one, found_one) {
            differ(format!("figures of balance {}", wanted.balance_id(handle as u32)));
        }
    }
    let indicator = |state: &State, text: &str, currency| state.find_indicator(text, currency);
    if wanted.indicators().count() != found.indicators().count()
        || wanted.indicators().any(|(text, currency, handle)| indicator(found, text, currency) != Some(handle))
    {
        differ("indicators".to_owned());
    }
    if wanted.holds.len() != found.holds.len()
        || wanted.holds.iter().any(|(row, hold)| found.holds.get(row) != Some(hold))
    {
        differ("holds".to_owned());
    }
    if wanted.timers != found.timers {
        differ("timers".to_owned());
    }
    if !same_map(&wanted.scheduled, &found.scheduled) || !same_map(&wanted.adjusted, &found.adjusted) {
        differ("scheduled requests".to_owned());
    }
    if !same_map(&wanted.policies, &found.policies) {
        differ("policies".to_owned());
    }
    if !same_map(&wanted.notes, &found.notes) {
        differ("changes of metadata".to_owned());
    }
    let aliases = wanted.aliases().count() == found.aliases().count();
    if !aliases || wanted.aliases().any(|(alias, handle)| found.find_alias(alias) != Some(handle)) {
        differ("aliases".to_owned());
    }
    if !same_map(&wanted.tracked, &found.tracked) || !same_map(&wanted.held_parts, &found.held_parts) {
        differ("funds of tracked balances".to_owned());
    }
    if !wanted.currencies.all_registered().eq(found.currencies.all_registered()) {
        differ("registered currencies".to_owned());
    }
    let (monitors, others) = (&wanted.monitors, &found.monitors);
    if !monitors.iter().eq(others.iter()) || !monitors.changes().iter().eq(others.changes().iter()) {
        differ("monitors".to_owned());
    }
    if !wanted.closings.iter().eq(found.closings.iter()) {
        differ("closings".to_owned());
    }
    if !wanted.assertions.iter().eq(found.assertions.iter()) {
        differ("assertions".to_owned());
    }
}

fn same_map<K: std::hash::Hash + Eq + Clone, V: PartialEq + Clone>(one: &Sharded<K, V>, other: &Sharded<K, V>) -> bool {
    one.len() == other.len() && one.iter().all(|(key, value)| other.get(key) == Some(value))
}

fn same_balance(one: &Balance, other: &Balance) -> bool {
    // What a history keeps in memory beyond its path means nothing.
    let plain = |balance: &Balance| Balance { history: Default::default(), ..balance.clone() };
    plain(one) == plain(other) && one.history.count == other.history.count && one.history.path() == other.history.path()
}
