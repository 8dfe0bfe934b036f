//! Handing groups to the log, and letting out what they did once they are durable.

use super::{Delivery, Reply, Writer};
use crate::answer::{Answer, Unavailable};
use crate::known_keys;
use crate::log::Written;
use crate::merkle::Tip;
use journal::appender::AppendFault;
use journal::group::Group;
use journal::place::Place;
use ledger::id::Id;
use ledger::monitor::Defined;
use ledger::notes::Subject;
use ledger::row::Row;
use ledger::state::State;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A group of records, and all that leaves when it is durable.
pub struct Pending {
    /// The records; an empty stand-in while the log thread has them.
    pub group: Group,
    /// Where each record of the group stands.
    pub positions: Vec<u64>,
    /// The rows that its events made.
    pub rows: Vec<Row>,
    /// The ids of the balances that its events made.
    pub balances: Vec<Id>,
    /// The currencies that its events named first.
    pub currencies: Vec<Arc<str>>,
    /// The currencies that its events registered, with their precision.
    pub registered: Vec<(Arc<str>, u64)>,
    /// The metadata that its events changed, and where that is told.
    pub noted: Vec<(Subject, u64)>,
    /// The keys of its requests that recorded nothing, and where that is told.
    pub kept: BTreeMap<String, u64>,
    /// Where its events made, changed or deleted monitors.
    pub changes: Vec<Defined>,
    /// Answers that wait.
    pub replies: Vec<(Reply, Answer)>,
    /// Reads that wait.
    pub deliveries: Vec<Delivery>,
    /// How many requests are in it.
    pub requests_count: usize,
    /// The position that the journal has after it.
    pub end_position: u64,
    /// The state after it, when a checkpoint is to be made of it.
    pub snapshot: Option<State>,
}

impl Pending {
    /// An empty one.
    pub fn new(group: Group) -> Pending {
        Pending {
            group,
            positions: Vec::new(),
            rows: Vec::new(),
            balances: Vec::new(),
            currencies: Vec::new(),
            registered: Vec::new(),
            noted: Vec::new(),
            kept: BTreeMap::new(),
            changes: Vec::new(),
            replies: Vec::new(),
            deliveries: Vec::new(),
            requests_count: 0,
            end_position: 0,
            snapshot: None,
        }
    }

    /// Whether nothing is in it.
    pub fn is_idle(&self) -> bool {
        self.group.is_empty()
    }

    fn clear(&mut self) {
        self.positions.clear();
        self.rows.clear();
        self.balances.clear();
        self.currencies.clear();
        self.registered.clear();
        self.noted.clear();
        self.kept.clear();
        self.changes.clear();
        self.replies.clear();
        self.deliveries.clear();
        self.requests_count = 0;
        self.snapshot = None;
    }
}

impl Writer {
    /// Hands the open group to the log, if there is something in it and the log is free. A small group is written here when
    /// nothing more waits: to wake another thread would take longer.
    pub(super) fn hand_over(&mut self) {
        if self.open.group.is_empty() || self.in_flight.is_some() {
            return;
        }
        let Some(mut appender) = self.appender.take() else { return };
        let (seq, position) = (self.open.group.next_seq(), self.open.group.next_position());
        self.open.end_position = position;
        self.open.snapshot = self.snapshot_if_due();
        let mut next = self
            .spare
            .take()
            .unwrap_or_else(|| Pending::new(Group::new(seq, position, self.checkpoints.segment_bytes)));
        next.group.reset(seq, position);
        let mut full = std::mem::replace(&mut self.open, next);
        if self.log.leaves(full.group.bytes_count()) {
            let result = appender.append(&mut full.group);
            self.appender = Some(appender);
            self.settle(full, result);
            return;
        }
        let empty = Group::new(seq, position, self.checkpoints.segment_bytes);
        let group = std::mem::replace(&mut full.group, empty);
        self.in_flight = Some(full);
        self.log.write(appender, group);
    }

    /// The log thread is done with the group in flight.
    pub(super) fn synced(&mut self, written: Written) {
        let mut pending = self.in_flight.take().expect("the log writes the group that is in flight");
        pending.group = written.group;
        self.appender = Some(written.appender);
        self.settle(pending, written.result);
    }

    fn settle(&mut self, mut pending: Pending, result: Result<Place, AppendFault>) {
        match result {
            Ok(place) => {
                self.publish(&mut pending, place);
                self.check_followers();
            }
            Err(fault) => {
                let reason = crate::fault_text(&fault);
                self.health.stop(reason.clone());
                for (reply, _) in pending.replies.drain(..) {
                    reply(Answer::Unavailable(Unavailable::Stopped(reason.clone())));
                }
            }
        }
        pending.clear();
        self.spare = Some(pending);
    }

    /// Takes no more changes when what is derived cannot be written any more: it would be kept in memory without bound.
    fn check_followers(&self) {
        if let Some(reason) = self.books.rows.failed() {
            self.health.stop(reason);
        }
        if let Some(reason) = self.books.dated.full() {
            self.health.stop(reason);
        }
        for index in [&self.references, &self.children] {
            if index.is_full() {
                self.health.stop(index.fault().unwrap_or_else(|| "an index cannot be written".to_owned()));
            }
        }
    }

    /// Lets out what a durable group did: rows and names first, then the answers that tell of them.
    fn publish(&mut self, pending: &mut Pending, place: Place) {
        assert_eq!(place.position, pending.end_position, "the log writes records where they were placed");
        if !pending.registered.is_empty() {
            self.books.register(pending.registered.drain(..));
        }
        if !pending.noted.is_empty() {
            self.books.notes().add(pending.noted.drain(..));
        }
        if !pending.changes.is_empty() {
            self.books.monitors().publish(pending.changes.drain(..));
        }
        self.books.publish(&pending.rows, &pending.balances, &pending.currencies);
        let chains = pending.positions.iter().enumerate().map(|(at, position)| (*position, pending.group.chain(at)));
        let tip = Tip { seq: place.seq - 1, chain: place.chain, rows: self.books.rows.len() };
        self.books.merkle().publish(chains, tip);
        self.books.reach().extend(place.seq);
        for (name, position) in std::mem::take(&mut pending.kept) {
            self.references.insert(self.books.fingerprint_of_key(&name), known_keys::value_of(position));
        }
        self.references.mark(place.position);
        self.children.mark(place.position);
        for (reply, answer) in pending.replies.drain(..) {
            reply(answer);
        }
        for delivery in pending.deliveries.drain(..) {
            delivery();
        }
        self.books.reach().ring();
        self.books.monitors().more(&self.books);
        self.books.merkle().more(&self.books);
        if let Some(snapshot) = pending.snapshot.take() {
            self.begin_checkpoint(place, snapshot);
        }
        self.checkpoints.count(pending.rows.len() as u64, pending.positions.len() as u64);
    }
}
