//! An in-memory book around the pure crate: what the engine does with disks and threads, done with maps. For tests only.
//!
//! Every command is gathered, decided twice and applied, and the auditor looks at what came of it. Time only moves when a
//! test says so, and all random bits come from the seed of the book.

use crate::support::auditor::Auditor;
use crate::support::digest::digest;
use crate::support::order::{self, Order};
use crate::support::random::Random;
use ledger::apply::apply;
use ledger::command::{Action, Ask, Batch, Command, Ended, Execute, HoldAsk, Mismatch, Moment, Original};
use ledger::command::{Party, Prior, Record, Refund, Settle};
use ledger::decide::{Decision, decide};
use ledger::draft::Scratch;
use ledger::event::{Event, Kind, Movement, NO_BALANCE, Recorded};
use ledger::id::Prefix;
use ledger::rejection::Refused;
use ledger::row::{Flags, Parent, Row, Status};
use ledger::state::State;
use ledger::text;
use ledger::timers::Due;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// When a book begins, microseconds since 1970.
pub const START: i64 = 1_790_000_000_000_000;

/// The books of a ledger server, in memory.
pub struct Book {
    pub state: State,
    pub rows: Vec<Row>,
    /// All events; the record of a row is an index of this list.
    pub events: Vec<Event>,
    /// Who has a reference. A scheduled request has that of its outcome too, until there is an outcome.
    pub references: HashMap<String, u64>,
    /// Microseconds since 1970.
    pub now: i64,
    pub mismatch: Mismatch,
    /// Bits of fingerprints that count. With few, different references often have equal fingerprints.
    pub fingerprint_mask: u64,
    pub auditor: Auditor,
    children: HashMap<u64, Vec<u64>>,
    scratch: Scratch,
    seeds: Random,
    numbers: u64,
}

impl Book {
    pub fn new(seed: u64) -> Book {
        Book {
            state: State::new(),
            rows: Vec::new(),
            events: Vec::new(),
            references: HashMap::new(),
            now: START,
            mismatch: Mismatch::Refuse,
            fingerprint_mask: u64::MAX,
            auditor: Auditor::default(),
            children: HashMap::new(),
            scratch: Scratch::default(),
            seeds: Random::new(seed),
            numbers: 0,
        }
    }

    /// Gathers, decides and applies a command. Deciding must change nothing, and must not depend on what the scratch was
    /// used for before.
    pub fn perform(&mut self, mut command: Command) -> Result<Decision, Refused> {
        self.gather(&mut command);
        let moment = Moment { at: self.now, seed: self.seeds.next() };
        let before = digest(&self.state);
        let decision = decide(&self.state, &mut self.scratch, command.clone(), moment);
        assert_eq!(digest(&self.state), before, "deciding changes nothing, refused or not: {command:?}");
        let again = decide(&self.state, &mut Scratch::default(), command, moment);
        assert_eq!(again, decision, "deciding again gives the same answer, and scratch is only memory");
        if let Ok(Decision::Event(event) | Decision::Partly(event, _)) = &decision {
            self.add(event.clone());
        }
        decision
    }

    fn add(&mut self, event: Event) {
        let first_row = self.rows.len();
        apply(&mut self.state, &event, self.events.len() as u64, &mut self.rows);
        self.events.push(event);
        for index in first_row..self.rows.len() {
            let row = self.rows[index];
            self.note_reference(&row);
            if let Parent::Row(parent) = row.parent {
                self.children.entry(parent).or_default().push(row.number);
            }
        }
        self.auditor.audit(&self.state, &self.events, &self.rows, self.mismatch);
    }

    fn note_reference(&mut self, row: &Row) {
        let reference = self.reference_of(row);
        if row.status == Status::Scheduled {
            let reserved = self.references.insert(format!("{reference}_q"), row.number);
            assert_eq!(reserved, None, "a scheduled request takes the reference of its outcome only when it is free");
        }
        let before = self.references.insert(reference.clone(), row.number);
        let reserved = row.flags.has(Flags::EXECUTION).then_some(row.parent);
        assert_eq!(before.map(Parent::Row), reserved, "a reference is used once: {reference}");
    }

    /// The movement of a row.
    pub fn movement(&self, row: &Row) -> (&Recorded, &Movement) {
        let Event::Recorded(event) = &self.events[row.record as usize] else {
            panic!("rows come from recorded events")
        };
        (event, &event.movements[row.movement as usize])
    }

    /// The reference of a row.
    pub fn reference_of(&self, row: &Row) -> String {
        let (event, movement) = self.movement(row);
        let suffix = if row.flags.has(Flags::OUTCOME) || row.flags.has(Flags::EXECUTION) { "_q" } else { "" };
        format!("{}{suffix}", movement.reference.of(&event.text))
    }

    pub fn record(&mut self, batch: Batch, queued: bool, orders: &[Order]) -> Result<Decision, Refused> {
        let mask = self.fingerprint_mask;
        self.perform(order::record(batch, queued, self.mismatch, orders, &|text| fingerprint(text) & mask))
    }

    /// Commits or voids holds by their rows.
    pub fn settle(&mut self, action: Action, rows: &[u64], amount: Option<i128>) -> Result<Decision, Refused> {
        let mut text = String::new();
        let mut holds = Vec::new();
        for &row in rows {
            self.numbers += 1;
            let reference = text::push(&mut text, &format!("ref_{}", self.numbers));
            let precision = self.rows.get(row as usize).map_or(1, |row| row.precision);
            let (description, metadata) = (text::Span::EMPTY, text::Span::EMPTY);
            holds.push(HoldAsk { row, ended: None, precision, reference, description, metadata });
        }
        self.perform(Command::Settle(Settle { action, holds, amount, queued: false, text }))
    }

    /// Gives back rows.
    pub fn refund(&mut self, rows: &[u64], queued: bool) -> Result<Decision, Refused> {
        let mut text = String::new();
        let mut originals = Vec::new();
        for &row in rows {
            let reference = self.refund_reference(row);
            originals.push(Original {
                row,
                facts: None,
                fingerprint: fingerprint(&reference) & self.fingerprint_mask,
                outcome_fingerprint: fingerprint(&format!("{reference}_q")) & self.fingerprint_mask,
                reference: text::push(&mut text, &reference),
                prior: None,
                description: text::Span::EMPTY,
                metadata: text::Span::EMPTY,
            });
        }
        self.perform(Command::Refund(Refund { originals, queued, text }))
    }

    /// The reference that a refund of a row gets.
    pub fn refund_reference(&self, row: u64) -> String {
        let id = self.rows.get(row as usize).map_or_else(String::new, |row| row.id().text(Prefix::Transaction));
        format!("{id}_refund")
    }

    /// Carries out what is due; answers what was done.
    pub fn run_due(&mut self) -> Vec<(Due, u64)> {
        let mut done = Vec::new();
        while let Some((at, row, due)) = self.state.timers.first().filter(|timer| timer.0 <= self.now) {
            let decision = match due {
                Due::Execute => {
                    let execution = self.execution(row);
                    self.perform(Command::Execute(execution))
                }
                Due::Commit => self.settle(Action::Commit, &[row], None),
                Due::Expire => self.settle(Action::Void, &[row], None),
            };
            assert!(matches!(decision, Ok(Decision::Event(_))), "what is due always happens: {decision:?}");
            assert!(!self.state.timers.iter().any(|timer| timer == (at, row, due)), "a timer that went off is gone");
            done.push((due, row));
        }
        done
    }

    fn execution(&self, request: u64) -> Execute {
        let (event, movement) = self.movement(&self.rows[request as usize]);
        let mut text = event.text.clone();
        let party = |handle: u32, named: text::Span| match named.of(&event.text).starts_with('@') {
            _ if handle != NO_BALANCE => Party::Handle(handle),
            true => Party::Indicator(named),
            false => Party::Unknown(named),
        };
        let ask = Ask {
            item: 0,
            leg: 0,
            source: party(movement.source, movement.source_text),
            destination: party(movement.destination, movement.destination_text),
            amount: movement.amount,
            precision: movement.precision,
            currency: text::push(&mut text, self.state.currencies.text(movement.currency)),
            reference: movement.reference,
            fingerprint: 0,
            outcome_fingerprint: 0,
            description: movement.description,
            metadata: movement.metadata,
            allow_overdraft: movement.allow_overdraft,
            inflight: movement.inflight,
            atomic: movement.atomic,
            terms: movement.terms.clone(),
        };
        assert_eq!(movement.kind, Kind::Posting, "only postings wait");
        Execute { request, ask, text, mismatch: self.mismatch }
    }

    fn gather(&self, command: &mut Command) {
        match command {
            Command::Record(record) => self.gather_references(record),
            Command::Settle(settle) => {
                for hold in settle.holds.iter_mut().filter(|hold| self.state.holds.get(&hold.row).is_none()) {
                    hold.ended = Some(self.ended(hold.row));
                }
            }
            Command::Refund(refund) => {
                for original in &mut refund.originals {
                    original.facts = self.rows.get(original.row as usize).copied();
                    let reference = original.reference.of(&refund.text);
                    let outcome = || self.holder(&format!("{reference}_q")).filter(|_| refund.queued);
                    original.prior = self.holder(reference).or_else(outcome);
                }
            }
            _ => {}
        }
    }

    fn gather_references(&self, record: &mut Record) {
        for (index, ask) in record.asks.iter().enumerate() {
            let reference = ask.reference.of(&record.text);
            let outcome = self.holder(&format!("{reference}_q")).filter(|_| record.queued);
            for (of_outcome, row) in [(false, self.holder(reference)), (true, outcome)] {
                record.priors.extend(row.map(|row| Prior { ask: index as u32, of_outcome, row }));
            }
        }
    }

    fn holder(&self, reference: &str) -> Option<Row> {
        self.references.get(reference).map(|&row| self.rows[row as usize])
    }

    fn ended(&self, row: u64) -> Ended {
        let children = self.children.get(&row).map_or(&[][..], Vec::as_slice);
        let settled =
            children.iter().map(|&child| &self.rows[child as usize]).filter(|row| row.flags.has(Flags::SETTLEMENT));
        settled.fold(Ended::NoHold, |ended, child| match child.status {
            _ if ended == Ended::Voided => ended,
            Status::Void => Ended::Voided,
            _ => Ended::Committed,
        })
    }
}

fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
