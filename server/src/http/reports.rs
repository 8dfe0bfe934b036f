//! Reports over all books: whether they balance, and whether what is owed is held.
//!
//! As with other sums, the state is cloned between two changes (pointers only), and everything is read beside the writer; at most
//! [`super::aggregate::AGGREGATES_MAX`] at a time. Bounds: groups and rows as `engine::aggregate` has them; names of a pool and of
//! what is owed, [`NAMES_MAX`] each.

use super::aggregate::{AGGREGATES, Stop, fault_told, moment, page_number, sum};
use super::answer;
use super::ask;
use super::error::{ApiError, Code};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use crate::api::report::{
    CurrencyView, LedgerRowView, Safeguarded, SafeguardingView, TrialBalanceView, trial_balance_csv,
};
use crate::api::time::{self, Moment};
use crate::statement::Form;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, HeaderMap};
use engine::aggregate::each::each_at;
use engine::aggregate::{Ask, By, GROUPS_MAX, Snapshot, Sums};
use ledger::id::{Id, Prefix};
use ledger::state::{Balance, Currencies, GENERAL_LEDGER, State as LedgerState};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Most ledgers of a page of a trial balance.
pub const PAGE_MAX: usize = 10_000;
/// Ledgers of a page, unless asked for.
pub const PAGE_DEFAULT: usize = 1_000;
/// Most names of a pool, and of what is owed.
pub const NAMES_MAX: usize = 100;

const CURRENCY: Object = Object {
    name: "TrialBalanceCurrency",
    description: "Sums over all ledgers, in minor units.",
    fields: &[
        Field::required("currency", Schema::Text, "The currency."),
        Field::optional("precision", Schema::Integer, "Minor units in a major unit, when the currency is registered."),
        Field::required("count", Schema::Integer, "Balances that existed."),
        Field::required("debit", Schema::Integer, "All debits."),
        Field::required("credit", Schema::Integer, "All credits."),
        Field::required("net", Schema::Integer, "Credits less debits: zero."),
        Field::required("balanced", Schema::Flag, "Whether that is so."),
    ],
};
const LEDGER_ROW: Object = Object {
    name: "TrialBalanceLedger",
    description: "Sums of a ledger in a currency, in minor units.",
    fields: &[
        Field::required("currency", Schema::Text, "The currency."),
        Field::required("ledger_id", Schema::Text, "The ledger."),
        Field::required("count", Schema::Integer, "Balances that existed."),
        Field::required("debit", Schema::Integer, "All debits."),
        Field::required("credit", Schema::Integer, "All credits."),
        Field::required("net", Schema::Integer, "Credits less debits."),
    ],
};
const TRIAL_BALANCE: Object = Object {
    name: "TrialBalance",
    description: "Debits and credits of all balances at a moment.",
    fields: &[
        Field::required("at", Schema::Time, "The moment."),
        Field::required("balanced", Schema::Flag, "Whether every currency is balanced."),
        Field::required(
            "currencies",
            Schema::List(&Schema::Object(&CURRENCY)),
            "Over all ledgers, also with `ledger_id`.",
        ),
        Field::required("ledgers", Schema::List(&Schema::Object(&LEDGER_ROW)), "By currency, then in order of making."),
        Field::required("total_ledgers", Schema::Integer, "How many of these there are, on all pages."),
    ],
};

/// Document of [`get_trial_balance`].
pub const GET_TRIAL_BALANCE: Operation = Operation {
    summary: "Read the trial balance of a moment",
    description: "Florin's own. What has a business date up to the moment counts, as in `GET /balances/{id}/at`. `format=csv`, or \
                  `Accept: text/csv`, gives a line for each ledger and one without a ledger for each currency.",
    query: &[
        Field::optional("at", Schema::Time, "The moment; now unless given."),
        Field::optional("ledger_id", Schema::Text, "Only the lines of this ledger."),
        Field::optional("currency", Schema::Text, "Only this currency."),
        Field::optional("format", Schema::Choice(&["json", "csv"]), "How it is written."),
        Field::optional("limit", Schema::Integer, "Ledgers of the page: 1000 unless given, at most 10000."),
        Field::optional("offset", Schema::Integer, "Ledgers before the page."),
    ],
    answers: &[Told { status: 200, description: "The trial balance.", schema: &Schema::Object(&TRIAL_BALANCE) }],
    ..Operation::new("get_trial_balance", "Reports")
};

/// `GET /reports/trial-balance`.
pub async fn get_trial_balance(State(state): State<AppState>, headers: HeaderMap, query: Parameters) -> Answer {
    let given = |name: &str| query.get(name).map(|text| text.into_owned()).filter(|text| !text.is_empty());
    let form = form_of(given("format").as_deref(), &headers)?;
    let at = moment(&query)?;
    let limit = page_number(&query, "limit", PAGE_DEFAULT, 1, PAGE_MAX)?;
    let offset = page_number(&query, "offset", 0, 0, usize::MAX)?;
    let (ledger, currency) = (given("ledger_id"), given("currency"));
    let _one = AGGREGATES.acquire().await.map_err(|_| ApiError::internal())?;
    let found = ask::look(&state, move |view| {
        let ledger = match ledger {
            None => None,
            Some(id) => Some(view.state.find_ledger(&id).ok_or_else(|| no_ledger(None))?),
        };
        let currencies = Arc::clone(&view.state.currencies);
        let currency = currency.map(|code| currencies.find(&code));
        Ok::<_, ApiError>((ledger, currency, currencies, Snapshot::of(view.state), view.now))
    });
    let (only, currency, currencies, snapshot, now) = found.await??;
    let told_at = at.map_or_else(|| time::text(now), Moment::text);
    let by = By { ledger: true, ..By::default() };
    let mut groups = match currency {
        // Nobody has named it: there is nothing in it.
        Some(None) => Vec::new(),
        currency => {
            let at = Some(at.map_or(now, Moment::micros));
            let ask = Ask { by, ledger: None, currency: currency.flatten(), identity: None, at };
            sum(&state, snapshot, ask).await?
        }
    };
    let mut totals: BTreeMap<&str, (u32, Sums)> = BTreeMap::new();
    for (key, sums) in &groups {
        let total = &mut totals.entry(currencies.text(key.currency)).or_insert((key.currency, Sums::default())).1;
        total.balances += sums.balances;
        total.credit.add_wide(sums.credit);
        total.debit.add_wide(sums.debit);
    }
    let totals = totals.into_iter().map(|(code, (number, sums))| {
        let precision = currencies.registered(number).map(|registered| registered.precision);
        CurrencyView::new(code.to_owned(), precision, &sums)
    });
    let totals: Vec<CurrencyView> = totals.collect();
    groups.retain(|(key, _)| only.is_none() || key.ledger == only);
    groups.sort_unstable_by_key(|(key, _)| (currencies.text(key.currency), key.ledger));
    let total_ledgers = groups.len();
    let page: Vec<_> = groups.into_iter().skip(offset).take(limit).collect();
    let handles: Vec<u32> = page.iter().filter_map(|(key, _)| key.ledger).collect();
    let names = ask::look(&state, move |view| {
        handles.into_iter().map(|ledger| view.state.ledger_text(ledger)).collect::<Vec<String>>()
    });
    let rows = page.iter().zip(names.await?);
    let ledgers = rows.map(|((key, sums), id)| LedgerRowView::new(currencies.text(key.currency).to_owned(), id, sums));
    let balanced = totals.iter().all(|total| total.balanced);
    let view =
        TrialBalanceView { at: told_at, balanced, ledgers: ledgers.collect(), currencies: totals, total_ledgers };
    match form {
        Form::Csv => Ok(answer::with_type(StatusCode::OK, Form::Csv.content_type(), trial_balance_csv(&view))),
        _ => Ok(answer::json(StatusCode::OK, &view)),
    }
}

/// JSON or comma-separated values.
fn form_of(word: Option<&str>, headers: &HeaderMap) -> Result<Form, ApiError> {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    match Form::asked(word, accept) {
        Ok(form @ (Form::Json | Form::Csv)) => Ok(form),
        // What is accepted besides is no form of this; JSON always is.
        Ok(_) if word.is_none() => Ok(Form::Json),
        _ => Err(ApiError::new(Code::GenValidationError, "format: must be json or csv")),
    }
}

fn no_ledger(field: Option<&str>) -> ApiError {
    let message = field.map_or_else(|| "Ledger not found".to_owned(), |field| format!("{field}: Ledger not found"));
    ApiError::new(Code::LgrNotFound, message)
}

const OWED: Object = Object {
    name: "SafeguardingOwed",
    description: "Balances of customers.",
    fields: &[
        Field::required("count", Schema::Integer, "How many there are."),
        Field::required("balance", Schema::Integer, "Their sum: the requirement less what is overdrawn."),
        Field::required("overdrawn_count", Schema::Integer, "How many are below zero."),
        Field::required("overdrawn", Schema::Integer, "How far these are; it makes the requirement no smaller."),
    ],
};
const HELD: Object = Object {
    name: "SafeguardingHeld",
    description: "Balances of the pool.",
    fields: &[
        Field::required("count", Schema::Integer, "How many there are."),
        Field::required("debit_side", Schema::Integer, "How far those below zero are below it."),
        Field::required("credit_side", Schema::Integer, "The sum of those above zero."),
    ],
};
const HOLDS: Object = Object {
    name: "SafeguardingHolds",
    description: "What is held of these balances and not posted yet: no part of the figures above.",
    fields: &[
        Field::required("owed_debit", Schema::Integer, "About to leave customers."),
        Field::required("owed_credit", Schema::Integer, "About to reach customers."),
        Field::required("pool_debit", Schema::Integer, "Held debits of the pool."),
        Field::required("pool_credit", Schema::Integer, "Held credits of the pool."),
    ],
};
const SAFEGUARDED: Object = Object {
    name: "SafeguardingCurrency",
    description: "What is owed in a currency against what is held, in minor units.",
    fields: &[
        Field::required("currency", Schema::Text, "The currency."),
        Field::optional("precision", Schema::Integer, "Minor units in a major unit, when the currency is registered."),
        Field::required("status", Schema::Choice(&["excess", "shortfall", "balanced"]), "What follows."),
        Field::required(
            "requirement",
            Schema::Integer,
            "What is owed: the sum of the balances of customers above zero.",
        ),
        Field::required("resource", Schema::Integer, "What is held: the sum of the pool, on its side."),
        Field::required("difference", Schema::Integer, "The resource less the requirement."),
        Field::required("excess", Schema::Integer, "By how much more is held than owed, or zero."),
        Field::required("shortfall", Schema::Integer, "By how much less is held than owed, or zero."),
        Field::required("owed", Schema::Object(&OWED), "Of balances of customers."),
        Field::required("held", Schema::Object(&HELD), "Of balances of the pool."),
        Field::optional("holds", Schema::Object(&HOLDS), "Of now only: without `at`."),
    ],
};
const SAFEGUARDING: Object = Object {
    name: "Safeguarding",
    description: "What is owed to customers against what is held for them.",
    fields: &[
        Field::required("at", Schema::Time, "The moment."),
        Field::required("safeguarded", Schema::Flag, "Whether no currency has a shortfall."),
        Field::required("currencies", Schema::List(&Schema::Object(&SAFEGUARDED)), "By currency."),
        Field::required("pool", Schema::List(&Schema::Text), "The pool, as it was named."),
        Field::required("pool_side", SIDE, "On which side of its balances money is that is held."),
        Field::required("owed", Schema::List(&Schema::Text), "What is owed, as it was named; empty for the usual."),
    ],
};
const SIDE: Schema = Schema::Choice(&["debit", "credit"]);

/// Document of [`get_safeguarding`].
pub const GET_SAFEGUARDING: Operation = Operation {
    summary: "Compare what is owed to customers with what is held for them",
    description: "Florin's own: the comparison that EMD, PSD2 and CASS 15 ask for, at any moment. Requirement: the balances of customers \
                  above zero, each by itself; one that is overdrawn makes it no smaller. Resource: the pool, usually balances of the \
                  General Ledger that stand for safeguarding accounts and are debited when money comes in. What is in the pool is \
                  not owed.",
    query: &[
        Field::required(
            "pool",
            Schema::Text,
            "A ledger, `@indicator`, alias or balance that holds the money; repeated, or with commas between; at most 100.",
        ),
        Field::optional(
            "owed",
            Schema::Text,
            "The same of what is owed; all ledgers but the general one unless given.",
        ),
        Field::optional("pool_side", SIDE, "Which side of its balances is money that is held: `debit` unless given."),
        Field::optional("at", Schema::Time, "The moment; now unless given."),
        Field::optional("currency", Schema::Text, "Only this currency."),
    ],
    answers: &[Told { status: 200, description: "The comparison.", schema: &Schema::Object(&SAFEGUARDING) }],
    ..Operation::new("get_safeguarding", "Reports")
};

/// `GET /reports/safeguarding`.
pub async fn get_safeguarding(State(state): State<AppState>, query: Parameters) -> Answer {
    let at = moment(&query)?;
    let (pool, owed) = (names(&query, "pool")?, names(&query, "owed")?);
    if pool.is_empty() {
        let message = "pool: name the ledgers, @indicators, aliases or balances that hold client money";
        return Err(ApiError::new(Code::GenMissingParameter, message));
    }
    if let Some(name) = owed.iter().find(|name| pool.contains(name)) {
        return Err(ApiError::new(Code::GenValidationError, format!("owed: {name} is named by pool too")));
    }
    let is_debit = match query.get("pool_side").as_deref() {
        None | Some("" | "debit") => true,
        Some("credit") => false,
        Some(_) => return Err(ApiError::new(Code::GenValidationError, "pool_side: must be debit or credit")),
    };
    let currency = query.get("currency").map(|text| text.into_owned()).filter(|text| !text.is_empty());
    let permit = AGGREGATES.acquire().await.map_err(|_| ApiError::internal())?;
    let (known, snapshot, now) =
        ask::look(&state, |view| (view.state.clone(), Snapshot::of(view.state), view.now)).await?;
    let (stop, books) = (Stop::default(), Arc::clone(state.engine().books()));
    let stopped = stop.flag();
    let work = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        let scope = Scope::of(&known, &pool, &owed, currency.as_deref())?;
        let mut sums: BTreeMap<u32, Safeguarded> = BTreeMap::new();
        let is = |handle: u32, balance: &Balance| scope.part(handle, balance).is_some();
        let visit = |handle: u32, balance: &Balance, amount: i128| {
            if let Some(part) = scope.part(handle, balance) {
                add(sums.entry(balance.currency).or_default(), part, balance, amount);
            }
        };
        let moment = at.map_or(now, Moment::micros);
        each_at(&books, &snapshot, moment, is, visit, &stopped).map_err(fault_told)?;
        if sums.len() > GROUPS_MAX {
            return Err(ApiError::new(Code::GenBadRequest, format!("there are more than {GROUPS_MAX} currencies")));
        }
        let currencies = shown(&sums, &known.currencies, is_debit, at.is_none());
        let at = at.map_or_else(|| time::text(now), Moment::text);
        let safeguarded = currencies.iter().all(|one| one.status != "shortfall");
        let pool_side = if is_debit { "debit" } else { "credit" };
        Ok(answer::to_json(&SafeguardingView { at, safeguarded, currencies, pool, pool_side, owed }))
    });
    Ok(answer::json_text(StatusCode::OK, work.await.map_err(|_| ApiError::internal())??))
}

fn shown(
    sums: &BTreeMap<u32, Safeguarded>,
    currencies: &Currencies,
    is_debit: bool,
    holds: bool,
) -> Vec<crate::api::report::SafeguardedView> {
    let view = |(&number, sums): (&u32, &Safeguarded)| {
        let precision = currencies.registered(number).map(|registered| registered.precision);
        sums.view(currencies.text(number).to_owned(), precision, is_debit, holds)
    };
    let mut views: Vec<_> = sums.iter().map(view).collect();
    views.sort_by(|one, other| one.currency.cmp(&other.currency));
    views
}

/// Takes a balance into the sums of its currency.
fn add(sums: &mut Safeguarded, part: Part, balance: &Balance, amount: i128) {
    let (plus, minus) = (amount.max(0), amount.min(0).saturating_neg());
    let held = balance.figures.held;
    match part {
        Part::Owed => {
            sums.owed_count += 1;
            sums.owed.add(plus);
            sums.overdrawn_count += u64::from(minus > 0);
            sums.overdrawn.add(minus);
            sums.owed_holds.0.add(held.debit);
            sums.owed_holds.1.add(held.credit);
        }
        Part::Pool => {
            sums.pool_count += 1;
            sums.pool_credit.add(plus);
            sums.pool_debit.add(minus);
            sums.pool_holds.0.add(held.debit);
            sums.pool_holds.1.add(held.credit);
        }
    }
}

/// The values of a parameter that is repeated, or has commas between; each once.
fn names(query: &Parameters, name: &str) -> Result<Vec<String>, ApiError> {
    let mut names: Vec<String> = Vec::new();
    for (_, value) in query.pairs().filter(|(given, _)| given == name) {
        for one in value.split(',').map(str::trim).filter(|one| !one.is_empty()) {
            if !names.iter().any(|known| known == one) {
                names.push(one.to_owned());
            }
        }
    }
    if names.len() > NAMES_MAX {
        return Err(ApiError::new(Code::GenValidationError, format!("{name}: cannot name more than {NAMES_MAX}")));
    }
    Ok(names)
}

/// Which side of the comparison a balance is on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Owed,
    Pool,
}

/// Which balances are compared.
struct Scope {
    pool: Named,
    /// All ledgers but the general one, when nothing was named.
    owed: Option<Named>,
    /// Only this currency; one that nobody has named is none.
    currency: Option<Option<u32>>,
}

/// Ledgers and balances that were named.
#[derive(Default)]
struct Named {
    ledgers: BTreeSet<u32>,
    balances: BTreeSet<u32>,
}

impl Named {
    fn of(state: &LedgerState, names: &[String], field: &str) -> Result<Named, ApiError> {
        let mut named = Named::default();
        let missing = |code, name: &str| ApiError::new(code, format!("{field}: {name} is no ledger, balance or alias"));
        for name in names {
            if name.starts_with('@') {
                let before = named.balances.len();
                let all = 0..state.currencies.len() as u32;
                named.balances.extend(all.filter_map(|currency| state.find_indicator(name, currency)));
                if named.balances.len() == before {
                    return Err(missing(Code::BalNotFound, name));
                }
            } else if let Some(ledger) = state.find_ledger(name) {
                named.ledgers.insert(ledger);
            } else if name.starts_with("ldg_") {
                return Err(no_ledger(Some(field)));
            } else {
                let handle = match Id::parse(Prefix::Balance, name) {
                    Some(id) => state.find_balance(id),
                    None => state.find_alias(name),
                };
                named.balances.insert(handle.ok_or_else(|| missing(Code::BalNotFound, name))?);
            }
        }
        Ok(named)
    }

    fn has(&self, handle: u32, balance: &Balance) -> bool {
        self.ledgers.contains(&balance.ledger) || self.balances.contains(&handle)
    }
}

impl Scope {
    fn of(state: &LedgerState, pool: &[String], owed: &[String], currency: Option<&str>) -> Result<Scope, ApiError> {
        let pool = Named::of(state, pool, "pool")?;
        let owed = if owed.is_empty() { None } else { Some(Named::of(state, owed, "owed")?) };
        Ok(Scope { pool, owed, currency: currency.map(|code| state.currencies.find(code)) })
    }

    fn part(&self, handle: u32, balance: &Balance) -> Option<Part> {
        if self.currency.is_some_and(|currency| currency != Some(balance.currency)) {
            return None;
        }
        if self.pool.has(handle, balance) {
            return Some(Part::Pool);
        }
        let is_owed = match &self.owed {
            None => balance.ledger != GENERAL_LEDGER,
            Some(owed) => owed.has(handle, balance),
        };
        is_owed.then_some(Part::Owed)
    }
}
