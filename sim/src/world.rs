//! A world: one ledger, its disk, and all that happens to it from life to life.

use crate::audit::{self, Trouble};
use crate::auditor::Auditor;
use crate::command::Names;
use crate::detours;
use crate::disk::{Misread, SimDisk};
use crate::life::Life;
use crate::operation::Request;
use crate::random::Random;
use crate::workload::Workload;
use engine::by_hand::ByHand;
use engine::clock::{Clock, Simulated};
use engine::engine::{Engine, OpenFault, Options};
use engine::limits::Sizes;
use engine::verify::proofs::Signed;
use journal::disk::{Failure, MemoryDisk};
use journal::open::Options as JournalOptions;
use ledger::command::Mismatch;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Signed checkpoints that are kept of a world.
const SIGNED_MAX: usize = 4;
/// Where time begins: microseconds since 1970.
pub const START: i64 = 1_790_000_000_000_000;

/// What happened in worlds, counted.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Tally {
    /// Worlds.
    pub worlds: u64,
    /// Power cuts, kills, and stops after a failing or full disk.
    pub crashes: u64,
    /// Recoveries whose books were audited.
    pub recoveries: u64,
    /// Clean stops.
    pub stops: u64,
    /// Starts that a fault ended.
    pub failed_starts: u64,
    /// Operations that were answered.
    pub answers: u64,
    /// Records that were never answered and are there, or not.
    pub unanswered: u64,
    /// Damaged files that were noticed.
    pub damage_found: u64,
    /// Damaged files whose damage changed nothing.
    pub damage_harmless: u64,
    /// Times that everything derived was deleted.
    pub rebuilds: u64,
    /// Folders that were verified.
    pub verified: u64,
    /// Segments that were repaired from an archive.
    pub repairs: u64,
    /// A part of the chain hash of the last record that was audited, of all worlds together: the same for the same seeds.
    pub trace: u64,
}

impl Tally {
    /// Adds another.
    pub const fn add(&mut self, other: &Tally) {
        self.worlds += other.worlds;
        self.crashes += other.crashes;
        self.recoveries += other.recoveries;
        self.stops += other.stops;
        self.failed_starts += other.failed_starts;
        self.answers += other.answers;
        self.unanswered += other.unanswered;
        self.damage_found += other.damage_found;
        self.damage_harmless += other.damage_harmless;
        self.rebuilds += other.rebuilds;
        self.verified += other.verified;
        self.repairs += other.repairs;
        self.trace ^= other.trace;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally { worlds, crashes, recoveries, stops, failed_starts, answers, unanswered, .. } = self;
        writeln!(
            f,
            "{worlds} worlds, {crashes} crashes, {recoveries} recoveries audited, {failed_starts} failed starts, {stops} clean stops"
        )?;
        writeln!(f, "{answers} answers compared, {unanswered} records in doubt decided by recovery")?;
        let Tally { damage_found, damage_harmless, rebuilds, verified, repairs, .. } = self;
        write!(
            f,
            "{damage_found} damaged files noticed, {damage_harmless} harmless, {repairs} segments repaired, {rebuilds} rebuilds compared, \
             {verified} folders verified"
        )
    }
}

/// A folder for the lock and the format of a data folder, which are not on the simulated disk.
pub struct Ground(PathBuf);

impl Ground {
    /// A folder of its own under the system's folder for temporary files. Its fingerprints are the same every time.
    pub fn new(name: &str) -> std::io::Result<Ground> {
        let path = std::env::temp_dir().join(format!("florin-sim-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        let key = "000102030405060708090a0b0c0d0e0f";
        std::fs::write(path.join("format"), format!("florin data folder, format 1\nfingerprint key {key}\n"))?;
        Ok(Ground(path))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // It is in the folder for temporary files.
        drop(std::fs::remove_dir_all(&self.0));
    }
}

/// What was asked for and became due, in order.
#[derive(Clone, Debug)]
pub enum Entry {
    /// A request, at this time.
    Asked(Request, i64),
    /// One timer, at this time.
    Due(i64),
}

/// What happens to a life, and when.
#[derive(Clone, Copy, Debug)]
struct Fate {
    /// The operation of the disk that fails, and how.
    failure: Option<(u64, Failure)>,
    misread: Option<(u64, Misread)>,
    /// Turns that it has, if nothing stops it.
    turns: u64,
    /// How often out of ten work behind is late.
    lazy: u64,
    /// Whether it is stopped cleanly; otherwise it is killed.
    clean: bool,
}

/// One ledger.
pub struct World<'a> {
    pub(crate) random: Random,
    pub(crate) ground: &'a Ground,
    pub(crate) clock: Arc<Simulated>,
    pub(crate) time: i64,
    pub(crate) memory: MemoryDisk,
    pub(crate) workload: Workload,
    /// What things were called when they were audited last.
    pub(crate) names: Names,
    /// The books as they were audited last.
    pub(crate) base: Auditor,
    /// What came after.
    pub(crate) log: Vec<Entry>,
    /// Records that must be there, because an answer said so.
    pub(crate) acked: u64,
    /// The same before the last answers, and before those. Answers of one group come at once, and what became due in it is told
    /// of by later ones: so the last group begins no earlier than the older of these.
    acked_before: [u64; 2],
    /// The chain hash of each record that was audited.
    pub(crate) chain: Vec<[u8; 32]>,
    /// What was signed after some of the audits: it holds for ever.
    pub(crate) signed: Vec<Signed>,
    pub(crate) tally: Tally,
}

impl World<'_> {
    /// Lives the world of a seed, for so many lives; answers what happened, or what is wrong.
    pub fn live(ground: &Ground, seed: u64, lives: u64) -> Result<Tally, String> {
        let mut random = Random::new(seed);
        let direct = !random.one_in(4);
        let simulated = Simulated { now: AtomicI64::new(START), seed: AtomicU64::new(random.number()) };
        let mut world = World {
            ground,
            clock: Arc::new(simulated),
            time: START,
            memory: if direct { MemoryDisk::new() } else { MemoryDisk::buffered() },
            workload: Workload::new(random.number()),
            names: Names::default(),
            signed: Vec::new(),
            base: Auditor::default(),
            log: Vec::new(),
            acked: 0,
            acked_before: [0; 2],
            chain: Vec::new(),
            tally: Tally { worlds: 1, ..Tally::default() },
            random,
        };
        for life in 0..lives {
            world.life().map_err(|what| format!("seed {seed}, life {life}: {what}"))?;
        }
        let last = world.chain.last().map_or([0; 8], |chain| *chain.first_chunk().expect("a hash is longer"));
        world.tally.trace = u64::from_le_bytes(last);
        Ok(world.tally)
    }

    pub(crate) fn options(&self) -> Options {
        Options {
            folder: self.ground.path().to_owned(),
            make: false,
            journal: JournalOptions { segment_bytes: 64 << 10, record_bytes_max: 60 << 10 },
            mismatch: Mismatch::Refuse,
            clock: Clock::Simulated(Arc::clone(&self.clock)),
            sizes: Sizes {
                checkpoint_rows: 40,
                checkpoint_records: 30,
                references_tail_pairs: 16,
                children_tail_pairs: 4,
                dated_chunk_rows: 2,
                alerts_mark_rows: 7,
            },
        }
    }

    pub(crate) fn open(&self, disk: &SimDisk) -> Result<(Engine, ByHand), OpenFault> {
        // Nothing becomes due while what is there is compared with what must be there.
        self.clock.now.store(0, Ordering::Relaxed);
        Engine::open_by_hand(Arc::new(disk.clone()), self.options())
    }

    fn fate(&mut self) -> Fate {
        let random = &mut self.random;
        let early = if random.one_in(4) { 60 } else { 400 };
        let at = random.below(early);
        let failure = match random.below(20) {
            0..9 => Some((at, Failure::PowerLost)),
            9..11 => Some((at, Failure::Io)),
            11..13 => Some((at, Failure::NoSpace)),
            13..16 => Some((at, Failure::Sync)),
            _ => None,
        };
        let how = if random.one_in(2) { Misread::Flipped } else { Misread::Short };
        let misread = (failure.is_none() && random.one_in(4)).then(|| (random.below(60), how));
        Fate { failure, misread, turns: random.below(60), lazy: random.below(10), clean: random.one_in(3) }
    }

    /// One life: start, audit, work, end.
    fn life(&mut self) -> Result<(), String> {
        let fate = self.fate();
        let disk = SimDisk::new(self.memory.clone(), self.random.number(), fate.lazy);
        if let Some((after, failure)) = fate.failure {
            self.memory.fail_after(after, failure);
        }
        match self.open(&disk) {
            Err(fault) if self.memory.has_failed() => drop(fault),
            Err(fault) => return Err(format!("it does not open: {}", engine::fault_text(&fault))),
            Ok((engine, mut hand)) => {
                let audited = self.recover(&engine, &mut hand);
                match audited {
                    Ok(()) => {
                        let mut life = Life::new(self, engine, hand);
                        if let Some((after, how)) = fate.misread {
                            disk.misread_after(after, how);
                        }
                        let stopped = life.work(fate.turns)?;
                        let explained = life.world.memory.has_failed() || disk.has_misled();
                        if let (Some(reason), false) = (stopped, explained) {
                            return Err(format!("it stopped and nothing had failed: {reason}"));
                        }
                        life.end(fate.clean)?;
                    }
                    Err(Trouble::Fault(_)) if self.memory.has_failed() => {
                        // As a killed process leaves it.
                        self.memory = self.left_behind();
                        drop((hand, engine));
                    }
                    Err(trouble) => return Err(format!("after a recovery: {trouble:?}")),
                }
                detours::take(self)?;
                return Ok(());
            }
        }
        self.tally.failed_starts += 1;
        self.memory = self.left_behind();
        Ok(())
    }

    /// Remembers what was answered for before it became more.
    pub(crate) const fn remember_acked(&mut self, before: u64) {
        self.acked_before = [before, self.acked_before[0]];
    }

    /// Records that must be there even when the last group is damaged, which cannot be told from a torn one.
    pub(crate) const fn acked_before_last_group(&self) -> u64 {
        self.acked_before[1]
    }

    /// The disk that the next life finds: after a power cut what it left, otherwise all that was written.
    pub(crate) fn left_behind(&mut self) -> MemoryDisk {
        self.tally.crashes += 1;
        let power = self.memory.has_lost_power() || self.random.one_in(3);
        if power { self.memory.crash(self.random.number()) } else { self.memory.fork() }
    }

    /// Finds out how far the journal goes, and audits the books of then.
    fn recover(&mut self, engine: &Engine, hand: &mut ByHand) -> Result<(), Trouble> {
        let (books, chain) = self.recovered(engine, self.acked)?;
        self.names = audit::audit(engine, hand, &books)?;
        let signed = audit::signed(engine, &self.signed)?;
        if self.signed.len() == SIGNED_MAX {
            let old = self.random.below(SIGNED_MAX as u64) as usize;
            self.signed.remove(old);
        }
        self.signed.push(signed);
        self.tally.unanswered += self.log.len() as u64;
        if books.records > self.acked {
            self.remember_acked(self.acked);
        }
        self.acked = books.records;
        self.base = books;
        self.chain = chain;
        self.log.clear();
        self.tally.recoveries += 1;
        Ok(())
    }

    /// The books that belong to the records that are there, of which there must be so many at least, and their chain.
    pub(crate) fn recovered(&self, engine: &Engine, least: u64) -> Result<(Auditor, Vec<[u8; 32]>), Trouble> {
        let chain = audit::chain(engine)?;
        let wrong = |text: String| Err(Trouble::Wrong(text));
        let records = chain.len() as u64;
        if records < least {
            return wrong(format!("{records} records are there, and {least} were answered"));
        }
        let known = self.chain.len().min(chain.len());
        if chain[..known] != self.chain[..known] {
            return wrong("records that were there are others now".to_owned());
        }
        // Where the last group may be missing, the books begin further back than they were audited.
        if records < self.base.records {
            return Err(Trouble::Fault("the last group was cut".to_owned()));
        }
        let books = self.books_of(records).map_err(Trouble::Wrong)?;
        Ok((books, chain))
    }

    /// The books that belong to so many records.
    pub(crate) fn books_of(&self, records: u64) -> Result<Auditor, String> {
        let mut books = self.base.clone();
        for entry in &self.log {
            if books.records >= records {
                break;
            }
            match entry {
                Entry::Asked(request, now) => drop(books.take(request, *now)),
                Entry::Due(now) => drop(books.run_due(*now)),
            }
        }
        if books.records != records {
            return Err(format!("{records} records are there, and only {} were asked for", books.records));
        }
        Ok(books)
    }
}
