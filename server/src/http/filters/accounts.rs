//! Accounts, as filters see them. They are in the state, of which a clone is walked; bank and metadata are in their records, and
//! names with their owners.

use super::Found;
use super::plan::Path;
use super::scan::{Cursor, Source};
use super::stored::{clone, required, walk};
use crate::api::account::{AccountView, name_of};
use crate::api::filter::account_columns::AccountColumn;
use crate::api::filter::{Subject, Value, Wanted};
use crate::api::metadata::Metadata;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::http::{accounts, identities};
use crate::vault::Vault;
use engine::reading::Books;
use ledger::accounts::Account;
use ledger::event::{AccountCreated, Event};
use ledger::id::Prefix;
use ledger::row::NO_ROW;
use ledger::state::State as LedgerState;
use std::borrow::Cow;
use std::sync::Arc;

/// Finds accounts.
pub async fn find_accounts(state: &AppState, wanted: Wanted<AccountColumn>) -> Result<Found<AccountView>, ApiError> {
    let ledger = clone(state).await?;
    let by_id = required(&wanted, AccountColumn::Id, |id| ledger.accounts.find(id).map(u64::from));
    let by_number =
        || required(&wanted, AccountColumn::Number, |number| ledger.accounts.find_number(number).map(u64::from));
    let path = by_id.or_else(by_number).unwrap_or(Path::Down(0..ledger.accounts.len() as u64));
    let source = Arc::new(Accounts(ledger, Arc::clone(state.vault())));
    let page = walk(state, wanted, path, &source).await?;
    let Accounts(ledger, _) = &*source;
    let view = |number: &u64| {
        let found = accounts::Found::new(ledger, *number as u32).ok_or_else(ApiError::internal)?;
        found.view(state.books(), state.vault(), |_| false)
    };
    Ok(Found { views: page.numbers.iter().map(view).collect::<Result<_, _>>()?, total: page.total })
}

struct Accounts(LedgerState, Arc<Vault>);

struct AccountCursor<'a> {
    books: &'a Books,
    vault: &'a Vault,
    state: &'a LedgerState,
    handle: u32,
    /// What its record says, once it was asked for, and its metadata.
    event: Option<(AccountCreated, Metadata)>,
}

impl AccountCursor<'_> {
    fn account(&self) -> Result<&Account, ApiError> {
        self.state.accounts.get(self.handle).ok_or_else(ApiError::internal)
    }

    fn event(&mut self) -> Result<&(AccountCreated, Metadata), ApiError> {
        if self.event.is_none() {
            let Event::AccountCreated(event) = self.books.event(self.account()?.record)? else {
                return Err(ApiError::internal());
            };
            let metadata = Metadata::parse(&event.metadata).unwrap_or_default();
            self.event = Some((event, metadata));
        }
        self.event.as_ref().ok_or_else(ApiError::internal)
    }

    fn name(&self) -> Result<String, ApiError> {
        let owner = self.account()?.identity;
        let identity = self.state.identities.get(owner as usize).ok_or_else(ApiError::internal)?;
        let id = self.state.identity_text(owner);
        let owner = identities::stored::shown(self.books, self.vault, id, identity)?.ok_or_else(ApiError::internal)?;
        Ok(name_of(&owner))
    }
}

impl Source for Accounts {
    type Cursor<'a> = AccountCursor<'a>;
    type Column = AccountColumn;

    fn cursor<'a>(&'a self, books: &'a Books) -> AccountCursor<'a> {
        AccountCursor { books, vault: &self.1, state: &self.0, handle: 0, event: None }
    }
}

impl Cursor for AccountCursor<'_> {
    fn go_to(&mut self, number: u64) -> Result<(), ApiError> {
        (self.handle, self.event) = (number as u32, None);
        Ok(())
    }

    fn before(&self, _: u32) -> u64 {
        NO_ROW
    }
}

impl Subject for AccountCursor<'_> {
    type Column = AccountColumn;

    fn value(&mut self, column: AccountColumn) -> Result<Value<'_>, ApiError> {
        let state = self.state;
        Ok(match column {
            AccountColumn::Id => Value::Text(self.account()?.id(self.handle).text(Prefix::Account).into()),
            AccountColumn::Name => Value::Text(self.name()?.into()),
            AccountColumn::Number => Value::Text(self.account()?.number.as_ref().into()),
            AccountColumn::Bank => Value::Text(self.event()?.0.bank.as_str().into()),
            AccountColumn::Currency => {
                Value::Text(state.currencies.text(state.balance(self.account()?.balance).currency).into())
            }
            AccountColumn::Ledger => {
                Value::Text(state.ledger_text(state.balance(self.account()?.balance).ledger).into())
            }
            AccountColumn::Identity => Value::Text(state.identity_text(self.account()?.identity).into()),
            AccountColumn::Balance => {
                Value::Text(state.balance_id(self.account()?.balance).text(Prefix::Balance).into())
            }
            AccountColumn::CreatedAt => Value::Time(self.account()?.created_at),
            AccountColumn::Metadata => Value::Missing,
        })
    }

    fn metadata(&mut self) -> Result<Cow<'_, Metadata>, ApiError> {
        Ok(Cow::Borrowed(&self.event()?.1))
    }
}
