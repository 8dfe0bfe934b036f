//! The writer loop: one thread that orders all changes.
//!
//! ```text
//! wake ─▶ take requests: gather ─▶ decide ─▶ apply ─▶ encode into the open group
//!      ─▶ due timers, the same way
//!      ─▶ hand the open group to the log, if that is free
//!      ─▶ when it is durable: publish its rows, send its answers
//! ```
//!
//! Phases and order: an event is applied to the writer's own state at once, so that the next command of the group is decided
//! against it; nobody else sees that state. Rows, names and answers leave only in [`Writer::publish`], after the sync. A read
//! that looks at the state is answered with the group whose changes it may have seen. When a sync fails nothing of that group
//! leaves, no command is taken any more, and the journal decides at the next start what happened.
//!
//! Bounds: the queues by [`limits::QUEUE_REQUESTS_MAX`] and [`limits::QUEUE_POSTINGS_MAX`] (kept where requests enter), a
//! group by [`limits::GROUP_BYTES_MAX`] and [`limits::GROUP_REQUESTS_MAX`]. One group is being written, one is open.

pub(crate) mod checkpoints;
mod lineage;
pub(crate) mod publish;

use crate::answer::{Answer, Recorded, Trial, Unavailable, Untried};
use crate::clock::{Clock, Seeds};
use crate::codec;
use crate::gather::{GatherFault, Waiting};
use crate::index::Index;
use crate::known_keys;
use crate::limits;
use crate::log::{Log, Written};
use crate::reading::Books;
use checkpoints::Checkpoints;
use journal::appender::Appender;
use journal::open::RECORD_BYTES_MAX;
use ledger::apply::apply;
use ledger::command::{Batch, Command, Moment};
use ledger::decide::{Decision, Known, decide};
use ledger::draft::Scratch;
use ledger::event::{
    AssertionDeleted, BalanceAsserted, ClosingTotalled, Event, Key, KeyKept, LedgerClosed, MonitorDeleted, MonitorSet,
    Outcome,
};
use ledger::monitor::Defined;
use ledger::projection::steps;
use ledger::rejection::Refused;
use ledger::row::{Flags, Parent, Row, Status};
use ledger::state::State;
use publish::Pending;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

/// Everything that can wake the writer.
pub enum Wake {
    /// A request arrived.
    Request(Request),
    /// The log thread is done with a group.
    Synced(Box<Written>),
    /// A checkpoint was written, or could not be.
    Checkpoint(checkpoints::Finished),
    /// The engine is closing.
    Stop,
}

/// What may be asked of the writer.
#[expect(clippy::large_enum_variant, reason = "nearly every request is a change")]
pub enum Request {
    /// Carry out a command.
    Change {
        /// The command.
        command: Command,
        /// The key that it was sent with.
        key: Option<KeyAsk>,
        /// How many rows the answer is to carry.
        rows_wanted: usize,
        /// Called once with the answer.
        reply: Reply,
    },
    /// Say what would become of commands, each by itself.
    Try {
        /// The commands.
        commands: Vec<Command>,
        /// Called once with the answer.
        reply: Box<dyn FnOnce(Result<Vec<Trial>, Untried>) + Send>,
    },
    /// Look at the state.
    Read(Query),
}

/// The key that a command was sent with, so that it is carried out once however often it is sent.
#[derive(Clone, Debug)]
pub struct KeyAsk {
    /// The key, as the caller chose it.
    pub name: String,
    /// A hash of all that was sent with it.
    pub request: [u8; 32],
}

/// Called with the answer to a command.
pub type Reply = Box<dyn FnOnce(Answer) + Send>;
/// Looks at the state; what it answers is called when all that it may have seen is durable, and dropped if that fails.
pub type Query = Box<dyn FnOnce(&View<'_>) -> Delivery + Send>;
/// Delivers what a query found.
pub type Delivery = Box<dyn FnOnce() + Send>;

/// What a query may look at.
pub struct View<'a> {
    /// The state.
    pub state: &'a State,
    /// The moment that a change would have now, microseconds since 1970.
    pub now: i64,
    references: &'a Index,
    children: &'a Index,
}

impl View<'_> {
    /// The rows whose reference has this fingerprint; nearly always one or none. The caller compares the reference.
    pub fn rows_of_reference(&self, fingerprint: u64) -> Result<Vec<u64>, crate::index::IndexFault> {
        let mut found = Vec::new();
        self.references.find(fingerprint, &mut found)?;
        found.retain(|value| known_keys::position_of(*value).is_none());
        Ok(found)
    }

    /// The rows that name a row as their parent, newest first, without the outcome that stands beside its request. The
    /// caller compares the parent.
    pub fn children(&self, row: u64) -> Result<Vec<u64>, crate::index::IndexFault> {
        let mut found = Vec::new();
        self.children.find(row, &mut found)?;
        Ok(found)
    }
}

/// How the engine is, for whoever asks.
#[derive(Default)]
pub struct Health {
    stopped: Mutex<Option<String>>,
    /// Requests that wait for the writer.
    pub(crate) requests_waiting: AtomicUsize,
    /// Transactions that wait for the writer.
    pub(crate) postings_waiting: AtomicUsize,
}

impl Health {
    fn stopped_slot(&self) -> MutexGuard<'_, Option<String>> {
        self.stopped.lock().expect("no holder panics")
    }

    /// Why the engine takes no changes, if it does not.
    pub fn stopped(&self) -> Option<String> {
        self.stopped_slot().clone()
    }

    pub(crate) fn stop(&self, reason: String) {
        self.stopped_slot().get_or_insert(reason);
    }
}

/// How many transactions a request asks for.
pub(crate) fn postings_of(request: &Request) -> usize {
    match request {
        Request::Change { command, .. } => postings_of_command(command),
        Request::Try { commands, .. } => commands.iter().map(postings_of_command).sum(),
        Request::Read(_) => 1,
    }
}

fn postings_of_command(command: &Command) -> usize {
    match command {
        Command::Record(record) => record.asks.len(),
        Command::Settle(settle) => settle.holds.len(),
        Command::Refund(refund) => refund.originals.len(),
        Command::Cancel(cancel) => cancel.groups.len(),
        Command::Reschedule(reschedule) => reschedule.groups.len(),
        _ => 1,
    }
}

/// The writer's own things.
pub struct Writer {
    pub(crate) state: State,
    pub(crate) scratch: Scratch,
    pub(crate) references: Index,
    pub(crate) children: Index,
    pub(crate) books: Arc<Books>,
    pub(crate) health: Arc<Health>,
    pub(crate) clock: Clock,
    pub(crate) seeds: Seeds,
    pub(crate) wakes: Receiver<Wake>,
    pub(crate) log: Log,
    /// Away while the log thread writes with it.
    pub(crate) appender: Option<Appender>,
    /// The group that is being filled, and what leaves when it is durable.
    pub(crate) open: Pending,
    /// What leaves when the group that is being written is durable.
    pub(crate) in_flight: Option<Pending>,
    /// Memory of a group that was written, to be used again.
    pub(crate) spare: Option<Pending>,
    /// Requests that arrived while the writer waited for the log.
    pub(crate) backlog: VecDeque<Request>,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) stopping: bool,
    pub(crate) mismatch: ledger::command::Mismatch,
    /// The record of the scheduled requests that ran last.
    pub(crate) last_waiting: Option<Waiting>,
}

impl Writer {
    /// Runs until the engine closes. Everything that was taken is answered before.
    pub fn run(mut self) {
        loop {
            let wake = self.receive();
            if self.turn(wake) {
                break;
            }
        }
        self.close();
    }

    /// Whether something was taken whose outcome is not durable yet.
    pub(crate) fn is_busy(&self) -> bool {
        self.in_flight.is_some() || !self.open.is_idle() || !self.backlog.is_empty()
    }

    /// One round: what woke the writer, what waits, what is due. Never waits for a request. True when there is nothing left to do
    /// and the engine is closing.
    pub(crate) fn turn(&mut self, wake: Option<Wake>) -> bool {
        let mut idle = wake.is_none();
        if let Some(wake) = wake {
            self.handle(wake);
        }
        idle &= !self.take_waiting();
        self.run_due();
        self.hand_over();
        self.checkpoint();
        if idle && !self.is_busy() {
            self.mark_reached();
        }
        self.stopping && !self.is_busy()
    }

    /// Waits for the next wake-up, until a timer is due at the latest.
    fn receive(&mut self) -> Option<Wake> {
        if !self.backlog.is_empty() && self.has_room() {
            return None;
        }
        let now = self.clock.now();
        let until_due =
            self.state.timers.first().map(|(at, _, _)| Duration::from_micros(at.saturating_sub(now).max(0) as u64));
        let blocked = self.in_flight.is_some() || self.health.stopped().is_some();
        let wait =
            if blocked { limits::IDLE_WAIT } else { until_due.unwrap_or(limits::IDLE_WAIT).min(limits::IDLE_WAIT) };
        match self.wakes.recv_timeout(wait) {
            Ok(wake) => Some(wake),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Wake::Stop),
        }
    }

    fn handle(&mut self, wake: Wake) {
        match wake {
            Wake::Request(request) if self.has_room() && self.backlog.is_empty() => self.take(request),
            Wake::Request(request) => self.backlog.push_back(request),
            Wake::Synced(written) => self.synced(*written),
            Wake::Checkpoint(finished) => self.checkpoint_finished(finished),
            Wake::Stop => self.stopping = true,
        }
    }

    /// Takes what waits, without waiting for more, while the open group has room. Answers whether something did.
    fn take_waiting(&mut self) -> bool {
        let mut taken = false;
        while self.has_room() {
            if let Some(request) = self.backlog.pop_front() {
                self.take(request);
                taken = true;
                continue;
            }
            match self.wakes.try_recv() {
                Ok(wake) => self.handle(wake),
                Err(TryRecvError::Empty) => break,
                Err(TryRecvError::Disconnected) => {
                    self.stopping = true;
                    break;
                }
            }
            taken = true;
        }
        taken
    }

    fn has_room(&self) -> bool {
        self.open.group.bytes_count() < limits::GROUP_BYTES_MAX && self.open.requests_count < limits::GROUP_REQUESTS_MAX
    }

    /// Waits until no group is being written. Requests that arrive meanwhile wait in the backlog.
    pub(crate) fn wait_for_log(&mut self) {
        while self.in_flight.is_some() {
            if let Some(written) = self.log.work(false) {
                self.synced(written);
                continue;
            }
            match self.wakes.recv() {
                Ok(Wake::Request(request)) => self.backlog.push_back(request),
                Ok(wake) => self.handle(wake),
                Err(_) => unreachable!("the log thread holds a sender while it writes"),
            }
        }
    }

    /// Carries out one request, as far as memory goes.
    fn take(&mut self, request: Request) {
        self.health.requests_waiting.fetch_sub(1, Ordering::Relaxed);
        self.health.postings_waiting.fetch_sub(postings_of(&request), Ordering::Relaxed);
        match request {
            Request::Read(query) => self.read(query),
            Request::Try { commands, reply } => self.try_all(commands, reply),
            Request::Change { command, key, rows_wanted, reply } => match self.change_once(command, key, rows_wanted) {
                Ok(answer) => self.answer_when_durable(reply, answer),
                // A refusal may rest on changes that are not durable yet: it leaves with them.
                Err(answer @ (Answer::Refused(_) | Answer::KeyTaken | Answer::Outdated)) => {
                    self.answer_when_durable(reply, answer);
                }
                Err(answer) => reply(answer),
            },
        }
    }

    /// Decides commands and does nothing of it. What is answered rests on changes that may not be durable yet.
    fn try_all(&mut self, commands: Vec<Command>, reply: Box<dyn FnOnce(Result<Vec<Trial>, Untried>) + Send>) {
        let trials: Result<Vec<Trial>, Answer> = commands.into_iter().map(|command| self.attempt(command)).collect();
        let trials = trials.map_err(|answer| match answer {
            Answer::Unavailable(why) => Untried::Unavailable(why),
            Answer::Outdated => Untried::Outdated,
            other => unreachable!("nothing else ends a trial: {other:?}"),
        });
        let delivery: Delivery = Box::new(move || reply(trials));
        match self.seen_by_readers() {
            Some(pending) => pending.deliveries.push(delivery),
            None => delivery(),
        }
    }

    fn attempt(&mut self, mut command: Command) -> Result<Trial, Answer> {
        self.check_health()?;
        self.check_up_to_date(&command)?;
        self.gather_or_stop(&mut command)?;
        if let Command::Record(record) = &mut command {
            record.trial = true;
            record.goes_on = record.batch == Batch::Independent;
        }
        let moment = self.moment();
        let mut decided = decide(&self.state, &mut self.scratch, command, moment);
        let mut followed = Vec::new();
        if let Ok(Decision { event: Some(Event::Recorded(event)), .. }) = &mut decided {
            // The event is what was asked for; what follows is told apart.
            followed = event.movements.split_off(event.main_movements().len());
        }
        let steps = match &decided {
            Ok(Decision { event: Some(Event::Recorded(event)), .. }) => steps(&self.state, event),
            _ => Vec::new(),
        };
        Ok(Trial { decided, steps, followed })
    }

    fn read(&mut self, query: Query) {
        if self.health.stopped().is_some() {
            return;
        }
        let now = self.moment_at();
        let view = View { state: &self.state, now, references: &self.references, children: &self.children };
        let delivery = query(&view);
        match self.seen_by_readers() {
            Some(pending) => pending.deliveries.push(delivery),
            None => delivery(),
        }
    }

    /// The pending group whose changes whoever looks at the state now may see; `None` when all of them are durable.
    fn seen_by_readers(&mut self) -> Option<&mut Pending> {
        if self.open.group.is_empty() { self.in_flight.as_mut() } else { Some(&mut self.open) }
    }

    fn answer_when_durable(&mut self, reply: Reply, answer: Answer) {
        match self.seen_by_readers() {
            Some(pending) => {
                pending.requests_count += 1;
                pending.replies.push((reply, answer));
            }
            None => reply(answer),
        }
    }

    /// Carries out a command, unless one with its key was carried out before.
    fn change_once(&mut self, command: Command, key: Option<KeyAsk>, rows_wanted: usize) -> Result<Answer, Answer> {
        let Some(asked) = key else { return self.change(command, None, rows_wanted) };
        self.check_health()?;
        let event = self.find_key(&asked.name).map_err(|fault| self.stop_for(&fault))?;
        let event = match event {
            Some(Event::Recorded(event)) => event,
            Some(Event::KeyKept(KeyKept { key, .. })) if key.request == asked.request => {
                return self.nothing_new(key.known, key.refused, true);
            }
            Some(_) => return Err(Answer::KeyTaken),
            None => return self.change(command, Some(asked), rows_wanted),
        };
        let key = event.key.as_ref().expect("it was found by its key");
        if key.request != asked.request {
            return Err(Answer::KeyTaken);
        }
        let (known, refused) = (key.known.clone(), key.refused.clone());
        let wanted = event.main_rows_count().min(rows_wanted.min(limits::ANSWER_ROWS_MAX) as u64);
        let mut rows = Vec::new();
        for number in event.first_row..event.first_row + wanted {
            rows.extend(self.row(number).map_err(|fault| self.stop_for(&fault))?);
        }
        Ok(Answer::Recorded(Recorded {
            rows,
            rows_count: event.main_rows_count(),
            batch: event.batch_id(),
            known,
            refused,
            event: Some(Arc::new(event)),
            replayed: true,
        }))
    }

    /// Gathers, decides, applies and encodes a command.
    pub(crate) fn change(
        &mut self,
        mut command: Command,
        key: Option<KeyAsk>,
        rows_wanted: usize,
    ) -> Result<Answer, Answer> {
        self.check_health()?;
        self.check_up_to_date(&command)?;
        self.gather_or_stop(&mut command)?;
        self.check_health()?;
        let moment = self.moment();
        let keeps_key = matches!(command, Command::KeepKey(_));
        let decision = decide(&self.state, &mut self.scratch, command, moment).map_err(Answer::Refused)?;
        let Decision { event, known, refused } = decision;
        match event {
            Some(Event::Recorded(mut event)) => {
                self.name_lineage(&mut event).map_err(|fault| self.stop_for(&fault))?;
                event.key = key.map(|KeyAsk { name, request }| {
                    Box::new(Key { name, request, known: known.clone(), refused: refused.clone() })
                });
                self.add(Event::Recorded(event), known, refused, rows_wanted)
            }
            Some(event) => self.add(event, known, refused, rows_wanted),
            None if known.is_empty() && refused.is_empty() && !keeps_key => Ok(Answer::Unchanged),
            None => {
                if let Some(KeyAsk { name, request }) = key {
                    let key = Key { name, request, known: known.clone(), refused: refused.clone() };
                    self.add(Event::KeyKept(KeyKept { at: moment.at, key }), Vec::new(), Vec::new(), 0)?;
                }
                self.nothing_new(known, refused, false)
            }
        }
    }

    fn check_up_to_date(&self, command: &Command) -> Result<(), Answer> {
        let outdated = self.is_outdated(command).map_err(|fault| self.stop_for(&fault))?;
        if outdated { Err(Answer::Outdated) } else { Ok(()) }
    }

    fn gather_or_stop(&mut self, command: &mut Command) -> Result<(), Answer> {
        self.gather(command).map_err(|fault| self.stop_for(&fault))
    }

    fn stop_for(&self, fault: &GatherFault) -> Answer {
        let reason = crate::fault_text(fault);
        self.health.stop(reason.clone());
        Answer::Unavailable(Unavailable::Stopped(reason))
    }

    fn moment(&mut self) -> Moment {
        Moment { at: self.moment_at(), seed: self.seeds.make() }
    }

    /// When what is decided now happens. Time does not go back.
    fn moment_at(&self) -> i64 {
        self.clock.now().max(self.state.latest_at)
    }

    fn check_health(&self) -> Result<(), Answer> {
        match self.health.stopped() {
            Some(reason) => Err(Answer::Unavailable(Unavailable::Stopped(reason))),
            None => Ok(()),
        }
    }

    /// Writes an event into the open group and applies it.
    fn add(
        &mut self,
        event: Event,
        known: Vec<Known>,
        refused: Vec<Refused>,
        rows_wanted: usize,
    ) -> Result<Answer, Answer> {
        self.check_run_fits(&event)?;
        let pushed = self.open.group.push(|out| codec::encode(&event, out));
        let pushed = pushed.map_err(|_| Answer::Unavailable(Unavailable::TooLarge))?;
        self.open.positions.push(pushed.position);
        let made = match &event {
            Event::LedgerCreated(_) => self.state.ledgers.len() as u32,
            Event::LedgerRenamed(event) => event.ledger,
            Event::IdentityCreated(_) => self.state.identities.len() as u32,
            Event::BalanceCreated(_) | Event::Recorded(_) => self.state.balances.len() as u32,
            Event::CurrencyRegistered(event) => {
                self.state.currencies.find(&event.code).unwrap_or(self.state.currencies.len() as u32)
            }
            Event::PolicySet(event) => event.balance,
            Event::IdentityChanged(event) => event.identity,
            Event::IdentityDeleted(event) => event.identity,
            Event::IdentityRevealed(event) => event.identity,
            Event::MonitorSet(MonitorSet { id, .. }) | Event::MonitorDeleted(MonitorDeleted { id, .. }) => {
                u32::try_from(id.row()).expect("monitors are limited")
            }
            Event::AccountCreated(_) => self.state.accounts.len() as u32,
            Event::BalanceLinked(event) => event.balance,
            Event::BalanceNamed(event) => event.balance,
            Event::LedgerClosed(LedgerClosed { id, .. })
            | Event::ClosingTotalled(ClosingTotalled { closing: id, .. })
            | Event::BalanceAsserted(BalanceAsserted { id, .. })
            | Event::AssertionDeleted(AssertionDeleted { id, .. }) => {
                u32::try_from(id.row()).expect("closings and assertions are limited")
            }
            Event::Rescheduled(_) | Event::BatchFailed(_) | Event::MetadataChanged(_) => 0,
            Event::KeyKept(_) => 0,
        };
        let currencies_before = self.state.currencies.len();
        let balances_before = self.state.balances.len();
        let rows_before = self.open.rows.len();
        apply(&mut self.state, &event, pushed.position, &mut self.open.rows);
        for handle in balances_before..self.state.balances.len() {
            self.open.balances.push(self.state.balance_id(handle as u32));
        }
        let new_currencies = self.state.currencies.iter().skip(currencies_before).map(Arc::from);
        self.open.currencies.extend(new_currencies);
        if let Event::CurrencyRegistered(event) = &event {
            self.open.registered.push((event.code.as_str().into(), event.precision));
        }
        if let Event::MetadataChanged(event) = &event {
            self.open.noted.push((event.subject, pushed.position));
        }
        if let Event::KeyKept(event) = &event {
            self.open.kept.insert(event.key.name.clone(), pushed.position);
        }
        if let Event::MonitorSet(MonitorSet { first_row, .. })
        | Event::MonitorDeleted(MonitorDeleted { first_row, .. }) = event
        {
            self.open.changes.push(Defined { record: pushed.position, first_row });
        }
        let event = match event {
            Event::Recorded(event) => event,
            Event::Rescheduled(event) => return Ok(Answer::Rescheduled(event.groups)),
            other => return Ok(Answer::Made { handle: made, at: other.at() }),
        };
        index_key(&self.books, &mut self.references, &event);
        for index in rows_before..self.open.rows.len() {
            let row = self.open.rows[index];
            index_row(&self.books, &mut self.references, &mut self.children, &event, &row);
        }
        let rows = &self.open.rows[rows_before..];
        let rows = if event.has_lineage() { &rows[..event.main_rows_count() as usize] } else { rows };
        Ok(Answer::Recorded(Recorded {
            rows: rows.iter().copied().take(rows_wanted.min(limits::ANSWER_ROWS_MAX)).collect(),
            rows_count: rows.len() as u64,
            batch: event.batch_id(),
            known,
            refused,
            event: (rows_wanted > 0).then(|| Arc::new(event)),
            replayed: false,
        }))
    }

    /// Sees that what is scheduled can run. The event of a run says nearly what the request said; were it larger than a
    /// record may be, the timer could never be carried out.
    fn check_run_fits(&self, event: &Event) -> Result<(), Answer> {
        let Event::Recorded(recorded) = event else { return Ok(()) };
        if !recorded.movements.iter().any(|movement| movement.outcome == Outcome::Scheduled) {
            return Ok(());
        }
        let mut bytes = Vec::new();
        codec::encode(event, &mut bytes);
        let bytes_max = self.checkpoints.segment_bytes.saturating_sub(4096).min(u64::from(RECORD_BYTES_MAX));
        let more = recorded.movements.len() * limits::RUN_BYTES_MORE_MAX + self.lineage_bytes_of_run(recorded);
        let fits = (bytes.len() + more) as u64 <= bytes_max;
        if fits { Ok(()) } else { Err(Answer::Unavailable(Unavailable::TooLarge)) }
    }

    /// Everything that was asked is known, or was refused. The answer has the rows of the first time.
    fn nothing_new(&mut self, known: Vec<Known>, refused: Vec<Refused>, replayed: bool) -> Result<Answer, Answer> {
        let mut rows = Vec::new();
        for known in known.iter().take(limits::ANSWER_ROWS_MAX) {
            rows.extend(self.row(known.row).map_err(|fault| self.stop_for(&fault))?);
        }
        Ok(Answer::Recorded(Recorded { batch: None, rows, rows_count: 0, known, refused, event: None, replayed }))
    }
}

/// Enters the key of an event into the index of references, if it has one.
pub(crate) fn index_key(books: &Books, references: &mut Index, event: &ledger::event::Recorded) {
    if let Some(key) = &event.key {
        references.insert(books.fingerprint_of_key(&key.name), event.first_row);
    }
}

/// Enters a row into the indexes: its reference, and its parent when that is in another record.
pub(crate) fn index_row(
    books: &Books,
    references: &mut Index,
    children: &mut Index,
    event: &ledger::event::Recorded,
    row: &Row,
) {
    let reference = event.movements[row.movement as usize].reference.of(&event.text);
    if !reference.is_empty() {
        let outcome = row.flags.has(Flags::OUTCOME) || row.flags.has(Flags::EXECUTION);
        let suffix = if outcome { "_q" } else { "" };
        references.insert(books.fingerprint_of_parts(reference, suffix), row.number);
        if row.status == Status::Scheduled {
            references.insert(books.fingerprint_of_parts(reference, "_q"), row.number);
        }
    }
    if let Parent::Row(parent) = row.parent
        && !row.flags.has(Flags::OUTCOME)
    {
        children.insert(parent, row.number);
    }
}
