//! Tokens in the place of personal values, and what they stand for.

use super::edit::DONE;
use super::{missing, reveals, stored};
use crate::api::identity::Fields;
use crate::api::token::{FF1_SYMBOLS_MAX, Mode, TokenFault, Tokenizer, canonical};
use crate::decode::Text;
use crate::http::answer;
use crate::http::auth::Principal;
use crate::http::body::RequestBody;
use crate::http::error::{ApiError, Code};
use crate::http::layers::RequestId;
use crate::http::openapi::{Answer as Told, Field, Object, Operation, Schema};
use crate::http::parameters::Parameters;
use crate::http::state::{Answer, AppState};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

const MODE: Field = Field::optional(
    "mode",
    Schema::Choice(&["compatible", "standard", "ff1"]),
    "How tokens are made: `FPT:<visible>:<sealed>` unless given; `standard` shows nothing of the value; `ff1` looks like the value \
     and is the same for the same value.",
);
const NAMES: Field = Field::required(
    "fields",
    Schema::List(&Schema::Text),
    "Of `FirstName`, `LastName`, `OtherNames`, `EmailAddress`, `PhoneNumber`, `Street`, `PostCode`.",
);
const TO_TOKENIZE: Object =
    Object { name: "ToTokenize", description: "Fields to be tokenized.", fields: &[NAMES, MODE] };
const TO_DETOKENIZE: Object = Object {
    name: "ToDetokenize",
    description: "Fields whose values are wanted; all tokens when empty.",
    fields: &[NAMES],
};
const TOKENIZED: Object = Object {
    name: "TokenizedFields",
    description: "Which fields are tokens.",
    fields: &[Field::required("tokenized_fields", Schema::List(&Schema::Text), "Their names.")],
};
const VALUE: Object = Object {
    name: "DetokenizedField",
    description: "What a token stands for.",
    fields: &[
        Field::required("field", Schema::Text, "The name, as it was sent."),
        Field::required("value", Schema::Text, "The value."),
    ],
};
const VALUES: Object = Object {
    name: "DetokenizedFields",
    description: "What tokens stand for.",
    fields: &[Field::required("fields", Schema::Map, "Values by name.")],
};

crate::lenient_struct! {
    /// Fields by name.
    pub struct NamesBody<'a> {
        /// The names.
        "fields" fields: Vec<Text<'a>>,
        /// How tokens are made.
        "mode" mode: Text<'a>,
    }
}

/// Document of [`tokenize_field`].
pub const TOKENIZE_FIELD: Operation = Operation {
    summary: "Put a token in the place of a value",
    query: &[MODE],
    answers: &[Told { status: 200, description: "It is a token.", schema: &Schema::Object(&DONE) }],
    ..Operation::new("tokenize_field", "Identities")
};

/// `POST /identities/{id}/tokenize/{field}`.
pub async fn tokenize_field(
    State(state): State<AppState>,
    Path((id, field)): Path<(String, String)>,
    query: Parameters,
) -> Answer {
    let mode = mode_of(query.get("mode").as_deref())?;
    tokenize(&state, &id, &[&field], mode).await?;
    Ok(answer::json(StatusCode::OK, &json!({"message": "Field tokenized successfully"})))
}

/// Document of [`tokenize_fields`].
pub const TOKENIZE_FIELDS: Operation = Operation {
    summary: "Put tokens in the place of values",
    description: "One field after the other; the first that cannot be a token ends it, those before it stay tokens.",
    body: Some(&Schema::Object(&TO_TOKENIZE)),
    answers: &[Told { status: 200, description: "They are tokens.", schema: &Schema::Object(&DONE) }],
    ..Operation::new("tokenize_fields", "Identities")
};

/// `POST /identities/{id}/tokenize`.
pub async fn tokenize_fields(State(state): State<AppState>, Path(id): Path<String>, body: RequestBody) -> Answer {
    let body: NamesBody<'_> = body.decode()?;
    let names = names_of(&body)?;
    if names.is_empty() {
        return Err(ApiError::new(Code::GenValidationError, "at least one field must be specified"));
    }
    let mode = mode_of(body.mode.as_deref())?;
    tokenize(&state, &id, &names, mode).await?;
    Ok(answer::json(StatusCode::OK, &json!({"message": "Fields tokenized successfully"})))
}

/// Document of [`list_tokenized_fields`].
pub const LIST_TOKENIZED_FIELDS: Operation = Operation {
    summary: "Tell which fields are tokens",
    answers: &[Told { status: 200, description: "Their names.", schema: &Schema::Object(&TOKENIZED) }],
    ..Operation::new("list_tokenized_fields", "Identities")
};

/// `GET /identities/{id}/tokenized-fields`.
pub async fn list_tokenized_fields(State(state): State<AppState>, Path(id): Path<String>) -> Answer {
    let fields = read(&state, &id).await?;
    let names: Vec<&str> = fields.tokenized().collect();
    Ok(answer::json(StatusCode::OK, &json!({"tokenized_fields": names})))
}

/// Document of [`detokenize_field`].
pub const DETOKENIZE_FIELD: Operation = Operation {
    summary: "Tell what a token stands for",
    description: "Who asked is kept before it is answered: see `GET /identities/{id}/reveals`. What is stored does not change.",
    answers: &[Told { status: 200, description: "The value.", schema: &Schema::Object(&VALUE) }],
    ..Operation::new("detokenize_field", "Identities")
};

/// `GET /identities/{id}/detokenize/{field}`.
pub async fn detokenize_field(
    State(state): State<AppState>,
    Path((id, field)): Path<(String, String)>,
    principal: Principal,
    request: RequestId,
) -> Answer {
    principal.may_reveal()?;
    let mut values = detokenize(&state, &id, vec![field.clone()], &principal, request).await?;
    Ok(answer::json(StatusCode::OK, &json!({"field": field, "value": values.remove(&field)})))
}

/// Document of [`detokenize_fields`].
pub const DETOKENIZE_FIELDS: Operation = Operation {
    summary: "Tell what tokens stand for",
    description: "Who asked is kept before it is answered: see `GET /identities/{id}/reveals`. What is stored does not change.",
    body: Some(&Schema::Object(&TO_DETOKENIZE)),
    answers: &[Told { status: 200, description: "The values.", schema: &Schema::Object(&VALUES) }],
    ..Operation::new("detokenize_fields", "Identities")
};

/// `POST /identities/{id}/detokenize`.
pub async fn detokenize_fields(
    State(state): State<AppState>,
    Path(id): Path<String>,
    principal: Principal,
    request: RequestId,
    body: RequestBody,
) -> Answer {
    principal.may_reveal()?;
    let body: NamesBody<'_> = body.decode()?;
    let names = names_of(&body)?.into_iter().map(str::to_owned).collect();
    let values = detokenize(&state, &id, names, &principal, request).await?;
    Ok(answer::json(StatusCode::OK, &json!({"fields": values})))
}

fn names_of<'a>(body: &'a NamesBody<'_>) -> Result<Vec<&'a str>, ApiError> {
    let names = body
        .fields
        .as_ref()
        .ok_or_else(|| ApiError::new(Code::GenMalformedRequest, "fields: must be a list of the names of fields"))?;
    Ok(names.iter().map(|name| &**name).collect())
}

fn mode_of(name: Option<&str>) -> Result<Mode, ApiError> {
    match name.unwrap_or_default() {
        "" | "compatible" => Ok(Mode::Compatible),
        "standard" => Ok(Mode::Standard),
        "ff1" => Ok(Mode::Ff1),
        _ => Err(ApiError::new(Code::GenValidationError, "mode: must be one of compatible, standard, ff1")),
    }
}

/// The fields of an identity as they are.
async fn read(state: &AppState, id: &str) -> Result<Fields, ApiError> {
    let found = stored::find(state, id).await?.ok_or_else(|| missing(id))?;
    stored::fields(state.books(), state.vault(), &found.identity)?.ok_or_else(|| missing(id))
}

/// Makes tokens, up to the first field that cannot be one.
async fn tokenize(state: &AppState, id: &str, names: &[&str], mode: Mode) -> Result<(), ApiError> {
    if let Some(first) = names.first().filter(|name| canonical(name).is_none()) {
        return Err(not_tokenizable(first));
    }
    let tokenizer = state.tokenizer();
    let stopped = stored::change(state, id, |fields| {
        for (index, name) in names.iter().enumerate() {
            match tokenize_one(tokenizer, fields, name, mode) {
                Ok(()) => {}
                Err(error) if index == 0 => return Err(error),
                // Those before it stay tokens.
                Err(error) => return Ok(Some(error)),
            }
        }
        Ok(None)
    });
    stopped.await?.map_or(Ok(()), Err)
}

fn tokenize_one(tokenizer: Option<&Tokenizer>, fields: &mut Fields, name: &str, mode: Mode) -> Result<(), ApiError> {
    let known = canonical(name).ok_or_else(|| not_tokenizable(name))?;
    if fields.mode(known.0).is_some() {
        return Err(ApiError::new(Code::IdtFieldAlreadyTokenized, format!("field {name} is already tokenized")));
    }
    let tokenizer = tokenizer.ok_or_else(disabled)?;
    let value = fields.get(known.1).unwrap_or_default();
    let (mode, token) = tokenizer.make(mode, known.0, value).map_err(|fault| fault_of(fault, name))?;
    fields.tokenize(known, mode, token);
    Ok(())
}

fn not_tokenizable(name: &str) -> ApiError {
    ApiError::new(Code::IdtFieldNotTokenizable, format!("field {name} is not tokenizable"))
}

fn disabled() -> ApiError {
    ApiError::new(
        Code::IdtTokenizationDisabled,
        "tokenization is disabled: BLNK_TOKENIZATION_SECRET or tokenization_secret in your blnk.json file must be set to a 32-byte value",
    )
}

fn fault_of(fault: TokenFault, name: &str) -> ApiError {
    let refuse = |why: String| ApiError::new(Code::GenValidationError, format!("{name}: {why}"));
    match fault {
        TokenFault::TooShort => refuse("ff1 needs six digits, or four letters and digits; use standard".to_owned()),
        TokenFault::TooLong => refuse(format!("ff1 takes at most {FF1_SYMBOLS_MAX} letters and digits; use standard")),
        TokenFault::Letters => refuse("ff1 replaces the letters a to z and digits only; use standard".to_owned()),
        TokenFault::Damaged | TokenFault::Random => {
            tracing::error!("a token cannot be made or turned back: {fault:?}");
            ApiError::internal()
        }
    }
}

/// What tokens stand for, by the names as they were sent; of all tokens when none are named. It is only answered when it is
/// durable who asked.
async fn detokenize(
    state: &AppState,
    id: &str,
    mut names: Vec<String>,
    principal: &Principal,
    request: RequestId,
) -> Result<Map<String, Value>, ApiError> {
    let fields = read(state, id).await?;
    if names.is_empty() {
        names.extend(fields.tokenized().map(str::to_owned));
    }
    let (mut values, mut seen) = (Map::new(), BTreeMap::<&str, String>::new());
    for name in names {
        let token = canonical(&name).and_then(|known| Some((known, fields.mode(known.0)?)));
        let Some((known, mode)) = token else {
            return Err(ApiError::new(Code::IdtFieldNotTokenized, format!("field {name} is not tokenized")));
        };
        // A field may be named again and again; turning a token back takes its time, so that is done once.
        let value = match seen.entry(known.0) {
            Entry::Occupied(seen) => seen.into_mut(),
            Entry::Vacant(place) => {
                let tokenizer = state.tokenizer().ok_or_else(|| {
                    tracing::error!("there are tokens, but tokenization_secret is not set");
                    ApiError::internal()
                })?;
                let token = fields.get(known.1).unwrap_or_default();
                place.insert(tokenizer.value(mode, known.0, token).map_err(|fault| fault_of(fault, &name))?)
            }
        };
        values.insert(name, value.as_str().into());
    }
    if !seen.is_empty() {
        reveals::keep(state, id, principal, request, seen.into_keys().collect()).await?;
    }
    Ok(values)
}
