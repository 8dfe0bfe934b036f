//! Routes of assertions: what a balance is said to have been, kept and compared with the rows whenever it is asked for.

use super::answer;
use super::ask::{self, MAKINGS_MAX, Outcome};
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::paging::Paging;
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use crate::api::assertion::{Asserted, AssertionBody, AssertionView, BROKEN, HOLDS, difference};
use crate::api::number::NumberText;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::dated::{Cut, View};
use engine::history::{self, Account};
use engine::reading::{Books, BooksFault};
use ledger::assertions::Assertion;
use ledger::command::{AssertBalance, Command, DeleteAssertion, Found};
use ledger::event::{BalanceAsserted, Event};
use ledger::id::{Id, Prefix};
use ledger::limits::ASSERTIONS_PER_BALANCE_MAX;
use ledger::rejection::Rejection;
use ledger::state::{NO_RECORD, State as LedgerState};
use serde::Serialize;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Lists of assertions that are compared at the same time, on threads of their own; more wait.
pub const LISTS_MAX: usize = 1;
/// Most assertions of a page.
pub const PAGE_MAX: usize = 1_000;
/// Assertions of a page, unless asked for.
pub const PAGE_DEFAULT: usize = 100;
/// Assertions that are compared for one page of all; past them the page is shorter than asked for.
pub const COMPARED_MAX: usize = 10_000;

static LISTS: Semaphore = Semaphore::const_new(LISTS_MAX);

const STATUS: Schema = Schema::Choice(&[HOLDS, BROKEN]);
const NEW_ASSERTION: Object = Object {
    name: "NewAssertion",
    description: "What a balance was.",
    fields: &[
        Field::optional(
            "at",
            Schema::Time,
            "Of when it speaks, what counts at that moment included, as in `GET /balances/{id}/at`; now unless given.",
        ),
        Field::optional(
            "precise_balance",
            Schema::Integer,
            "Credits less debits, minor units; also as digits in quotes.",
        ),
        Field::optional("balance", Schema::Decimal, "In place of that: in major units, exact to the minor unit."),
        Field::optional(
            "precision",
            Schema::Integer,
            "Minor units in a major unit; needed with `balance` unless the currency is registered.",
        ),
        Field::optional("require", Schema::Flag, "Refuse it, and keep nothing, unless it holds."),
        Field::optional("description", Schema::Text, "For people."),
        Field::optional("source", Schema::Text, "Where the amount comes from, such as a statement of a bank."),
        Field::optional("meta_data", Schema::Map, "Anything."),
    ],
};
const ASSERTION: Object = Object {
    name: "Assertion",
    description: "What a balance is said to have been, and what it was by the transactions as they are now.",
    fields: &[
        Field::required("assertion_id", Schema::Text, "Its id."),
        Field::required("balance_id", Schema::Text, "The balance."),
        Field::required("currency", Schema::Text, "Its currency."),
        Field::optional("precision", Schema::Integer, "Minor units in a major unit, when it is known."),
        Field::required("at", Schema::Time, "Of when it speaks."),
        Field::required("created_at", Schema::Time, "When it was made."),
        Field::required("precise_balance", Schema::Integer, "What is said, in minor units."),
        Field::optional("balance", Schema::Text, "The same in major units, when the precision is known."),
        Field::optional("description", Schema::Text, "For people."),
        Field::optional("source", Schema::Text, "Where the amount comes from."),
        Field::optional("meta_data", Schema::Map, "What was given."),
        Field::required("status", STATUS, "Whether it is so. Later backdated transactions may change that."),
        Field::required("found", Schema::Integer, "What the balance was, in minor units."),
        Field::required("difference", Schema::Integer, "What was found less what is said."),
    ],
};
const GONE: Object = Object {
    name: "AssertionGone",
    description: "It is not there any more.",
    fields: &[Field::required("message", Schema::Text, "For people.")],
};

/// Document of [`create_assertion`].
pub const CREATE_ASSERTION: Operation = Operation {
    summary: "Say what a balance was at a moment",
    description: "Florin's own. It is kept and compared at once; one that does not hold is kept too, and told as `broken`, unless \
                  `require` is true: then it is refused with BAL_ASSERTION_BROKEN and nothing is kept. It never holds up or refuses \
                  a transaction.",
    body: Some(&Schema::Object(&NEW_ASSERTION)),
    answers: &[Told { status: 201, description: "The assertion.", schema: &Schema::Object(&ASSERTION) }],
    ..Operation::new("create_assertion", "Assertions")
};

/// `POST /balances/{id}/assertions`.
pub async fn create_assertion(State(state): State<AppState>, Path(id): Path<String>, body: RequestBody) -> Answer {
    let body: AssertionBody<'_> = body.decode()?;
    let balance = Id::parse(Prefix::Balance, &id).ok_or_else(|| not_found(&id))?;
    for _ in 0..MAKINGS_MAX {
        // Before the state is looked at, so that it knows no row that the state does not.
        let dated = state.books().dated.view();
        let found = ask::look(&state, move |view| {
            let known = Known::of(view.state, view.state.find_balance(balance)?);
            Some((known, view.state.rows_count, view.now))
        });
        let (known, rows_count, now) = found.await?.ok_or_else(|| not_found(&id))?;
        let asked = body.checked(known.precision)?;
        let (as_of, before_row) = asked.at.map_or((now, rows_count), |at| (at, u64::MAX));
        let mut required = None;
        if asked.require {
            let rows = dated.upto.min(rows_count);
            let amount = known.before(state.books(), &dated, Cut { at: as_of, row: before_row })?;
            required = Some(Found { rows, amount });
        }
        let Asserted { amount, precision, description, source, metadata, .. } = asked;
        let command =
            AssertBalance { balance, as_of, before_row, amount, precision, description, source, metadata, required };
        match ask::change(&state, Command::AssertBalance(command), 0).await {
            Ok(Outcome::Made(number, _)) => {
                let view = shown(&state, number).await?.ok_or_else(|| not_found(&id))?;
                return Ok(answer::json(StatusCode::CREATED, &view));
            }
            Ok(Outcome::Refused(refused)) if refused.rejection == Rejection::AssertionBroken => {
                return Err(broken(&state, &id, balance, Cut { at: as_of, row: before_row }, amount).await?);
            }
            Ok(Outcome::Refused(refused)) => return Err(refused_for(&id, refused.rejection)),
            Ok(Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged) => return Err(ApiError::internal()),
            Err(error) if ask::is_outdated(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Err(ask::outdated())
}

/// What is to be known of a balance to tell what it was.
#[derive(Clone, Copy)]
struct Known {
    history: history::Known,
    precision: Option<u64>,
}

impl Known {
    fn of(state: &LedgerState, handle: u32) -> Known {
        let balance = state.balance(handle);
        let precision = state.currencies.registered(balance.currency).map(|registered| registered.precision);
        Known { history: history::Known::of(state, handle), precision }
    }

    /// Credits less debits that count before a cut.
    fn before(self, books: &Books, dated: &View, cut: Cut) -> Result<i128, BooksFault> {
        let account = Account::new(books, dated, self.history)?;
        let posted = account.before(books, cut)?;
        Ok(posted.credit - posted.debit)
    }
}

/// The error of an assertion that had to hold and did not.
async fn broken(state: &AppState, id: &str, balance: Id, cut: Cut, said: i128) -> Result<ApiError, ApiError> {
    let dated = state.books().dated.view();
    let known = ask::look(state, move |view| Some(Known::of(view.state, view.state.find_balance(balance)?)));
    let known = known.await?.ok_or_else(|| not_found(id))?;
    let found = known.before(state.books(), &dated, cut)?;
    let message = format!("the balance was {found}, not {said}; nothing was kept");
    let (found, difference) = (NumberText::integer(found), difference(found, said));
    let details = json!({"found": found, "difference": difference});
    Ok(ApiError::new(Code::BalAssertionBroken, message).details(details))
}

/// Document of [`get_assertion`].
pub const GET_ASSERTION: Operation = Operation {
    summary: "Read an assertion, compared as of now",
    answers: &[Told { status: 200, description: "The assertion.", schema: &Schema::Object(&ASSERTION) }],
    ..Operation::new("get_assertion", "Assertions")
};

/// `GET /balances/{id}/assertions/{assertion_id}`.
pub async fn get_assertion(State(state): State<AppState>, Path((id, assertion_id)): Path<(String, String)>) -> Answer {
    let (balance, parsed) = (Id::parse(Prefix::Balance, &id), Id::parse(Prefix::Assertion, &assertion_id));
    let found = ask::look(&state, move |view| {
        let handle = view.state.find_balance(balance?)?;
        let known = view.state.assertions.find(parsed?).filter(|known| known.balance == handle)?;
        Some(known.id.row() as u32)
    });
    let number = found.await?.ok_or_else(|| unknown(&assertion_id))?;
    let view = shown(&state, number).await?.ok_or_else(|| unknown(&assertion_id))?;
    Ok(answer::json(StatusCode::OK, &view))
}

/// An assertion by its number, unless it was deleted.
async fn shown(state: &AppState, number: u32) -> Result<Option<AssertionView>, ApiError> {
    let dated = state.books().dated.view();
    let found = ask::look(state, move |view| {
        let one = *view.state.assertions.get(number).filter(|one| one.record != NO_RECORD)?;
        let currency = view.state.currencies.text(view.state.balance(one.balance).currency).to_owned();
        Some((one, Known::of(view.state, one.balance), currency))
    });
    let Some((one, known, currency)) = found.await? else { return Ok(None) };
    let found = known.before(state.books(), &dated, cut_of(&one))?;
    view(state.books(), &one, currency, Some(found)).map(Some)
}

const fn cut_of(one: &Assertion) -> Cut {
    Cut { at: one.as_of, row: one.before_row }
}

fn view(books: &Books, one: &Assertion, currency: String, found: Option<i128>) -> Result<AssertionView, ApiError> {
    let balance = books.balance_id(one.balance).ok_or(BooksFault::Row(one.record))?;
    Ok(AssertionView::new(&asserted(books, one.record)?, balance, currency, found))
}

/// What a record says of a balance.
fn asserted(books: &Books, record: u64) -> Result<BalanceAsserted, ApiError> {
    match books.event(record)? {
        Event::BalanceAsserted(event) => Ok(event),
        _ => {
            tracing::error!("the record at {record} says nothing of a balance; run `florin verify`");
            Err(ApiError::internal())
        }
    }
}

/// Document of [`list_assertions`].
pub const LIST_ASSERTIONS: Operation = Operation {
    summary: "List the assertions of a balance, newest first",
    query: &[
        Field::optional("status", STATUS, "Only those that are so, or are not."),
        Field::optional("limit", Schema::Integer, "Assertions of the page: 100 unless given, at most 1000."),
        Field::optional("offset", Schema::Integer, "Assertions before the page."),
    ],
    answers: &[Told {
        status: 200,
        description: "Assertions, each compared as of now.",
        schema: &Schema::List(&Schema::Object(&ASSERTION)),
    }],
    ..Operation::new("list_assertions", "Assertions")
};

/// `GET /balances/{id}/assertions`.
pub async fn list_assertions(State(state): State<AppState>, Path(id): Path<String>, query: Parameters) -> Answer {
    let paging = Paging::strict(&query, PAGE_DEFAULT, ["Invalid limit value", "Invalid offset value"])?;
    let wanted = wanted_status(&query)?;
    let balance = Id::parse(Prefix::Balance, &id);
    let dated = state.books().dated.view();
    let found = ask::look(&state, move |view| {
        let handle = view.state.find_balance(balance?)?;
        let assertions = &view.state.assertions;
        let numbers = assertions.of_balance(handle).iter().rev();
        let all: Vec<Assertion> = numbers.filter_map(|number| assertions.get(*number).copied()).collect();
        let currency = view.state.currencies.text(view.state.balance(handle).currency).to_owned();
        Some((all, Known::of(view.state, handle), currency))
    });
    let (all, known, currency) = found.await?.ok_or_else(|| not_found(&id))?;
    let text = aside(&state, move |books| {
        let account = Account::new(books, &dated, known.history)?;
        let (mut views, mut passed) = (Vec::new(), 0);
        for one in all {
            if views.len() >= paging.limit.min(PAGE_MAX) {
                break;
            }
            // Those before the page need not be compared when all are wanted.
            if wanted.is_none() && passed < paging.offset {
                passed += 1;
                continue;
            }
            let posted = account.before(books, cut_of(&one))?;
            let found = posted.credit - posted.debit;
            if wanted.is_some_and(|holds| holds != (found == one.amount)) {
                continue;
            }
            passed += 1;
            if passed > paging.offset || wanted.is_none() {
                views.push(view(books, &one, currency.clone(), Some(found))?);
            }
        }
        Ok(answer::to_json(&views))
    });
    Ok(answer::json_text(StatusCode::OK, text.await?))
}

/// Document of [`list_all_assertions`].
pub const LIST_ALL_ASSERTIONS: Operation = Operation {
    summary: "List the assertions of all balances, oldest first",
    description: "At most 10000 are compared for a page; when fewer of them are wanted, the page is shorter, and `next` leads on.",
    query: &[
        Field::optional("status", STATUS, "Only those that are so, or are not."),
        Field::optional("limit", Schema::Integer, "Assertions of the page: 100 unless given, at most 1000."),
        Field::optional("cursor", Schema::Text, "Where the page begins: `next` of the page before."),
    ],
    answers: &[Told { status: 200, description: "A page.", schema: &Schema::Object(&PAGE) }],
    ..Operation::new("list_all_assertions", "Assertions")
};
const PAGE: Object = Object {
    name: "AssertionPage",
    description: "Some assertions, each compared as of now.",
    fields: &[
        Field::required("assertions", Schema::List(&Schema::Object(&ASSERTION)), "Those of the page."),
        Field::optional("next", Schema::Text, "The next page, for `cursor`; absent on the last."),
    ],
};

#[derive(Serialize)]
struct PageView {
    assertions: Vec<AssertionView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// `GET /assertions`.
pub async fn list_all_assertions(State(state): State<AppState>, query: Parameters) -> Answer {
    let limit = super::aggregate::page_number(&query, "limit", PAGE_DEFAULT, 1, PAGE_MAX)?;
    let wanted = wanted_status(&query)?;
    let first = match query.get("cursor").filter(|text| !text.is_empty()) {
        None => 0,
        Some(text) => text
            .parse::<u32>()
            .map_err(|_| ApiError::new(Code::GenValidationError, "cursor: must be `next` of the page before"))?,
    };
    let dated = state.books().dated.view();
    // A copy shares what it holds, so that the writer is not kept by a long list.
    let known = ask::look(&state, |view| view.state.clone()).await?;
    let text = aside(&state, move |books| {
        let (mut views, mut next, mut compared) = (Vec::new(), None, 0);
        let mut last: Option<(u32, Account)> = None;
        for number in first..known.assertions.made_count() as u32 {
            if views.len() >= limit || compared >= COMPARED_MAX {
                next = Some(number.to_string());
                break;
            }
            let Some(one) = known.assertions.get(number).filter(|one| one.record != NO_RECORD) else { continue };
            compared += 1;
            let account = match last.take() {
                Some((handle, account)) if handle == one.balance => account,
                _ => Account::new(books, &dated, history::Known::of(&known, one.balance))?,
            };
            let posted = account.before(books, cut_of(one))?;
            last = Some((one.balance, account));
            let found = posted.credit - posted.debit;
            if wanted.is_none_or(|holds| holds == (found == one.amount)) {
                let currency = known.currencies.text(known.balance(one.balance).currency).to_owned();
                views.push(view(books, one, currency, Some(found))?);
            }
        }
        Ok(answer::to_json(&PageView { assertions: views, next }))
    });
    Ok(answer::json_text(StatusCode::OK, text.await?))
}

/// Compares a list on a thread of its own.
async fn aside(
    state: &AppState,
    work: impl FnOnce(&Books) -> Result<Vec<u8>, ApiError> + Send + 'static,
) -> Result<Vec<u8>, ApiError> {
    let permit = LISTS.acquire().await.map_err(|_| ApiError::internal())?;
    let books = Arc::clone(state.engine().books());
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&books)
    });
    work.await.map_err(|_| ApiError::internal())?
}

/// Whether only those are wanted that hold (or do not).
fn wanted_status(query: &Parameters) -> Result<Option<bool>, ApiError> {
    match query.get("status").as_deref() {
        None | Some("") => Ok(None),
        Some(HOLDS) => Ok(Some(true)),
        Some(BROKEN) => Ok(Some(false)),
        Some(_) => Err(ApiError::new(Code::GenValidationError, "status: must be holds or broken")),
    }
}

/// Document of [`delete_assertion`].
pub const DELETE_ASSERTION: Operation = Operation {
    summary: "Delete an assertion",
    answers: &[Told { status: 200, description: "It was deleted.", schema: &Schema::Object(&GONE) }],
    ..Operation::new("delete_assertion", "Assertions")
};

/// `DELETE /balances/{id}/assertions/{assertion_id}`.
pub async fn delete_assertion(
    State(state): State<AppState>,
    Path((id, assertion_id)): Path<(String, String)>,
) -> Answer {
    let (balance, assertion) = (Id::parse(Prefix::Balance, &id), Id::parse(Prefix::Assertion, &assertion_id));
    let (Some(balance), Some(assertion)) = (balance, assertion) else { return Err(unknown(&assertion_id)) };
    match ask::change(&state, Command::DeleteAssertion(DeleteAssertion { balance, assertion }), 0).await? {
        Outcome::Made(..) => Ok(answer::json(StatusCode::OK, &json!({"message": "Assertion deleted successfully"}))),
        Outcome::Refused(_) => Err(unknown(&assertion_id)),
        Outcome::Recorded(_) | Outcome::Rescheduled(_) | Outcome::Unchanged => Err(ApiError::internal()),
    }
}

fn refused_for(id: &str, rejection: Rejection) -> ApiError {
    match rejection {
        Rejection::BalanceNotFound => not_found(id),
        Rejection::InFuture => ApiError::new(Code::GenValidationError, "at: must not be in the future"),
        Rejection::TooManyKept => ApiError::new(
            Code::GenBadRequest,
            format!("a balance cannot have more than {ASSERTIONS_PER_BALANCE_MAX} assertions; delete one first"),
        ),
        other => failure::refusal(other, About::default()),
    }
}

fn not_found(id: &str) -> ApiError {
    ApiError::new(Code::BalNotFound, format!("Balance with ID '{id}' not found")).details(json!({}))
}

fn unknown(id: &str) -> ApiError {
    ApiError::new(Code::BalAssertionNotFound, format!("Assertion with ID '{id}' not found")).details(json!({}))
}
