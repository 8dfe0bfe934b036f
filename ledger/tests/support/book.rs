//! An in-memory book around the pure crate: what the engine does with disks and threads, done with maps. For tests only.
//!
//! Every command is gathered, decided twice and applied, and the auditor looks at what came of it. Time only moves when a
//! test says so, and all random bits come from the seed of the book.

use crate::support::auditor::Auditor;
use crate::support::digest::digest;
use crate::support::order::{self, Order};
use crate::support::random::Random;
use crate::support::trial;
use ledger::apply::apply;
use ledger::command::{
    Action, Ask, Batch, Cancel, ChangeHold, Command, Ended, Execute, HoldAsk, Mismatch, Moment, Original, Overdraft,
    Party, Prior, Record, Refund, Reschedule, Run, Settle, Terms,
};
use ledger::decide::{Decision, decide};
use ledger::draft::Scratch;
use ledger::event::{Event, Group, Kind, Movement, NO_BALANCE, Recorded};
use ledger::id::Prefix;
use ledger::projection::{self, Step};
use ledger::rejection::Refused;
use ledger::row::{Flags, Parent, Row, Status};
use ledger::state::State;
use ledger::text;
use ledger::timers::Due;
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

/// When a book begins, microseconds since 1970.
pub const START: i64 = 1_790_000_000_000_000;

/// The books of a ledger server, in memory.
#[derive(Clone)]
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
    scratch: Memory,
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
            scratch: Memory::default(),
            seeds: Random::new(seed),
            numbers: 0,
        }
    }

    /// Gathers, decides and applies a command. Deciding must change nothing, and must not depend on what the scratch was
    /// used for before; what was tried or projected before must be what happens.
    pub fn perform(&mut self, mut command: Command) -> Result<Decision, Refused> {
        self.gather(&mut command);
        let moment = Moment { at: self.now, seed: self.seeds.next() };
        let before = digest(&self.state);
        let decision = decide(&self.state, &mut self.scratch.0, command.clone(), moment);
        assert_eq!(digest(&self.state), before, "deciding changes nothing, refused or not: {command:?}");
        let again = decide(&self.state, &mut Scratch::default(), command.clone(), moment);
        assert_eq!(again, decision, "deciding again gives the same answer, and scratch is only memory");
        if let Command::Record(record) = &command {
            let tried = decide(&self.state, &mut self.scratch.0, trial::of(command.clone()), moment);
            assert_eq!(digest(&self.state), before, "trying changes nothing: {command:?}");
            trial::compare(record, &tried, &decision);
        }
        if let Ok(Decision { event: Some(event), .. }) = &decision {
            let projected = match event {
                Event::Recorded(event) => projection::steps(&self.state, event),
                _ => Vec::new(),
            };
            self.add(event.clone());
            assert_eq!(projected, self.auditor.steps, "what is projected is what happens: {event:?}");
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
        self.perform(self.recording(batch, false, queued, orders))
    }

    /// The command that records orders.
    pub fn recording(&self, batch: Batch, goes_on: bool, queued: bool, orders: &[Order]) -> Command {
        order::record(batch, goes_on, queued, self.mismatch, orders, &|text| self.fingerprint(text))
    }

    /// What would become of a command, and the steps of it.
    pub fn attempt(&mut self, mut command: Command) -> (Result<Decision, Refused>, Vec<Step>) {
        self.gather(&mut command);
        let moment = Moment { at: self.now, seed: 7 };
        let decided = decide(&self.state, &mut self.scratch.0, trial::of(command), moment);
        let steps = match &decided {
            Ok(Decision { event: Some(Event::Recorded(event)), .. }) => projection::steps(&self.state, event),
            _ => Vec::new(),
        };
        (decided, steps)
    }

    /// Commits or voids holds by their rows.
    pub fn settle(&mut self, action: Action, rows: &[u64], amount: Option<i128>) -> Result<Decision, Refused> {
        self.settle_as_far(action, rows, amount, false)
    }

    /// Commits or voids those of some holds that are open, by their rows.
    pub fn settle_open(&mut self, action: Action, rows: &[u64], amount: Option<i128>) -> Result<Decision, Refused> {
        self.settle_holds(action, rows, amount, (false, true))
    }

    /// Commits or voids holds by their rows; a commit may go beyond what is left if it is told so.
    pub fn settle_as_far(
        &mut self,
        action: Action,
        rows: &[u64],
        amount: Option<i128>,
        over_capture: bool,
    ) -> Result<Decision, Refused> {
        self.settle_holds(action, rows, amount, (over_capture, false))
    }

    fn settle_holds(
        &mut self,
        action: Action,
        rows: &[u64],
        amount: Option<i128>,
        (over_capture, passes_ended): (bool, bool),
    ) -> Result<Decision, Refused> {
        let (mut text, scope, queued) = (String::new(), None, passes_ended);
        let holds = rows.iter().map(|&row| self.hold_ask(row, &mut text)).collect();
        self.perform(Command::Settle(Settle { scope, action, holds, amount, over_capture, passes_ended, queued, text }))
    }

    fn hold_ask(&mut self, row: u64, text: &mut String) -> HoldAsk {
        self.numbers += 1;
        let reference = text::push(text, &format!("ref_{}", self.numbers));
        let known = self.rows.get(row as usize);
        let overdraft = known
            .map(|row| self.movement(row).1)
            .map(|movement| Overdraft { allowed: movement.allow_overdraft, limit: movement.terms().overdraft_limit });
        HoldAsk {
            row,
            ended: None,
            precision: known.map_or(1, |row| row.precision),
            overdraft: overdraft.unwrap_or(Overdraft::NONE),
            reference,
            description: text::Span::EMPTY,
            metadata: text::Span::EMPTY,
        }
    }

    /// Raises or lowers a hold, or gives it other dates.
    pub fn change_hold(&mut self, row: u64, change: Changed) -> Result<Decision, Refused> {
        let mut text = String::new();
        let hold = self.hold_ask(row, &mut text);
        let Changed { held, expires_at, commits_at } = change;
        self.perform(Command::ChangeHold(ChangeHold { scope: None, hold, held, expires_at, commits_at, text }))
    }

    /// Gives back rows, what is left of them or parts.
    pub fn refund_parts(&mut self, wanted: &[(u64, Option<i128>)], queued: bool) -> Result<Decision, Refused> {
        let mut text = String::new();
        let mut originals = Vec::new();
        for &(row, amount) in wanted {
            let reference = self.refund_reference(row);
            originals.push(Original {
                row,
                amount,
                facts: None,
                refunded: Vec::new(),
                lineage: Vec::new(),
                fingerprint: self.fingerprint(&reference),
                outcome_fingerprint: self.fingerprint(&format!("{reference}_q")),
                reference: text::push(&mut text, &reference),
                prior: None,
                description: text::Span::EMPTY,
                metadata: text::Span::EMPTY,
            });
        }
        self.perform(Command::Refund(Refund { scope: None, originals, queued, text }))
    }

    /// Calls off groups of scheduled requests, each named by its first row.
    pub fn cancel(&mut self, groups: &[u64]) -> Result<Decision, Refused> {
        self.perform(Command::Cancel(Cancel { groups: groups.to_vec(), runs: Vec::new(), text: String::new() }))
    }

    /// Gives groups of scheduled requests another time or amount.
    pub fn reschedule(
        &mut self,
        groups: &[u64],
        due_at: Option<i64>,
        amount: Option<i128>,
    ) -> Result<Decision, Refused> {
        self.perform(Command::Reschedule(Reschedule { groups: groups.to_vec(), due_at, amount }))
    }

    /// The group of the requests that run together with the one of a row, if it is one that was scheduled.
    pub fn group_of(&self, row: u64) -> Option<Group> {
        let row = self.rows.get(row as usize)?;
        let (event, _) = self.movement(row);
        let of_group = |group: &Group| group.requests.iter().any(|request| request.row == row.number);
        event.waiting().into_iter().find(of_group)
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
                    let mut text = String::new();
                    let runs = self.runs(row, &mut text);
                    let request = self.rows.get(row as usize).expect("what waits has a row");
                    let atomic = self.movement(request).0.batch == Batch::Atomic;
                    self.perform(Command::Execute(Execute { runs, text, mismatch: self.mismatch, atomic }))
                }
                Due::Commit => self.settle(Action::Commit, &[row], None),
                Due::Expire => self.settle(Action::Void, &[row], None),
            };
            assert!(
                matches!(decision, Ok(Decision { event: Some(_), .. })),
                "what is due always happens: {decision:?}"
            );
            assert!(!self.state.timers.iter().any(|timer| timer == (at, row, due)), "a timer that went off is gone");
            done.push((due, row));
        }
        done
    }

    /// The requests of a group that waits, named by the row of its first.
    fn runs(&self, group: u64, text: &mut String) -> Vec<Run> {
        let of_group = self.group_of(group).expect("what waits belongs to a group");
        assert_eq!(of_group.first_row(), group, "a group is known by its first row");
        let run = |request: &ledger::event::Request| Run { request: request.row, ask: self.ask_of(request.row, text) };
        of_group.requests.iter().map(run).collect()
    }

    /// What was asked when a request was scheduled.
    fn ask_of(&self, request: u64, text: &mut String) -> Ask {
        let (event, movement) = self.movement(&self.rows[request as usize]);
        let mut copy = |span: text::Span| text::push(text, span.of(&event.text));
        let party = |handle: u32, named: text::Span, copied: text::Span| match named.of(&event.text).starts_with('@') {
            _ if handle != NO_BALANCE => Party::Handle(handle),
            true => Party::Indicator(copied),
            false => Party::Unknown(copied),
        };
        assert_eq!(movement.kind, Kind::Posting, "only postings wait");
        let provider = copy(movement.terms().provider);
        Ask {
            item: movement.item,
            leg: 0,
            source: party(movement.source, movement.source_text, copy(movement.source_text)),
            destination: party(movement.destination, movement.destination_text, copy(movement.destination_text)),
            amount: movement.amount,
            precision: movement.precision,
            reference: copy(movement.reference),
            fingerprint: 0,
            outcome_fingerprint: 0,
            description: copy(movement.description),
            metadata: copy(movement.metadata),
            currency: text::push(text, self.state.currencies.text(movement.currency)),
            allow_overdraft: movement.allow_overdraft,
            inflight: movement.inflight,
            atomic: movement.atomic,
            terms: Terms { provider, ..movement.terms().clone() }.boxed(),
        }
    }

    fn gather(&self, command: &mut Command) {
        match command {
            Command::Record(record) => self.gather_references(record),
            Command::Settle(settle) => settle.holds.iter_mut().for_each(|hold| self.gather_hold(hold)),
            Command::ChangeHold(change) => self.gather_hold(&mut change.hold),
            Command::Refund(refund) => self.gather_originals(refund),
            Command::Reschedule(reschedule) => name_once(&mut reschedule.groups),
            Command::Cancel(cancel) => {
                name_once(&mut cancel.groups);
                for &group in &cancel.groups {
                    if self.state.scheduled.get(&group).is_some() {
                        cancel.runs.extend(self.runs(group, &mut cancel.text));
                    }
                }
            }
            _ => {}
        }
    }

    fn gather_hold(&self, hold: &mut HoldAsk) {
        if self.state.holds.get(&hold.row).is_none() {
            let follows = self.rows.get(hold.row as usize).is_some_and(|row| row.flags.has(Flags::LINEAGE));
            hold.ended = Some(if follows { Ended::Follows } else { self.ended(hold.row) });
        }
    }

    /// What was given back of each original before counts against it, and a later part has another reference.
    fn gather_originals(&self, refund: &mut Refund) {
        for original in &mut refund.originals {
            original.facts = self.rows.get(original.row as usize).copied();
            let refunds: Vec<&Row> =
                self.children(original.row).filter(|child| child.flags.has(Flags::REFUND)).collect();
            original.refunded = refunds.iter().map(|row| row.amount).collect();
            original.lineage =
                original.facts.map_or_else(Vec::new, |row| self.movement(&row).0.posted_parts(row.movement));
            let mut reference = original.reference.of(&refund.text).to_owned();
            if !refunds.is_empty() {
                reference = format!("{reference}_{}", refunds.len() + 1);
                original.reference = text::push(&mut refund.text, &reference);
                original.fingerprint = self.fingerprint(&reference);
                original.outcome_fingerprint = self.fingerprint(&format!("{reference}_q"));
            }
            let outcome = || self.holder(&format!("{reference}_q")).filter(|_| refund.queued);
            original.prior = self.holder(&reference).or_else(outcome);
        }
    }

    fn gather_references(&self, record: &mut Record) {
        for (index, ask) in record.asks.iter().enumerate() {
            let reference = ask.reference.of(&record.text);
            let outcome = self.holder(&format!("{reference}_q")).filter(|_| record.queued);
            for (of_outcome, row) in [(false, self.holder(reference)), (true, outcome)] {
                record.priors.extend(row.map(|row| {
                    let (event, movement) = self.movement(&row);
                    let same_names = ask.names_as(&record.text, movement, &event.text);
                    Prior { ask: index as u32, of_outcome, row, same_names }
                }));
            }
        }
    }

    fn holder(&self, reference: &str) -> Option<Row> {
        self.references.get(reference).map(|&row| self.rows[row as usize])
    }

    /// The rows of other events that belong to a row, oldest first.
    fn children(&self, row: u64) -> impl Iterator<Item = &Row> {
        let children = self.children.get(&row).map_or(&[][..], Vec::as_slice);
        children.iter().map(|&child| &self.rows[child as usize]).filter(|child| !child.flags.has(Flags::OUTCOME))
    }

    /// How a hold ended: by the last of its settlements.
    fn ended(&self, row: u64) -> Ended {
        match self.children(row).filter(|child| child.flags.has(Flags::SETTLEMENT)).last() {
            None => Ended::NoHold,
            Some(child) if child.status == Status::Void => Ended::Voided,
            Some(_) => Ended::Committed,
        }
    }

    fn fingerprint(&self, text: &str) -> u64 {
        fingerprint(text) & self.fingerprint_mask
    }
}

fn name_once(groups: &mut Vec<u64>) {
    let mut named = HashSet::new();
    groups.retain(|group| named.insert(*group));
}

/// What is to become of a hold; nothing said leaves it as it is.
#[derive(Clone, Copy, Default, Debug)]
pub struct Changed {
    pub held: Option<i128>,
    pub expires_at: Option<i64>,
    pub commits_at: Option<i64>,
}

/// Memory of drafts: a copy of a book has none yet.
#[derive(Default)]
struct Memory(Scratch);

impl Clone for Memory {
    fn clone(&self) -> Memory {
        Memory::default()
    }
}

fn fingerprint(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
