//! Routes that end many holds: each item for itself, with an outcome of its own.

use super::answer;
use super::ask;
use super::body::RequestBody;
use super::dry_run::{self, document};
use super::error::{ApiError, Code};
use super::inflight::{self, Ending, Settled, Trouble, Wanted};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use crate::api::inflight::{
    BULK_ITEMS_MAX, BulkCommitBody, BulkSettleResult, BulkSettleView, BulkVoidBody, SettleAmount,
};
use crate::decode::Malformed;
use axum::extract::State;
use axum::http::StatusCode;
use engine::writer::KeyAsk;
use ledger::command::Action;

const COMMITS: Object = Object {
    name: "Commits",
    description: "Holds to be committed.",
    fields: &[
        Field::required("transactions", Schema::List(&Schema::Object(&COMMIT)), "The items, at most 100."),
        Field::optional("skip_queue", Schema::Flag, "Whether to answer with the outcomes."),
        document::FIELD,
    ],
};
const COMMIT: Object = Object {
    name: "Commit",
    description: "A hold to be committed.",
    fields: &[
        Field::required("transaction_id", Schema::Text, "The hold, or what it belongs to."),
        Field::optional("amount", Schema::Decimal, "How much, in major units; all that is left unless given."),
        Field::optional("precise_amount", Schema::Integer, "The same in minor units."),
    ],
};
const VOIDS: Object = Object {
    name: "Voids",
    description: "Holds to be voided.",
    fields: &[
        Field::required(
            "transaction_ids",
            Schema::List(&Schema::Text),
            "The holds, or what they belong to, at most 100.",
        ),
        Field::optional("skip_queue", Schema::Flag, "Whether to answer with the outcomes."),
        document::FIELD,
    ],
};
const OUTCOMES: Object = Object {
    name: "Outcomes",
    description: "What became of each item.",
    fields: &[
        Field::required("succeeded", Schema::Integer, "Items that did not fail."),
        Field::required("failed", Schema::Integer, "Items that failed."),
        Field::required("results", Schema::List(&Schema::Object(&OUTCOME)), "One for each item, in order."),
    ],
};
const OUTCOME: Object = Object {
    name: "Outcome",
    description: "What became of an item.",
    fields: &[
        Field::required("transaction_id", Schema::Text, "As it was sent."),
        Field::required("status", Schema::Choice(&["succeeded", "queued", "failed"]), "What became of it."),
        Field::optional(
            "code",
            Schema::Choice(&[
                "QUEUED",
                "NOT_FOUND",
                "ALREADY_VOIDED",
                "ALREADY_COMMITTED",
                "NOT_INFLIGHT",
                "INVALID_AMOUNT",
                "INTERNAL_ERROR",
            ]),
            "Why it failed, or that it is queued.",
        ),
        Field::optional("message", Schema::Text, "The same for people."),
    ],
};
const ANSWERS: &[Told] = &[Told {
    status: 200,
    description: "The outcomes; of a dry run, what they would be.",
    schema: &Schema::OneOf(&[Schema::Object(&OUTCOMES), Schema::Object(&document::BATCH_PROJECTION)]),
}];

/// Document of [`commit_holds`].
pub const COMMIT_HOLDS: Operation = Operation {
    summary: "Commit many holds",
    description: "Each item is committed or fails for itself, in order.",
    body: Some(&Schema::Object(&COMMITS)),
    answers: ANSWERS,
    ..Operation::new("commit_holds", "Transactions")
};

/// `POST /transactions/inflight/bulk/commit`.
pub async fn commit_holds(State(state): State<AppState>, sent: RequestBody) -> Answer {
    let body: BulkCommitBody<'_> = sent.decode()?;
    let items = body.transactions.unwrap_or_default();
    check_count(items.len(), "transactions")?;
    let asked = items.into_iter().map(|item| {
        let item = item.unwrap_or_default();
        let amount = match SettleAmount::read(item.amount, item.precise_amount)? {
            SettleAmount::Minor(0) => SettleAmount::Rest,
            other => other,
        };
        Ok(Asked { id: item.transaction_id.as_deref().unwrap_or_default().to_owned(), amount })
    });
    let asked = asked.collect::<Result<Vec<Asked>, Malformed>>()?;
    let how = How { action: Action::Commit, queued: inflight::is_queued(&state, body.skip_queue) };
    settle_all(&state, asked, how, body.dry_run.unwrap_or(false), &sent).await
}

/// Document of [`void_holds`].
pub const VOID_HOLDS: Operation = Operation {
    summary: "Void many holds",
    description: "Each item is voided or fails for itself, in order.",
    body: Some(&Schema::Object(&VOIDS)),
    answers: ANSWERS,
    ..Operation::new("void_holds", "Transactions")
};

/// `POST /transactions/inflight/bulk/void`.
pub async fn void_holds(State(state): State<AppState>, sent: RequestBody) -> Answer {
    let body: BulkVoidBody<'_> = sent.decode()?;
    let ids = body.transaction_ids.unwrap_or_default();
    check_count(ids.len(), "transaction_ids")?;
    let how = How { action: Action::Void, queued: inflight::is_queued(&state, body.skip_queue) };
    let asked = ids
        .into_iter()
        .map(|id| Asked { id: id.as_deref().unwrap_or_default().to_owned(), amount: SettleAmount::Rest });
    settle_all(&state, asked.collect(), how, body.dry_run.unwrap_or(false), &sent).await
}

/// One item.
struct Asked {
    id: String,
    amount: SettleAmount,
}

fn check_count(count: usize, field: &str) -> Result<(), ApiError> {
    if count == 0 {
        return Err(ApiError::new(Code::TxnBulkEmpty, format!("{field} cannot be empty")));
    }
    if count > BULK_ITEMS_MAX {
        return Err(ApiError::new(Code::TxnBulkLimitExceeded, format!("too many {field}; max is {BULK_ITEMS_MAX}")));
    }
    Ok(())
}

/// What is to be done with all items.
#[derive(Clone, Copy)]
struct How {
    action: Action,
    queued: bool,
}

/// Finds the holds of one item and how much of them to commit. Changes nothing.
pub async fn prepare(state: &AppState, wanted: Wanted<'_>) -> Result<Ending, Trouble> {
    if matches!(wanted.amount, SettleAmount::Minor(minor) if minor < 0) {
        return Err(Trouble::Refused(ApiError::new(Code::GenBadRequest, "precise_amount cannot be negative")));
    }
    inflight::prepare(state, wanted).await
}

/// Ends the holds of all items. What they are is found first; then all are asked for in order, and share a sync. Each item
/// is a request of its own, so with a key each has its own, made of the key and its position.
async fn settle_all(state: &AppState, asked: Vec<Asked>, how: How, dry_run: bool, sent: &RequestBody) -> Answer {
    let How { action, queued } = how;
    let wanted: Vec<Wanted<'_>> = asked
        .iter()
        .map(|item| Wanted { id: &item.id, action, amount: item.amount, over_capture: false, queued })
        .collect();
    if dry_run {
        return dry_run::ends::project_settlements(state, &wanted).await;
    }
    let key = sent.key()?;
    if let Some(key) = &key {
        check_keys(state, key).await?;
    }
    let mut endings = Vec::with_capacity(asked.len());
    for &wanted in &wanted {
        endings.push(prepare(state, wanted).await);
    }
    let submit = |(index, ending): (usize, Result<Ending, Trouble>)| {
        let ending = ending?;
        let outcome = ending.submit(state, key.as_ref().map(|key| key_of_item(key, index)))?;
        Ok((ending, outcome))
    };
    let submitted: Vec<Result<_, Trouble>> = endings.into_iter().enumerate().map(submit).collect();
    let mut settled = Vec::with_capacity(asked.len());
    for item in submitted {
        let key = key.as_ref().map(|key| key_of_item(key, settled.len()));
        settled.push(match item {
            Ok((ending, outcome)) => match outcome.await {
                Ok(outcome) => ending.settled(state, outcome, key).await,
                // Its holds were looked up too early; the items behind it need not wait for it.
                Err(fault) if ask::is_outdated(&fault) => inflight::settle(state, wanted[settled.len()], key).await,
                Err(fault) => Err(Trouble::Fault(fault)),
            },
            Err(trouble) => Err(trouble),
        });
    }
    answer_of(asked, settled)
}

/// The key of one item of a request that has a key. No header has a NUL, so nobody else sends such a key.
fn key_of_item(key: &KeyAsk, index: usize) -> KeyAsk {
    KeyAsk { name: format!("{}\0{index}", key.name), request: key.request }
}

/// Refuses a key that something else was sent with, before anything is done: each item would find out by itself only, and
/// those whose position the other request did not have would be carried out.
async fn check_keys(state: &AppState, key: &KeyAsk) -> Result<(), ApiError> {
    let of_items = (0..BULK_ITEMS_MAX).map(|index| key_of_item(key, index));
    let asked: Vec<_> = of_items.chain([key.clone()]).map(|key| ask::replay(state, key, 0)).collect();
    for known in asked {
        known.await?;
    }
    Ok(())
}

/// The answer: the outcomes, unless nothing was done at all because the server could not.
fn answer_of(asked: Vec<Asked>, settled: Vec<Result<Settled, Trouble>>) -> Answer {
    let succeeded = settled.iter().filter(|item| item.is_ok()).count();
    let replays = settled.iter().filter(|item| item.as_ref().is_ok_and(Settled::is_replayed)).count();
    let mut results = Vec::with_capacity(asked.len());
    for (asked, settled) in asked.into_iter().zip(settled) {
        let (status, code, message) = match settled {
            Ok(Settled::New(_)) => ("succeeded", "", String::new()),
            Ok(Settled::Queued { .. }) => ("queued", "QUEUED", String::new()),
            Err(Trouble::Fault(fault)) if succeeded == 0 => return Err(fault),
            Err(trouble) => {
                let (code, message) = failure_of(trouble, &asked.id);
                ("failed", code, message)
            }
        };
        results.push(BulkSettleResult { transaction_id: asked.id, status, code, message });
    }
    let view = BulkSettleView { succeeded, failed: results.len() - succeeded, results };
    Ok(answer::once(answer::json(StatusCode::OK, &view), replays > 0 && replays == succeeded))
}

/// Why an item failed: the code of this route, and the message.
fn failure_of(trouble: Trouble, id: &str) -> (&'static str, String) {
    match trouble {
        Trouble::Unknown => ("NOT_FOUND", format!("NOT_FOUND: Transaction with ID '{id}' not found")),
        Trouble::NoHold => ("NOT_INFLIGHT", "transaction is not in inflight status".to_owned()),
        Trouble::Refused(error) => {
            let code = match error.code {
                Code::TxnAlreadyVoided => "ALREADY_VOIDED",
                Code::TxnAlreadyCommitted => "ALREADY_COMMITTED",
                Code::TxnNotInflight => "NOT_INFLIGHT",
                // What makes no sense, such as an amount below zero: so the reference server has it.
                Code::GenBadRequest => "INTERNAL_ERROR",
                // The rest of what a commit can be refused for is its amount.
                _ => "INVALID_AMOUNT",
            };
            (code, error.message)
        }
        Trouble::Fault(error) if ask::is_outdated(&error) => ("LOCKED", error.message),
        Trouble::Fault(error) => ("INTERNAL_ERROR", error.message),
    }
}
