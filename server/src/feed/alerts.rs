//! The events of a record with those of the monitors that fired among them: each right after the transaction that made it fire.
//!
//! A record may make many more of these than fit on a page, so they are not listed: where a page begins is found by halves.

use super::emitted::{Emitted, emitted};
use engine::monitors::Known;
use engine::monitors::alerts::Alerts;
use engine::monitors::alerts::AlertsFault;
use engine::reading::{Books, BooksFault};
use ledger::event::Event;

/// The events of one record. Every row that changes figures, and so every row that a monitor can fire because of, is told by an
/// event of its own; a record without one has no alerts.
pub struct Told {
    /// Those that follow from the record alone.
    own: Vec<Emitted>,
    /// The rows of the record: the first, and the one after the last.
    rows: (u64, u64),
    /// The number of the first alert of these rows, and of the first after them.
    alerts: (u64, u64),
}

/// The events of a record; `None` when it is not known yet which monitors fired because of it.
pub fn told(books: &Books, alerts: &mut Alerts<'_>, event: &Event) -> Result<Option<Told>, BooksFault> {
    let own = emitted(event);
    let rows = match event {
        Event::Recorded(event) => (event.first_row, event.first_row + event.rows_count()),
        _ => (0, 0),
    };
    let known = match event {
        Event::Recorded(_) => books.monitors().known(rows.1),
        _ => Known::Nothing,
    };
    let found = match known {
        Known::Nothing => (0, 0),
        Known::Later => {
            return match books.monitors().fault() {
                Some(reason) => Err(BooksFault::Alerts(AlertsFault::Stuck(reason))),
                None => Ok(None),
            };
        }
        Known::Yes => {
            let first = alerts.before(rows.0).map_err(BooksFault::Alerts)?;
            (first, alerts.before(rows.1).map_err(BooksFault::Alerts)?)
        }
    };
    if found.0 < found.1 && own.is_empty() {
        let reason = format!("the table has alerts of row {}, whose record fires nothing; run `florin verify`", rows.0);
        return Err(BooksFault::Alerts(AlertsFault::Stuck(reason)));
    }
    Ok(Some(Told { own, rows, alerts: found }))
}

impl Told {
    /// How many events there are.
    pub fn count(&self) -> usize {
        self.own.len() + (self.alerts.1 - self.alerts.0) as usize
    }

    /// The row before whose alerts an event of the record itself stands.
    fn row(&self, own: usize) -> u64 {
        match self.own.get(own) {
            Some(Emitted::BalanceOpened(_)) => self.rows.0,
            Some(Emitted::Transaction { row, .. }) => *row,
            _ => self.rows.1,
        }
    }

    /// Tells the events from an index on, until `tell` has enough or there are no more.
    pub fn from(
        &self,
        first: usize,
        alerts: &mut Alerts<'_>,
        mut tell: impl FnMut(Emitted) -> bool,
    ) -> Result<(), BooksFault> {
        if self.alerts.0 == self.alerts.1 {
            for one in self.own.iter().skip(first) {
                if !tell(*one) {
                    break;
                }
            }
            return Ok(());
        }
        // The last event of the record itself that stands at this index or before it.
        let (mut from, mut to) = (0, self.own.len() - 1);
        while from < to {
            let middle = from + (to - from).div_ceil(2);
            if self.index(middle, alerts)? <= first { from = middle } else { to = middle - 1 }
        }
        let mut index = self.index(from, alerts)?;
        let mut number = self.alerts.0 + (index - from) as u64;
        for own in from..self.own.len() {
            if index >= first && !tell(self.own[own]) {
                return Ok(());
            }
            index += 1;
            // Those before the page are passed over at once: they are all of this event.
            let passed = first.saturating_sub(index);
            (index, number) = (index + passed, number + passed as u64);
            let until = self.row(own + 1);
            while number < self.alerts.1 {
                let Some(alert) = alerts.get(number).map_err(BooksFault::Alerts)?.filter(|alert| alert.row < until)
                else {
                    break;
                };
                if !tell(Emitted::Monitor { record: alert.record, bytes: alert.bytes }) {
                    return Ok(());
                }
                (index, number) = (index + 1, number + 1);
            }
        }
        Ok(())
    }

    /// The index of an event of the record itself among all.
    fn index(&self, own: usize, alerts: &mut Alerts<'_>) -> Result<usize, BooksFault> {
        let before = alerts.before(self.row(own)).map_err(BooksFault::Alerts)?;
        Ok(own + (before - self.alerts.0) as usize)
    }
}
