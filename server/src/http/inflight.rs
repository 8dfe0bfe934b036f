//! Routes that end holds: commit and void.

use super::answer;
use super::ask::{self, Outcome};
use super::body::RequestBody;
use super::dry_run::{self, document};
use super::error::{ApiError, Code};
use super::failure::{self, About};
use super::named::{self, Named};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::state::{Answer, AppState};
use super::transactions::{self, TRANSACTION};
use crate::api::inflight::{SettleAmount, SettleBody};
use crate::api::metadata::Metadata;
use crate::api::transaction::view::{Told as ToldRow, TransactionView, Viewer, queued_parent, two_decimals};
use crate::config::posting::LateSettlement;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use engine::answer::Recorded;
use engine::writer::KeyAsk;
use ledger::command::{Action, Batch, Command, HoldAsk, Overdraft, Scope, Settle};
use ledger::decide::Known;
use ledger::event::Kind;
use ledger::id::{Id, Prefix};
use ledger::rejection::{Refused, Rejection};
use ledger::row::{Flags, Row, Status};
use ledger::text;
use std::future::Future;

const SETTLEMENT: Object = Object {
    name: "Settlement",
    description: "What to do with a hold.",
    fields: &[
        Field::required("status", Schema::Choice(&["commit", "void"]), "Post it, or release it."),
        Field::optional(
            "amount",
            Schema::Decimal,
            "How much to commit, in major units; all that is left unless given.",
        ),
        Field::optional("precise_amount", Schema::Integer, "The same in minor units."),
        Field::optional(
            "allow_over_capture",
            Schema::Flag,
            "Whether more than is left may be committed, of one hold, when its source can pay for the rest.",
        ),
        Field::optional("skip_queue", Schema::Flag, "Whether to answer with the new transaction instead of the hold."),
        document::FIELD,
    ],
};

/// Document of [`update_inflight`].
pub const UPDATE_INFLIGHT: Operation = Operation {
    summary: "Commit or void a hold",
    description: "The id may be that of the hold, of the request that made it, of a split transaction or of a batch; then all its holds are \
                  meant, and all are settled or none. Through the queue those of a whole that are finished already are passed \
                  over, as long as one is open.",
    body: Some(&Schema::Object(&SETTLEMENT)),
    answers: &[Told {
        status: 200,
        description: "The new transaction, or the hold; of a dry run, what would happen.",
        schema: &Schema::OneOf(&[Schema::Object(&TRANSACTION), Schema::Object(&document::PROJECTION)]),
    }],
    ..Operation::new("update_inflight", "Transactions")
};

/// `PUT /transactions/inflight/{id}`.
pub async fn update_inflight(State(state): State<AppState>, Path(id): Path<String>, sent: RequestBody) -> Answer {
    let body: SettleBody<'_> = sent.decode()?;
    let action = match body.status.as_deref().unwrap_or_default() {
        "commit" => Action::Commit,
        "void" => Action::Void,
        _ => {
            return Err(ApiError::new(Code::TxnInvalidStatusAction, "status not supported. use either commit or void"));
        }
    };
    let amount = SettleAmount::read(body.amount, body.precise_amount)?;
    if matches!(amount, SettleAmount::Minor(minor) if minor <= 0) {
        return Err(ApiError::new(Code::TxnInvalidAmount, "precise_amount must be positive"));
    }
    let queued = is_queued(&state, body.skip_queue);
    let over_capture = body.allow_over_capture.unwrap_or(false);
    let wanted = Wanted { id: &id, action, amount, over_capture, queued };
    if body.dry_run == Some(true) {
        return dry_run::ends::project_settlement(&state, wanted).await;
    }
    match settle(&state, wanted, sent.key()?).await {
        Ok(Settled::New(recorded)) => {
            let row = recorded.rows.first().ok_or_else(ApiError::internal)?;
            let view = Viewer::of_answer(state.books(), &recorded).view(row, true)?.told_as_done(row);
            Ok(answer::once(answer::json(StatusCode::OK, &view), recorded.replayed))
        }
        Ok(Settled::Queued { row, replayed }) => {
            Ok(answer::once(answer::json(StatusCode::OK, &told_as_queued(&state, &row, &id)?), replayed))
        }
        Err(trouble) => Err(wanted.error_of(trouble)),
    }
}

/// Whether what is asked goes through the queue: unless the request or the settings say otherwise.
pub fn is_queued(state: &AppState, skip_queue: Option<bool>) -> bool {
    !(skip_queue.unwrap_or(false) || state.settings().posting.queue_skip)
}

/// The end of the holds of one id, as it was asked for.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    /// The id.
    pub id: &'a str,
    /// What to do with its holds.
    pub action: Action,
    /// How much of each to commit.
    pub amount: SettleAmount,
    /// Whether more than is left may be committed.
    pub over_capture: bool,
    /// Whether it goes through the queue.
    pub queued: bool,
}

impl Wanted<'_> {
    /// The word of what is to be done.
    pub const fn verb(&self) -> &'static str {
        match self.action {
            Action::Commit => "commit",
            Action::Void => "void",
        }
    }

    /// Messages of what was not queued are told in a list, as the reference server does.
    pub fn wrapped(&self, message: String) -> String {
        if self.queued { message } else { format!("error occurred during processing: [{message}]") }
    }

    /// Why it was not done, as an error.
    pub fn error_of(&self, trouble: Trouble) -> ApiError {
        match trouble {
            Trouble::Unknown if self.queued => transactions::not_found(self.id),
            Trouble::NoHold if self.queued => failure::refusal(Rejection::NotInflight, About::default()),
            Trouble::Unknown | Trouble::NoHold => {
                ApiError::new(Code::TxnNotInflight, format!("no transaction to {}", self.verb()))
            }
            Trouble::Refused(error) => ApiError { message: self.wrapped(error.message.clone()), ..error },
            Trouble::Fault(error) => error,
        }
    }
}

/// Why holds were not ended. Nothing happened.
pub enum Trouble {
    /// There is nothing by this id.
    Unknown,
    /// What the id stands for is no hold and has none.
    NoHold,
    /// It was refused.
    Refused(ApiError),
    /// It could not be carried out.
    Fault(ApiError),
}

impl From<ApiError> for Trouble {
    fn from(fault: ApiError) -> Trouble {
        Trouble::Fault(fault)
    }
}

/// What became of the holds of an id.
pub enum Settled {
    /// They were ended; the first of the new rows is told.
    New(Recorded),
    /// They were ended, as it was asked for through the queue.
    Queued {
        /// The row that is told: the one that the id was known by.
        row: Row,
        /// Whether it was done before, with the same key.
        replayed: bool,
    },
}

impl Settled {
    /// Whether it was done before, with the same key.
    pub const fn is_replayed(&self) -> bool {
        match self {
            Settled::New(recorded) => recorded.replayed,
            Settled::Queued { replayed, .. } => *replayed,
        }
    }
}

/// The end of the holds of one id, ready to be asked for.
pub struct Ending {
    /// The row of the id; none when it stands for a whole.
    known: Option<Row>,
    /// Oldest first.
    holds: Vec<Row>,
    /// What they were found by, when more of them may come.
    scope: Option<Scope>,
    action: Action,
    amount: Option<i128>,
    /// Whether more than is left may be committed.
    over_capture: bool,
    queued: bool,
}

/// Ends the holds of an id: all of them, with those that come while they are looked up.
pub async fn settle(state: &AppState, wanted: Wanted<'_>, key: Option<KeyAsk>) -> Result<Settled, Trouble> {
    let mut makings = 0;
    loop {
        makings += 1;
        let ending = match (prepare(state, wanted).await, &key) {
            (Ok(ending), _) => ending,
            (Err(trouble), None) => return Err(trouble),
            // The id may stand for more than the first time; the answer is still that of then.
            (Err(trouble), Some(key)) => {
                let recorded = ask::replay(state, key.clone(), 1).await?.ok_or(trouble)?;
                let known = named::find(state.books(), wanted.id)?.and_then(known_row);
                return told(state, known.as_ref(), recorded);
            }
        };
        match ending.settle(state, key.clone()).await {
            Err(Trouble::Fault(error)) if ask::is_outdated(&error) && makings < ask::MAKINGS_MAX => {}
            settled => return settled,
        }
    }
}

/// Finds the holds of an id and how much of them to commit. Changes nothing.
pub async fn prepare(state: &AppState, wanted: Wanted<'_>) -> Result<Ending, Trouble> {
    let Wanted { id, action, amount, over_capture, queued } = wanted;
    let Target { known, holds, scope } = match target(state, id).await? {
        None => return Err(Trouble::Unknown),
        Some(target) if target.holds.is_empty() => return Err(Trouble::NoHold),
        Some(target) => target,
    };
    if known.is_some() {
        check_alone(state, &holds[0])?.map_err(Trouble::Refused)?;
    }
    if action == Action::Commit && !matches!(amount, SettleAmount::Rest) && are_exchange(id, &holds) {
        let message = "amount: an exchange is committed as a whole";
        return Err(Trouble::Refused(ApiError::new(Code::TxnValidationError, message)));
    }
    let amount = match action {
        Action::Commit => minor_units(amount, holds[0].precision).map_err(Trouble::Refused)?,
        Action::Void => None,
    };
    let over_capture = over_capture && action == Action::Commit;
    if over_capture && holds.len() > 1 {
        // It cannot be said of several which of them is to give more.
        let message = "allow_over_capture: the id stands for several holds; name one of them";
        return Err(Trouble::Fault(ApiError::new(Code::TxnValidationError, message)));
    }
    Ok(Ending { known, holds, scope, action, amount, over_capture, queued })
}

/// Refuses what is to be done with one leg of an exchange. Ended without the others, or held at another amount, it would give one
/// currency and not take the other.
pub fn check_alone(state: &AppState, hold: &Row) -> Result<Result<(), ApiError>, ApiError> {
    let mut viewer = Viewer::new(state.books());
    if viewer.told(hold)?.movement.leg == 0 {
        return Ok(Ok(()));
    }
    let event = viewer.event(hold)?;
    let currencies = || event.main_movements().iter().map(|leg| leg.currency);
    if event.batch != Batch::Single || currencies().all(|currency| currency == hold.currency) {
        return Ok(Ok(()));
    }
    let whole = queued_parent(&ToldRow::of(event, hold.movement as usize), hold);
    let message =
        format!("id: it is a leg of an exchange, which is held and ends as one; the id of the whole is {whole}");
    Ok(Err(ApiError::new(Code::TxnValidationError, message)))
}

/// Whether the holds of an id are the legs of one exchange: nothing else but a batch has several currencies. The same amount
/// of each would be an exchange at another rate.
fn are_exchange(id: &str, holds: &[Row]) -> bool {
    Id::parse(Prefix::Transaction, id).is_some() && holds.iter().any(|hold| hold.currency != holds[0].currency)
}

/// How much to commit: nothing said, or zero, is all that is left; what rounds to nothing is refused.
pub fn minor_units(amount: SettleAmount, precision: u64) -> Result<Option<i128>, ApiError> {
    let decimal = match amount {
        SettleAmount::Rest => return Ok(None),
        SettleAmount::Minor(minor) => return Ok(Some(minor)),
        SettleAmount::Major(decimal) => decimal,
    };
    if decimal.is_negative() {
        return Err(ApiError::new(Code::GenBadRequest, "commit amount cannot be negative"));
    }
    match decimal.minor_units(precision) {
        Some(0) => {
            Err(ApiError::new(Code::TxnInvalidAmount, "amount rounds to nothing at the precision of the transaction"))
        }
        Some(minor) => Ok(Some(minor)),
        None => Ok(Some(i128::MAX)),
    }
}

/// The row of an id; none when it stands for a whole, which has no row.
fn known_row(named: Named) -> Option<Row> {
    match named {
        Named::One(row) => Some(row),
        Named::Whole(..) => None,
    }
}

/// How the end of holds is told. What was done an earlier time is told as it was then, whatever the settings say and whatever
/// holds the id has now.
fn told(state: &AppState, known: Option<&Row>, recorded: Recorded) -> Result<Settled, Trouble> {
    if let (None, Some(row)) = (&recorded.event, recorded.rows.first()) {
        return Ok(Settled::Queued { row: *row, replayed: recorded.replayed });
    }
    let ends = recorded.event.as_ref().map_or(&[][..], |event| event.main_movements());
    let Some(Kind::Settlement { hold, queued } | Kind::Release { hold, queued }) = ends.last().map(|end| end.kind)
    else {
        return Err(ApiError::internal().into());
    };
    if !queued {
        return Ok(Settled::New(recorded));
    }
    let row = match known {
        Some(row) => *row,
        // They are settled newest first, and told by the oldest.
        None => state.books().row(hold).map_err(ApiError::from)?.ok_or_else(ApiError::internal)?,
    };
    Ok(Settled::Queued { row, replayed: recorded.replayed })
}

impl Ending {
    /// Asks the ledger for it, at once; the answer comes when it is durable.
    pub fn submit(
        &self,
        state: &AppState,
        key: Option<KeyAsk>,
    ) -> Result<impl Future<Output = Result<Outcome, ApiError>> + use<>, ApiError> {
        Ok(ask::change_once(state, Command::Settle(self.command(state)?), key, 1))
    }

    /// The hold of this position in the command, which names them newest first.
    pub fn hold(&self, index: usize) -> &Row {
        &self.holds[self.holds.len() - 1 - index]
    }

    /// What came of it.
    pub async fn settled(&self, state: &AppState, outcome: Outcome, key: Option<KeyAsk>) -> Result<Settled, Trouble> {
        match outcome {
            Outcome::Recorded(recorded) => told(state, self.known.as_ref(), recorded),
            Outcome::Refused(refused) => {
                let hold = self.hold(refused.item as usize);
                let late = matches!(refused.rejection, Rejection::AlreadyCommitted | Rejection::AlreadyVoided);
                if self.queued && late && state.settings().posting.late_settlement == LateSettlement::Accept {
                    // Nothing happens, so nothing but the key is recorded.
                    let kept = ask::keep_key(state, key, vec![Known { item: 0, row: hold.number }]).await?;
                    return Ok(Settled::Queued { row: *hold, replayed: kept.is_some_and(|kept| kept.replayed) });
                }
                Err(Trouble::Refused(self.refusal(state, refused).await?))
            }
            Outcome::Made(..) | Outcome::Rescheduled(_) | Outcome::Unchanged => Err(ApiError::internal().into()),
        }
    }

    /// The command, which names the newest hold first.
    pub fn command(&self, state: &AppState) -> Result<Settle, ApiError> {
        let mut viewer = Viewer::new(state.books());
        let mut text = String::new();
        let mut holds = Vec::with_capacity(self.holds.len());
        for hold in self.holds.iter().rev() {
            let Inherited { description, metadata, overdraft } = inherited(&mut viewer, hold)?;
            let description = text::push(&mut text, &description);
            let metadata = text::push(&mut text, &metadata.text());
            ask::check_texts(&text)?;
            let own = uuid::Uuid::new_v4();
            let id = || hold.id().text(Prefix::Transaction);
            let reference = match (self.action, self.queued) {
                (_, false) => format!("ref_{own}"),
                (Action::Commit, true) => format!("{}_commit_act_{own}", id()),
                (Action::Void, true) => format!("{}_void_act_{own}", id()),
            };
            let reference = text::push(&mut text, &reference);
            let (row, precision) = (hold.number, hold.precision);
            holds.push(HoldAsk { row, ended: None, precision, overdraft, reference, description, metadata });
        }
        let &Ending { scope, action, amount, over_capture, queued, .. } = self;
        // Of a whole the queue passes over what has ended, as that of the reference server does. One hold is told to have ended.
        let passes_ended = queued && self.known.is_none();
        Ok(Settle { scope, action, holds, amount, over_capture, passes_ended, queued, text })
    }

    async fn settle(&self, state: &AppState, key: Option<KeyAsk>) -> Result<Settled, Trouble> {
        let outcome = self.submit(state, key.clone())?.await?;
        self.settled(state, outcome, key).await
    }

    /// A refusal of the ledger as an error. At once every hold that is refused has its say, as in the reference server.
    pub async fn refusal(&self, state: &AppState, refused: Refused) -> Result<ApiError, ApiError> {
        let Refused { item, rejection, .. } = refused;
        let mut messages = Vec::new();
        if !self.queued && (2..=REFUSALS_TOLD).contains(&self.holds.len()) {
            let Settle { action, holds, amount, over_capture, passes_ended, queued, text, .. } = self.command(state)?;
            let alone = holds.into_iter().map(|hold| {
                let (scope, holds, text) = (None, vec![hold], text.clone());
                Command::Settle(Settle { scope, action, holds, amount, over_capture, passes_ended, queued, text })
            });
            for (index, trial) in ask::attempt(state, alone.collect()).await?.into_iter().enumerate() {
                if let Err(refused) = trial.decided {
                    messages.push(self.message(state, self.hold(index), refused.rejection).await?);
                }
            }
        }
        if messages.is_empty() {
            messages.push(self.message(state, self.hold(item as usize), rejection).await?);
        }
        Ok(ApiError { message: messages.join(" "), ..failure::refusal(rejection, About::default()) })
    }

    /// Why one of the holds is refused, in words.
    async fn message(&self, state: &AppState, hold: &Row, rejection: Rejection) -> Result<String, ApiError> {
        let currency = state.books().currency(hold.currency);
        let shown = |minor: i128| format!("{currency}{}", two_decimals(minor, hold.precision));
        let requested = shown(self.amount.unwrap_or_default());
        Ok(match rejection {
            Rejection::AlreadyCommitted if !self.queued && self.action == Action::Void => {
                "cannot void. Transaction already committed".to_owned()
            }
            Rejection::ExceedsOriginal => {
                let original = shown(hold.amount);
                format!(
                    "cannot commit more than the original transaction amount. Original: {original}, Requested: {requested}"
                )
            }
            Rejection::ExceedsRemaining => {
                let row = hold.number;
                let remaining =
                    ask::look(state, move |view| view.state.holds.get(&row).map(|hold| hold.remaining)).await?;
                let available = shown(remaining.unwrap_or_default());
                format!("cannot commit more than the remaining amount. Available: {available}, Requested: {requested}")
            }
            other => failure::reason(other).to_owned(),
        })
    }
}

/// Of so many holds of one id each tells why it is refused; of more only one.
const REFUSALS_TOLD: usize = 100;

/// What an id stands for when it is about holds.
pub struct Target {
    /// The row of the id; none when it stands for a whole, which has no row.
    pub known: Option<Row>,
    /// The holds that it means, oldest first: its own, those of its requests, of its legs, of its items.
    pub holds: Vec<Row>,
    /// What they were found by, when more of them may come. Whoever does something with all of them has to say so.
    pub scope: Option<Scope>,
}

/// What an id stands for when it is about holds. Nothing when there is nothing by this id.
pub async fn target(state: &AppState, id: &str) -> Result<Option<Target>, ApiError> {
    let (known, rows) = match named::find(state.books(), id)? {
        None => return Ok(None),
        Some(Named::One(row)) => (Some(row), with_outcome(state, row)?),
        Some(Named::Whole(rows, _)) => (None, rows),
    };
    let scope = rows.iter().any(becomes_hold).then(|| scope_of(&rows, false));
    Ok(Some(Target { known, holds: holds_of(state, &rows).await?, scope }))
}

/// Rows that follow each other, as the ledger is told of them.
pub fn scope_of(rows: &[Row], voids: bool) -> Scope {
    Scope { first: rows[0].number, count: rows.len() as u64, voids }
}

/// Whether a row is a request that is a hold when its time has come.
fn becomes_hold(row: &Row) -> bool {
    row.status == Status::Scheduled && row.flags.has(Flags::INFLIGHT)
}

/// A row, and the outcome beside it when it is a request.
pub fn with_outcome(state: &AppState, row: Row) -> Result<Vec<Row>, ApiError> {
    let mut rows = vec![row];
    if row.status == Status::Queued {
        rows.extend(state.books().row(row.number + 1)?);
    }
    Ok(rows)
}

/// The holds among some rows; scheduled requests stand for the hold that they became.
async fn holds_of(state: &AppState, rows: &[Row]) -> Result<Vec<Row>, ApiError> {
    let scheduled: Vec<u64> = rows.iter().filter(|row| becomes_hold(row)).map(|row| row.number).collect();
    let mut outcomes = ask::children_of_each(state, &scheduled).await?.into_iter();
    let mut holds = Vec::new();
    for row in rows {
        if row.status == Status::Inflight {
            holds.push(*row);
        } else if becomes_hold(row) {
            let outcomes = outcomes.next().unwrap_or_default();
            holds.extend(outcomes.into_iter().filter(|outcome| outcome.status == Status::Inflight));
        }
    }
    Ok(holds)
}

/// What a new row of a hold takes over from it.
pub struct Inherited {
    /// Text for people.
    pub description: String,
    /// Anything.
    pub metadata: Metadata,
    /// How far below zero its source may go.
    pub overdraft: Overdraft,
}

/// What a new row of a hold takes over from it.
pub fn inherited(viewer: &mut Viewer<'_>, hold: &Row) -> Result<Inherited, ApiError> {
    let metadata = viewer.own_metadata(hold)?;
    let event = viewer.event(hold)?;
    let movement = &event.movements[hold.movement as usize];
    let description = movement.description.of(&event.text).to_owned();
    let overdraft = Overdraft { allowed: movement.allow_overdraft, limit: movement.terms().overdraft_limit };
    Ok(Inherited { description, metadata, overdraft })
}

/// The answer to what was asked through the queue: the hold as it was, under the id that was used.
fn told_as_queued(state: &AppState, row: &Row, id: &str) -> Result<TransactionView, ApiError> {
    let mut view = Viewer::new(state.books()).view(row, false)?;
    view.transaction_id = id.to_owned();
    view.queued = Some(true);
    Ok(view)
}
