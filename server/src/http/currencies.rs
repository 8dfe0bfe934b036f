//! Routes of registered currencies.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::paging::{self, Paging};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use crate::api::currency::{CurrencyBody, CurrencyView, Wanted};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use ledger::command::{Command, RegisterCurrency};
use ledger::state::{Currencies, Registered};
use serde_json::json;
use std::sync::Arc;

const CURRENCY: Object = Object {
    name: "Currency",
    description: "A registered currency. Every transaction in it has its precision.",
    fields: &[
        Field::required("code", Schema::Text, "Its code, as transactions name it."),
        Field::required("scale", Schema::Integer, "Digits behind the point."),
        Field::required("precision", Schema::Integer, "Minor units in a major unit: 10 to the power of `scale`."),
        Field::required("name", Schema::Text, "Its name for people, or empty."),
        Field::required("registered_at", Schema::Time, "When it was registered, or got its name."),
    ],
};
const NEW_CURRENCY: Object = Object {
    name: "NewCurrency",
    description: "A currency to be registered.",
    fields: &[
        Field::required("code", Schema::Text, "Its code, as transactions name it; any text."),
        Field::required("scale", Schema::Integer, "Digits behind the point, from 0 to 18."),
        Field::optional("name", Schema::Text, "Its name for people."),
    ],
};

/// Document of [`register_currency`].
pub const REGISTER_CURRENCY: Operation = Operation {
    summary: "Register a currency",
    description: "From then on a transaction in it has the precision of the currency: when it leaves `precision` out, and when it gives it; \
                  any other is refused. A scale cannot be changed, as amounts are recorded in minor units. Registering it again with \
                  another name changes the name.",
    body: Some(&Schema::Object(&NEW_CURRENCY)),
    answers: &[
        Told { status: 201, description: "The currency is registered.", schema: &Schema::Object(&CURRENCY) },
        Told { status: 200, description: "It was registered before.", schema: &Schema::Object(&CURRENCY) },
    ],
    ..Operation::new("register_currency", "Currencies")
};

/// `POST /currencies`.
pub async fn register_currency(State(state): State<AppState>, body: RequestBody) -> Answer {
    let body: CurrencyBody<'_> = body.decode()?;
    let Wanted { code, precision, name } = body.wanted()?;
    let before = find(&state, &code).await?;
    // What is said again without a name keeps the name that it has.
    let name = name.or_else(|| before.as_ref().map(|known| known.name.to_string())).unwrap_or_default();
    let command = Command::RegisterCurrency(RegisterCurrency { code: code.clone(), precision, name });
    let status = match ask::change(&state, command, 0).await? {
        Outcome::Made(..) if before.is_none() => StatusCode::CREATED,
        Outcome::Made(..) | Outcome::Unchanged => StatusCode::OK,
        Outcome::Refused(refused) => return Err(failure::refusal(refused.rejection, About::default())),
        Outcome::Recorded(_) | Outcome::Rescheduled(_) => return Err(ApiError::internal()),
    };
    let registered = find(&state, &code).await?.ok_or_else(ApiError::internal)?;
    Ok(answer::json(status, &CurrencyView::new(&code, &registered)))
}

async fn find(state: &AppState, code: &str) -> Result<Option<Registered>, ApiError> {
    let code = code.to_owned();
    ask::look(state, move |view| registered(&view.state.currencies, &code).cloned()).await
}

fn registered<'a>(currencies: &'a Currencies, code: &str) -> Option<&'a Registered> {
    currencies.registered(currencies.find(code)?)
}

/// Document of [`get_currency`].
pub const GET_CURRENCY: Operation = Operation {
    summary: "Read a registered currency",
    answers: &[Told { status: 200, description: "The currency.", schema: &Schema::Object(&CURRENCY) }],
    ..Operation::new("get_currency", "Currencies")
};

/// `GET /currencies/{code}`.
pub async fn get_currency(State(state): State<AppState>, Path(code): Path<String>) -> Answer {
    let missing =
        || ApiError::new(Code::GenNotFound, format!("Currency '{code}' is not registered")).details(json!({}));
    let registered = find(&state, &code).await?.ok_or_else(missing)?;
    Ok(answer::json(StatusCode::OK, &CurrencyView::new(&code, &registered)))
}

/// Document of [`list_currencies`].
pub const LIST_CURRENCIES: Operation = Operation {
    summary: "List registered currencies, by code",
    query: paging::FIELDS,
    answers: &[Told {
        status: 200,
        description: "Registered currencies.",
        schema: &Schema::List(&Schema::Object(&CURRENCY)),
    }],
    ..Operation::new("list_currencies", "Currencies")
};

/// Currencies of a page, unless asked for.
const PAGE_DEFAULT: usize = 100;

/// `GET /currencies`.
pub async fn list_currencies(State(state): State<AppState>, query: Parameters) -> Answer {
    let paging = Paging::strict(&query, PAGE_DEFAULT, ["invalid limit value", "invalid offset value"])?;
    let currencies = ask::look(&state, |view| Arc::clone(&view.state.currencies)).await?;
    let mut found: Vec<(&str, &Registered)> =
        currencies.all_registered().map(|(number, registered)| (currencies.text(number), registered)).collect();
    found.sort_unstable_by_key(|(code, _)| *code);
    let page = found.into_iter().skip(paging.offset).take(paging.limit);
    let views: Vec<CurrencyView> = page.map(|(code, registered)| CurrencyView::new(code, registered)).collect();
    Ok(answer::json(StatusCode::OK, &views))
}
