//! Routes of accounts.
//!
//! An account is a number at a bank that stands for a balance. Its name is never stored: it is that of its owner, read when the
//! account is shown, so that it goes when the owner's data goes.

pub mod numbers;

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::filters::{accounts as filtered, newest_first};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::paging::{self, Paging};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use super::{balances, identities, ledgers};
use crate::api::account::{AccountAsk, AccountBody, AccountView, name_of};
use crate::api::filter::query;
use crate::api::metadata::Metadata;
use crate::api::time;
use crate::vault::Vault;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::reading::Books;
use ledger::accounts::Account;
use ledger::command::{Command, CreateAccount};
use ledger::event::Event;
use ledger::id::{Id, Prefix};
use ledger::rejection::Rejection;
use ledger::state::{Identity, State as LedgerState};
use serde::Serialize;

/// An account in the document.
pub const ACCOUNT: Object = Object {
    name: "Account",
    description: "A number at a bank that stands for a balance.",
    fields: &[
        Field::required("account_id", Schema::Text, "Its id."),
        Field::required("name", Schema::Text, "The name of its owner, as it is now."),
        Field::required("number", Schema::Text, "Its number; no other account has it."),
        Field::required("bank_name", Schema::Text, "The name of the bank."),
        Field::required("currency", Schema::Text, "The currency of its balance."),
        Field::required("balance_id", Schema::Text, "Its balance."),
        Field::required("identity_id", Schema::Text, "Its owner."),
        Field::required("ledger_id", Schema::Text, "The ledger of its balance."),
        Field::required("ledger", Schema::Any, "The ledger with `include=ledger`, otherwise null."),
        Field::required("balance", Schema::Any, "The balance with `include=balance`, otherwise null."),
        Field::required("identity", Schema::Any, "The owner with `include=identity`, otherwise null."),
        Field::required("created_at", Schema::Time, "When it was made."),
        Field::required("meta_data", Schema::Map, "What its maker noted, or null."),
    ],
};
const NEW_ACCOUNT: Object = Object {
    name: "NewAccount",
    description: "An account to be made.",
    fields: &[
        Field::required("balance_id", Schema::Text, "Its balance, which has a ledger and a currency."),
        Field::optional("identity_id", Schema::Text, "Its owner, where its balance has none."),
        Field::optional("number", Schema::Text, "Its number; one that no account has, the empty one too."),
        Field::optional("bank_name", Schema::Text, "The name of the bank."),
        Field::optional("meta_data", Schema::Map, "Anything."),
    ],
};
const MOCKED_ACCOUNT: Object = Object {
    name: "MockedAccount",
    description: "A number that is made up; nothing is stored.",
    fields: &[
        Field::required("account_number", Schema::Text, "Twelve digits, the first of them not 0."),
        Field::required("bank_name", Schema::Text, "`Blnk Bank`."),
    ],
};

/// What the state knows of an account, and of what it belongs to.
pub struct Found {
    id: String,
    account: Account,
    ledger: ledgers::Found,
    identity: (String, Identity),
    balance: balances::Found,
}

impl Found {
    /// The account of a handle, if there is one.
    pub fn new(state: &LedgerState, handle: u32) -> Option<Found> {
        let account = state.accounts.get(handle)?.clone();
        let ledger = state.balance(account.balance).ledger;
        Some(Found {
            id: account.id(handle).text(Prefix::Account),
            ledger: ledgers::Found::of(state, ledger)?,
            identity: (state.identity_text(account.identity), state.identities.get(account.identity as usize)?.clone()),
            balance: balances::Found::new(state, account.balance),
            account,
        })
    }

    /// The account as it is shown, with what `wants` says of whole objects.
    pub fn view(self, books: &Books, vault: &Vault, wants: impl Fn(&str) -> bool) -> Result<AccountView, ApiError> {
        let Event::AccountCreated(event) = books.event(self.account.record)? else { return Err(ApiError::internal()) };
        let (identity_id, identity) = self.identity;
        let balance = self.balance.view(&mut balances::Texts::new(books))?;
        // Whoever has an account cannot be deleted.
        let owner =
            identities::stored::shown(books, vault, identity_id.clone(), &identity)?.ok_or_else(ApiError::internal)?;
        Ok(AccountView {
            account_id: self.id,
            name: name_of(&owner),
            number: event.number,
            bank_name: event.bank,
            currency: balance.currency.clone(),
            balance_id: balance.balance_id.clone(),
            identity_id,
            ledger_id: balance.ledger_id.clone(),
            ledger: wants("ledger").then(|| self.ledger.view(books)).transpose()?,
            balance: wants("balance").then_some(balance),
            identity: wants("identity").then_some(owner),
            created_at: time::text(self.account.created_at),
            meta_data: Metadata::parse(&event.metadata),
        })
    }
}

/// Document of [`create_account`].
pub const CREATE_ACCOUNT: Operation = Operation {
    summary: "Make an account",
    description: "Where `account_number_generation` is set up, number and bank are asked of that service. When it fails, \
                  nothing is made.",
    body: Some(&Schema::Object(&NEW_ACCOUNT)),
    answers: &[Told { status: 201, description: "The account.", schema: &Schema::Object(&ACCOUNT) }],
    ..Operation::new("create_account", "Accounts")
};

/// `POST /accounts`.
pub async fn create_account(State(state): State<AppState>, body: RequestBody) -> Answer {
    let body: AccountBody<'_> = body.decode()?;
    let mut ask = body.checked()?;
    let balance = check_parties(&state, &ask).await?;
    if let Some(made) = state.account_numbers().make().await? {
        (ask.number, ask.bank_name) = (made.account_number, made.bank_name);
    }
    let AccountAsk { balance_id, identity_id, number, bank_name, metadata } = ask;
    let (identity, bank) = (identity_id.clone(), bank_name);
    let command = Command::CreateAccount(CreateAccount { balance, identity, number, bank, metadata });
    let handle = match ask::change(&state, command, 0).await? {
        Outcome::Made(handle, _) => handle,
        Outcome::Refused(refused) => return Err(refusal(refused.rejection, &balance_id, &identity_id)),
        Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => return Err(ApiError::internal()),
    };
    let found = ask::look(&state, move |view| Found::new(view.state, handle)).await?.ok_or_else(ApiError::internal)?;
    Ok(answer::json(StatusCode::CREATED, &found.view(state.books(), state.vault(), |_| false)?))
}

/// Sees that balance and owner are there, before a number is asked of anybody.
async fn check_parties(state: &AppState, ask: &AccountAsk) -> Result<Id, ApiError> {
    let missing = || refusal(Rejection::BalanceNotFound, &ask.balance_id, &ask.identity_id);
    let balance = Id::parse(Prefix::Balance, &ask.balance_id).ok_or_else(missing)?;
    let identity = ask.identity_id.clone();
    let found = ask::look(state, move |view| {
        let owner = view.state.balance(view.state.find_balance(balance)?).identity;
        Some(owner.or_else(|| view.state.find_identity(&identity)).is_some())
    });
    match found.await? {
        None => Err(missing()),
        Some(false) => Err(refusal(Rejection::IdentityNotFound, &ask.balance_id, &ask.identity_id)),
        Some(true) => Ok(balance),
    }
}

fn refusal(rejection: Rejection, balance_id: &str, identity_id: &str) -> ApiError {
    match rejection {
        Rejection::BalanceNotFound => {
            ApiError::new(Code::GenNotFound, format!("Balance with ID '{balance_id}' not found"))
        }
        Rejection::IdentityNotFound => {
            ApiError::new(Code::GenNotFound, format!("Identity with ID '{identity_id}' not found"))
        }
        other => failure::refusal(other, About::default()),
    }
}

/// Document of [`get_account`].
pub const GET_ACCOUNT: Operation = Operation {
    summary: "Read an account",
    query: &[Field::optional(
        "include",
        Schema::Choice(&["balance", "identity", "ledger"]),
        "Whole objects to add; may be given several times.",
    )],
    answers: &[Told { status: 200, description: "The account.", schema: &Schema::Object(&ACCOUNT) }],
    ..Operation::new("get_account", "Accounts")
};

/// `GET /accounts/{id}`.
pub async fn get_account(State(state): State<AppState>, Path(id): Path<String>, query: Parameters) -> Answer {
    let wanted = id.clone();
    let found = ask::look(&state, move |view| Found::new(view.state, view.state.accounts.find(&wanted)?));
    let missing = || ApiError::new(Code::AccNotFound, format!("account with ID '{id}' not found"));
    let found = found.await?.ok_or_else(missing)?;
    let wants = |what: &str| query.pairs().any(|(name, value)| name == "include" && value == what);
    Ok(answer::json(StatusCode::OK, &found.view(state.books(), state.vault(), wants)?))
}

/// Document of [`list_accounts`].
pub const LIST_ACCOUNTS: Operation = Operation {
    summary: "List accounts, newest first",
    query: paging::FIELDS,
    answers: &[Told { status: 200, description: "Accounts.", schema: &Schema::List(&Schema::Object(&ACCOUNT)) }],
    ..Operation::new("list_accounts", "Accounts")
};

/// Accounts of a page, unless asked for.
const PAGE_DEFAULT: usize = 20;

/// `GET /accounts`.
pub async fn list_accounts(State(state): State<AppState>, query: Parameters) -> Answer {
    let paging = Paging::lenient(&query, PAGE_DEFAULT).ledgers();
    let wanted = newest_first(query::filters(&query)?, paging.limit, paging.offset);
    let found = filtered::find_accounts(&state, wanted).await?;
    Ok(answer::json(StatusCode::OK, &found.views))
}

/// Document of [`get_mocked_account`].
pub const GET_MOCKED_ACCOUNT: Operation = Operation {
    summary: "Make up an account number",
    description: "Has the form of what `account_number_generation.http_service` is asked for; nothing is stored.",
    answers: &[Told { status: 200, description: "A number.", schema: &Schema::Object(&MOCKED_ACCOUNT) }],
    ..Operation::new("get_mocked_account", "Accounts")
};

#[derive(Serialize)]
struct MockedAccount {
    account_number: String,
    bank_name: &'static str,
}

/// `GET /mocked-account`.
pub async fn get_mocked_account() -> Answer {
    const LEAST: u128 = 100_000_000_000;
    // A handful of the bits are not random; the remainder of the others is.
    let number = LEAST + uuid::Uuid::new_v4().as_u128() % (9 * LEAST);
    let mocked = MockedAccount { account_number: number.to_string(), bank_name: "Blnk Bank" };
    Ok(answer::json(StatusCode::OK, &mocked))
}
