//! What is said of things that exist: their metadata, the owner of a balance, its alias. No money moves.

use super::{Decision, refuse};
use crate::command::{ChangeMetadata, LinkIdentity, Moment, NameBalance};
use crate::event::{BalanceLinked, BalanceNamed, Event, MetadataChanged};
use crate::limits;
use crate::rejection::{Refused, Rejection};
use crate::state::State;

/// Change metadata. The subject exists: nothing that has metadata is ever taken away.
pub(super) fn change_metadata(state: &State, command: ChangeMetadata, moment: Moment) -> Result<Decision, Refused> {
    let ChangeMetadata { subject, metadata, seen } = command;
    assert!(metadata.len() <= limits::METADATA_BYTES_MAX, "the edge refuses metadata that is too long");
    let earlier = state.newest_note(subject);
    if subject.is_whole() {
        if earlier != seen {
            return refuse(0, Rejection::MetadataChanged);
        }
    } else if let Some(noted) = state.notes.get(&subject.pack()) {
        let bytes = noted.bytes + metadata.len() as u64;
        if noted.count >= limits::METADATA_CHANGES_MAX || bytes > limits::METADATA_CHANGES_BYTES_MAX {
            return refuse(0, Rejection::TooManyChanges);
        }
    }
    let first_row = state.rows_count;
    let event = MetadataChanged { at: moment.at, subject, first_row, earlier, metadata };
    Ok(Decision::of(Event::MetadataChanged(event)))
}

/// Give a balance another owner. The owner is looked for first, as the reference server does.
pub(super) fn link_identity(state: &State, command: LinkIdentity, moment: Moment) -> Result<Decision, Refused> {
    let Some(identity) = state.find_identity(&command.identity) else {
        return refuse(0, Rejection::IdentityNotFound);
    };
    let Some(balance) = command.balance.and_then(|id| state.find_balance(id)) else {
        return refuse(0, Rejection::BalanceNotFound);
    };
    let is_tracked = state.balance(balance).track_fund_lineage;
    let lineage_label = if is_tracked { command.lineage_label } else { String::new() };
    Ok(Decision::of(Event::BalanceLinked(BalanceLinked { at: moment.at, balance, identity, lineage_label })))
}

/// Give a balance another alias, or take it away.
pub(super) fn name_balance(state: &State, command: NameBalance, moment: Moment) -> Result<Decision, Refused> {
    let NameBalance { balance, alias } = command;
    let Some(balance) = state.find_balance(balance) else { return refuse(0, Rejection::BalanceNotFound) };
    if state.alias(balance) == alias {
        return Ok(Decision::default());
    }
    if state.find_alias(&alias).is_some() {
        return refuse(0, Rejection::AliasTaken);
    }
    Ok(Decision::of(Event::BalanceNamed(BalanceNamed { at: moment.at, balance, alias })))
}
