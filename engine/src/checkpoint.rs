//! The state at a place of the journal, in a file: start-up reads it and replays only what came after.
//!
//! A checkpoint is written beside the others under a temporary name and renamed when everything else that is derived
//! reaches as far. One that does not check out is passed over; without any, all is replayed.

mod accounts;
mod closings;
mod identities;
mod lineage;
mod monitors;
mod naming;

use crate::codec::bytes::{Reading, put_i64, put_i128, put_text, put_u64, put_varint};
use crate::codec::{CodecFault, allocation, policy};
use journal::disk::{Access, Disk, File};
use journal::place::Place;
use ledger::event::NO_BALANCE;
use ledger::policy::{Policed, Spent};
use ledger::row::Posted;
use ledger::state::{Balance, Figures, GENERAL_LEDGER, History, Hold, Ledger, Registered, State};
use ledger::timers::Due;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const MAGIC: &[u8; 8] = b"FLORINC4";
/// Ends the name of a checkpoint.
pub const SUFFIX: &str = ".checkpoint";
/// Of one that is being written.
const SUFFIX_NEW: &str = ".new";
/// Bytes that are collected before they are written.
const PIECE_BYTES: usize = 1 << 20;
/// Checkpoints that are kept.
const KEPT: usize = 2;
const REACHED_MAGIC: &[u8; 8] = b"FLORINR1";
const REACHED_BYTES: usize = 8 + 8 + 8 + 32 + 4;
/// The file of the mark of how far the journal reached.
pub const REACHED_NAME: &str = "reached";
/// Of one that is being written. It does not end as those of checkpoints do, which are removed whenever one is finished.
const REACHED_NAME_NEXT: &str = "reached.next";

/// Writes a checkpoint under a temporary name; answers both names, for [`finish`].
pub fn write(disk: &dyn Disk, folder: &Path, place: Place, state: &State) -> io::Result<(PathBuf, PathBuf)> {
    disk.create_folder(folder)?;
    let path = folder.join(format!("{:020}{SUFFIX}", place.seq));
    let temporary = folder.join(format!("{:020}{SUFFIX_NEW}", place.seq));
    // A file whose sync has failed is not written a second time: what is left of the first could come over it.
    if disk.exists(&temporary)? {
        disk.remove(&temporary)?;
    }
    let file = disk.open(&temporary, Access::Create)?;
    let mut out =
        Out { file, buffer: Vec::with_capacity(2 * PIECE_BYTES), offset: 0, checksum: crc32fast::Hasher::new() };
    out.buffer.extend_from_slice(MAGIC);
    put_place(&mut out.buffer, place);
    put_state(&mut out, state)?;
    out.end()?;
    Ok((temporary, path))
}

/// Makes a written checkpoint count, and removes old ones.
pub fn finish(disk: &dyn Disk, folder: &Path, names: &(PathBuf, PathBuf)) -> io::Result<()> {
    disk.rename(&names.0, &names.1)?;
    let mut all = list(disk, folder)?;
    all.truncate(all.len().saturating_sub(KEPT));
    for path in all {
        disk.remove(&path)?;
    }
    Ok(())
}

/// Leaves a mark that all records up to a place are durable. It is small and proves nothing but that: when the last of them are
/// damaged, they cannot be told from a group that was never whole.
pub fn write_reached(disk: &dyn Disk, folder: &Path, place: Place) -> io::Result<()> {
    disk.create_folder(folder)?;
    let temporary = folder.join(REACHED_NAME_NEXT);
    // A file whose sync has failed is not written a second time: what is left of the first could come over it.
    if disk.exists(&temporary)? {
        disk.remove(&temporary)?;
    }
    let mut bytes = REACHED_MAGIC.to_vec();
    put_place(&mut bytes, place);
    let checksum = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&checksum.to_le_bytes());
    let file = disk.open(&temporary, Access::Create)?;
    file.write_at(&bytes, 0)?;
    file.sync()?;
    disk.rename(&temporary, &folder.join(REACHED_NAME))
}

/// The place that the mark tells; `None` when there is none, or it is damaged.
pub fn read_reached(disk: &dyn Disk, folder: &Path) -> io::Result<Option<Place>> {
    let file = match disk.open(&folder.join(REACHED_NAME), Access::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = [0; REACHED_BYTES];
    let whole = file.read_at(&mut bytes, 0)? == REACHED_BYTES && file.len()? == REACHED_BYTES as u64;
    let (content, checksum) = bytes.split_at(REACHED_BYTES - 4);
    if !whole || !content.starts_with(REACHED_MAGIC) || crc32fast::hash(content).to_le_bytes() != checksum {
        return Ok(None);
    }
    Ok(take_place(&mut Reading::new(&content[REACHED_MAGIC.len()..])).ok())
}

fn put_place(out: &mut Vec<u8>, place: Place) {
    put_u64(out, place.seq);
    put_u64(out, place.position);
    out.extend_from_slice(&place.chain);
}

fn take_place(from: &mut Reading<'_>) -> Result<Place, CodecFault> {
    let (seq, position) = (from.u64()?, from.u64()?);
    Ok(Place { seq, position, chain: from.take(32)?.try_into().expect("32 bytes were taken") })
}

/// All checkpoints, oldest first. What an interrupted one left is removed.
pub fn list(disk: &dyn Disk, folder: &Path) -> io::Result<Vec<PathBuf>> {
    if !disk.exists(folder)? {
        return Ok(Vec::new());
    }
    let names = disk.list(folder)?;
    for name in names.iter().filter(|name| name.ends_with(SUFFIX_NEW)) {
        disk.remove(&folder.join(name))?;
    }
    Ok(names.into_iter().filter(|name| name.ends_with(SUFFIX)).map(|name| folder.join(name)).collect())
}

/// Reads a checkpoint. `None` when it is damaged or of another version.
pub fn read(disk: &dyn Disk, path: &Path) -> io::Result<Option<(Place, State)>> {
    let file = disk.open(path, Access::Read)?;
    let len = usize::try_from(file.len()?).map_err(|_| io::Error::other("the checkpoint does not fit into memory"))?;
    let mut bytes = vec![0; len];
    if file.read_at(&mut bytes, 0)? != len || len < MAGIC.len() + 4 || !bytes.starts_with(MAGIC) {
        return Ok(None);
    }
    let (content, checksum) = bytes.split_at(len - 4);
    if crc32fast::hash(content).to_le_bytes() != checksum {
        return Ok(None);
    }
    Ok(parse(&content[MAGIC.len()..]).ok())
}

struct Out {
    file: Arc<dyn File>,
    buffer: Vec<u8>,
    offset: u64,
    checksum: crc32fast::Hasher,
}

impl Out {
    /// Writes what was collected, once it is a piece.
    fn piece(&mut self) -> io::Result<()> {
        if self.buffer.len() >= PIECE_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.checksum.update(&self.buffer);
        self.file.write_at(&self.buffer, self.offset)?;
        self.offset += self.buffer.len() as u64;
        self.buffer.clear();
        Ok(())
    }

    fn end(mut self) -> io::Result<()> {
        self.flush()?;
        let checksum = self.checksum.finalize().to_le_bytes();
        self.file.write_at(&checksum, self.offset)?;
        self.file.sync()
    }
}

fn put_option(out: &mut Vec<u8>, number: Option<i64>) {
    out.push(u8::from(number.is_some()));
    if let Some(number) = number {
        put_i64(out, number);
    }
}

fn put_state(out: &mut Out, state: &State) -> io::Result<()> {
    put_varint(&mut out.buffer, state.rows_count);
    put_i64(&mut out.buffer, state.latest_at);
    put_varint(&mut out.buffer, state.currencies.len() as u64);
    for text in state.currencies.iter() {
        put_text(&mut out.buffer, text);
        out.piece()?;
    }
    put_varint(&mut out.buffer, state.ledgers.len() as u64);
    for ledger in state.ledgers.iter().skip(1) {
        put_u64(&mut out.buffer, ledger.nonce);
        put_i64(&mut out.buffer, ledger.created_at);
        put_u64(&mut out.buffer, ledger.record);
        put_u64(&mut out.buffer, ledger.renamed);
        out.piece()?;
    }
    put_u64(&mut out.buffer, state.ledgers.get(GENERAL_LEDGER as usize).expect("it is always there").renamed);
    identities::put(out, state)?;
    put_varint(&mut out.buffer, state.balances.len() as u64);
    for balance in state.balances.iter() {
        put_balance(&mut out.buffer, balance);
        out.piece()?;
    }
    // Their order must not be one that the process makes up: what the simulator finds with a seed it finds again.
    let mut indicators: Vec<_> = state.indicators().collect();
    indicators.sort_unstable_by_key(|(_, _, handle)| *handle);
    put_varint(&mut out.buffer, indicators.len() as u64);
    for (text, currency, handle) in indicators {
        put_text(&mut out.buffer, text);
        put_varint(&mut out.buffer, u64::from(currency));
        put_varint(&mut out.buffer, u64::from(handle));
        out.piece()?;
    }
    put_varint(&mut out.buffer, state.holds.len() as u64);
    for (&row, hold) in state.holds.iter() {
        put_hold(&mut out.buffer, row, hold);
        out.piece()?;
    }
    put_varint(&mut out.buffer, state.timers.len() as u64);
    for (at, row, due) in state.timers.iter() {
        put_i64(&mut out.buffer, at);
        put_varint(&mut out.buffer, row);
        out.buffer.push(due as u8);
        out.piece()?;
    }
    put_varint(&mut out.buffer, state.adjusted.len() as u64);
    for (&row, &amount) in state.adjusted.iter() {
        put_varint(&mut out.buffer, row);
        put_i128(&mut out.buffer, amount);
        out.piece()?;
    }
    put_varint(&mut out.buffer, state.currencies.all_registered().count() as u64);
    for (number, registered) in state.currencies.all_registered() {
        put_varint(&mut out.buffer, u64::from(number));
        put_varint(&mut out.buffer, registered.precision);
        put_text(&mut out.buffer, &registered.name);
        put_i64(&mut out.buffer, registered.at);
        out.piece()?;
    }
    put_varint(&mut out.buffer, state.policies.len() as u64);
    for (&handle, policed) in state.policies.iter() {
        put_varint(&mut out.buffer, u64::from(handle));
        put_policed(&mut out.buffer, policed);
        out.piece()?;
    }
    naming::put(out, state)?;
    accounts::put(out, state)?;
    monitors::put(out, state)?;
    lineage::put(out, state)?;
    closings::put(out, state)
}

fn put_policed(out: &mut Vec<u8>, policed: &Policed) {
    policy::put(out, &policed.policy);
    for spent in &policed.spent {
        put_i64(out, spent.since);
        put_i128(out, spent.sum);
        put_varint(out, spent.count);
    }
}

fn put_balance(out: &mut Vec<u8>, balance: &Balance) {
    for posted in [balance.figures.posted, balance.figures.held] {
        put_i128(out, posted.credit);
        put_i128(out, posted.debit);
    }
    put_varint(out, balance.version);
    put_varint(out, u64::from(balance.currency));
    put_varint(out, u64::from(balance.ledger));
    put_varint(out, balance.identity.map_or(0, |identity| u64::from(identity) + 1));
    put_u64(out, balance.nonce);
    put_i64(out, balance.created_at);
    put_varint(out, balance.record);
    put_varint(out, u64::from(balance.opened));
    out.push(u8::from(balance.track_fund_lineage));
    out.push(balance.allocation as u8);
    out.push(u8::from(balance.dated));
    put_varint(out, balance.history.count);
    for row in balance.history.path() {
        put_varint(out, row);
    }
}

fn put_hold(out: &mut Vec<u8>, row: u64, hold: &Hold) {
    put_varint(out, row);
    put_varint(out, u64::from(hold.source));
    put_varint(out, u64::from(hold.destination));
    put_varint(out, u64::from(hold.currency));
    put_i128(out, hold.amount);
    put_i128(out, hold.remaining);
    put_option(out, hold.expires_at);
    put_option(out, hold.commits_at);
}

fn parse(content: &[u8]) -> Result<(Place, State), CodecFault> {
    let mut from = Reading::new(content);
    let place = take_place(&mut from)?;
    let mut state = State::new();
    state.rows_count = from.varint()?;
    state.latest_at = from.i64()?;
    for _ in 0..from.varint()? {
        Arc::make_mut(&mut state.currencies).add(from.text()?);
    }
    for _ in 1..from.varint()? {
        let (nonce, created_at) = (from.u64()?, from.i64()?);
        state.ledgers.push(Ledger { nonce, created_at, record: from.u64()?, renamed: from.u64()? });
    }
    state.ledgers.get_mut(GENERAL_LEDGER as usize).expect("it is always there").renamed = from.u64()?;
    identities::take(&mut from, &mut state)?;
    for _ in 0..from.varint()? {
        state.balances.push(parse_balance(&mut from)?);
    }
    for _ in 0..from.varint()? {
        let text = from.text()?;
        state.restore_indicator(text, from.number("a currency")?, from.number("a balance")?);
    }
    for _ in 0..from.varint()? {
        let (row, hold) = parse_hold(&mut from)?;
        state.holds.insert(row, hold);
    }
    for _ in 0..from.varint()? {
        let (at, row) = (from.i64()?, from.varint()?);
        let due = Due::of_number(from.byte()?).ok_or(CodecFault::Value("a timer"))?;
        state.timers.insert((at, row, due));
        if due == Due::Execute {
            state.scheduled.insert(row, at);
        }
    }
    for _ in 0..from.varint()? {
        let row = from.varint()?;
        state.adjusted.insert(row, from.i128()?);
    }
    for _ in 0..from.varint()? {
        let number = from.number("a currency")?;
        let registered = Registered { precision: from.varint()?, name: from.text()?.into(), at: from.i64()? };
        if number as usize >= state.currencies.len() {
            return Err(CodecFault::Value("a currency"));
        }
        let text = state.currencies.text(number).to_owned();
        Arc::make_mut(&mut state.currencies).register(&text, registered);
    }
    for _ in 0..from.varint()? {
        let handle = from.number("a balance")?;
        let policed = parse_policed(&mut from)?;
        state.balances.get_mut(handle as usize).ok_or(CodecFault::Value("a balance"))?.policed = true;
        state.policies.insert(handle, policed);
    }
    naming::parse(&mut from, &mut state)?;
    accounts::take(&mut from, &mut state)?;
    monitors::take(&mut from, &mut state)?;
    lineage::take(&mut from, &mut state)?;
    closings::take(&mut from, &mut state)?;
    if from.is_empty() { Ok((place, state)) } else { Err(CodecFault::Trailing) }
}

fn parse_policed(from: &mut Reading<'_>) -> Result<Policed, CodecFault> {
    let mut policed = Policed::begin(policy::take(from)?, None);
    for spent in &mut policed.spent {
        *spent = Spent { since: from.i64()?, sum: from.i128()?, count: from.varint()? };
    }
    Ok(policed)
}

fn parse_posted(from: &mut Reading<'_>) -> Result<Posted, CodecFault> {
    Ok(Posted { credit: from.i128()?, debit: from.i128()? })
}

fn parse_balance(from: &mut Reading<'_>) -> Result<Balance, CodecFault> {
    let figures = Figures { posted: parse_posted(from)?, held: parse_posted(from)? };
    let mut balance = Balance {
        figures,
        history: History::default(),
        version: from.varint()?,
        currency: from.number("a currency")?,
        ledger: from.number("a ledger")?,
        identity: match from.number("an identity")? {
            0 => None,
            number => Some(number - 1),
        },
        nonce: from.u64()?,
        created_at: from.i64()?,
        record: from.varint()?,
        opened: from.number("a balance")?,
        track_fund_lineage: from.byte()? == 1,
        allocation: allocation(from.byte()?)?,
        dated: from.byte()? == 1,
        policed: false,
    };
    let count = from.varint()?;
    let path = (0..count.count_ones()).map(|_| from.varint()).collect::<Result<Vec<u64>, _>>()?;
    balance.history = History::restore(count, &path).ok_or(CodecFault::Value("a history"))?;
    Ok(balance)
}

fn parse_hold(from: &mut Reading<'_>) -> Result<(u64, Hold), CodecFault> {
    let row = from.varint()?;
    let hold = Hold {
        source: from.number("a balance")?,
        destination: from.number("a balance")?,
        currency: from.number("a currency")?,
        amount: from.i128()?,
        remaining: from.i128()?,
        expires_at: parse_option(from)?,
        commits_at: parse_option(from)?,
    };
    if hold.source == NO_BALANCE || hold.destination == NO_BALANCE {
        return Err(CodecFault::Value("a balance"));
    }
    Ok((row, hold))
}

fn parse_option(from: &mut Reading<'_>) -> Result<Option<i64>, CodecFault> {
    let present = from.byte()? == 1;
    from.time_when(present)
}

#[cfg(test)]
mod tests {
    use super::*;
    use journal::disk::MemoryDisk;

    /// What a process makes up to find texts is not seen in the file: a seed of the simulation makes the same one again.
    #[test]
    fn the_file_does_not_depend_on_the_process() {
        let written = || {
            let mut state = State::new();
            for handle in 0..300 {
                state.restore_indicator(&format!("@{handle}"), 0, handle);
                state.set_alias(handle, &format!("alias {handle}"));
            }
            let disk = MemoryDisk::new();
            let (path, _) = write(&disk, Path::new("/checkpoints"), Place::start(), &state).unwrap();
            disk.contents(&path).unwrap()
        };
        assert_eq!(written(), written());
    }
}
