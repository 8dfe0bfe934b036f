//! Statements: `GET /balances/{id}/statement`, `GET /identities/{id}/statement`, `GET /ledgers/{id}/statement`.
//!
//! The writer's thread is asked only what the state knows of each balance. Rows and records are read on threads beside it, a few at
//! a time. A long statement is never in memory as a whole: a task reads the next part when the one before has been taken, and
//! when the rows turn out not to add up, or cannot be read, it breaks the answer off, which then ends without its end.

use super::error::{ApiError, Code};
use super::openapi::{Answer as Told, Field, Object, Operation, Schema};
use super::parameters::Parameters;
use super::state::{Answer, AppState};
use super::{answer, ask, balances, identities, ledgers};
use crate::api::identity::IdentityView;
use crate::api::time::Moment;
use crate::statement::pending::{self, Pending};
use crate::statement::section::{Entry, Heading, Known, Period, Section};
use crate::statement::{Form, camt, csv, json, pdf};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::{ACCEPT, CONTENT_DISPOSITION, HeaderMap, HeaderValue};
use engine::dated::{Cut, View};
use engine::history;
use engine::reading::Books;
use hyper::body::Frame;
use ledger::id::{Id, Prefix};
use ledger::state::{Balance, NO_RECORD, State as LedgerState};
use serde_json::json;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::sync::{Semaphore, mpsc};

/// Lines of a page, unless asked for.
pub const LINES_DEFAULT: usize = 100;
/// Most lines of a page.
pub const LINES_MAX: usize = 1_000;
/// Most balances of a page.
pub const SECTIONS_MAX: usize = 100;
/// Parts of statements that are read at the same time, on threads of their own; more wait.
pub const READS_MAX: usize = 2;
/// Bytes that are read before an answer begins: shorter statements are checked as a whole before anything is sent.
pub const FIRST_BYTES: usize = 256 << 10;
/// Lines of one part. Enough that lines whose dates are in another order than their records share the reading of these.
pub const LINES_AT_ONCE: usize = 8_192;
/// Parts that wait for a client that reads slowly.
const PARTS_WAITING: usize = 1;

static READS: Semaphore = Semaphore::const_new(READS_MAX);

const FIGURES: Object = Object {
    name: "StatementFigures",
    description: "What a balance was at a moment. Money is in minor units.",
    fields: &[
        Field::required("balance", Schema::Integer, "Credits less debits."),
        Field::required("credit_balance", Schema::Integer, "Sum of all credits."),
        Field::required("debit_balance", Schema::Integer, "Sum of all debits."),
        Field::required("amount", Schema::Text, "The balance in major units."),
    ],
};
const LINE: Object = Object {
    name: "StatementLine",
    description: "A posting of a balance.",
    fields: &[
        Field::required("transaction_id", Schema::Text, "The transaction."),
        Field::required("reference", Schema::Text, "Its reference."),
        Field::required("description", Schema::Text, "Text for people."),
        Field::required("kind", Schema::Choice(&["posting", "refund", "settlement"]), "What it was."),
        Field::required("counterparty", Schema::Text, "The other balance."),
        Field::required("effective_date", Schema::Time, "When it counts: lines are in this order."),
        Field::required("created_at", Schema::Time, "When it was recorded."),
        Field::required("debit", Schema::Integer, "Minor units that went out."),
        Field::required("credit", Schema::Integer, "Minor units that came in."),
        Field::required("amount", Schema::Text, "What came in, in major units; below zero when it went out."),
        Field::required("balance", Schema::Integer, "The balance after it, minor units."),
        Field::required("balance_amount", Schema::Text, "The balance after it, in major units."),
    ],
};
const PENDING: Object = Object {
    name: "StatementPending",
    description: "A hold that is open, with what is left of it.",
    fields: &[
        Field::required("transaction_id", Schema::Text, "The hold."),
        Field::required("reference", Schema::Text, "Its reference."),
        Field::required("description", Schema::Text, "Text for people."),
        Field::required("counterparty", Schema::Text, "The other balance."),
        Field::required("effective_date", Schema::Time, "Its business date: holds are in this order."),
        Field::required("created_at", Schema::Time, "When it was recorded."),
        Field::required("debit", Schema::Integer, "Minor units that would go out."),
        Field::required("credit", Schema::Integer, "Minor units that would come in."),
        Field::required("amount", Schema::Text, "What would come in, in major units; below zero when it would go out."),
    ],
};
const SECTION_FIELDS: &[Field] = &[
    Field::required("balance_id", Schema::Text, "The balance."),
    Field::optional("indicator", Schema::Text, "Its `@indicator`."),
    Field::required("ledger_id", Schema::Text, "The ledger it belongs to."),
    Field::required("ledger_name", Schema::Text, "The name of that."),
    Field::required("identity_id", Schema::Text, "Its owner, or empty."),
    Field::required("owner", Schema::Text, "The name of that, or empty."),
    Field::required("currency", Schema::Text, "Its currency."),
    Field::required("precision", Schema::Integer, "Minor units in a major unit, for all amounts here."),
    Field::required("from", Schema::Time, "The first moment."),
    Field::required("to", Schema::Time, "The first moment that is no more of it."),
    Field::required("opening", Schema::Object(&FIGURES), "What was posted before."),
    Field::required("closing", Schema::Object(&FIGURES), "What was posted before the end."),
    Field::required("total_credit", Schema::Integer, "All credits of the time."),
    Field::required("total_debit", Schema::Integer, "All debits of the time."),
    Field::required(
        "lines",
        Schema::List(&Schema::Object(&LINE)),
        "Those of this page, in the order in which they count.",
    ),
    Field::optional(
        "pending",
        Schema::List(&Schema::Object(&PENDING)),
        "Open holds, when asked for, on the page with the last lines of the balance.",
    ),
    Field::optional(
        "next",
        Schema::Text,
        "Of the statement of one balance: the next page, for `cursor`; absent on the last.",
    ),
];
const SECTION: Object =
    Object { name: "StatementSection", description: "A balance of a statement.", fields: SECTION_FIELDS };
const STATEMENT: Object = Object {
    name: "Statement",
    description: "The statement of several balances.",
    fields: &[
        Field::required("sections", Schema::List(&Schema::Object(&SECTION)), "The balances that are on this page."),
        Field::optional("next", Schema::Text, "The next page, for `cursor`; absent on the last."),
    ],
};
const QUERY: &[Field] = &[
    Field::optional("from", Schema::Time, "The first moment; from the beginning unless given."),
    Field::optional("to", Schema::Time, "The first moment that is no more of it; all up to now unless given."),
    Field::optional(
        "format",
        Form::WORDS,
        "How it is written; otherwise what `Accept` asks for, or JSON. JSON comes in pages, everything else as a whole.",
    ),
    Field::optional("limit", Schema::Integer, "Lines of a page of JSON, 1 to 1000; 100 unless given."),
    Field::optional(
        "pending",
        Schema::Flag,
        "Whether to show the holds that are open now and count before `to`; they are in no sum. Not shown unless asked for.",
    ),
    Field::optional("cursor", Schema::Text, "Where a page of JSON begins: `next` of the page before."),
];
const DESCRIPTION: &str = "Postings in the order in which they count (business date, else when they were recorded), with the balance \
                           after each. `from` belongs to the time, `to` does not. Holds are not in it, unless `pending` asks to \
                           show them apart. The closing is read apart from the lines; a statement whose lines do not add up to it \
                           is refused, or broken off.";

const fn document(name: &'static str, summary: &'static str, answers: &'static [Told]) -> Operation {
    Operation { summary, description: DESCRIPTION, query: QUERY, answers, ..Operation::new(name, "Statements") }
}

const OF_ONE: &[Told] = &[Told { status: 200, description: "The statement.", schema: &Schema::Object(&SECTION) }];
const OF_SEVERAL: &[Told] = &[Told { status: 200, description: "The statement.", schema: &Schema::Object(&STATEMENT) }];

/// Document of [`get_balance_statement`].
pub const GET_BALANCE_STATEMENT: Operation =
    document("get_balance_statement", "Read the statement of a balance", OF_ONE);

/// Document of [`get_identity_statement`].
pub const GET_IDENTITY_STATEMENT: Operation =
    document("get_identity_statement", "Read the statement of all balances of an identity", OF_SEVERAL);

/// Document of [`get_ledger_statement`].
pub const GET_LEDGER_STATEMENT: Operation =
    document("get_ledger_statement", "Read the statement of all balances of a ledger", OF_SEVERAL);

/// `GET /balances/{id}/statement`.
pub async fn get_balance_statement(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    query: Parameters,
) -> Answer {
    let asked = Asked::read(&query, &headers)?;
    let parsed = Id::parse(Prefix::Balance, &id);
    let view = Arc::new(state.books().dated.view());
    let found = ask::look(&state, move |look| {
        let handle = look.state.find_balance(parsed?)?;
        let known = asked.pending.then(|| look.state.clone());
        Some((handle, look.state.currencies.text(look.state.balance(handle).currency).to_owned(), known, look.now))
    });
    let (handle, currency, known, now) = found.await?.ok_or_else(|| balances::not_found(&id))?;
    asked.check_currencies([currency.as_str()])?;
    let handles = vec![handle];
    let pending = match known {
        None => Pending::None,
        Some(known) => {
            aside({
                let handles = handles.clone();
                move || pending::collect(&known, &handles)
            })
            .await?
        }
    };
    respond(state, Scope::Balance, id, Chosen { handles, pending }, view, asked, now).await
}

/// `GET /identities/{id}/statement`.
pub async fn get_identity_statement(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    query: Parameters,
) -> Answer {
    let asked = Asked::read(&query, &headers)?;
    let view = Arc::new(state.books().dated.view());
    let wanted = id.clone();
    let found = ask::look(&state, move |look| {
        look.state.find_identity(&wanted).map(|handle| (handle, look.state.clone(), look.now))
    });
    let missing = || ApiError::new(Code::IdtNotFound, format!("Identity with ID '{id}' not found"));
    let (identity, known, now) = found.await?.ok_or_else(missing)?;
    let chosen = select(known, &asked, move |balance| balance.identity == Some(identity)).await?;
    respond(state, Scope::Several, id, chosen, view, asked, now).await
}

/// `GET /ledgers/{id}/statement`.
pub async fn get_ledger_statement(
    State(state): State<AppState>,
    Path(id): Path<String>,
    headers: HeaderMap,
    query: Parameters,
) -> Answer {
    let asked = Asked::read(&query, &headers)?;
    let view = Arc::new(state.books().dated.view());
    let wanted = id.clone();
    let found = ask::look(&state, move |look| {
        look.state.find_ledger(&wanted).map(|handle| (handle, look.state.clone(), look.now))
    });
    let missing = || ApiError::new(Code::LgrNotFound, "Ledger not found").details(json!({}));
    let (ledger, known, now) = found.await?.ok_or_else(missing)?;
    let chosen = select(known, &asked, move |balance| balance.ledger == ledger).await?;
    respond(state, Scope::Several, id, chosen, view, asked, now).await
}

/// The balances of a statement.
struct Chosen {
    /// Their handles, oldest first.
    handles: Vec<u32>,
    /// Their open holds, if these are asked for.
    pending: Pending,
}

/// Some balances: four bytes each, and their open holds, while the copy of the state is given back.
async fn select(
    known: LedgerState,
    asked: &Asked,
    is: impl Fn(&Balance) -> bool + Send + 'static,
) -> Result<Chosen, ApiError> {
    let (camt, with_pending) = (asked.form == Form::Camt, asked.pending);
    aside(move || {
        let mut handles = Vec::new();
        for (handle, balance) in known.balances.iter().enumerate().filter(|(_, balance)| is(balance)) {
            if camt {
                camt::check_currency(known.currencies.text(balance.currency))?;
            }
            handles.push(handle as u32);
        }
        let pending = if with_pending { pending::collect(&known, &handles)? } else { Pending::None };
        Ok(Chosen { handles, pending })
    })
    .await
}

/// What a request asks for.
struct Asked {
    form: Form,
    from: Option<i64>,
    to: Option<i64>,
    limit: usize,
    /// Whether open holds are shown.
    pending: bool,
    /// A balance, and where its lines go on.
    cursor: Option<(u32, Cut)>,
}

impl Asked {
    fn read(query: &Parameters, headers: &HeaderMap) -> Result<Asked, ApiError> {
        let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let given = |name: &str| query.get(name).filter(|text| !text.is_empty());
        let form = Form::asked(given("format").as_deref(), accept)?;
        let invalid = |message: String| ApiError::new(Code::GenValidationError, message);
        let moment = |name: &str| match given(name) {
            None => Ok(None),
            Some(text) => Moment::parse(&text)
                .map(|moment| Some(moment.micros()))
                .ok_or_else(|| invalid(format!("{name}: must be a time in RFC 3339, such as 2024-01-01T00:00:00Z"))),
        };
        let (from, to) = (moment("from")?, moment("to")?);
        if from.zip(to).is_some_and(|(from, to)| from > to) {
            return Err(invalid("to: must not be before from".to_owned()));
        }
        let limit = match given("limit") {
            None => LINES_DEFAULT,
            Some(text) => {
                let number = text.parse().ok().filter(|number| (1..=LINES_MAX).contains(number));
                number.ok_or_else(|| invalid(format!("limit: must be a whole number from 1 to {LINES_MAX}")))?
            }
        };
        let pending = match given("pending").as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(invalid("pending: must be true or false".to_owned())),
        };
        let cursor = match given("cursor") {
            None => None,
            Some(text) => {
                let message = "cursor: must be `next` of the page before";
                Some(parse_cursor(&text).ok_or_else(|| invalid(message.to_owned()))?)
            }
        };
        Ok(Asked { form, from, to, limit, pending, cursor })
    }

    fn check_currencies<'a>(&self, currencies: impl IntoIterator<Item = &'a str>) -> Result<(), ApiError> {
        if self.form == Form::Camt { currencies.into_iter().try_for_each(camt::check_currency) } else { Ok(()) }
    }
}

fn parse_cursor(text: &str) -> Option<(u32, Cut)> {
    let mut parts = text.split('.');
    let mut number = || u64::from_str_radix(parts.next()?, 16).ok();
    let (handle, at, row) = (number()?, number()?, number()?);
    if parts.next().is_some() {
        return None;
    }
    Some((u32::try_from(handle).ok()?, Cut { at: at.cast_signed(), row }))
}

fn cursor_text(handle: u32, cut: Cut) -> String {
    format!("{handle:x}.{:x}.{:x}", cut.at.cast_unsigned(), cut.row)
}

/// Whether a statement is of one balance or of all that something has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    Balance,
    Several,
}

async fn respond(
    state: AppState,
    scope: Scope,
    about: String,
    Chosen { handles, pending }: Chosen,
    view: Arc<View>,
    asked: Asked,
    now: i64,
) -> Answer {
    if handles.is_empty() && matches!(asked.form, Form::Camt | Form::Pdf) {
        let message = "format: there are no balances, and this form has no place for a statement of none";
        return Err(ApiError::new(Code::GenValidationError, message));
    }
    // What was recorded in this very moment belongs to it.
    let period = Period { from: asked.from, to: asked.to.unwrap_or(now + 1) };
    let sections = Sections { state: state.clone(), view, period, pending, ledger: None, identity: None };
    let response = match asked.form {
        Form::Json => return page(sections, scope, handles, &asked).await,
        Form::Pdf => {
            answer::with_type(StatusCode::OK, asked.form.content_type(), typeset(sections, handles, now).await?)
        }
        form => stream(Maker::new(sections, form, about.clone(), handles, now), form).await?,
    };
    Ok(named(response, &about, asked.form))
}

/// The answer with the name of a file.
fn named(mut response: axum::response::Response, about: &str, form: Form) -> axum::response::Response {
    let plain: String = about.chars().filter(|char| char.is_ascii_alphanumeric() || "-_".contains(*char)).collect();
    let name = format!("attachment; filename=\"statement_{plain}.{}\"", form.extension());
    if let Ok(name) = HeaderValue::try_from(name) {
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
    }
    response
}

/// Opens sections, one after the other.
struct Sections {
    state: AppState,
    view: Arc<View>,
    period: Period,
    pending: Pending,
    /// The ledger and the identity that were named last: most sections have the same.
    ledger: Option<(String, String)>,
    identity: Option<(String, String)>,
}

impl Sections {
    /// Begins the section of a balance, with its lines from a place on.
    async fn open(&mut self, handle: u32, start: Cut) -> Result<Section, ApiError> {
        let found = ask::look(&self.state, move |look| {
            let balance = look.state.balance(handle).clone();
            let known = Known {
                history: history::Known::of(look.state, handle),
                precision: look.state.currencies.registered(balance.currency).map(|registered| registered.precision),
            };
            let ledger = look.state.ledger_text(balance.ledger);
            let identity = balance.identity.map(|identity| look.state.identity_text(identity)).unwrap_or_default();
            (known, look.state.currencies.text(balance.currency).to_owned(), ledger, identity, balance)
        });
        let (known, currency, ledger_id, identity_id, balance) = found.await?;
        let ledger_name = self.ledger_name(&ledger_id).await?;
        let owner = self.owner(&identity_id).await?;
        let (books, view, period) = (Arc::clone(self.state.engine().books()), Arc::clone(&self.view), self.period);
        let pending = self.pending.take(handle);
        aside(move || {
            let indicator = balances::Texts::new(&books).of(&balance, NO_RECORD)?.0.to_owned();
            let (id, created_at) = (balance.id(handle), balance.created_at);
            let heading = Heading { id, indicator, ledger_id, ledger_name, identity_id, owner, currency, created_at };
            let mut section = Section::open(&books, &view, &known, heading, period, start)?;
            section.pending = pending.map(|holds| pending::entries(&books, handle, &holds, period)).transpose()?;
            Ok(section)
        })
        .await
    }

    async fn ledger_name(&mut self, id: &str) -> Result<String, ApiError> {
        if let Some((_, name)) = self.ledger.as_ref().filter(|(known, _)| known == id) {
            return Ok(name.clone());
        }
        let name = ledgers::find(&self.state, id.to_owned()).await?.map(|ledger| ledger.name).unwrap_or_default();
        self.ledger = Some((id.to_owned(), name.clone()));
        Ok(name)
    }

    async fn owner(&mut self, id: &str) -> Result<String, ApiError> {
        if id.is_empty() {
            return Ok(String::new());
        }
        if let Some((_, name)) = self.identity.as_ref().filter(|(known, _)| known == id) {
            return Ok(name.clone());
        }
        let name = identities::find(&self.state, id.to_owned()).await?.as_ref().map(owner_name).unwrap_or_default();
        self.identity = Some((id.to_owned(), name.clone()));
        Ok(name)
    }
}

/// How an owner is called: the name of an organization, or those of a person.
fn owner_name(identity: &IdentityView) -> String {
    let text = |name: &str| identity.text(name).unwrap_or_default().trim().to_owned();
    let organization = text("organization_name");
    if !organization.is_empty() {
        return organization;
    }
    let names = ["first_name", "other_names", "last_name"].map(text);
    names.iter().filter(|name| !name.is_empty()).map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// Works on a thread of its own, as rows and records are read from the disk.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, ApiError> + Send + 'static) -> Result<T, ApiError> {
    let permit = READS.acquire().await.map_err(|_| ApiError::internal())?;
    let worked = tokio::task::spawn_blocking(move || {
        let _permit = permit;
        work()
    });
    worked.await.map_err(|_| ApiError::internal())?
}

/// Reads the lines of a section that are next, up to a number.
async fn read(books: &Arc<Books>, mut section: Section, most: usize) -> Result<(Section, Vec<Entry>), ApiError> {
    let books = Arc::clone(books);
    aside(move || {
        let mut entries = Vec::new();
        section.advance(&books, most, &mut entries)?;
        Ok((section, entries))
    })
    .await
}

/// A page of JSON.
async fn page(mut sections: Sections, scope: Scope, handles: Vec<u32>, asked: &Asked) -> Answer {
    let books = Arc::clone(sections.state.engine().books());
    let foreign = || ApiError::new(Code::GenValidationError, "cursor: must be `next` of a page of this statement");
    let first = match asked.cursor {
        None => 0,
        Some((handle, cut)) => {
            if cut < sections.period.start() || cut > Cut::before(sections.period.to) {
                return Err(foreign());
            }
            handles.binary_search(&handle).map_err(|_| foreign())?
        }
    };
    let mut start = asked.cursor.map_or(sections.period.start(), |(_, cut)| cut);
    let (mut views, mut left, mut next) = (Vec::new(), asked.limit, None);
    for &handle in &handles[first..] {
        if views.len() == SECTIONS_MAX || left == 0 {
            next = Some(cursor_text(handle, sections.period.start()));
            break;
        }
        let section = sections.open(handle, start).await?;
        let (section, entries) = read(&books, section, left).await?;
        left -= entries.len();
        views.push(json::section(&section, &entries));
        if !section.is_over() {
            next = Some(cursor_text(handle, section.next()));
            break;
        }
        start = sections.period.start();
    }
    if scope == Scope::Several {
        return Ok(answer::json(StatusCode::OK, &json::AllView { sections: views, next }));
    }
    let section = views.pop().ok_or_else(ApiError::internal)?;
    Ok(answer::json(StatusCode::OK, &json::OneView { section, next }))
}

/// A PDF.
async fn typeset(mut sections: Sections, handles: Vec<u32>, now: i64) -> Result<Vec<u8>, ApiError> {
    let too_long = |what: &str, most: usize| {
        let message = format!("format: a PDF has at most {most} {what}; ask for a shorter time, or for csv");
        ApiError::new(Code::GenValidationError, message)
    };
    if handles.len() > pdf::SECTIONS_MAX {
        return Err(too_long("balances", pdf::SECTIONS_MAX));
    }
    let books = Arc::clone(sections.state.engine().books());
    let (mut all, mut left) = (Vec::new(), pdf::ROWS_MAX);
    for handle in handles {
        let section = sections.open(handle, sections.period.start()).await?;
        let (section, entries) = read(&books, section, left + 1).await?;
        let shown = entries.len() + section.pending.as_ref().map_or(0, Vec::len);
        left = left.checked_sub(shown).ok_or_else(|| too_long("lines", pdf::ROWS_MAX))?;
        all.push((section, entries));
    }
    aside(move || pdf::typeset(&all, now)).await
}

/// Makes the parts of a statement that is sent as a whole.
struct Maker {
    sections: Sections,
    form: Form,
    about: String,
    handles: std::vec::IntoIter<u32>,
    now: i64,
    begun: bool,
    ended: bool,
    open: Option<Section>,
}

impl Maker {
    fn new(sections: Sections, form: Form, about: String, handles: Vec<u32>, now: i64) -> Maker {
        let handles = handles.into_iter();
        Maker { sections, form, about, handles, now, begun: false, ended: false, open: None }
    }

    /// The next part; `None` after the last.
    async fn part(&mut self) -> Result<Option<Vec<u8>>, ApiError> {
        if self.ended {
            return Ok(None);
        }
        let (form, now) = (self.form, self.now);
        let mut out = Vec::new();
        if !self.begun {
            self.begun = true;
            match form {
                Form::Camt => camt::begin(&self.about, now, &mut out),
                _ => csv::begin(&mut out),
            }
        }
        let section = match self.open.take() {
            Some(section) => section,
            None => match self.handles.next() {
                Some(handle) => {
                    let section = self.sections.open(handle, self.sections.period.start()).await?;
                    match form {
                        Form::Camt => camt::open(&section, now, &mut out)?,
                        _ => csv::open(&section, &mut out),
                    }
                    section
                }
                None => {
                    self.ended = true;
                    if form == Form::Camt {
                        camt::end(&mut out);
                    }
                    return Ok(Some(out));
                }
            },
        };
        let books = Arc::clone(self.sections.state.engine().books());
        let (section, out) = aside(move || write_lines(&books, section, form, out)).await?;
        self.open = (!section.is_over()).then_some(section);
        Ok(Some(out))
    }
}

/// Writes the lines of a section that are next, and its closing after the last.
fn write_lines(
    books: &Books,
    mut section: Section,
    form: Form,
    mut out: Vec<u8>,
) -> Result<(Section, Vec<u8>), ApiError> {
    let mut entries = Vec::new();
    section.advance(books, LINES_AT_ONCE, &mut entries)?;
    for entry in &entries {
        match form {
            Form::Camt => camt::entry(&section, entry, &mut out)?,
            _ => csv::entry(&section, entry, &mut out),
        }
    }
    if section.is_over() {
        match form {
            Form::Camt => camt::close(&section, &mut out)?,
            _ => csv::close(&section, &mut out),
        }
    }
    Ok((section, out))
}

/// Sends a statement. What is short is whole before it is sent; the rest is made while it is taken.
async fn stream(mut maker: Maker, form: Form) -> Answer {
    let mut first = Vec::new();
    while first.len() < FIRST_BYTES {
        match maker.part().await? {
            Some(mut part) => first.append(&mut part),
            None => return Ok(answer::with_type(StatusCode::OK, form.content_type(), first)),
        }
    }
    let (parts, taken) = mpsc::channel(PARTS_WAITING);
    tokio::spawn(async move {
        if parts.send(Ok(Bytes::from(first))).await.is_err() {
            return;
        }
        loop {
            let part = match maker.part().await {
                Ok(None) => return,
                Ok(Some(part)) => Ok(Bytes::from(part)),
                // The connection is cut, so that the client sees that the end is missing.
                Err(error) => Err(io::Error::other(error.message)),
            };
            let broken = part.is_err();
            if parts.send(part).await.is_err() || broken {
                return;
            }
        }
    });
    Ok(answer::with_type(StatusCode::OK, form.content_type(), Body::new(Parts(taken))))
}

/// A body that is made while it is sent.
struct Parts(mpsc::Receiver<io::Result<Bytes>>);

impl hyper::body::Body for Parts {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, ctx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        self.0.poll_recv(ctx).map(|part| part.map(|part| part.map(Frame::data)))
    }
}
