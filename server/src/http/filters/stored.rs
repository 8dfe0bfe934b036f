//! Ledgers, balances and identities, as filters see them. All of them are in the state, of which a clone is walked; their
//! texts are in records.

use super::Found;
use super::plan::{self, Path};
use super::scan::{self, Cursor, Page, Scan, Source};
use crate::api::balance::BalanceView;
use crate::api::filter::columns::{BalanceColumn, Column, IdentityColumn, LedgerColumn};
use crate::api::filter::number::Number;
use crate::api::filter::{Field, Subject, Value, Wanted};
use crate::api::identity::{Fields, IdentityView};
use crate::api::ledger::LedgerView;
use crate::api::metadata::Metadata;
use crate::http::error::ApiError;
use crate::http::state::AppState;
use crate::http::{ask, balances, identities, ledgers};
use crate::vault::Vault;
use engine::reading::Books;
use ledger::id::{Id, Prefix};
use ledger::notes;
use ledger::row::NO_ROW;
use ledger::state::{Balance, State as LedgerState};
use std::borrow::Cow;
use std::sync::Arc;

/// Finds ledgers.
pub async fn find_ledgers(state: &AppState, wanted: Wanted<LedgerColumn>) -> Result<Found<LedgerView>, ApiError> {
    let ledger = clone(state).await?;
    let handle = required(&wanted, LedgerColumn::Id, |id| ledger.find_ledger(id).map(u64::from));
    let path = handle.unwrap_or(Path::Down(0..ledger.ledgers.len() as u64));
    let source = Arc::new(Ledgers(ledger));
    let page = walk(state, wanted, path, &source).await?;
    let Ledgers(ledger) = &*source;
    let views = page.numbers.iter().map(|&number| ledger_view(state.books(), ledger, number));
    Ok(Found { views: views.collect::<Result<_, _>>()?, total: page.total })
}

/// Finds balances.
pub async fn find_balances(state: &AppState, wanted: Wanted<BalanceColumn>) -> Result<Found<BalanceView>, ApiError> {
    let ledger = clone(state).await?;
    let find = |id: &str| ledger.find_balance(Id::parse(Prefix::Balance, id)?).map(u64::from);
    let handle = required(&wanted, BalanceColumn::Id, find);
    let path = handle.unwrap_or(Path::Down(0..ledger.balances.len() as u64));
    let source = Arc::new(Balances(ledger));
    let page = walk(state, wanted, path, &source).await?;
    let Balances(ledger) = &*source;
    let found = page.numbers.iter().map(|&number| balances::Found::new(ledger, number as u32));
    Ok(Found { views: balances::listed(state, found)?, total: page.total })
}

/// Finds identities.
pub async fn find_identities(
    state: &AppState,
    wanted: Wanted<IdentityColumn>,
) -> Result<Found<IdentityView>, ApiError> {
    let ledger = clone(state).await?;
    let handle = required(&wanted, IdentityColumn::Id, |id| ledger.find_identity(id).map(u64::from));
    let (ledger, path) = match handle {
        Some(path) => (ledger, path),
        None => {
            beside(move || {
                let path = all_identities(&ledger);
                (ledger, path)
            })
            .await?
        }
    };
    let source = Arc::new(Identities(ledger, Arc::clone(state.vault())));
    let page = walk(state, wanted, path, &source).await?;
    let Identities(ledger, vault) = &*source;
    let views =
        page.numbers.iter().filter_map(|&number| identity_view(state.books(), vault, ledger, number).transpose());
    Ok(Found { views: views.collect::<Result<_, _>>()?, total: page.total })
}

/// All identities that exist. When none was deleted these are all rows.
fn all_identities(ledger: &LedgerState) -> Path {
    if ledger.identities.iter().all(|identity| !identity.is_deleted) {
        return Path::Down(0..ledger.identities.len() as u64);
    }
    let mut handles: Vec<u64> = ledger.live_identities().map(|(handle, _)| u64::from(handle)).collect();
    handles.reverse();
    Path::Some(handles)
}

/// Goes over all that there is of something on a thread of its own.
pub(super) async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, ApiError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ApiError::internal())
}

/// The state as it is now; what is later does not change it.
pub(super) async fn clone(state: &AppState) -> Result<LedgerState, ApiError> {
    ask::look(state, |view| view.state.clone()).await
}

/// The rows of ids, when every match must have one of them.
pub(super) fn required<C: Column>(wanted: &Wanted<C>, id: C, find: impl Fn(&str) -> Option<u64>) -> Option<Path> {
    let texts = wanted.filters.required().iter().find(|test| test.field == Field::One(id))?.check.texts()?;
    let mut numbers: Vec<u64> = texts.iter().filter_map(|text| find(text)).collect();
    numbers.sort_unstable();
    numbers.dedup();
    Some(Path::Some(numbers))
}

pub(super) async fn walk<S: Source>(
    state: &AppState,
    wanted: Wanted<S::Column>,
    path: Path,
    source: &Arc<S>,
) -> Result<Page, ApiError> {
    let (path, ordered) = plan::in_order(&wanted, path);
    scan::run(state, Scan::new(wanted, path, ordered)?, source).await
}

struct Ledgers(LedgerState);

struct LedgerCursor<'a> {
    books: &'a Books,
    state: &'a LedgerState,
    handle: u64,
    view: Option<LedgerView>,
}

fn ledger_view(books: &Books, state: &LedgerState, handle: u64) -> Result<LedgerView, ApiError> {
    ledgers::Found::of(state, handle as u32).ok_or_else(ApiError::internal)?.view(books)
}

impl LedgerCursor<'_> {
    fn view(&mut self) -> Result<&LedgerView, ApiError> {
        if self.view.is_none() {
            self.view = Some(ledger_view(self.books, self.state, self.handle)?);
        }
        self.view.as_ref().ok_or_else(ApiError::internal)
    }
}

impl Source for Ledgers {
    type Cursor<'a> = LedgerCursor<'a>;
    type Column = LedgerColumn;

    fn cursor<'a>(&'a self, books: &'a Books) -> LedgerCursor<'a> {
        LedgerCursor { books, state: &self.0, handle: 0, view: None }
    }
}

impl Cursor for LedgerCursor<'_> {
    fn go_to(&mut self, number: u64) -> Result<(), ApiError> {
        (self.handle, self.view) = (number, None);
        Ok(())
    }

    fn before(&self, _: u32) -> u64 {
        NO_ROW
    }
}

impl Subject for LedgerCursor<'_> {
    type Column = LedgerColumn;

    fn value(&mut self, column: LedgerColumn) -> Result<Value<'_>, ApiError> {
        Ok(match column {
            LedgerColumn::Id => Value::Text(self.state.ledger_text(self.handle as u32).into()),
            LedgerColumn::Name => Value::Text(self.view()?.name.as_str().into()),
            LedgerColumn::CreatedAt => {
                Value::Time(self.state.ledgers.get(self.handle as usize).ok_or_else(ApiError::internal)?.created_at)
            }
            LedgerColumn::Metadata => Value::Missing,
        })
    }

    fn metadata(&mut self) -> Result<Cow<'_, Metadata>, ApiError> {
        Ok(self.view()?.meta_data.as_ref().map_or_else(|| Cow::Owned(Metadata::default()), Cow::Borrowed))
    }
}

struct Balances(LedgerState);

struct BalanceCursor<'a> {
    reader: balances::Texts<'a>,
    state: &'a LedgerState,
    handle: u32,
    /// Indicator and metadata, once they were asked for.
    texts: Option<(String, Metadata)>,
}

impl BalanceCursor<'_> {
    fn balance(&self) -> &Balance {
        self.state.balance(self.handle)
    }

    fn texts(&mut self) -> Result<&(String, Metadata), ApiError> {
        if self.texts.is_none() {
            let noted = self.state.newest_note(notes::Subject::Balance(self.handle));
            let (indicator, metadata) = self.reader.of(self.state.balance(self.handle), noted)?;
            self.texts = Some((indicator.to_owned(), Metadata::parse(&metadata).unwrap_or_default()));
        }
        self.texts.as_ref().ok_or_else(ApiError::internal)
    }
}

impl Source for Balances {
    type Cursor<'a> = BalanceCursor<'a>;
    type Column = BalanceColumn;

    fn cursor<'a>(&'a self, books: &'a Books) -> BalanceCursor<'a> {
        BalanceCursor { reader: balances::Texts::new(books), state: &self.0, handle: 0, texts: None }
    }
}

impl Cursor for BalanceCursor<'_> {
    fn go_to(&mut self, number: u64) -> Result<(), ApiError> {
        (self.handle, self.texts) = (number as u32, None);
        Ok(())
    }

    fn before(&self, _: u32) -> u64 {
        NO_ROW
    }
}

impl Subject for BalanceCursor<'_> {
    type Column = BalanceColumn;

    fn value(&mut self, column: BalanceColumn) -> Result<Value<'_>, ApiError> {
        let figures = self.balance().figures;
        let number = |number: i128| Value::Number(Number::Integer(number));
        Ok(match column {
            BalanceColumn::Id => Value::Text(self.state.balance_id(self.handle).text(Prefix::Balance).into()),
            BalanceColumn::Ledger => Value::Text(self.state.ledger_text(self.balance().ledger).into()),
            BalanceColumn::Identity => match self.balance().identity {
                Some(identity) => Value::Text(self.state.identity_text(identity).into()),
                None => Value::Null,
            },
            BalanceColumn::Indicator => match self.texts()?.0.as_str() {
                "" => Value::Null,
                indicator => Value::Text(indicator.into()),
            },
            BalanceColumn::Currency => Value::Text(self.state.currencies.text(self.balance().currency).into()),
            BalanceColumn::Balance => number(figures.balance()),
            BalanceColumn::Credit => number(figures.posted.credit),
            BalanceColumn::Debit => number(figures.posted.debit),
            BalanceColumn::HeldBalance => number(figures.inflight()),
            BalanceColumn::HeldCredit => number(figures.held.credit),
            BalanceColumn::HeldDebit => number(figures.held.debit),
            BalanceColumn::CreatedAt => Value::Time(self.balance().created_at),
            BalanceColumn::Metadata => Value::Missing,
        })
    }

    fn metadata(&mut self) -> Result<Cow<'_, Metadata>, ApiError> {
        Ok(Cow::Borrowed(&self.texts()?.1))
    }
}

struct Identities(LedgerState, Arc<Vault>);

struct IdentityCursor<'a> {
    books: &'a Books,
    vault: &'a Vault,
    state: &'a LedgerState,
    handle: u64,
    view: Option<IdentityView>,
}

/// `None` when the identity was deleted since the state was cloned.
fn identity_view(
    books: &Books,
    vault: &Vault,
    state: &LedgerState,
    handle: u64,
) -> Result<Option<IdentityView>, ApiError> {
    let identity = state.identities.get(handle as usize).ok_or_else(ApiError::internal)?;
    identities::stored::shown(books, vault, state.identity_text(handle as u32), identity)
}

impl IdentityCursor<'_> {
    fn view(&mut self) -> Result<&IdentityView, ApiError> {
        if self.view.is_none() {
            let view = identity_view(self.books, self.vault, self.state, self.handle)?;
            // Of one that is gone nothing is left to compare.
            self.view = Some(view.unwrap_or_else(|| Fields::default().view(String::new(), 0)));
        }
        self.view.as_ref().ok_or_else(ApiError::internal)
    }
}

impl Source for Identities {
    type Cursor<'a> = IdentityCursor<'a>;
    type Column = IdentityColumn;

    fn cursor<'a>(&'a self, books: &'a Books) -> IdentityCursor<'a> {
        IdentityCursor { books, vault: &self.1, state: &self.0, handle: 0, view: None }
    }
}

impl Cursor for IdentityCursor<'_> {
    fn go_to(&mut self, number: u64) -> Result<(), ApiError> {
        (self.handle, self.view) = (number, None);
        Ok(())
    }

    fn before(&self, _: u32) -> u64 {
        NO_ROW
    }
}

impl Subject for IdentityCursor<'_> {
    type Column = IdentityColumn;

    fn value(&mut self, column: IdentityColumn) -> Result<Value<'_>, ApiError> {
        Ok(match column {
            IdentityColumn::Id => Value::Text(self.state.identity_text(self.handle as u32).into()),
            IdentityColumn::Text(name) => Value::Text(self.view()?.text(name).unwrap_or_default().into()),
            IdentityColumn::BornOn => Value::Time(self.view()?.born_at()),
            IdentityColumn::CreatedAt => {
                Value::Time(self.state.identities.get(self.handle as usize).ok_or_else(ApiError::internal)?.created_at)
            }
            IdentityColumn::Metadata => Value::Missing,
        })
    }

    fn metadata(&mut self) -> Result<Cow<'_, Metadata>, ApiError> {
        Ok(self.view()?.metadata().map_or_else(|| Cow::Owned(Metadata::default()), Cow::Borrowed))
    }
}
