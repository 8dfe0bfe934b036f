//! The only step of a change that reads: it puts into a command what the state does not hold.
//!
//! Who has a reference, how a hold ended, what a row says. A reference is found by its fingerprint; the record itself decides
//! whether it is that reference.

use crate::codec;
use crate::index::IndexFault;
use crate::known_keys;
use crate::limits;
use crate::reading::{BooksFault, reference_of};
use crate::writer::Writer;
use ledger::command::{
    Action, Ask, AssertBalance, Batch, Cancel, ChangeHold, Command, Ended, Execute, HoldAsk, Overdraft, Party, Prior,
    Record, Refund, Reschedule, Run, Scope, Settle, Terms,
};
use ledger::event::{Event, Group, NO_BALANCE, Recorded};
use ledger::id::{Id, Prefix};
use ledger::lineage::Part;
use ledger::row::{Flags, NO_ROW, Parent, Row, Status};
use ledger::state::State;
use ledger::text;
use ledger::timers::Due;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Why a command could not be gathered. The engine stops: what it needs cannot be read.
#[derive(Debug)]
pub enum GatherFault {
    /// An index could not be read.
    Index(IndexFault),
    /// A row or record could not be read.
    Books(BooksFault),
}

impl fmt::Display for GatherFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "what a change rests on cannot be read")
    }
}

impl std::error::Error for GatherFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            GatherFault::Index(source) => Some(source),
            GatherFault::Books(source) => Some(source),
        }
    }
}

/// How many fingerprints ahead the memory of the index is fetched.
const PREFETCH_AHEAD: usize = 16;

impl Writer {
    /// Fills in what a command leaves to be gathered.
    pub(crate) fn gather(&mut self, command: &mut Command) -> Result<(), GatherFault> {
        match command {
            Command::Record(record) => self.gather_references(record),
            Command::Settle(settle) => self.gather_holds(settle),
            Command::ChangeHold(change) => self.gather_hold(&mut change.hold),
            Command::Refund(refund) => self.gather_originals(refund),
            Command::Cancel(cancel) => self.gather_cancelled(cancel),
            Command::Reschedule(reschedule) => self.gather_rescheduled(reschedule),
            Command::AssertBalance(asserted) => self.gather_asserted(asserted),
            Command::Execute(_)
            | Command::CreateLedger(_)
            | Command::RenameLedger(_)
            | Command::CreateIdentity(_)
            | Command::CreateBalance(_)
            | Command::ReportBatch(_)
            | Command::RegisterCurrency(_)
            | Command::SetPolicy(_)
            | Command::ChangeMetadata(_)
            | Command::LinkIdentity(_)
            | Command::NameBalance(_)
            | Command::CreateAccount(_)
            | Command::CloseLedger(_)
            | Command::RecordTotals(_)
            | Command::DeleteAssertion(_)
            | Command::SetMonitor(_)
            | Command::DeleteMonitor(_)
            | Command::UpdateIdentity(_)
            | Command::DeleteIdentity(_)
            | Command::RevealIdentity(_)
            | Command::KeepKey(_) => Ok(()),
        }
    }

    fn gather_references(&mut self, record: &mut Record) -> Result<(), GatherFault> {
        for ask in record.asks.iter().take(PREFETCH_AHEAD) {
            self.references.prefetch(ask.fingerprint);
        }
        for (index, ask) in record.asks.iter().enumerate() {
            if let Some(ahead) = record.asks.get(index + PREFETCH_AHEAD) {
                self.references.prefetch(ahead.fingerprint);
                if record.queued {
                    self.references.prefetch(ahead.outcome_fingerprint);
                }
            }
            let reference = ask.reference.of(&record.text);
            let number = u32::try_from(index).expect("commands have few asks");
            if let Some(row) = self.holder(ask.fingerprint, reference, "")? {
                let same_names = self.same_names(ask, &record.text, &row)?;
                record.priors.push(Prior { ask: number, of_outcome: false, row, same_names });
            }
            if record.queued
                && let Some(row) = self.holder(ask.outcome_fingerprint, reference, "_q")?
            {
                let same_names = self.same_names(ask, &record.text, &row)?;
                record.priors.push(Prior { ask: number, of_outcome: true, row, same_names });
            }
        }
        Ok(())
    }

    /// Whether an ask names the parties that a row has no balance of as the row does.
    fn same_names(&mut self, ask: &Ask, text: &str, row: &Row) -> Result<bool, GatherFault> {
        if row.source != NO_BALANCE && row.destination != NO_BALANCE {
            return Ok(true);
        }
        let event = self.recorded(row)?;
        Ok(ask.names_as(text, &event.movements[row.movement as usize], &event.text))
    }

    /// The row that has a reference, whose parts these are.
    pub(crate) fn holder(
        &mut self,
        fingerprint: u64,
        reference: &str,
        suffix: &str,
    ) -> Result<Option<Row>, GatherFault> {
        if self.references.contains_nothing(fingerprint) {
            return Ok(None);
        }
        let mut found = Vec::new();
        self.references.find(fingerprint, &mut found).map_err(GatherFault::Index)?;
        for number in found {
            if known_keys::position_of(number).is_some() {
                continue;
            }
            let Some(row) = self.row(number)? else { continue };
            let held = reference_of(&self.recorded(&row)?, &row);
            // A scheduled request has the reference of its outcome too, before there is an outcome.
            let reserved = row.status == Status::Scheduled;
            if held.strip_prefix(reference) == Some(suffix) || reserved && suffix == "_q" && held == reference {
                return Ok(Some(row));
            }
            if reserved && suffix.is_empty() && reference.strip_suffix("_q") == Some(&held) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// A row, durable or not yet.
    pub(crate) fn row(&self, number: u64) -> Result<Option<Row>, GatherFault> {
        let pending = self.in_flight.iter().chain([&self.open]);
        for rows in pending.map(|pending| &pending.rows) {
            if let Some(first) = rows.first()
                && let Some(at) = number.checked_sub(first.number)
                && let Some(row) = rows.get(at as usize)
            {
                return Ok(Some(*row));
            }
        }
        self.books.row(number).map_err(GatherFault::Books)
    }

    /// The event of a row's record, durable or not yet.
    fn recorded(&mut self, row: &Row) -> Result<Recorded, GatherFault> {
        if let Ok(index) = self.open.positions.binary_search(&row.record) {
            let payload = self.open.group.payload(index);
            return match codec::decode(payload).expect("the writer encoded it itself") {
                Event::Recorded(event) => Ok(event),
                _ => unreachable!("rows come from recorded events"),
            };
        }
        if row.number >= self.books.rows.len() {
            self.wait_for_log();
        }
        self.books.recorded(row).map_err(GatherFault::Books)
    }

    fn gather_holds(&mut self, settle: &mut Settle) -> Result<(), GatherFault> {
        settle.holds.iter_mut().try_for_each(|hold| self.gather_hold(hold))
    }

    fn gather_hold(&mut self, hold: &mut HoldAsk) -> Result<(), GatherFault> {
        if self.state.holds.get(&hold.row).is_none() {
            let follows = self.row(hold.row)?.is_some_and(|row| row.flags.has(Flags::LINEAGE));
            hold.ended = Some(if follows { Ended::Follows } else { self.ended(hold.row)? });
        }
        Ok(())
    }

    /// How a hold ended that is no longer open: by the last of its settlements.
    fn ended(&self, row: u64) -> Result<Ended, GatherFault> {
        let last = self.children_of(row)?.into_iter().rfind(|child| child.flags.has(Flags::SETTLEMENT));
        Ok(match last {
            None => Ended::NoHold,
            Some(child) if child.status == Status::Void => Ended::Voided,
            Some(_) => Ended::Committed,
        })
    }

    /// The rows of other records whose parent is this row, oldest first.
    fn children_of(&self, parent: u64) -> Result<Vec<Row>, GatherFault> {
        let mut found = Vec::new();
        self.children.find(parent, &mut found).map_err(GatherFault::Index)?;
        found.sort_unstable();
        let mut rows = Vec::with_capacity(found.len());
        for number in found {
            rows.extend(self.row(number)?.filter(|child| child.parent == Parent::Row(parent)));
        }
        Ok(rows)
    }

    /// Whether more has come of what the id of a command stands for than the command names. Who makes a command looks that up
    /// before its turn comes; a command that misses something would do a part of what was asked.
    pub(crate) fn is_outdated(&self, command: &Command) -> Result<bool, GatherFault> {
        let (mut named, found): (Vec<u64>, Vec<u64>) = match command {
            Command::Settle(Settle { scope: Some(scope), holds, .. }) => {
                (holds.iter().map(|hold| hold.row).collect(), self.holds_of(*scope)?)
            }
            Command::ChangeHold(ChangeHold { scope: Some(scope), hold, .. }) => {
                (vec![hold.row], self.holds_of(*scope)?)
            }
            Command::Refund(Refund { scope: Some(scope), originals, .. }) => {
                (originals.iter().map(|original| original.row).collect(), self.originals_of(*scope)?)
            }
            Command::AssertBalance(AssertBalance { required: Some(found), .. }) => {
                return Ok(self.state.rows_count.saturating_sub(found.rows) > limits::REQUIRED_ROWS_MAX);
            }
            _ => return Ok(false),
        };
        named.sort_unstable();
        Ok(named != found)
    }

    /// The holds of a scope, open or not, oldest first: those among its rows, and those that its scheduled requests became.
    fn holds_of(&self, scope: Scope) -> Result<Vec<u64>, GatherFault> {
        let mut holds = Vec::new();
        for number in scope.first..scope.first + scope.count {
            let Some(row) = self.row(number)? else { continue };
            match row.status {
                Status::Inflight => holds.push(number),
                Status::Scheduled if row.flags.has(Flags::INFLIGHT) => {
                    let outcomes = self.children_of(number)?.into_iter();
                    holds.extend(outcomes.filter(|row| row.status == Status::Inflight).map(|row| row.number));
                }
                _ => {}
            }
        }
        holds.sort_unstable();
        Ok(holds)
    }

    /// What of a scope can be given back, oldest first: what was posted, by itself or of a hold, and voids when they count.
    fn originals_of(&self, scope: Scope) -> Result<Vec<u64>, GatherFault> {
        let mut originals = Vec::new();
        for number in scope.first..scope.first + scope.count {
            let Some(row) = self.row(number)? else { continue };
            let outcomes = if row.status == Status::Scheduled { self.children_of(number)? } else { vec![row] };
            for outcome in outcomes {
                match outcome.status {
                    Status::Applied => originals.push(outcome.number),
                    Status::Inflight => {
                        let mut ends = self.children_of(outcome.number)?;
                        ends.retain(|end| end.flags.has(Flags::SETTLEMENT));
                        ends.retain(|end| end.status == Status::Applied || scope.voids && end.status == Status::Void);
                        originals.extend(ends.iter().map(|end| end.number));
                    }
                    Status::Queued | Status::Scheduled | Status::Void | Status::Rejected => {}
                }
            }
        }
        originals.sort_unstable();
        Ok(originals)
    }

    fn gather_originals(&mut self, refund: &mut Refund) -> Result<(), GatherFault> {
        for original in &mut refund.originals {
            original.facts = self.row(original.row)?;
            let mut refunds = self.children_of(original.row)?;
            refunds.retain(|child| child.flags.has(Flags::REFUND));
            original.refunded = refunds.iter().map(|refund| refund.amount).collect();
            original.lineage = self.lineage_of(original.facts.as_ref())?;
            let first = original.reference.of(&refund.text).to_owned();
            let reference = self.refund_reference(&first, refunds.len(), refund.queued)?;
            if reference != first {
                original.reference = text::push(&mut refund.text, &reference);
                original.fingerprint = self.books.fingerprint(&reference);
                original.outcome_fingerprint = self.books.fingerprint_of_parts(&reference, "_q");
            }
        }
        Ok(())
    }

    /// The reference of a refund that comes after so many of the same original: with its number behind it from the second on, or a
    /// later number when a client has taken that. Who has taken them all does not hinder it either: then it has an id behind it
    /// that nobody can know before.
    fn refund_reference(&mut self, first: &str, before: usize, queued: bool) -> Result<String, GatherFault> {
        for number in before + 1..=before + limits::REFUND_NUMBERS_TRIED {
            let reference = if number == 1 { first.to_owned() } else { format!("{first}_{number}") };
            let mut holder = self.holder(self.books.fingerprint(&reference), &reference, "")?;
            if holder.is_none() && queued {
                let fingerprint = self.books.fingerprint_of_parts(&reference, "_q");
                holder = self.holder(fingerprint, &reference, "_q")?;
            }
            if holder.is_none() {
                return Ok(reference);
            }
        }
        let own = Id::new(self.clock.now(), self.seeds.make() >> 24, self.seeds.make());
        Ok(format!("{first}_{own}"))
    }

    /// What the lineage of a row posted, if one of its sides is tracked.
    fn lineage_of(&mut self, row: Option<&Row>) -> Result<Vec<Part>, GatherFault> {
        let traced = |row: &&Row| [row.source, row.destination].iter().any(|side| self.state.tracked(*side).is_some());
        let Some(row) = row.filter(traced) else { return Ok(Vec::new()) };
        Ok(self.recorded(row)?.posted_parts(row.movement))
    }

    /// A group is moved once, however often it is named. Who asks for another amount knows that each runs by itself: a group
    /// of several that came so far would stop the writer when its time has come, at every start.
    fn gather_rescheduled(&mut self, reschedule: &mut Reschedule) -> Result<(), GatherFault> {
        name_once(&mut reschedule.groups);
        if reschedule.amount.is_none() {
            return Ok(());
        }
        for &group in &reschedule.groups {
            if self.state.scheduled.get(&group).is_some() {
                let runs = self.runs(group, &mut String::new())?;
                assert_eq!(runs.len(), 1, "the edge gives another amount only to what runs by itself");
            }
        }
        Ok(())
    }

    /// What a balance was at a moment, when it must be what it is said to have been: what its maker found, and the rows since.
    fn gather_asserted(&mut self, asserted: &mut AssertBalance) -> Result<(), GatherFault> {
        let AssertBalance { balance, as_of, before_row, required: Some(found), .. } = asserted else { return Ok(()) };
        let Some(handle) = self.state.find_balance(*balance) else { return Ok(()) };
        let mut number = self.state.balance(handle).history.newest();
        while number != NO_ROW && number >= found.rows {
            let row = self.row(number)?.ok_or(GatherFault::Books(BooksFault::Row(number)))?;
            if row.status == Status::Applied && (row.effective_at, number) < (*as_of, *before_row) {
                found.amount += if row.destination == handle { row.amount } else { 0 };
                found.amount -= if row.source == handle { row.amount } else { 0 };
            }
            number = if row.source == handle { row.source_links.previous } else { row.destination_links.previous };
        }
        found.rows = self.state.rows_count;
        Ok(())
    }

    fn gather_cancelled(&mut self, cancel: &mut Cancel) -> Result<(), GatherFault> {
        name_once(&mut cancel.groups);
        for &group in &cancel.groups {
            if self.state.scheduled.get(&group).is_some() {
                let runs = self.runs(group, &mut cancel.text)?;
                cancel.runs.extend(runs);
            }
        }
        Ok(())
    }

    /// The event that was recorded with a key.
    pub(crate) fn find_key(&mut self, name: &str) -> Result<Option<Event>, GatherFault> {
        if let Some(position) = self.open.kept.get(name) {
            let index = self.open.positions.binary_search(position).expect("it is in the open group");
            let event = codec::decode(self.open.group.payload(index)).expect("the writer encoded it itself");
            return Ok(Some(event));
        }
        if self.in_flight.as_ref().is_some_and(|pending| pending.kept.contains_key(name)) {
            self.wait_for_log();
        }
        let mut found = Vec::new();
        self.references.find(self.books.fingerprint_of_key(name), &mut found).map_err(GatherFault::Index)?;
        for number in found {
            if let Some(position) = known_keys::position_of(number) {
                match self.books.event(position).map_err(GatherFault::Books)? {
                    Event::KeyKept(event) if event.key.name == name => return Ok(Some(Event::KeyKept(event))),
                    _ => continue,
                }
            }
            let Some(row) = self.row(number)? else { continue };
            let event = self.recorded(&row)?;
            if event.first_row == number && event.key.as_ref().is_some_and(|key| key.name == name) {
                return Ok(Some(Event::Recorded(event)));
            }
        }
        Ok(None)
    }

    /// Carries out what is due, as far as the open group has room.
    pub(crate) fn run_due(&mut self) {
        while let Some((at, row, due)) = self.state.timers.first() {
            let full = self.open.group.bytes_count() >= limits::GROUP_BYTES_MAX;
            if at > self.clock.now() || full || self.health.stopped().is_some() {
                return;
            }
            let command = match self.due_command(row, due) {
                Ok(command) => command,
                Err(fault) => return self.health.stop(crate::fault_text(&fault)),
            };
            // Nobody asked, so nobody is answered; what came of it is in the rows. It always makes an event, which takes
            // the timer away; were it refused, the same timer would come round for ever.
            if let Err(answer) = self.change(command, None, 0) {
                return self.health.stop(format!("a timer of row {row} cannot be carried out: {answer:?}"));
            }
        }
    }

    fn due_command(&mut self, number: u64, due: Due) -> Result<Command, GatherFault> {
        let action = match due {
            Due::Execute => {
                let mut text = String::new();
                let runs = self.runs(number, &mut text)?;
                let batch = self.last_waiting.as_ref().map(|waiting| waiting.event.batch);
                let atomic = batch == Some(Batch::Atomic);
                return Ok(Command::Execute(Execute { runs, text, mismatch: self.mismatch, atomic }));
            }
            Due::Commit => Action::Commit,
            Due::Expire => Action::Void,
        };
        let row = self.row(number)?.ok_or(GatherFault::Books(BooksFault::Row(number)))?;
        let event = self.recorded(&row)?;
        Ok(Command::Settle(self.settlement(&row, &event, action)))
    }

    /// The requests of a group that waits, named by the row of its first. Requests of one record are often due one after the
    /// other, so the last record is kept.
    fn runs(&mut self, group: u64, arena: &mut String) -> Result<Vec<Run>, GatherFault> {
        let row = self.row(group)?.ok_or(GatherFault::Books(BooksFault::Row(group)))?;
        let waiting = match self.last_waiting.take() {
            Some(last) if last.record == row.record => last,
            _ => Waiting::of(row.record, self.recorded(&row)?),
        };
        let of_group = waiting.groups.get(&group).ok_or(GatherFault::Books(BooksFault::Row(group)))?;
        let runs = of_group.requests.iter().map(|request| Run {
            request: request.row,
            ask: ask_of(&waiting.event, request.movement, &self.state, arena),
        });
        let runs = runs.collect();
        self.last_waiting = Some(waiting);
        Ok(runs)
    }

    fn settlement(&mut self, row: &Row, event: &Recorded, action: Action) -> Settle {
        let movement = &event.movements[row.movement as usize];
        let mut arena = String::new();
        let description = text::push(&mut arena, movement.description.of(&event.text));
        let metadata = text::push(&mut arena, movement.metadata.of(&event.text));
        let own = Id::new(self.clock.now(), self.seeds.make() >> 24, self.seeds.make());
        let reference = match action {
            Action::Commit => format!("{}_commit_act_{own}", row.id().text(Prefix::Transaction)),
            Action::Void => own.text(Prefix::Reference),
        };
        let hold = HoldAsk {
            row: row.number,
            ended: None,
            precision: row.precision,
            overdraft: Overdraft::NONE,
            reference: text::push(&mut arena, &reference),
            description,
            metadata,
        };
        let queued = action == Action::Commit;
        let (scope, holds) = (None, vec![hold]);
        Settle { scope, action, holds, amount: None, over_capture: false, passes_ended: false, queued, text: arena }
    }
}

fn name_once(groups: &mut Vec<u64>) {
    let mut named = BTreeSet::new();
    groups.retain(|group| named.insert(*group));
}

/// A record with requests that wait, and how they run.
pub(crate) struct Waiting {
    /// Where the record is.
    record: u64,
    event: Recorded,
    /// By the row of the first request.
    groups: BTreeMap<u64, Group>,
}

impl Waiting {
    fn of(record: u64, event: Recorded) -> Waiting {
        let groups = event.waiting().into_iter().map(|group| (group.first_row(), group)).collect();
        Waiting { record, event, groups }
    }
}

/// What was asked when a request was scheduled.
fn ask_of(event: &Recorded, movement: u32, state: &State, arena: &mut String) -> Ask {
    let movement = &event.movements[movement as usize];
    let mut copy = |span: text::Span| text::push(arena, span.of(&event.text));
    let (source, destination) = (copy(movement.source_text), copy(movement.destination_text));
    let (reference, description, metadata) =
        (copy(movement.reference), copy(movement.description), copy(movement.metadata));
    let provider = copy(movement.terms().provider);
    let currency = text::push(arena, state.currencies.text(movement.currency));
    let party = |handle: u32, named: text::Span| match named.of(arena).starts_with('@') {
        _ if handle != NO_BALANCE => Party::Handle(handle),
        true => Party::Indicator(named),
        false => Party::Unknown(named),
    };
    Ask {
        item: movement.item,
        leg: 0,
        source: party(movement.source, source),
        destination: party(movement.destination, destination),
        amount: movement.amount,
        precision: movement.precision,
        currency,
        reference,
        fingerprint: 0,
        outcome_fingerprint: 0,
        description,
        metadata,
        allow_overdraft: movement.allow_overdraft,
        inflight: movement.inflight,
        atomic: movement.atomic,
        terms: Terms { provider, ..movement.terms().clone() }.boxed(),
    }
}
