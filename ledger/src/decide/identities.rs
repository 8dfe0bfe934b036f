//! Identities: made, changed, deleted, and looked at.

use super::{Decision, refuse};
use crate::command::{CreateIdentity, DeleteIdentity, Moment, RevealIdentity, UpdateIdentity};
use crate::event::{Event, IdentityChanged, IdentityCreated, IdentityDeleted, IdentityRevealed};
use crate::rejection::{Refused, Rejection};
use crate::state::{Identity, State};

pub(super) fn create(state: &State, command: CreateIdentity, moment: Moment) -> Result<Decision, Refused> {
    if !command.id.is_empty() && state.find_identity(&command.id).is_some() {
        return refuse(0, Rejection::IdentityTaken);
    }
    let CreateIdentity { id, detail } = command;
    Ok(Decision::of(Event::IdentityCreated(IdentityCreated { at: moment.at, seed: moment.seed, id, detail })))
}

/// Nothing is lost when two change an identity at once: the second was made from what is not true any more, and is refused.
pub(super) fn update(state: &State, command: UpdateIdentity, moment: Moment) -> Result<Decision, Refused> {
    let Some((identity, known)) = find(state, &command.identity) else { return refuse(0, Rejection::IdentityNotFound) };
    if known.detail != command.basis {
        return refuse(0, Rejection::IdentityChanged);
    }
    Ok(Decision::of(Event::IdentityChanged(IdentityChanged { at: moment.at, identity, detail: command.detail })))
}

pub(super) fn delete(state: &State, command: &DeleteIdentity, moment: Moment) -> Result<Decision, Refused> {
    let Some((identity, known)) = find(state, &command.identity) else { return refuse(0, Rejection::IdentityNotFound) };
    if known.uses > 0 {
        return refuse(0, Rejection::IdentityInUse);
    }
    Ok(Decision::of(Event::IdentityDeleted(IdentityDeleted { at: moment.at, identity })))
}

pub(super) fn reveal(state: &State, command: RevealIdentity, moment: Moment) -> Result<Decision, Refused> {
    let Some((identity, known)) = find(state, &command.identity) else { return refuse(0, Rejection::IdentityNotFound) };
    let RevealIdentity { who, request, fields, .. } = command;
    let (at, previous) = (moment.at, known.revealed);
    Ok(Decision::of(Event::IdentityRevealed(IdentityRevealed { at, identity, who, request, fields, previous })))
}

fn find<'a>(state: &'a State, id: &str) -> Option<(u32, &'a Identity)> {
    let handle = state.find_identity(id)?;
    Some((handle, state.identities.get(handle as usize)?))
}
