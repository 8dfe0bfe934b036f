//! `GET /proofs/…`: what proves to others that the books are what they were.

use super::answer;
use super::error::{ApiError, Code};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use super::transactions;
use crate::proofs::log::ProofFault;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::HeaderValue;
use axum::response::Response;
use engine::merkle::Tip;
use ledger::id::{Id, Prefix};
use ledger::row::Row;
use tokio::sync::Semaphore;

/// Proofs that are made at the same time, on threads of their own; more wait.
pub const PROOFS_MAX: usize = 2;

static PROOFS: Semaphore = Semaphore::const_new(PROOFS_MAX);

const NOTE_TYPE: &str = "text/plain; charset=utf-8";

const LEAF: Object = Object {
    name: "ProvenTransaction",
    description: "What the leaf says of the transaction.",
    fields: &[
        Field::required("transaction_id", Schema::Text, "Its id."),
        Field::required("status", Schema::Text, "Its status."),
        Field::required("marks", Schema::List(&Schema::Text), "What kind of transaction it is."),
        Field::required("source", Schema::Any, "The id of the source, or null."),
        Field::required("destination", Schema::Any, "The id of the destination, or null."),
        Field::required("currency", Schema::Any, "The currency; null when it has more than eight bytes."),
        Field::required("precise_amount", Schema::Integer, "Minor units."),
        Field::required("created_at", Schema::Time, "When it was recorded."),
        Field::required("effective_date", Schema::Time, "Its business date."),
        Field::required("chain", Schema::Text, "The chain hash of its record, base64."),
    ],
};
const RECORD: Object = Object {
    name: "ProvenRecord",
    description: "The record of the journal that made the transaction.",
    fields: &[
        Field::required("seq", Schema::Integer, "Its seq."),
        Field::required("chain_before", Schema::Text, "The chain hash before it, base64."),
        Field::required("payload", Schema::Text, "Its bytes, base64."),
    ],
};
const INCLUSION: Object = Object {
    name: "InclusionProof",
    description: "A proof that a transaction is in the log. `florin verify proof` checks it.",
    fields: &[
        Field::required("index", Schema::Integer, "The number of its leaf, from 0."),
        Field::required("size", Schema::Integer, "Leaves of the tree."),
        Field::required("root", Schema::Text, "The root of the tree, base64."),
        Field::required("leaf", Schema::Text, "The data of the leaf, base64."),
        Field::required("transaction", Schema::Object(&LEAF), "The same for people."),
        Field::required(
            "hashes",
            Schema::List(&Schema::Text),
            "The hashes beside the way up, from the leaf on, base64.",
        ),
        Field::required("checkpoint", Schema::Text, "The signed checkpoint of the tree."),
        Field::optional("record", Schema::Object(&RECORD), "The record, if it was asked for."),
    ],
};
const CONSISTENCY: Object = Object {
    name: "ConsistencyProof",
    description: "A proof that one tree is the beginning of another.",
    fields: &[
        Field::required("from", Schema::Integer, "Leaves of the smaller tree."),
        Field::required("to", Schema::Integer, "Leaves of the larger tree."),
        Field::required("from_root", Schema::Text, "The root of the smaller tree, base64."),
        Field::required("to_root", Schema::Text, "The root of the larger tree, base64."),
        Field::required("hashes", Schema::List(&Schema::Text), "The hashes of the proof (RFC 6962, 2.1.2), base64."),
        Field::required("checkpoint", Schema::Text, "The signed checkpoint of the larger tree."),
    ],
};

/// Document of [`get_transaction_proof`].
pub const GET_TRANSACTION_PROOF: Operation = Operation {
    summary: "Prove that a transaction is in the books",
    description: "A proof by RFC 6962 from the transaction to the root of a signed checkpoint. Whoever has it and the key needs neither the \
                  server nor the data to check it.",
    query: &[
        Field::optional(
            "size",
            Schema::Integer,
            "Leaves of the tree to prove it in, those of a checkpoint that you have; all unless given.",
        ),
        Field::optional(
            "record",
            Schema::Flag,
            "`true` adds the whole record, with all transactions of its batch, so that its texts are proven too.",
        ),
    ],
    answers: &[Told { status: 200, description: "The proof.", schema: &Schema::Object(&INCLUSION) }],
    ..Operation::new("get_transaction_proof", "Proofs")
};

/// `GET /proofs/transactions/{id}`.
pub async fn get_transaction_proof(State(state): State<AppState>, Path(id): Path<String>, query: Parameters) -> Answer {
    let row = match transactions::find(&state, &id)? {
        Some(row) => row,
        None => return Err(missing(&state, &id)?),
    };
    let tip = tip_after(&state, &row)?;
    let size = number(&query, "size", row.number + 1, tip.rows)?.unwrap_or(tip.rows);
    let with_record = match query.get("record").as_deref() {
        None | Some("" | "false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return Err(ApiError::new(Code::GenValidationError, "record: expected true or false")),
    };
    let text = aside(&state, move |state| {
        let proof = state.proofs().inclusion(state.books(), tip, &row, size, with_record)?;
        Ok(answer::to_json(&proof))
    });
    Ok(answer::json_text(StatusCode::OK, text.await?))
}

/// A transaction is told when its rows are readable, a moment before the log tells of it.
fn tip_after(state: &AppState, row: &Row) -> Result<Tip, ApiError> {
    let tip = state.books().merkle().tip();
    if row.number < tip.rows {
        return Ok(tip);
    }
    Err(ApiError::new(Code::QueueBackpressure, "the transaction was recorded this moment; try again"))
}

/// Why there is no proof of this id. A split transaction has none as a whole.
fn missing(state: &AppState, id: &str) -> Result<ApiError, ApiError> {
    if let Some(parsed) = Id::parse(Prefix::Transaction, id)
        && state.books().find_split(parsed)?.is_some()
    {
        let message = "it is a split transaction: each of its legs has a proof of its own";
        return Ok(ApiError::new(Code::GenBadRequest, message));
    }
    Ok(transactions::not_found(id))
}

/// Document of [`get_consistency_proof`].
pub const GET_CONSISTENCY_PROOF: Operation = Operation {
    summary: "Prove that the books were only added to",
    description: "A proof by RFC 6962 that the log of the first `from` transactions is the beginning of that of the first `to`.",
    query: &[
        Field::required("from", Schema::Integer, "Leaves of the smaller tree, those of a checkpoint that you have."),
        Field::optional("to", Schema::Integer, "Leaves of the larger tree; all unless given."),
        Field::optional(
            "seq",
            Schema::Integer,
            "A record, the last of a checkpoint that you have: the checkpoint of the proof then tells its chain hash, too.",
        ),
    ],
    answers: &[Told { status: 200, description: "The proof.", schema: &Schema::Object(&CONSISTENCY) }],
    ..Operation::new("get_consistency_proof", "Proofs")
};

/// `GET /proofs/consistency`.
pub async fn get_consistency_proof(State(state): State<AppState>, query: Parameters) -> Answer {
    let tip = state.books().merkle().tip();
    let to = number(&query, "to", 0, tip.rows)?.unwrap_or(tip.rows);
    let from = number(&query, "from", 0, to)?;
    let from = from.ok_or_else(|| ApiError::new(Code::GenMissingParameter, "from: it must be given"))?;
    let seq = number(&query, "seq", 0, tip.seq)?;
    let text = aside(&state, move |state| {
        let proof = state.proofs().consistency(state.books(), tip, (from, to), seq)?;
        Ok(answer::to_json(&proof))
    });
    Ok(answer::json_text(StatusCode::OK, text.await?))
}

/// Document of [`get_checkpoint`].
pub const GET_CHECKPOINT: Operation = Operation {
    summary: "Get a signed checkpoint of the books",
    description: "A signed note (c2sp.org/tlog-checkpoint): how many transactions there are, the root of their Merkle tree, the last record of \
                  the journal and its chain hash. Keep it where whoever runs the server cannot change it.",
    query: &[Field::optional("size", Schema::Integer, "Leaves of the tree; all unless given.")],
    answers: &[Told { status: 200, description: "The checkpoint.", schema: &Schema::Page("text/plain") }],
    ..Operation::new("get_checkpoint", "Proofs")
};

/// `GET /proofs/checkpoint`.
pub async fn get_checkpoint(State(state): State<AppState>, query: Parameters) -> Answer {
    let tip = state.books().merkle().tip();
    let size = number(&query, "size", 0, tip.rows)?.unwrap_or(tip.rows);
    let note = aside(&state, move |state| Ok(state.proofs().checkpoint(state.books(), tip, size)?.note));
    Ok(text(note.await?))
}

/// Document of [`get_key`].
pub const GET_KEY: Operation = Operation {
    summary: "Get the key that checkpoints are checked with",
    description: "A verifier key of signed notes, `name+id+base64`. Ask for it once, compare it with whoever runs the server, and keep it.",
    answers: &[Told { status: 200, description: "The key.", schema: &Schema::Page("text/plain") }],
    ..Operation::new("get_checkpoint_key", "Proofs")
};

/// `GET /proofs/key`.
pub async fn get_key(State(state): State<AppState>) -> Response {
    text(format!("{}\n", state.proofs().signer().verifier()))
}

fn text(text: String) -> Response {
    answer::with_type(StatusCode::OK, HeaderValue::from_static(NOTE_TYPE), text)
}

/// A number of leaves.
fn number(query: &Parameters, name: &str, least: u64, most: u64) -> Result<Option<u64>, ApiError> {
    let Some(text) = query.get(name).filter(|text| !text.is_empty()) else { return Ok(None) };
    let number = text.parse().ok().filter(|number| (least..=most).contains(number));
    let wrong = || ApiError::new(Code::GenValidationError, format!("{name}: expected a number from {least} to {most}"));
    number.map(Some).ok_or_else(wrong)
}

/// Works on a thread of its own, as rows and nodes are read from the disk.
async fn aside<T: Send + 'static>(
    state: &AppState,
    work: impl FnOnce(&AppState) -> Result<T, ProofFault> + Send + 'static,
) -> Result<T, ApiError> {
    let permit = PROOFS.acquire().await.map_err(|_| ApiError::internal())?;
    let state = state.clone();
    let worked = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work(&state)
    });
    worked.await.map_err(|_| ApiError::internal())?.map_err(|fault| failure(&fault))
}

fn failure(fault: &ProofFault) -> ApiError {
    match fault {
        ProofFault::Behind(..) => ApiError::new(Code::QueueBackpressure, fault.to_string()),
        ProofFault::Books(_) | ProofFault::Damaged | ProofFault::Rewritten(_) => {
            tracing::error!("nothing is proven: {}", engine::fault_text(fault));
            ApiError::internal()
        }
    }
}
