//! Routes of balances.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::filters::{newest_first, stored};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::paging::{self, Filling, Paging};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use super::{identities, ledgers};
use crate::api::balance::{BalanceBody, BalanceParts, BalanceView};
use crate::api::filter::query;
use crate::api::number::NumberText;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::reading::Books;
use ledger::command::Command;
use ledger::event::Event;
use ledger::id::{Id, Prefix};
use ledger::notes::Subject;
use ledger::rejection::Rejection;
use ledger::state::{Balance, NO_RECORD, State as LedgerState};
use serde_json::json;
use std::borrow::Cow;

/// A balance in the document.
pub const BALANCE: Object = Object {
    name: "Balance",
    description: "A balance. Money is in minor units.",
    fields: &[
        Field::required("balance_id", Schema::Text, "Its id."),
        Field::required("ledger_id", Schema::Text, "The ledger it belongs to."),
        Field::required("identity_id", Schema::Text, "Its owner, or empty."),
        Field::optional("indicator", Schema::Text, "Its `@indicator`."),
        Field::optional("alias", Schema::Text, "A name that orders may give it instead of its id."),
        Field::required("currency", Schema::Text, "Its currency."),
        Field::optional("precision", Schema::Integer, "Minor units in a major unit, when the currency is registered."),
        Field::required("balance", Schema::Integer, "Credits less debits."),
        Field::required("credit_balance", Schema::Integer, "Sum of all credits."),
        Field::required("debit_balance", Schema::Integer, "Sum of all debits."),
        Field::required("inflight_balance", Schema::Integer, "Held credits less held debits."),
        Field::required("inflight_credit_balance", Schema::Integer, "Held credits."),
        Field::required("inflight_debit_balance", Schema::Integer, "Held debits."),
        Field::optional("queued_debit_balance", Schema::Integer, "What waits to be taken from it; with `with_queued`."),
        Field::optional("queued_credit_balance", Schema::Integer, "What waits to be added to it; with `with_queued`."),
        Field::required("version", Schema::Integer, "Counts the changes of the money, from 1."),
        Field::required("track_fund_lineage", Schema::Flag, "Whether the origin of its funds is tracked."),
        Field::optional(
            "allocation_strategy",
            Schema::Choice(&["FIFO", "LIFO", "PROPORTIONAL"]),
            "In which order tracked funds are spent. Lists leave out `FIFO` of balances that are not tracked.",
        ),
        Field::optional("identity", Schema::Map, "Its owner; with `include=identity`."),
        Field::optional("ledger", Schema::Map, "Its ledger; with `include=ledger`."),
        Field::required("created_at", Schema::Time, "When it was made."),
        Field::required("meta_data", Schema::Map, "What its maker noted, or null."),
    ],
};
/// The field of an alias.
pub const ALIAS: Field = Field::optional(
    "alias",
    Schema::Text,
    "A name that no other balance has, at most 256 bytes without whitespace and `/`; orders may give it instead of the id. Does not begin with `@` or `bln_`.",
);
const NEW_BALANCE: Object = Object {
    name: "NewBalance",
    description: "A balance to be made.",
    fields: &[
        Field::required("ledger_id", Schema::Text, "The ledger it belongs to."),
        Field::required("currency", Schema::Text, "Its currency, any text."),
        Field::optional("identity_id", Schema::Text, "Its owner."),
        Field::optional("indicator", Schema::Text, "Its `@indicator`; only in the General Ledger."),
        Field::optional(
            "track_fund_lineage",
            Schema::Flag,
            "Whether the origin of its funds is tracked; needs an owner.",
        ),
        Field::optional(
            "allocation_strategy",
            Schema::Choice(&["FIFO", "LIFO", "PROPORTIONAL"]),
            "In which order tracked funds are spent; `FIFO` unless given.",
        ),
        Field::optional("meta_data", Schema::Map, "Anything."),
        ALIAS,
    ],
};

/// What the state knows of a balance; its texts are in its record.
pub struct Found {
    id: Id,
    balance: Balance,
    ledger_id: String,
    identity_id: String,
    currency: String,
    precision: Option<u64>,
    alias: String,
    /// Where the newest change of its metadata is, or [`ledger::state::NO_RECORD`].
    noted: u64,
}

impl Found {
    /// A balance that exists.
    pub fn new(state: &LedgerState, handle: u32) -> Found {
        let balance = state.balance(handle).clone();
        Found {
            id: balance.id(handle),
            ledger_id: state.ledger_text(balance.ledger),
            identity_id: balance.identity.map(|identity| state.identity_text(identity)).unwrap_or_default(),
            currency: state.currencies.text(balance.currency).to_owned(),
            precision: state.currencies.registered(balance.currency).map(|registered| registered.precision),
            alias: state.alias(handle).to_owned(),
            noted: state.newest_note(Subject::Balance(handle)),
            balance,
        }
    }

    /// The balance as it is shown.
    pub fn view(self, texts: &mut Texts<'_>) -> Result<BalanceView, ApiError> {
        let (indicator, metadata) = texts.of(&self.balance, self.noted)?;
        Ok(BalanceView::new(BalanceParts {
            figures: self.balance.figures,
            version: self.balance.version,
            ledger_id: self.ledger_id,
            identity_id: self.identity_id,
            balance_id: self.id.text(Prefix::Balance),
            indicator: indicator.to_owned(),
            alias: self.alias,
            currency: self.currency,
            precision: self.precision,
            created_at: self.balance.created_at,
            metadata: metadata.into_owned(),
            track_fund_lineage: self.balance.track_fund_lineage,
            allocation: self.balance.allocation,
        }))
    }
}

/// Reads texts of balances from their records. It keeps the last record: balances that one batch opened follow each other and
/// share its record, which may be large.
pub struct Texts<'a> {
    books: &'a Books,
    last: Option<(u64, Event)>,
}

impl<'a> Texts<'a> {
    /// A reader that has read nothing yet.
    pub const fn new(books: &'a Books) -> Texts<'a> {
        Texts { books, last: None }
    }

    /// The indicator and the metadata of a balance, whose newest change is in a record, or in [`NO_RECORD`].
    pub fn of(&mut self, balance: &Balance, noted: u64) -> Result<(&str, Cow<'_, str>), ApiError> {
        let changed = if noted == NO_RECORD { None } else { Some(self.books.change(noted)?.metadata) };
        if self.last.as_ref().is_none_or(|(position, _)| *position != balance.record) {
            self.last = Some((balance.record, self.books.event(balance.record)?));
        }
        let (_, event) = self.last.as_ref().expect("it was just read");
        let (indicator, metadata) = match event {
            Event::BalanceCreated(event) => (&*event.indicator, &*event.metadata),
            Event::Recorded(event) => match event.opened.get(balance.opened as usize) {
                Some(opened) => (opened.indicator.of(&event.text), ""),
                None => ("", ""),
            },
            _ => ("", ""),
        };
        Ok((indicator, changed.map_or(Cow::Borrowed(metadata), Cow::Owned)))
    }
}

/// Document of [`create_balance`].
pub const CREATE_BALANCE: Operation = Operation {
    summary: "Make a balance",
    body: Some(&Schema::Object(&NEW_BALANCE)),
    answers: &[Told { status: 201, description: "The balance.", schema: &Schema::Object(&BALANCE) }],
    ..Operation::new("create_balance", "Balances")
};

/// `POST /balances`.
pub async fn create_balance(State(state): State<AppState>, body: RequestBody) -> Answer {
    let body: BalanceBody<'_> = body.decode()?;
    let mut command = body.command()?;
    if command.track_fund_lineage
        && let Some(owner) = identities::find(&state, command.identity.clone()).await?
    {
        command.lineage_label = owner.lineage_label();
    }
    let (indicator, currency) = (command.indicator.clone(), command.currency.clone());
    let alias = command.alias.clone();
    let handle = match ask::change(&state, Command::CreateBalance(command), 0).await? {
        Outcome::Made(handle, _) => handle,
        Outcome::Refused(refused) => {
            return Err(match refused.rejection {
                Rejection::LedgerNotFound | Rejection::IdentityNotFound => {
                    ApiError::new(Code::GenBadRequest, "Invalid ledger ID")
                }
                Rejection::IndicatorTaken => {
                    let message = format!("Balance already exists for indicator '{indicator}' and '{currency}'");
                    ApiError::new(Code::GenConflict, message)
                }
                Rejection::AliasTaken => alias_taken(&alias),
                other => failure::refusal(other, About::default()),
            });
        }
        Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => return Err(ApiError::internal()),
    };
    let found = ask::look(&state, move |view| Found::new(view.state, handle)).await?;
    Ok(answer::json(StatusCode::CREATED, &found.view(&mut Texts::new(state.books()))?))
}

/// The answer to an alias that another balance has.
pub fn alias_taken(alias: &str) -> ApiError {
    ApiError::new(Code::GenConflict, format!("alias: another balance has the alias '{alias}'"))
}

/// Document of [`get_balance`].
pub const GET_BALANCE: Operation = Operation {
    summary: "Read a balance",
    query: &[
        Field::optional(
            "include",
            Schema::Choice(&["identity", "ledger"]),
            "Whole objects to add; may be given twice.",
        ),
        Field::optional("with_queued", Schema::Flag, "Whether to tell what waits in the queue."),
    ],
    answers: &[Told { status: 200, description: "The balance.", schema: &Schema::Object(&BALANCE) }],
    ..Operation::new("get_balance", "Balances")
};

/// What is said of a balance that does not exist.
pub fn not_found(id: &str) -> ApiError {
    ApiError::new(Code::BalNotFound, format!("Balance with ID '{id}' not found")).details(json!({}))
}

/// `GET /balances/{id}`.
pub async fn get_balance(State(state): State<AppState>, Path(id): Path<String>, query: Parameters) -> Answer {
    let parsed = Id::parse(Prefix::Balance, &id);
    let found = ask::look(&state, move |view| {
        let handle = view.state.find_balance(parsed?)?;
        Some(Found::new(view.state, handle))
    });
    let found = found.await?.ok_or_else(|| not_found(&id))?;
    let (ledger_id, identity_id) = (found.ledger_id.clone(), found.identity_id.clone());
    let mut view = found.view(&mut Texts::new(state.books()))?;
    let wants = |what: &str| query.pairs().any(|(name, value)| name == "include" && value == what);
    if wants("ledger") {
        view.ledger = ledgers::find(&state, ledger_id).await?;
    }
    if wants("identity") && !identity_id.is_empty() {
        view.identity = identities::find(&state, identity_id).await?;
    }
    if query.get("with_queued").as_deref() == Some("true") {
        // What is queued is carried out in the same step, so nothing ever waits.
        view.queued_debit_balance = Some(NumberText::integer(0));
        view.queued_credit_balance = Some(NumberText::integer(0));
    }
    Ok(answer::json(StatusCode::OK, &view))
}

/// Document of [`get_balance_by_indicator`].
pub const GET_BALANCE_BY_INDICATOR: Operation = Operation {
    summary: "Read the balance of an indicator in a currency",
    answers: &[Told { status: 200, description: "The balance.", schema: &Schema::Object(&BALANCE) }],
    ..Operation::new("get_balance_by_indicator", "Balances")
};

/// `GET /balances/indicator/{indicator}/currency/{currency}`.
pub async fn get_balance_by_indicator(
    State(state): State<AppState>,
    Path((indicator, currency)): Path<(String, String)>,
) -> Answer {
    let wanted = indicator.clone();
    let found = ask::look(&state, move |view| {
        let currency = view.state.currencies.find(&currency)?;
        let handle = view.state.find_indicator(&wanted, currency)?;
        Some(Found::new(view.state, handle))
    });
    let missing = || ApiError::new(Code::BalNotFound, format!("balance with indicator '{indicator}' not found"));
    let found = found.await?.ok_or_else(missing)?;
    Ok(answer::json(StatusCode::OK, &found.view(&mut Texts::new(state.books()))?))
}

/// Document of [`list_balances`].
pub const LIST_BALANCES: Operation = Operation {
    summary: "List balances, newest first",
    query: paging::FIELDS,
    answers: &[Told { status: 200, description: "Balances.", schema: &Schema::List(&Schema::Object(&BALANCE)) }],
    ..Operation::new("list_balances", "Balances")
};

/// Balances of a page, unless asked for.
const PAGE_DEFAULT: usize = 10;

/// `GET /balances`.
pub async fn list_balances(State(state): State<AppState>, query: Parameters) -> Answer {
    let paging = Paging::strict(&query, PAGE_DEFAULT, ["invalid limit value", "invalid offset value"])?;
    let filters = query::filters(&query)?;
    if !filters.is_empty() {
        let paging = paging.filtered();
        let found = stored::find_balances(&state, newest_first(filters, paging.limit, paging.offset)).await?;
        return Ok(answer::json(StatusCode::OK, &found.views));
    }
    let found = ask::look(&state, move |view| {
        let count = u32::try_from(view.state.balances.len()).expect("balances are limited");
        let newest_first = (0..count).rev().skip(paging.offset).take(paging.limit);
        newest_first.map(|handle| Found::new(view.state, handle)).collect::<Vec<_>>()
    });
    let views = listed(&state, found.await?.into_iter())?;
    Ok(answer::json(StatusCode::OK, &views))
}

/// Balances as a page shows them.
pub fn listed(state: &AppState, found: impl Iterator<Item = Found>) -> Result<Vec<BalanceView>, ApiError> {
    let (mut texts, mut filling) = (Texts::new(state.books()), Filling::default());
    let views = found.map(|found| {
        let view = found.view(&mut texts)?.listed();
        filling.add(view.text_bytes()).map(|()| view)
    });
    views.collect()
}
