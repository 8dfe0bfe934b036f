//! `GET /balances/aggregate`: sums over many balances.
//!
//! The balances are cloned between two changes (pointers only), and summed on threads beside that of the writer, so that a report
//! over millions of balances holds up no posting. Bounds: [`AGGREGATES_MAX`] sums at a time, more wait; groups and rows as
//! `engine::aggregate` has them; a page of [`PAGE_GROUPS_MAX`] groups.

use super::answer;
use super::ask;
use super::error::{ApiError, Code};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use crate::api::aggregate::{self as wire, AggregateView, GroupView};
use crate::api::time::{self, Moment};
use axum::extract::State;
use axum::http::StatusCode;
use engine::aggregate::{AggregateFault, Ask, GROUPS_MAX, Key, ROWS_READ_MAX, Snapshot, Sums, aggregate};
use engine::reading::Books;
use ledger::state::{Currencies, State as LedgerState};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Semaphore;

/// Most sums that are made at a time, on two threads each; more wait.
pub const AGGREGATES_MAX: usize = 2;
/// Most groups of a page.
pub const PAGE_GROUPS_MAX: usize = 10_000;
/// Groups of a page, unless asked for.
pub const PAGE_GROUPS: usize = 1_000;

/// Held while sums are made.
pub static AGGREGATES: Semaphore = Semaphore::const_new(AGGREGATES_MAX);

const GROUP: Object = Object {
    name: "AggregateGroup",
    description: "Sums of the balances of a group, in minor units of its currency.",
    fields: &[
        Field::optional("ledger_id", Schema::Text, "The ledger; by `ledger`."),
        Field::required("currency", Schema::Text, "The currency; different ones are never added."),
        Field::optional("precision", Schema::Integer, "Minor units in a major unit, when the currency is registered."),
        Field::optional("identity_id", Schema::Text, "The owner, or empty; by `identity`."),
        Field::optional(
            "month",
            Schema::Text,
            "`YYYY-MM` of what was posted, by its business date in UTC; by `month`.",
        ),
        Field::optional("count", Schema::Integer, "How many balances there are; not by `month`."),
        Field::required("balance", Schema::Integer, "Credits less debits; by `month` those of the month."),
        Field::required("credit_balance", Schema::Integer, "Sum of credits."),
        Field::required("debit_balance", Schema::Integer, "Sum of debits."),
        Field::optional("inflight_balance", Schema::Integer, "Held credits less held debits; of now, not by `month`."),
        Field::optional("inflight_credit_balance", Schema::Integer, "Held credits; of now, not by `month`."),
        Field::optional("inflight_debit_balance", Schema::Integer, "Held debits; of now, not by `month`."),
    ],
};
const AGGREGATE: Object = Object {
    name: "Aggregate",
    description: "Sums over balances, all of one moment.",
    fields: &[
        Field::required("at", Schema::Time, "The moment."),
        Field::required("group_by", Schema::List(&Schema::Text), "What sums are told apart by; always by currency."),
        Field::required(
            "groups",
            Schema::List(&Schema::Object(&GROUP)),
            "By ledger in the order of making, currency, owner in the order of making, month.",
        ),
        Field::required("total_groups", Schema::Integer, "How many groups there are, on all pages."),
    ],
};

/// Document of [`aggregate_balances`].
pub const AGGREGATE_BALANCES: Operation = Operation {
    summary: "Sum balances by ledger, currency, owner and month",
    description: "Florin's own. Sums are exact, of one moment, and equal to those of the balances one by one. Without `at` all \
                  that was posted counts; at a moment, what has a business date up to it, as in `GET /balances/{id}/at`. The \
                  months of a balance add up to it. Owners are those of now.",
    query: &[
        Field::optional(
            "group_by",
            Schema::Text,
            "Any of `ledger`, `currency`, `identity`, `month`, with commas between.",
        ),
        Field::optional("at", Schema::Time, "The moment; now unless given."),
        Field::optional("ledger_id", Schema::Text, "Only balances of this ledger."),
        Field::optional("currency", Schema::Text, "Only balances in this currency."),
        Field::optional("identity_id", Schema::Text, "Only balances of this owner."),
        Field::optional("limit", Schema::Integer, "Groups of the page: 1000 unless given, at most 10000."),
        Field::optional("offset", Schema::Integer, "Groups before the page."),
    ],
    answers: &[Told { status: 200, description: "The sums.", schema: &Schema::Object(&AGGREGATE) }],
    ..Operation::new("aggregate_balances", "Balances")
};

/// `GET /balances/aggregate`.
pub async fn aggregate_balances(State(state): State<AppState>, query: Parameters) -> Answer {
    let by = wire::group_by(&query)?;
    let at = moment(&query)?;
    let limit = page_number(&query, "limit", PAGE_GROUPS, 1, PAGE_GROUPS_MAX)?;
    let offset = page_number(&query, "offset", 0, 0, usize::MAX)?;
    let given = |name: &str| query.get(name).map(|text| text.into_owned()).filter(|text| !text.is_empty());
    let only = Only { ledger: given("ledger_id"), currency: given("currency"), identity: given("identity_id") };
    let _one = AGGREGATES.acquire().await.map_err(|_| ApiError::internal())?;
    let found = ask::look(&state, move |view| {
        let narrowed = only.find(view.state)?;
        let currencies = Arc::clone(&view.state.currencies);
        Ok::<_, ApiError>((narrowed, Snapshot::of(view.state), currencies, view.now))
    });
    let (narrowed, snapshot, currencies, now) = found.await??;
    let told_at = at.map_or_else(|| time::text(now), Moment::text);
    let mut groups = match narrowed {
        None => Vec::new(),
        Some((ledger, currency, identity)) => {
            let ask = Ask { by, ledger, currency, identity, at: at.map(Moment::micros) };
            sum(&state, snapshot, ask).await?
        }
    };
    let order = |key: &Key| (key.ledger, key.identity, key.month);
    groups.sort_unstable_by(|(one, _), (other, _)| {
        let texts = (currencies.text(one.currency), currencies.text(other.currency));
        let (one, other) = (order(one), order(other));
        one.0.cmp(&other.0).then(texts.0.cmp(texts.1)).then((one.1, one.2).cmp(&(other.1, other.2)))
    });
    let total_groups = groups.len();
    let page: Vec<_> = groups.into_iter().skip(offset).take(limit).collect();
    let groups = shown(&state, page, &currencies, by.identity, at.is_none()).await?;
    let view = AggregateView { at: told_at, group_by: wire::words_of(by), groups, total_groups };
    Ok(answer::json(StatusCode::OK, &view))
}

/// The moment that is asked for.
pub fn moment(query: &Parameters) -> Result<Option<Moment>, ApiError> {
    const FORMAT: &str = "at: must be a time in RFC 3339, such as 2024-01-01T15:04:05Z";
    match query.get("at").as_deref() {
        None | Some("") => Ok(None),
        Some(text) => Moment::parse(text).map(Some).ok_or_else(|| ApiError::new(Code::BalInvalidTimestamp, FORMAT)),
    }
}

/// A number of a page, within its bounds.
pub fn page_number(query: &Parameters, name: &str, usual: usize, least: usize, most: usize) -> Result<usize, ApiError> {
    let Some(text) = query.get(name) else { return Ok(usual) };
    let good = text.parse().ok().filter(|number| (least..=most).contains(number));
    good.ok_or_else(|| {
        let bounds = if most == usize::MAX { format!("at least {least}") } else { format!("from {least} to {most}") };
        ApiError::new(Code::GenValidationError, format!("{name}: must be a whole number, {bounds}"))
    })
}

/// Which balances, as they were named.
struct Only {
    ledger: Option<String>,
    currency: Option<String>,
    identity: Option<String>,
}

/// Which balances, by handles.
type Narrowed = (Option<u32>, Option<u32>, Option<u32>);

impl Only {
    /// What is meant. A ledger or an owner that does not exist is a mistake; in a currency that nobody has named there is
    /// nothing.
    fn find(&self, state: &LedgerState) -> Result<Option<Narrowed>, ApiError> {
        let find = |id: &Option<String>, found: &dyn Fn(&str) -> Option<u32>, missing: &dyn Fn(&str) -> ApiError| {
            id.as_deref().map(|id| found(id).ok_or_else(|| missing(id))).transpose()
        };
        let ledger =
            find(&self.ledger, &|id| state.find_ledger(id), &|_| ApiError::new(Code::LgrNotFound, "Ledger not found"))?;
        let identity = find(&self.identity, &|id| state.find_identity(id), &|id| {
            ApiError::new(Code::IdtNotFound, format!("Identity with ID '{id}' not found"))
        })?;
        let currency = self.currency.as_deref().map(|code| state.currencies.find(code));
        Ok((currency != Some(None)).then(|| (ledger, currency.flatten(), identity)))
    }
}

/// Ends the work when the request is dropped.
#[derive(Default)]
pub struct Stop(Arc<AtomicBool>);

impl Stop {
    /// Set when the work is to end.
    pub fn flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.0)
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Makes sums on a thread of their own.
pub async fn sum(state: &AppState, snapshot: Snapshot, ask: Ask) -> Result<Vec<(Key, Sums)>, ApiError> {
    let stop = Stop::default();
    let (books, stopped): (Arc<Books>, _) = (Arc::clone(state.engine().books()), stop.flag());
    let work = tokio::task::spawn_blocking(move || aggregate(&books, &snapshot, ask, &stopped));
    let groups = work.await.map_err(|_| ApiError::internal())?;
    groups.map_err(fault_told)
}

/// Why there are no sums, as it is told.
pub fn fault_told(fault: AggregateFault) -> ApiError {
    match fault {
        AggregateFault::TooManyGroups => refuse(format!(
            "there are more than {GROUPS_MAX} groups; narrow them by ledger_id, currency or identity_id, or group by less"
        )),
        AggregateFault::TooManyRows => refuse(format!(
            "more than {ROWS_READ_MAX} transactions would have to be read; group by less than month, or ask for another moment"
        )),
        AggregateFault::Stopped => ApiError::internal(),
        AggregateFault::Books(fault) => ApiError::from(fault),
    }
}

fn refuse(message: String) -> ApiError {
    ApiError::new(Code::GenBadRequest, message)
}

/// The groups of a page with their names.
async fn shown(
    state: &AppState,
    page: Vec<(Key, Sums)>,
    currencies: &Currencies,
    by_identity: bool,
    is_now: bool,
) -> Result<Vec<GroupView>, ApiError> {
    let keys: Vec<Key> = page.iter().map(|(key, _)| *key).collect();
    let names = ask::look(state, move |view| {
        let name = |key: &Key| {
            let identity = key.identity.map(|identity| view.state.identity_text(identity));
            (key.ledger.map(|ledger| view.state.ledger_text(ledger)), identity)
        };
        keys.iter().map(name).collect::<Vec<_>>()
    });
    let views = page.iter().zip(names.await?).map(|((key, sums), (ledger_id, identity_id))| {
        let mut view = GroupView::new(key, sums, is_now);
        currencies.text(key.currency).clone_into(&mut view.currency);
        view.precision = currencies.registered(key.currency).map(|registered| registered.precision);
        view.ledger_id = ledger_id;
        view.identity_id = by_identity.then(|| identity_id.unwrap_or_default());
        view
    });
    Ok(views.collect())
}
