//! The only step of a change that reads: it puts into a command what the state does not hold.
//!
//! Who has a reference, how a hold ended, what a row says. A reference is found by its fingerprint; the record itself decides
//! whether it is that reference.

use crate::codec;
use crate::index::IndexFault;
use crate::reading::{BooksFault, reference_of};
use crate::writer::Writer;
use ledger::command::{Action, Ask, Command, Ended, Execute, HoldAsk, Party, Prior, Record, Refund, Settle};
use ledger::event::{Event, NO_BALANCE, Recorded};
use ledger::id::{Id, Prefix};
use ledger::row::{Flags, Parent, Row, Status};
use ledger::text;
use ledger::timers::Due;
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
            Command::Refund(refund) => self.gather_originals(refund),
            Command::Execute(_)
            | Command::CreateLedger(_)
            | Command::RenameLedger(_)
            | Command::CreateIdentity(_)
            | Command::CreateBalance(_) => Ok(()),
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
                record.priors.push(Prior { ask: number, of_outcome: false, row });
            }
            if record.queued
                && let Some(row) = self.holder(ask.outcome_fingerprint, reference, "_q")?
            {
                record.priors.push(Prior { ask: number, of_outcome: true, row });
            }
        }
        Ok(())
    }

    /// The row that has a reference, whose parts these are.
    fn holder(&mut self, fingerprint: u64, reference: &str, suffix: &str) -> Result<Option<Row>, GatherFault> {
        if self.references.contains_nothing(fingerprint) {
            return Ok(None);
        }
        let mut found = Vec::new();
        self.references.find(fingerprint, &mut found).map_err(GatherFault::Index)?;
        for number in found {
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
        for hold in &mut settle.holds {
            if self.state.holds.get(&hold.row).is_none() {
                hold.ended = Some(self.ended(hold.row)?);
            }
        }
        Ok(())
    }

    /// How a hold ended that is no longer open.
    fn ended(&self, row: u64) -> Result<Ended, GatherFault> {
        let mut found = Vec::new();
        self.children.find(row, &mut found).map_err(GatherFault::Index)?;
        let mut ended = Ended::NoHold;
        for number in found {
            match self.row(number)? {
                Some(child) if child.parent != Parent::Row(row) || !child.flags.has(Flags::SETTLEMENT) => {}
                Some(child) if child.status == Status::Void => return Ok(Ended::Voided),
                Some(_) => ended = Ended::Committed,
                None => {}
            }
        }
        Ok(ended)
    }

    fn gather_originals(&mut self, refund: &mut Refund) -> Result<(), GatherFault> {
        for original in &mut refund.originals {
            original.facts = self.row(original.row)?;
            let reference = original.reference.of(&refund.text);
            original.prior = self.holder(original.fingerprint, reference, "")?;
            if original.prior.is_none() && refund.queued {
                original.prior = self.holder(original.outcome_fingerprint, reference, "_q")?;
            }
        }
        Ok(())
    }

    /// Carries out what is due, as far as the open group has room.
    pub(crate) fn run_due(&mut self) {
        while let Some((at, row, due)) = self.state.timers.first() {
            let full = self.open.group.bytes_count() >= crate::limits::GROUP_BYTES_MAX;
            if at > self.clock.now() || full || self.health.stopped().is_some() {
                return;
            }
            let command = match self.due_command(row, due) {
                Ok(command) => command,
                Err(fault) => return self.health.stop(crate::fault_text(&fault)),
            };
            // Nobody asked, so nobody is answered; what came of it is in the rows. It always makes an event, which takes
            // the timer away; were it refused, the same timer would come round for ever.
            if let Err(answer) = self.change(command, 0) {
                return self.health.stop(format!("a timer of row {row} cannot be carried out: {answer:?}"));
            }
        }
    }

    fn due_command(&mut self, number: u64, due: Due) -> Result<Command, GatherFault> {
        let row = self.row(number)?.ok_or(GatherFault::Books(BooksFault::Row(number)))?;
        let event = self.recorded(&row)?;
        Ok(match due {
            Due::Execute => Command::Execute(self.execution(&row, &event)),
            Due::Commit => Command::Settle(self.settlement(&row, &event, Action::Commit)),
            Due::Expire => Command::Settle(self.settlement(&row, &event, Action::Void)),
        })
    }

    fn execution(&self, row: &Row, event: &Recorded) -> Execute {
        let movement = &event.movements[row.movement as usize];
        let mut arena = String::new();
        let mut copy = |span: text::Span| text::push(&mut arena, span.of(&event.text));
        let party = |handle: u32, named: text::Span, text: &str| match named.of(text).starts_with('@') {
            _ if handle != NO_BALANCE => Party::Handle(handle),
            true => Party::Indicator(named),
            false => Party::Unknown(named),
        };
        let (source, destination) = (copy(movement.source_text), copy(movement.destination_text));
        let (reference, description, metadata) =
            (copy(movement.reference), copy(movement.description), copy(movement.metadata));
        let currency = text::push(&mut arena, self.state.currencies.text(movement.currency));
        let ask = Ask {
            item: 0,
            leg: 0,
            source: party(movement.source, source, &arena),
            destination: party(movement.destination, destination, &arena),
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
            terms: movement.terms.clone(),
        };
        Execute { request: row.number, ask, text: arena, mismatch: self.mismatch }
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
        let reference = text::push(&mut arena, &reference);
        let hold = HoldAsk { row: row.number, ended: None, precision: row.precision, reference, description, metadata };
        Settle { action, holds: vec![hold], amount: None, queued: action == Action::Commit, text: arena }
    }
}
