//! Sums over many balances: now, at a moment, and month by month.
//!
//! What is summed is of one moment: [`Snapshot`] is a clone of the balances, made between two changes, and rows are read up to
//! the last one that it knows. Everything here runs beside the writer, in two threads of low priority where there is much to do.
//!
//! | asked for | read |
//! |---|---|
//! | now | the figures of each balance |
//! | at a moment | the least of: the rows since then, taken from what is there now; the rows until then; all rows; each balance |
//! | month by month | all rows |
//!
//! A row counts at a moment when its business date is not after it, as in the history of one balance. The order of rows is not
//! that of business dates, so a balance with a row that has a date of its own ([`Balance::dated`]) is summed by itself, or all
//! rows are read. Each of the ways gives the same sums; [`Way`] is only about the time that they take.
//!
//! Amounts of different currencies are never added: the currency is part of every [`Key`].

pub mod each;
mod months;

use crate::history::chain::{Sum, recorded_by};
use crate::reading::{Books, BooksFault};
use ledger::chunked::Chunked;
use ledger::event::NO_BALANCE;
use ledger::row::{NO_ROW, Posted, Row, Status};
use ledger::sharded::Mix;
use ledger::state::{Balance, State};
use ledger::wide::Wide;
use months::Months;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Most groups of one answer. Past it the question is to be narrowed.
pub const GROUPS_MAX: usize = 100_000;
/// Most rows that are read for one answer.
pub const ROWS_READ_MAX: u64 = 100_000_000;
/// Balances, or rows, that are worth a second thread.
const CUT_LEAST: u64 = 50_000;
/// Balances, or rows, between two looks at whether the answer is still wanted.
const SLICE: usize = 4_096;
/// What finding one row costs, in rows that are read one after the other.
const SEEK_ROWS: u64 = 20;

/// What sums are told apart by, besides the currency.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct By {
    /// The ledger.
    pub ledger: bool,
    /// The owner.
    pub identity: bool,
    /// The month, in UTC, of the business dates of what was posted.
    pub month: bool,
}

/// What is to be summed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ask {
    /// What sums are told apart by.
    pub by: By,
    /// Only balances of this ledger.
    pub ledger: Option<u32>,
    /// Only balances in this currency.
    pub currency: Option<u32>,
    /// Only balances of this owner.
    pub identity: Option<u32>,
    /// The moment, microseconds since 1970; without one everything that was posted counts, whatever its date.
    pub at: Option<i64>,
}

/// The balances at one moment.
pub struct Snapshot {
    balances: Chunked<Balance>,
    rows_count: u64,
}

impl Snapshot {
    /// Takes one. Cheap: what is cloned are pointers to chunks of balances.
    pub fn of(state: &State) -> Snapshot {
        Snapshot { balances: state.balances.clone(), rows_count: state.rows_count }
    }
}

/// What tells groups apart. Fields that were not asked for are `None`, or all the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Key {
    /// The handle of the ledger.
    pub ledger: Option<u32>,
    /// The number of the currency.
    pub currency: u32,
    /// The handle of the owner; in a group by owner, none stands for the balances without one.
    pub identity: Option<u32>,
    /// Months since January of the year 0.
    pub month: Option<i32>,
}

/// Two words: the usual way, field by field, costs more than all else that is done with a balance.
impl Hash for Key {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        let word = |high: u32, low: Option<u32>| u64::from(high) << 32 | u64::from(low.unwrap_or(NOBODY));
        hasher.write_u64(word(self.currency, self.ledger));
        hasher.write_u64(word(self.month.unwrap_or_default() as u32, self.identity));
    }
}

/// No handle, in a hash.
const NOBODY: u32 = u32::MAX;

/// The sums of a group, in minor units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Sums {
    /// How many balances there are; none when told month by month.
    pub balances: u64,
    /// Posted credits.
    pub credit: Wide,
    /// Posted debits.
    pub debit: Wide,
    /// Held credits; only of now.
    pub held_credit: Wide,
    /// Held debits; only of now.
    pub held_debit: Wide,
}

impl Sums {
    fn post(&mut self, posted: Posted) {
        self.credit.add(posted.credit);
        self.debit.add(posted.debit);
    }

    fn add(&mut self, other: &Sums) {
        self.balances += other.balances;
        self.credit.add_wide(other.credit);
        self.debit.add_wide(other.debit);
        self.held_credit.add_wide(other.held_credit);
        self.held_debit.add_wide(other.held_debit);
    }

    fn is_nothing(&self) -> bool {
        *self == Sums::default()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub enum AggregateFault {
    /// More groups than [`GROUPS_MAX`].
    TooManyGroups,
    /// More rows than [`ROWS_READ_MAX`] would have to be read.
    TooManyRows,
    /// Nobody wants it any more.
    Stopped,
    /// Something could not be read.
    Books(BooksFault),
}

impl fmt::Display for AggregateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AggregateFault::TooManyGroups => write!(f, "there are more than {GROUPS_MAX} groups"),
            AggregateFault::TooManyRows => write!(f, "more than {ROWS_READ_MAX} transactions would have to be read"),
            AggregateFault::Stopped => write!(f, "the answer is not wanted any more"),
            AggregateFault::Books(_) => write!(f, "what is to be summed cannot be read"),
        }
    }
}

impl std::error::Error for AggregateFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            AggregateFault::Books(source) => Some(source),
            _ => None,
        }
    }
}

impl From<BooksFault> for AggregateFault {
    fn from(fault: BooksFault) -> AggregateFault {
        AggregateFault::Books(fault)
    }
}

/// Groups and their sums, in no order.
type Groups = HashMap<Key, Sums, Mix>;

/// The way to the figures of a past moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// From the figures of now, less the rows since then; dated balances each by itself.
    Back,
    /// The rows until then; dated balances each by itself.
    Forth,
    /// All rows.
    All,
    /// Each balance by itself.
    Each,
}

/// Sums what is asked for. Blocks; ends early once `stop` is set.
pub fn aggregate(
    books: &Books,
    snapshot: &Snapshot,
    ask: Ask,
    stop: &AtomicBool,
) -> Result<Vec<(Key, Sums)>, AggregateFault> {
    let work = Work { books, snapshot, ask, stop };
    let groups = match (ask.by.month, ask.at) {
        (true, _) => work.by_month()?,
        (false, None) => work.now()?,
        (false, Some(at)) => work.at_by(at, work.cheapest(at)?)?,
    };
    Ok(groups.into_iter().collect())
}

/// The same at a moment, by a way that the caller chooses: for tests, as all ways lead to the same sums.
pub fn aggregate_by(
    books: &Books,
    snapshot: &Snapshot,
    ask: Ask,
    way: Way,
    stop: &AtomicBool,
) -> Result<Vec<(Key, Sums)>, AggregateFault> {
    let at = ask.at.expect("ways lead to a moment");
    Ok(Work { books, snapshot, ask, stop }.at_by(at, way)?.into_iter().collect())
}

/// The posted figures of a balance at a moment: what is effective by then. The one place where the history of a single
/// balance is asked.
fn posted_at(books: &Books, handle: u32, balance: &Balance, at: i64) -> Result<Posted, BooksFault> {
    let newest = balance.history.newest();
    if !balance.dated {
        return recorded_by(books, handle, newest, at);
    }
    let mut sum = Sum::new(handle, newest, at);
    loop {
        if let Some(posted) = sum.advance(books, SLICE)? {
            return Ok(posted);
        }
    }
}

/// What [`posted_at`] costs, in rows that are read one after the other.
fn cost_of_one(balance: &Balance) -> u64 {
    let count = balance.history.count;
    let rows = if balance.dated { count } else { 2 * u64::from(u64::BITS - count.leading_zeros()) };
    rows * SEEK_ROWS
}

struct Work<'a> {
    books: &'a Books,
    snapshot: &'a Snapshot,
    ask: Ask,
    stop: &'a AtomicBool,
}

impl Work<'_> {
    fn check(&self, index: usize) -> Result<(), AggregateFault> {
        let stopped = index.is_multiple_of(SLICE) && self.stop.load(Ordering::Relaxed);
        if stopped { Err(AggregateFault::Stopped) } else { Ok(()) }
    }

    /// The group of a balance, if it is asked for.
    fn key(&self, balance: &Balance) -> Option<Key> {
        let Ask { by, ledger, currency, identity, .. } = self.ask;
        let wanted = ledger.is_none_or(|ledger| ledger == balance.ledger)
            && currency.is_none_or(|currency| currency == balance.currency)
            && identity.is_none_or(|identity| Some(identity) == balance.identity);
        wanted.then(|| Key {
            ledger: by.ledger.then_some(balance.ledger),
            currency: balance.currency,
            identity: if by.identity { balance.identity } else { None },
            month: None,
        })
    }

    fn balances(&self, handles: Range<u64>) -> impl Iterator<Item = (u32, &Balance)> {
        let all = &self.snapshot.balances;
        handles.filter_map(|handle| Some((u32::try_from(handle).ok()?, all.get(handle as usize)?)))
    }

    fn balances_count(&self) -> u64 {
        self.snapshot.balances.len() as u64
    }

    /// The figures of now.
    fn now(&self) -> Result<Groups, AggregateFault> {
        let halves = in_halves(0..self.balances_count(), |handles| {
            let mut groups = Groups::default();
            for (index, (_, balance)) in self.balances(handles).enumerate() {
                self.check(index)?;
                let Some(key) = self.key(balance) else { continue };
                let sums = group_of(&mut groups, key)?;
                sums.balances += 1;
                sums.post(balance.figures.posted);
                sums.held_credit.add(balance.figures.held.credit);
                sums.held_debit.add(balance.figures.held.debit);
            }
            Ok(groups)
        })?;
        joined(halves)
    }

    /// The way to a moment that reads least.
    fn cheapest(&self, at: i64) -> Result<Way, AggregateFault> {
        let halves = in_halves(0..self.balances_count(), |handles| {
            let (mut each, mut dated) = (0u64, 0u64);
            for (index, (_, balance)) in self.balances(handles).enumerate() {
                self.check(index)?;
                if self.key(balance).is_some() {
                    let cost = cost_of_one(balance);
                    each = each.saturating_add(cost);
                    dated = dated.saturating_add(if balance.dated { cost } else { 0 });
                }
            }
            Ok((each, dated))
        })?;
        let (each, dated) = halves
            .into_iter()
            .fold((0u64, 0u64), |(each, dated), half| (each.saturating_add(half.0), dated.saturating_add(half.1)));
        let all = self.snapshot.rows_count;
        let until = self.rows_until(at)?;
        let costs = [
            ((all - until).saturating_add(dated), Way::Back),
            (until.saturating_add(dated), Way::Forth),
            (all, Way::All),
            (each, Way::Each),
        ];
        let (cost, way) = costs.into_iter().min_by_key(|(cost, _)| *cost).expect("there are four");
        // What is looked up one by one is counted dearer than it is read.
        if cost > ROWS_READ_MAX { Err(AggregateFault::TooManyRows) } else { Ok(way) }
    }

    /// How many rows were recorded by a moment. Their times never go back.
    fn rows_until(&self, at: i64) -> Result<u64, AggregateFault> {
        let (mut from, mut to) = (0, self.snapshot.rows_count);
        while from < to {
            let middle = from + (to - from) / 2;
            let row = self.books.row(middle)?.ok_or(BooksFault::Row(middle))?;
            if row.created_at <= at { from = middle + 1 } else { to = middle }
        }
        Ok(from)
    }

    /// The figures of a moment.
    fn at_by(&self, at: i64, way: Way) -> Result<Groups, AggregateFault> {
        if way == Way::Each {
            return self.each(at);
        }
        let Grouped { keys, mut sums, places } = self.grouped(|handle, balance, sums| {
            sums.balances += u64::from(balance.created_at <= at);
            if balance.dated && way != Way::All {
                sums.post(posted_at(self.books, handle, balance, at)?);
                return Ok(false);
            }
            if way == Way::Back {
                sums.post(balance.figures.posted);
            }
            Ok(true)
        })?;
        let until = self.rows_until(at)?;
        let rows = match way {
            Way::Back => until..self.snapshot.rows_count,
            Way::Forth => 0..until,
            Way::All | Way::Each => 0..self.snapshot.rows_count,
        };
        let halves = in_halves(rows, |rows| {
            let mut moved = vec![Sums::default(); sums.len()];
            self.walk(rows, |row| {
                if way == Way::All && row.effective_at > at {
                    return Ok(());
                }
                for (handle, posted) in sides(row) {
                    if let Some(sums) = moved.get_mut(place_of(&places, handle)) {
                        sums.post(posted);
                    }
                }
                Ok(())
            })?;
            Ok(moved)
        })?;
        for moved in &halves {
            for (sums, moved) in sums.iter_mut().zip(moved) {
                if way == Way::Back {
                    sums.credit.take_wide(moved.credit);
                    sums.debit.take_wide(moved.debit);
                } else {
                    sums.add(moved);
                }
            }
        }
        // A group of balances that did not exist yet, and had nothing either, is no group.
        Ok(keys.into_iter().zip(sums).filter(|(_, sums)| !sums.is_nothing()).collect())
    }

    /// Each balance by itself.
    fn each(&self, at: i64) -> Result<Groups, AggregateFault> {
        let halves = in_halves(0..self.balances_count(), |handles| {
            let mut groups = Groups::default();
            for (index, (handle, balance)) in self.balances(handles).enumerate() {
                self.check(index)?;
                let Some(key) = self.key(balance) else { continue };
                let posted = posted_at(self.books, handle, balance, at)?;
                let existed = u64::from(balance.created_at <= at);
                if existed > 0 || posted != Posted::default() {
                    let sums = group_of(&mut groups, key)?;
                    sums.balances += existed;
                    sums.post(posted);
                }
            }
            Ok(groups)
        })?;
        joined(halves)
    }

    /// What was posted in each month.
    fn by_month(&self) -> Result<Groups, AggregateFault> {
        if self.snapshot.rows_count > ROWS_READ_MAX {
            return Err(AggregateFault::TooManyRows);
        }
        let at = self.ask.at.unwrap_or(i64::MAX);
        let halves = in_halves(0..self.snapshot.rows_count, |rows| {
            let (mut groups, mut months) = (Groups::default(), Months::default());
            self.walk(rows, |row| {
                if row.effective_at > at {
                    return Ok(());
                }
                let month = Some(months.of(row.effective_at));
                for (handle, posted) in sides(row) {
                    let balance = self.snapshot.balances.get(handle as usize).filter(|_| handle != NO_BALANCE);
                    if let Some(key) = balance.and_then(|balance| self.key(balance)) {
                        group_of(&mut groups, Key { month, ..key })?.post(posted);
                    }
                }
                Ok(())
            })?;
            Ok(groups)
        })?;
        joined(halves)
    }

    /// The groups of all balances that are asked for. `take` adds what a balance brings to the sums of its group, and says whether
    /// its rows count in them.
    fn grouped(
        &self,
        take: impl Fn(u32, &Balance, &mut Sums) -> Result<bool, AggregateFault> + Sync,
    ) -> Result<Grouped, AggregateFault> {
        let halves = in_halves(0..self.balances_count(), |handles| {
            let places = vec![NOWHERE; (handles.end - handles.start) as usize];
            let (mut half, first) = (Grouped { places, ..Grouped::default() }, handles.start);
            let mut numbers = HashMap::default();
            // Balances that follow each other often are of one group.
            let mut last = None;
            for (index, (handle, balance)) in self.balances(handles).enumerate() {
                self.check(index)?;
                let Some(key) = self.key(balance) else { continue };
                let number = match last {
                    Some((known, number)) if known == key => number,
                    _ => half.number(&mut numbers, key)?,
                };
                last = Some((key, number));
                if take(handle, balance, &mut half.sums[number as usize])? {
                    half.places[(u64::from(handle) - first) as usize] = number;
                }
            }
            Ok(half)
        })?;
        Grouped::joined(halves)
    }

    /// Takes each row of a range that was posted.
    fn walk(
        &self,
        rows: Range<u64>,
        mut take: impl FnMut(&Row) -> Result<(), AggregateFault>,
    ) -> Result<(), AggregateFault> {
        let mut walk = self.books.rows.walk();
        for (index, number) in rows.enumerate() {
            self.check(index)?;
            let row = walk.get(number).map_err(BooksFault::Rows)?.ok_or(BooksFault::Row(number))?;
            if row.status == Status::Applied {
                take(row)?;
            }
        }
        Ok(())
    }
}

/// Groups by number.
#[derive(Default)]
struct Grouped {
    keys: Vec<Key>,
    sums: Vec<Sums>,
    /// Of each balance, the number of the group that its rows count in, or [`NOWHERE`].
    places: Vec<u32>,
}

impl Grouped {
    /// The number of a group, of which there may be none yet.
    fn number(&mut self, numbers: &mut HashMap<Key, u32, Mix>, key: Key) -> Result<u32, AggregateFault> {
        if let Some(number) = numbers.get(&key) {
            return Ok(*number);
        }
        if self.keys.len() >= GROUPS_MAX {
            return Err(AggregateFault::TooManyGroups);
        }
        let number = self.keys.len() as u32;
        numbers.insert(key, number);
        self.keys.push(key);
        self.sums.push(Sums::default());
        Ok(number)
    }

    /// The groups of balances that follow each other.
    fn joined(halves: Vec<Grouped>) -> Result<Grouped, AggregateFault> {
        let (mut all, mut numbers) = (Grouped::default(), HashMap::default());
        for half in halves {
            let mut theirs = Vec::with_capacity(half.keys.len());
            for (key, sums) in half.keys.into_iter().zip(&half.sums) {
                let number = all.number(&mut numbers, key)?;
                all.sums[number as usize].add(sums);
                theirs.push(number);
            }
            let places = half.places.iter().map(|place| theirs.get(*place as usize).copied().unwrap_or(NOWHERE));
            all.places.extend(places);
        }
        Ok(all)
    }
}

/// The place of a balance that is not asked for, or whose rows do not count.
const NOWHERE: u32 = u32::MAX;
const _: () = assert!(GROUPS_MAX < NOWHERE as usize, "the number of a group is never that of none");
const _: () = assert!(NO_ROW == u64::MAX, "no row is behind every row");

fn place_of(places: &[u32], handle: u32) -> usize {
    places.get(handle as usize).copied().unwrap_or(NOWHERE) as usize
}

/// What a posted row adds to either side.
fn sides(row: &Row) -> [(u32, Posted); 2] {
    [(row.source, Posted { credit: 0, debit: row.amount }), (row.destination, Posted { credit: row.amount, debit: 0 })]
}

fn group_of(groups: &mut Groups, key: Key) -> Result<&mut Sums, AggregateFault> {
    if groups.len() >= GROUPS_MAX && !groups.contains_key(&key) {
        return Err(AggregateFault::TooManyGroups);
    }
    Ok(groups.entry(key).or_default())
}

fn joined(halves: Vec<Groups>) -> Result<Groups, AggregateFault> {
    let mut halves = halves.into_iter();
    let mut groups = halves.next().unwrap_or_default();
    for (key, sums) in halves.flatten() {
        group_of(&mut groups, key)?.add(&sums);
    }
    Ok(groups)
}

/// Does work over a range: at once when it is short, otherwise in two halves, each on a thread of low priority.
fn in_halves<T: Send>(
    range: Range<u64>,
    work: impl Fn(Range<u64>) -> Result<T, AggregateFault> + Sync,
) -> Result<Vec<T>, AggregateFault> {
    let middle = range.start + (range.end - range.start) / 2;
    if range.end - range.start < CUT_LEAST {
        return Ok(vec![work(range)?]);
    }
    let work = &work;
    std::thread::scope(|scope| {
        let halves = [range.start..middle, middle..range.end].map(|half| {
            let thread = std::thread::Builder::new().name("aggregate".into());
            let started = thread.spawn_scoped(scope, {
                let half = half.clone();
                move || {
                    crate::priority::lower(crate::priority::FOLLOWER);
                    work(half)
                }
            });
            (half, started)
        });
        let ended = halves.into_iter().map(|(half, started)| match started {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            // No more threads are to be had: then it is done here.
            Err(_) => work(half),
        });
        ended.collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_have_a_limit() {
        let key = |number: u32| Key { ledger: Some(number), currency: 0, identity: None, month: None };
        let mut groups = Groups::default();
        for number in 0..GROUPS_MAX as u32 {
            group_of(&mut groups, key(number)).expect("there is room").balances = 1;
        }
        let full = group_of(&mut groups, key(GROUPS_MAX as u32));
        assert!(matches!(full, Err(AggregateFault::TooManyGroups)));
        group_of(&mut groups, key(0)).expect("it is there").balances += 1;
        assert_eq!(groups.len(), GROUPS_MAX);
        let more = Groups::from_iter([(key(GROUPS_MAX as u32), Sums::default())]);
        assert!(matches!(joined(vec![groups.clone(), more]), Err(AggregateFault::TooManyGroups)));
        let same = Groups::from_iter([(key(0), Sums { balances: 5, ..Sums::default() })]);
        let both = joined(vec![groups, same]).expect("no group is new");
        assert_eq!((both.len(), both[&key(0)].balances, both[&key(1)].balances), (GROUPS_MAX, 7, 1));
    }

    /// Proves that balances of two halves are in the groups that they would be in together, and that the limit is that of both.
    #[test]
    fn groups_of_two_halves_are_those_of_the_whole() {
        let key = |ledger: u32| Key { ledger: Some(ledger), currency: 0, identity: None, month: None };
        let grouped = |ledgers: &[Option<u32>]| {
            let (mut grouped, mut numbers) = (Grouped::default(), HashMap::default());
            for ledger in ledgers {
                let number = ledger.map_or(NOWHERE, |ledger| grouped.number(&mut numbers, key(ledger)).expect("few"));
                if ledger.is_some() {
                    grouped.sums[number as usize].balances += 1;
                }
                grouped.places.push(number);
            }
            grouped
        };
        let all = [Some(5), None, Some(6), Some(5), None, Some(7), Some(6), Some(8), Some(5), None];
        for cut in 0..=all.len() {
            let (whole, halves) = (grouped(&all), vec![grouped(&all[..cut]), grouped(&all[cut..])]);
            let joined = Grouped::joined(halves).expect("few groups");
            assert_eq!((joined.keys, joined.sums, joined.places), (whole.keys, whole.sums, whole.places), "{cut}");
        }
        let many = |from: u32| grouped(&(from..from + GROUPS_MAX as u32).map(Some).collect::<Vec<_>>());
        assert_eq!(Grouped::joined(vec![many(0), many(0)]).expect("the same ones").keys.len(), GROUPS_MAX);
        assert!(matches!(Grouped::joined(vec![many(0), many(1)]), Err(AggregateFault::TooManyGroups)));
    }

    #[test]
    fn halves_are_the_whole() {
        for range in [0..0, 5..6, 0..CUT_LEAST - 1, 7..CUT_LEAST + 7, 1..3 * CUT_LEAST] {
            let halves = in_halves(range.clone(), |half| Ok(half.sum::<u64>())).expect("nothing is read");
            assert_eq!(halves.len(), if range.end - range.start < CUT_LEAST { 1 } else { 2 });
            assert_eq!(halves.iter().sum::<u64>(), range.sum::<u64>());
        }
        let failed =
            in_halves(0..2 * CUT_LEAST, |half| if half.start > 0 { Err(AggregateFault::Stopped) } else { Ok(()) });
        assert!(matches!(failed, Err(AggregateFault::Stopped)));
    }
}
