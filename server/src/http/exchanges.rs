//! `POST /exchanges`.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::closings;
use super::dry_run::{self, document};
use super::error::ApiError;
use super::failure::{self, About};
use super::inflight::is_queued;
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use super::transactions::TRANSACTION;
use crate::api::exchange::{Exchange, ExchangeBody, LEGS_MAX, view};
use crate::api::transaction::view::Viewer;
use crate::api::transaction::{How, Wrong, seal};
use crate::api::validate::Problems;
use axum::extract::State;
use axum::http::StatusCode;
use engine::answer::Recorded;
use ledger::command::{Batch, Command, Mismatch, Record};
use ledger::id::{Id, Prefix};
use ledger::rejection::Rejection;
use ledger::row::{Flags, Row};

const SPREAD: Object = Object {
    name: "NewSpread",
    description: "What the house keeps of an exchange.",
    fields: &[
        Field::required("destination", Schema::Text, "Balance id or `@indicator`, in the currency of the side."),
        Field::optional("amount", Schema::Decimal, "Major units of the side; this or `precise_amount`."),
        Field::optional("precise_amount", Schema::Integer, "Minor units of the side."),
        Field::optional(
            "side",
            Schema::Choice(&["source", "destination"]),
            "Whether it is taken from the amount before it is converted, or from what the amount is worth (unless given).",
        ),
    ],
};
const NEW_EXCHANGE: Object = Object {
    name: "NewExchange",
    description: "An amount of one currency to be exchanged for what it is worth in another.",
    fields: &[
        Field::required("source", Schema::Text, "Balance id or `@indicator` that gives the amount."),
        Field::required("destination", Schema::Text, "Balance id or `@indicator` that gets what it is worth."),
        Field::required("source_currency", Schema::Text, "The currency of the amount."),
        Field::required("destination_currency", Schema::Text, "The other currency."),
        Field::optional("amount", Schema::Decimal, "Major units of the source; this or `precise_amount`."),
        Field::optional("precise_amount", Schema::Integer, "Minor units of the source, also as digits in quotes."),
        Field::optional("precision", Schema::Integer, "Minor units in a major unit of the source; 1 unless given."),
        Field::optional("destination_precision", Schema::Integer, "The same of the destination."),
        Field::required(
            "rate",
            Schema::Decimal,
            "Major units of the destination for one of the source, also as text; at most 18 significant digits and 30 decimals.",
        ),
        Field::optional(
            "destination_amount",
            Schema::Decimal,
            "What the amount is worth, if it was rounded elsewhere: within one minor unit of amount × rate. Rounded half away from zero \
             unless given.",
        ),
        Field::optional("precise_destination_amount", Schema::Integer, "The same in minor units."),
        Field::optional("quote", Schema::Text, "Reference of the quote."),
        Field::optional("spread", Schema::Object(&SPREAD), "What the house keeps."),
        Field::optional(
            "via",
            Schema::Text,
            "`@indicator` of the position of the house, which may be overdrawn; `@Exchange` unless given.",
        ),
        Field::required("reference", Schema::Text, "Any text, used once."),
        Field::optional("description", Schema::Text, "Text for people."),
        Field::optional("inflight", Schema::Flag, "Whether the amounts are held instead of posted."),
        Field::optional("allow_overdraft", Schema::Flag, "Whether the source may go below zero."),
        Field::optional("overdraft_limit", Schema::Decimal, "How far, in major units; 0 for no limit."),
        Field::optional("effective_date", Schema::Time, "The business date."),
        Field::optional("skip_queue", Schema::Flag, "Whether to answer with the outcome."),
        document::FIELD,
        Field::optional("meta_data", Schema::Map, "Anything; every leg has it."),
    ],
};
const KEPT: Object = Object {
    name: "Spread",
    description: "What the house kept of an exchange.",
    fields: &[
        Field::required("destination", Schema::Text, "Where it went to."),
        Field::required("side", Schema::Choice(&["source", "destination"]), "From which side it was taken."),
        Field::required("currency", Schema::Text, "The currency of the side."),
        Field::required("precise_amount", Schema::Integer, "Minor units."),
    ],
};
const EXCHANGE: Object = Object {
    name: "Exchange",
    description: "An exchange: a transaction of two or three legs in two currencies.",
    fields: &[
        Field::required("transaction_id", Schema::Text, "Id of the whole; it is committed, voided and refunded by it."),
        Field::required("reference", Schema::Text, "Its reference; its legs have a number behind it."),
        Field::required("status", Schema::Choice(&["QUEUED", "INFLIGHT", "APPLIED"]), "Its status."),
        Field::required("rate", Schema::Text, "The rate, as a decimal."),
        Field::required("quote", Schema::Text, "Reference of the quote, or empty."),
        Field::required("source", Schema::Text, "Where the amount was taken from."),
        Field::required("destination", Schema::Text, "Where what it is worth went to."),
        Field::required("source_currency", Schema::Text, "The currency of the amount."),
        Field::required("precise_amount", Schema::Integer, "All that the source gives, in minor units."),
        Field::required("destination_currency", Schema::Text, "The other currency."),
        Field::required(
            "precise_destination_amount",
            Schema::Integer,
            "What the amount, less a spread of the source side, is worth, in minor units; the destination gets this less a spread of its side.",
        ),
        Field::required("spread", Schema::Object(&KEPT), "What the house kept, or null."),
        Field::required("legs", Schema::List(&Schema::Object(&TRANSACTION)), "The transactions it is made of."),
        Field::required("created_at", Schema::Time, "When it was recorded."),
    ],
};

/// Document of [`create_exchange`].
pub const CREATE_EXCHANGE: Operation = Operation {
    summary: "Exchange one currency for another",
    description: "Two legs or three, recorded as a whole or not at all: from the source to the position of the house, from there to the \
                  destination and, with a spread, to who keeps it. The metadata of the legs says the rate, the quote and the currencies \
                  under `florin_exchange`.",
    body: Some(&Schema::Object(&NEW_EXCHANGE)),
    answers: &[
        document::EXCHANGE_PROJECTED,
        Told { status: 201, description: "The exchange.", schema: &Schema::Object(&EXCHANGE) },
    ],
    ..Operation::new("create_exchange", "Transactions")
};

/// `POST /exchanges`.
pub async fn create_exchange(State(state): State<AppState>, sent: RequestBody) -> Answer {
    let body: ExchangeBody<'_> = sent.decode()?;
    let exchange = body.check(&state.books().registry())?;
    let queued = is_queued(&state, body.skip_queue);
    let mut text = String::with_capacity(1024);
    let mut asks = exchange.asks(queued, &mut text);
    let legs = asks.len();
    seal(&mut asks, state.books(), How { queued, inflight: body.inflight.unwrap_or(false) }, &text);
    // Whatever is allowed of other transactions: an exchange posted as raw units would be wrong by its rate.
    let mismatch = Mismatch::Refuse;
    let record = Record {
        batch: Batch::Single,
        goes_on: false,
        announced: false,
        trial: false,
        queued,
        asks,
        text,
        priors: Vec::new(),
        mismatch,
    };
    if body.dry_run == Some(true) {
        return dry_run::exchange::project(&state, record, &exchange).await;
    }
    match ask::change_once(&state, Command::Record(record), sent.key()?, 2 * LEGS_MAX).await? {
        Outcome::Recorded(recorded) => {
            let reference = body.reference.as_deref().unwrap_or_default();
            let mut viewer = Viewer::of_answer(state.books(), &recorded);
            let rows = legs_of(&mut viewer, &recorded, legs)?;
            match view::view(&mut viewer, reference, &rows)? {
                Some(view) => Ok(answer::once(answer::json(StatusCode::CREATED, &view), recorded.replayed)),
                None => Err(failure::refusal(Rejection::DuplicateReference, About { reference, ..About::default() })),
            }
        }
        Outcome::Refused(refused) => Err(refusal(&state, refused.rejection, &exchange).await?),
        Outcome::Made(..) | Outcome::Rescheduled(_) | Outcome::Unchanged => Err(ApiError::internal()),
    }
}

/// The legs of what was recorded. None when what is known by the reference are legs of something else, or not all of it.
fn legs_of(viewer: &mut Viewer<'_>, recorded: &Recorded, count: usize) -> Result<Vec<Row>, ApiError> {
    let mut legs = recorded.rows.clone();
    legs.retain(|row| !row.flags.has(Flags::OUTCOME));
    let Some(first) = legs.first() else { return Ok(legs) };
    let whole = viewer.event(first)?.main_movements().len() == count;
    let together = legs.iter().all(|row| row.record == first.record);
    if !(whole && together && legs.len() == count) {
        legs.clear();
    }
    Ok(legs)
}

/// The error of an exchange that was refused. Of balances it names the field, which the ledger does not know.
pub async fn refusal(state: &AppState, rejection: Rejection, exchange: &Exchange<'_>) -> Result<ApiError, ApiError> {
    let body = exchange.body;
    let reference = body.reference.as_deref().unwrap_or_default();
    let plain = failure::refusal(rejection, About { reference, ..About::default() });
    let missing = match rejection {
        Rejection::SourceNotFound | Rejection::DestinationNotFound => true,
        Rejection::CurrencyMismatch => false,
        _ => {
            let balances = exchange.balances();
            let names = balances.iter().map(|(_, name, _)| *name);
            return Ok(closings::dated(state, plain, rejection, names).await);
        }
    };
    let named = exchange.balances();
    let ids: Vec<Option<Id>> = named.iter().map(|(_, name, _)| Id::parse(Prefix::Balance, name)).collect();
    let found = ask::look(state, move |view| {
        let currency = |id: Option<Id>| {
            let balance = view.state.balance(view.state.find_balance(id?)?);
            Some(view.state.currencies.text(balance.currency).to_owned())
        };
        ids.into_iter().map(currency).collect::<Vec<Option<String>>>()
    });
    for ((field, name, wanted), found) in named.into_iter().zip(found.await?) {
        if name.starts_with('@') {
            continue;
        }
        match found {
            None if missing => {
                return Ok(failure::refusal(Rejection::SourceNotFound, About { source: name, ..About::default() }));
            }
            Some(currency) if !missing && currency != wanted => {
                let mut problems = Problems::default();
                problems.add(field, format!("the balance is in {currency}, not in {wanted}"));
                return Ok(Wrong::Fields(problems).into());
            }
            _ => {}
        }
    }
    Ok(plain)
}
