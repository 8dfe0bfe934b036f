//! What is due when: scheduled transactions, and holds that end by themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Microseconds that one bucket spans. Buckets are shared between clones, so a clone is cheap with millions of timers.
const BUCKET_MICROS: i64 = 60_000_000;

/// What happens when a timer is due.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Due {
    /// The request of the row is run.
    Execute = 0,
    /// The hold of the row is committed.
    Commit = 1,
    /// The hold of the row is voided.
    Expire = 2,
}

impl Due {
    /// The kind of a stored number.
    pub const fn of_number(number: u8) -> Option<Due> {
        Some(match number {
            0 => Due::Execute,
            1 => Due::Commit,
            2 => Due::Expire,
            _ => return None,
        })
    }
}

/// One timer: when (microseconds since 1970), which row, what.
pub type Timer = (i64, u64, Due);

/// All timers, in order.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct Timers {
    buckets: BTreeMap<i64, Arc<BTreeSet<Timer>>>,
    len: usize,
}

impl Timers {
    /// How many there are.
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The one that is due first.
    pub fn first(&self) -> Option<Timer> {
        self.buckets.first_key_value().and_then(|(_, bucket)| bucket.first().copied())
    }

    /// Sets a timer.
    pub fn insert(&mut self, timer: Timer) {
        let bucket = self.buckets.entry(timer.0.div_euclid(BUCKET_MICROS)).or_default();
        self.len += usize::from(Arc::make_mut(bucket).insert(timer));
    }

    /// Takes a timer away, if it is set.
    pub fn remove(&mut self, timer: Timer) {
        let key = timer.0.div_euclid(BUCKET_MICROS);
        let Some(bucket) = self.buckets.get_mut(&key) else { return };
        self.len -= usize::from(Arc::make_mut(bucket).remove(&timer));
        if bucket.is_empty() {
            self.buckets.remove(&key);
        }
    }

    /// All timers in order.
    pub fn iter(&self) -> impl Iterator<Item = Timer> {
        self.buckets.values().flat_map(|bucket| bucket.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_the_one_due_first() {
        let mut timers = Timers::default();
        for at in [5, -7, 90_000_000, 5] {
            timers.insert((at, 1, Due::Execute));
        }
        assert_eq!((timers.len(), timers.first()), (3, Some((-7, 1, Due::Execute))));
        timers.remove((-7, 1, Due::Execute));
        timers.remove((-7, 1, Due::Execute));
        assert_eq!((timers.len(), timers.first()), (2, Some((5, 1, Due::Execute))));
        assert_eq!(timers.iter().count(), 2);
    }
}
