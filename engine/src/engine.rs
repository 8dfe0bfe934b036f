//! The way in: open a data folder, submit commands, read.

use crate::answer::{Answer, Trial, Unavailable, Untried};
use crate::by_hand::ByHand;
use crate::clock::Clock;
use crate::folder::{Folder, FolderFault};
use crate::limits::{self, Sizes};
use crate::log::Log;
use crate::merkle::follow as merkle;
use crate::monitors::follow as monitors;
use crate::reading::Books;
use crate::replay::{self, ReplayFault, Replayed};
use crate::scrub::offline;
use crate::verify::VerifyFault;
use crate::writer::checkpoints::Checkpoints;
use crate::writer::publish::Pending;
use crate::writer::{Health, KeyAsk, Reply, Request, View, Wake, Writer, postings_of};
use journal::disk::Disk;
use journal::group::Group;
use journal::open::Options as JournalOptions;
use ledger::command::{Command, Mismatch};
use ledger::draft::Scratch;
use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Why an engine whose writer has ended by itself takes no changes.
const BUG: &str = "the writer met a bug and stopped";

/// How an engine is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// The data folder.
    pub folder: PathBuf,
    /// Whether to make the folder when it is not there.
    pub make: bool,
    /// Sizes of the journal. One that is there keeps the size of its segments.
    pub journal: JournalOptions,
    /// What to do with a currency that is not that of both balances.
    pub mismatch: Mismatch,
    /// The time.
    pub clock: Clock,
    /// How often derived things are written.
    pub sizes: Sizes,
}

/// Why an engine was not opened.
#[derive(Debug)]
pub enum OpenFault {
    /// The folder cannot be used.
    Folder(FolderFault),
    /// What is in it cannot be started from.
    Replay(ReplayFault),
    /// A thread could not be started.
    Thread(io::Error),
    /// What was found damaged could not be deleted, to be made anew.
    Damaged(VerifyFault),
}

impl fmt::Display for OpenFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenFault::Folder(fault) => fault.fmt(f),
            OpenFault::Replay(fault) => fault.fmt(f),
            OpenFault::Thread(_) => write!(f, "a thread cannot be started"),
            OpenFault::Damaged(_) => write!(f, "what was found damaged cannot be deleted"),
        }
    }
}

impl std::error::Error for OpenFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            OpenFault::Folder(fault) => fault.source(),
            OpenFault::Replay(fault) => fault.source(),
            OpenFault::Thread(source) => Some(source),
            OpenFault::Damaged(source) => Some(source),
        }
    }
}

/// What start-up found.
#[derive(Clone, Debug)]
pub struct Started {
    /// Records that were replayed.
    pub replayed_records: u64,
    /// Bytes of a torn group that were cut from the end of the journal.
    pub cut_bytes: u64,
    /// Whether the journal is written past the system's cache. Otherwise each write is followed by a sync.
    pub direct: bool,
}

/// A running engine. Dropping it stops it cleanly.
pub struct Engine {
    books: Arc<Books>,
    health: Arc<Health>,
    wakes: Sender<Wake>,
    /// None when the writer is run by hand.
    writer: Mutex<Option<JoinHandle<()>>>,
    /// Evaluates monitors; none where the disk allows no threads.
    monitors: Mutex<Option<monitors::Thread>>,
    /// Hashes transactions; none where the disk allows no threads.
    merkle: Mutex<Option<merkle::Thread>>,
    started: Started,
    _folder: Folder,
}

impl Engine {
    /// Opens a data folder and starts the engine on it. Returns when everything in the journal is there.
    pub fn open(disk: Arc<dyn Disk>, options: Options) -> Result<Engine, OpenFault> {
        let threads = disk.allows_threads();
        let (engine, writer) = Engine::prepare(disk, options, Log::start)?;
        let thread = std::thread::Builder::new().name("writer".into()).spawn(move || writer.run());
        *engine.writer.lock().expect("no holder panics") = Some(thread.map_err(OpenFault::Thread)?);
        if threads {
            let monitors = monitors::Thread::start(Arc::clone(&engine.books)).map_err(OpenFault::Thread)?;
            *engine.monitors.lock().expect("no holder panics") = Some(monitors);
            let merkle = merkle::Thread::start(Arc::clone(&engine.books)).map_err(OpenFault::Thread)?;
            *engine.merkle.lock().expect("no holder panics") = Some(merkle);
        }
        Ok(engine)
    }

    /// Opens a data folder on a disk that allows no threads, and starts none: the caller runs the writer. For simulators.
    pub fn open_by_hand(disk: Arc<dyn Disk>, options: Options) -> Result<(Engine, ByHand), OpenFault> {
        assert!(!disk.allows_threads(), "nothing runs by itself");
        let log = Log::by_hand(Arc::clone(&disk));
        let (engine, writer) = Engine::prepare(disk, options, |_| Ok(log))?;
        Ok((engine, ByHand::new(writer)))
    }

    fn prepare(
        disk: Arc<dyn Disk>,
        options: Options,
        log: impl FnOnce(Sender<Wake>) -> io::Result<Log>,
    ) -> Result<(Engine, Writer), OpenFault> {
        let folder = Folder::open(&options.folder, options.make).map_err(OpenFault::Folder)?;
        let journal = options.journal.of_journal(&*disk, &folder.journal());
        let journal = journal.map_err(|fault| OpenFault::Replay(ReplayFault::Journal(fault)))?;
        if folder.has_damage() {
            offline::delete_damaged(&disk, &folder, journal).map_err(OpenFault::Damaged)?;
        }
        let replayed = replay::replay(&disk, &folder, journal, options.sizes).map_err(OpenFault::Replay)?;
        let Replayed { state, books, references, children, appender, cut_bytes, replayed_records } = replayed;
        let started = Started { replayed_records, cut_bytes, direct: appender.is_direct() };
        let books = Arc::new(books);
        let health = Arc::new(Health::default());
        let threads = disk.allows_threads();
        let (wakes, receiver) = channel();
        let place = appender.place();
        let segment_bytes = journal.segment_bytes;
        let checkpoints = Checkpoints::start(
            disk,
            folder.checkpoints(),
            segment_bytes,
            options.sizes,
            Arc::clone(&books),
            wakes.clone(),
        )
        .map_err(OpenFault::Thread)?;
        let writer = Writer {
            state,
            scratch: Scratch::default(),
            references,
            children,
            books: Arc::clone(&books),
            health: Arc::clone(&health),
            seeds: options.clock.seeds(),
            clock: options.clock,
            wakes: receiver,
            log: log(wakes.clone()).map_err(OpenFault::Thread)?,
            appender: Some(appender),
            open: Pending::new(Group::new(place.seq, place.position, segment_bytes)),
            in_flight: None,
            spare: None,
            backlog: VecDeque::new(),
            checkpoints,
            stopping: false,
            mismatch: options.mismatch,
            last_waiting: None,
        };
        if !threads {
            books.monitors().more(&books);
            books.merkle().more(&books);
        }
        let (writer_thread, monitors, merkle) = (Mutex::new(None), Mutex::new(None), Mutex::new(None));
        let engine = Engine { books, health, wakes, writer: writer_thread, monitors, merkle, started, _folder: folder };
        Ok((engine, writer))
    }

    /// Has a command carried out. `reply` is called once, on the writer's thread, when all that the answer tells is durable;
    /// it must not block. The answer carries at most `rows_wanted` rows.
    pub fn submit(&self, command: Command, rows_wanted: usize, reply: Reply) {
        self.submit_once(command, None, rows_wanted, reply);
    }

    /// Has a command carried out, unless one was with the same key: then the answer is that of the first time, or, when
    /// something else was sent with the key, [`Answer::KeyTaken`]. A command that is refused leaves no key. Only commands
    /// that make rows are known by their key.
    pub fn submit_once(&self, command: Command, key: Option<KeyAsk>, rows_wanted: usize, reply: Reply) {
        let mut owed = Owed(Some(reply));
        let reply: Reply = Box::new(move |answer| owed.pay(answer));
        if let Err(refused) = self.enter(Request::Change { command, key, rows_wanted, reply })
            && let (Request::Change { reply, .. }, why) = *refused
        {
            reply(Answer::Unavailable(why));
        }
    }

    /// Says what would become of commands, each by itself, and does nothing of it. `reply` is called on the writer's thread,
    /// when all that the answer rests on is durable; it must not block. It is dropped when the engine cannot answer.
    pub fn attempt(&self, commands: Vec<Command>, reply: impl FnOnce(Result<Vec<Trial>, Untried>) + Send + 'static) {
        let reply = Box::new(reply);
        if let Err(refused) = self.enter(Request::Try { commands, reply })
            && let (Request::Try { reply, .. }, why) = *refused
        {
            reply(Err(Untried::Unavailable(why)));
        }
    }

    /// Looks at the state. `deliver` gets what `look` found, on the writer's thread, when all that it may have seen is
    /// durable. Neither may block. When the engine cannot answer, both are dropped.
    pub fn read<T: Send + 'static>(
        &self,
        look: impl FnOnce(&View<'_>) -> T + Send + 'static,
        deliver: impl FnOnce(T) + Send + 'static,
    ) {
        let query = Box::new(move |view: &View<'_>| {
            let found = look(view);
            Box::new(move || deliver(found)) as Box<dyn FnOnce() + Send>
        });
        drop(self.enter(Request::Read(query)));
    }

    /// Lets a request in, if the queues have room.
    fn enter(&self, request: Request) -> Result<(), Box<(Request, Unavailable)>> {
        if let Some(reason) = self.health.stopped() {
            return Err(Box::new((request, Unavailable::Stopped(reason))));
        }
        let postings = postings_of(&request);
        let requests_before = self.health.requests_waiting.fetch_add(1, Ordering::Relaxed);
        let postings_before = self.health.postings_waiting.fetch_add(postings, Ordering::Relaxed);
        let leave = |why| {
            self.health.requests_waiting.fetch_sub(1, Ordering::Relaxed);
            self.health.postings_waiting.fetch_sub(postings, Ordering::Relaxed);
            why
        };
        let full = postings_before > 0 && postings_before + postings > limits::QUEUE_POSTINGS_MAX;
        if requests_before >= limits::QUEUE_REQUESTS_MAX || full {
            return Err(Box::new((request, leave(Unavailable::Busy))));
        }
        self.wakes.send(Wake::Request(request)).map_err(|error| match error.0 {
            Wake::Request(request) => Box::new((request, leave(Unavailable::Closing))),
            _ => unreachable!("a request was sent"),
        })
    }

    /// What every thread may read.
    pub const fn books(&self) -> &Arc<Books> {
        &self.books
    }

    /// How the engine is.
    pub const fn health(&self) -> &Arc<Health> {
        &self.health
    }

    /// What start-up found.
    pub const fn started(&self) -> &Started {
        &self.started
    }

    /// Stops the engine: everything that was let in is answered, and what is derived is saved. Later requests are refused.
    pub fn close(&self) {
        // The writer may have ended already.
        drop(self.wakes.send(Wake::Stop));
        let thread = self.writer.lock().expect("no holder panics").take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            self.health.stop(BUG.to_owned());
        }
        if let Some(thread) = self.monitors.lock().expect("no holder panics").take() {
            thread.end(self.books.monitors());
        } else {
            self.books.monitors().rest();
        }
        if let Some(thread) = self.merkle.lock().expect("no holder panics").take() {
            thread.end(self.books.merkle());
        } else {
            self.books.merkle().rest(&self.books);
        }
    }
}

/// A reply that is owed. A request that reaches the writer's queue when the writer has just ended is dropped with the queue;
/// whoever waits for it is told then.
struct Owed(Option<Reply>);

impl Owed {
    fn pay(&mut self, answer: Answer) {
        if let Some(reply) = self.0.take() {
            reply(answer);
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        let bug = std::thread::panicking();
        self.pay(Answer::Unavailable(if bug { Unavailable::Stopped(BUG.to_owned()) } else { Unavailable::Closing }));
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.close();
    }
}
