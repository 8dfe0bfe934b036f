//! Asking the engine from a handler.

use super::error::{ApiError, Code};
use super::failure;
use super::state::AppState;
use engine::answer::{Answer, Trial, Unavailable, Untried};
use engine::reading::{Books, reference_of};
use engine::writer::{KeyAsk, View};
use journal::open::RECORD_BYTES_MAX;
use ledger::command::{Command, KeepKey, Refund};
use ledger::decide::Known;
use ledger::rejection::Refused;
use ledger::row::{Parent, Row};
use std::future::Future;
use tokio::sync::oneshot;

/// How often a command is made for one request. What it is about is looked up before its turn comes; when more has come of that
/// since, it is not carried out and has to be made again. Twice in a row is rare already.
pub const MAKINGS_MAX: usize = 16;

/// What is answered when a command could not be made often enough.
pub fn outdated() -> ApiError {
    ApiError::new(Code::GenResourceLocked, "others are changing what this is about at this moment; try again")
}

/// Whether a command was not carried out because more had come of what it is about. It can be made again at once.
pub fn is_outdated(error: &ApiError) -> bool {
    error.code == Code::GenResourceLocked
}

/// What became of a command.
pub enum Outcome {
    /// Something was made or changed: its handle, and when.
    Made(u32, i64),
    /// Transactions were recorded.
    Recorded(engine::answer::Recorded),
    /// Scheduled requests have another time or amount: the first rows of their groups.
    Rescheduled(Vec<u64>),
    /// Everything is as it was asked to be already.
    Unchanged,
    /// It was refused.
    Refused(Refused),
}

/// Has a command carried out, and waits until it is durable. It is handed over at once, before the future is looked at, so
/// commands are carried out in the order of the calls.
pub fn change(
    state: &AppState,
    command: Command,
    rows_wanted: usize,
) -> impl Future<Output = Result<Outcome, ApiError>> + use<> {
    change_once(state, command, None, rows_wanted)
}

/// The same, unless it was carried out before with the same key: then the answer is that of the first time.
pub fn change_once(
    state: &AppState,
    command: Command,
    key: Option<KeyAsk>,
    rows_wanted: usize,
) -> impl Future<Output = Result<Outcome, ApiError>> + use<> {
    let (sender, receiver) = oneshot::channel();
    let deliveries = state.deliveries().clone();
    deliveries.start();
    // The client may have gone; the command is carried out all the same.
    let reply = move |answer| deliveries.send(Box::new(move || drop(sender.send(answer))));
    state.engine().submit_once(command, key, rows_wanted, Box::new(reply));
    async move {
        match receiver.await.unwrap_or(Answer::Unavailable(Unavailable::Closing)) {
            Answer::Made { handle, at } => Ok(Outcome::Made(handle, at)),
            Answer::Recorded(recorded) => Ok(Outcome::Recorded(recorded)),
            Answer::Rescheduled(groups) => Ok(Outcome::Rescheduled(groups)),
            Answer::Unchanged => Ok(Outcome::Unchanged),
            Answer::KeyTaken => {
                Err(ApiError::new(Code::GenConflict, "Idempotency-Key was sent before with another request"))
            }
            Answer::Outdated => Err(outdated()),
            Answer::Refused(refused) => Ok(Outcome::Refused(refused)),
            Answer::Unavailable(why) => Err(failure::unavailable(&why)),
        }
    }
}

/// What was recorded with a key, if anything was: for requests that cannot be asked for again as they were then. Something
/// else that was sent with the key is a conflict, as ever.
pub fn replay(
    state: &AppState,
    key: KeyAsk,
    rows_wanted: usize,
) -> impl Future<Output = Result<Option<engine::answer::Recorded>, ApiError>> + use<> {
    // Nothing is asked for, so nothing can come of it but what came of the key before.
    let nothing = Refund { scope: None, originals: Vec::new(), queued: false, text: String::new() };
    let outcome = change_once(state, Command::Refund(nothing), Some(key), rows_wanted);
    async move {
        match outcome.await? {
            Outcome::Recorded(recorded) => Ok(Some(recorded)),
            _ => Ok(None),
        }
    }
}

/// Keeps the key of a request that nothing is left to be done of, with the rows that its answer tells. Answers what the key was
/// kept with; nothing when there is none.
pub async fn keep_key(
    state: &AppState,
    key: Option<KeyAsk>,
    known: Vec<Known>,
) -> Result<Option<engine::answer::Recorded>, ApiError> {
    if key.is_none() {
        return Ok(None);
    }
    match change_once(state, Command::KeepKey(KeepKey { known }), key, 1).await? {
        Outcome::Recorded(recorded) => Ok(Some(recorded)),
        Outcome::Made(..) | Outcome::Rescheduled(_) | Outcome::Unchanged | Outcome::Refused(_) => {
            Err(ApiError::internal())
        }
    }
}

/// What would become of commands, each by itself.
pub async fn attempt(state: &AppState, commands: Vec<Command>) -> Result<Vec<Trial>, ApiError> {
    let (sender, receiver) = oneshot::channel();
    let deliveries = state.deliveries().clone();
    deliveries.start();
    // The client may have gone.
    state.engine().attempt(commands, move |trials| deliveries.send(Box::new(move || drop(sender.send(trials)))));
    let trials = receiver.await.unwrap_or(Err(Untried::Unavailable(Unavailable::Closing)));
    trials.map_err(|why| match why {
        Untried::Outdated => outdated(),
        Untried::Unavailable(why) => failure::unavailable(&why),
    })
}

/// Sees that the texts of a command that are put together from many rows still fit into a record: what rows show is kept once for many
/// of them, and would be as much as anybody likes.
pub fn check_texts(texts: &str) -> Result<(), ApiError> {
    if texts.len() > RECORD_BYTES_MAX as usize { Err(failure::unavailable(&Unavailable::TooLarge)) } else { Ok(()) }
}

/// Looks at the state, as it is when everything that it tells is durable.
pub async fn look<T: Send + 'static>(
    state: &AppState,
    look: impl FnOnce(&View<'_>) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let (sender, receiver) = oneshot::channel();
    let deliveries = state.deliveries().clone();
    deliveries.start();
    // The client may have gone.
    state.engine().read(look, move |found| deliveries.send(Box::new(move || drop(sender.send(found)))));
    receiver.await.map_err(|_| {
        let why = state.engine().health().stopped().map_or(Unavailable::Busy, Unavailable::Stopped);
        failure::unavailable(&why)
    })
}

/// The row of a reference.
pub async fn row_of_reference(state: &AppState, reference: &str) -> Result<Option<Row>, ApiError> {
    let books = state.books();
    let fingerprint = books.fingerprint(reference);
    let found = look(state, move |view| view.rows_of_reference(fingerprint)).await?;
    for number in found.map_err(|fault| index_fault(&fault))? {
        let Some(row) = books.row(number)? else { continue };
        if reference_of(&books.recorded(&row)?, &row) == reference {
            return Ok(Some(row));
        }
    }
    Ok(None)
}

/// Numbers of rows, among them all that have one of these references.
pub async fn rows_of_references(state: &AppState, references: &[String]) -> Result<Vec<u64>, ApiError> {
    let fingerprints: Vec<u64> = references.iter().map(|reference| state.books().fingerprint(reference)).collect();
    let found = look(state, move |view| {
        let found = fingerprints.iter().map(|fingerprint| view.rows_of_reference(*fingerprint));
        found.collect::<Result<Vec<Vec<u64>>, _>>()
    });
    Ok(found.await?.map_err(|fault| index_fault(&fault))?.concat())
}

/// The rows whose parent is this row and that stand in other records, newest first.
pub async fn children(state: &AppState, parent: u64) -> Result<Vec<Row>, ApiError> {
    let found = look(state, move |view| view.children(parent)).await?;
    rows_of_parent(state.books(), parent, found.map_err(|fault| index_fault(&fault))?)
}

/// Of each row, the rows whose parent it is and that stand in other records, newest first.
pub async fn children_of_each(state: &AppState, parents: &[u64]) -> Result<Vec<Vec<Row>>, ApiError> {
    let mut children = Vec::with_capacity(parents.len());
    for parents in parents.chunks(PARENTS_A_LOOK) {
        let looked = parents.to_vec();
        let found = look(state, move |view| {
            looked.into_iter().map(|parent| view.children(parent)).collect::<Result<Vec<Vec<u64>>, _>>()
        });
        let found = found.await?.map_err(|fault| index_fault(&fault))?;
        for (parent, numbers) in parents.iter().zip(found) {
            children.push(rows_of_parent(state.books(), *parent, numbers)?);
        }
    }
    Ok(children)
}

/// Those of some rows whose parent is this row.
pub fn rows_of_parent(books: &Books, parent: u64, numbers: Vec<u64>) -> Result<Vec<Row>, ApiError> {
    let mut rows = Vec::with_capacity(numbers.len());
    for number in numbers {
        rows.extend(books.row(number)?.filter(|row| row.parent == Parent::Row(parent)));
    }
    Ok(rows)
}

/// Parents of one look: enough for most, and soon done, as the writer waits for it.
const PARENTS_A_LOOK: usize = 256;

/// Of each row, the newest that names it as its parent and stands in another record.
pub async fn newest_children(state: &AppState, parents: &[u64]) -> Result<Vec<Option<Row>>, ApiError> {
    let mut newest = Vec::with_capacity(parents.len());
    for parents in parents.chunks(PARENTS_A_LOOK) {
        let looked = parents.to_vec();
        let found = look(state, move |view| {
            looked.into_iter().map(|parent| view.children(parent)).collect::<Result<Vec<Vec<u64>>, _>>()
        });
        let found = found.await?.map_err(|fault| index_fault(&fault))?;
        for (parent, numbers) in parents.iter().zip(found) {
            let mut child = None;
            for number in numbers {
                child = state.books().row(number)?.filter(|row| row.parent == Parent::Row(*parent));
                if child.is_some() {
                    break;
                }
            }
            newest.push(child);
        }
    }
    Ok(newest)
}

/// The rows that one record made, from one of them on. The caller knows that they follow each other.
pub fn rows_of_record(books: &Books, first: u64, count: u64) -> Result<Vec<Row>, ApiError> {
    let mut rows = Vec::new();
    for number in first..first + count {
        rows.extend(books.row(number)?);
    }
    Ok(rows)
}

/// An index that cannot be read. The client learns nothing but that; the log has the rest.
pub fn index_fault(fault: &engine::index::IndexFault) -> ApiError {
    tracing::error!("{}", engine::fault_text(fault));
    ApiError::new(Code::GenInternal, "internal server error")
}
