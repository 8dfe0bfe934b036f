//! Accounts.

use super::{Decision, refuse};
use crate::command::{CreateAccount, Moment};
use crate::event::{AccountCreated, Event};
use crate::limits;
use crate::rejection::{Refused, Rejection};
use crate::state::State;

/// Make an account. The owner of its balance is its owner; only where the balance has none, the one that was asked for.
pub fn create_account(state: &State, command: CreateAccount, moment: Moment) -> Result<Decision, Refused> {
    let Some(balance) = state.find_balance(command.balance) else { return refuse(0, Rejection::BalanceNotFound) };
    let owner = state.balance(balance).identity.or_else(|| state.find_identity(&command.identity));
    let Some(identity) = owner else { return refuse(0, Rejection::IdentityNotFound) };
    if state.accounts.find_number(&command.number).is_some() {
        return refuse(0, Rejection::AccountNumberTaken);
    }
    if state.accounts.len() >= limits::ACCOUNTS_MAX {
        return refuse(0, Rejection::TooManyAccounts);
    }
    let CreateAccount { number, bank, metadata, .. } = command;
    let Moment { at, seed } = moment;
    Ok(Decision::of(Event::AccountCreated(AccountCreated { at, seed, balance, identity, number, bank, metadata })))
}
