//! The event loop: one thread, many connections, at most one request under way on each.
//!
//! A [`Workload`] says what is sent next and is told what came back; the loop knows nothing of ledgers. Every phase of a
//! run, also creating balances and reading them back, is a workload on the same connections.
//!
//! A connection is idle, busy or down. Each event moves it along one of these arrows:
//!
//! | from | event | to |
//! |---|---|---|
//! | idle | the workload has a request | busy |
//! | busy | the reply is whole | idle, or busy again at once |
//! | busy | closed, broken, timed out, unreadable | down, and the workload is told that the outcome is unknown |
//! | idle | closed by the server | down |
//! | down | a second has passed | idle if a new connection succeeds |

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use rustix::process::{Resource, Rlimit};
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};

use super::BenchFault;
use super::reply::{Assembly, NotAReply, Reply};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A restarting server gets this long before the run is given up.
const GONE_AFTER: Duration = Duration::from_secs(30);
const SCRATCH_BYTES: usize = 256 << 10;
const EVENTS_MAX: usize = 1024;
const TICK: Duration = Duration::from_secs(1);
/// Files that are open besides connections.
const OTHER_FILES: u64 = 64;
/// Marks the timer among the connections' tokens.
const TIMER: Token = Token(usize::MAX);

/// What a workload wants of an idle connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Send what is in the request buffer now.
    Send,
    /// Ask again at this time.
    At(Instant),
    /// There will be no more requests.
    Done,
}

/// Why a request has no reply. Whether it had an effect is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Loss {
    Closed,
    Broken,
    TimedOut,
    Unreadable(&'static str),
}

impl Loss {
    pub fn text(self) -> &'static str {
        match self {
            Self::Closed => "connection closed before the reply",
            Self::Broken => "connection broken before the reply",
            Self::TimedOut => "no reply within --timeout",
            Self::Unreadable(reason) => reason,
        }
    }
}

/// What is sent over the connections of an exchange. Slots are the connections, from 0.
pub(super) trait Workload {
    /// May change `request`, which still holds what was sent on this slot before (empty at first).
    fn next(&mut self, slot: usize, now: Instant, request: &mut Vec<u8>) -> Step;
    fn answered(&mut self, slot: usize, now: Instant, reply: &Reply<'_>);
    fn lost(&mut self, slot: usize, now: Instant, loss: Loss);
    /// Called about once a second.
    fn tick(&mut self, now: Instant);
}

/// How a workload came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    Finished,
    /// No connection could be made for [`GONE_AFTER`].
    ServerGone,
}

enum State {
    Idle,
    Busy,
    Down,
}

struct Connection {
    stream: TcpStream,
    state: State,
    request: Vec<u8>,
    written: usize,
    sent_at: Instant,
    assembly: Assembly,
}

/// Connections to one server.
pub(super) struct Exchange {
    poll: Poll,
    timer: OwnedFd,
    timer_at: Option<Instant>,
    address: SocketAddr,
    timeout: Duration,
    connections: Vec<Connection>,
    idle: Vec<usize>,
    busy: usize,
    scratch: Vec<u8>,
    /// Set once the workload has no more requests.
    done: bool,
}

impl Exchange {
    pub fn open(address: SocketAddr, connections: usize, timeout: Duration) -> Result<Self, BenchFault> {
        let system = |doing: &'static str| move |source: io::Error| BenchFault::System { doing, source };
        let poll = Poll::new().map_err(system("creating an epoll set"))?;
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK)
            .map_err(|error| system("creating a timer")(error.into()))?;
        poll.registry()
            .register(&mut SourceFd(&timer.as_raw_fd()), TIMER, Interest::READABLE)
            .map_err(system("watching a timer"))?;
        let mut opened = Vec::with_capacity(connections);
        for slot in 0..connections {
            let stream = connect(&poll, address, slot).map_err(|source| BenchFault::Connect { address, source })?;
            let state = State::Idle;
            let assembly = Assembly::default();
            opened.push(Connection { stream, state, request: vec![], written: 0, sent_at: Instant::now(), assembly });
        }
        Ok(Self {
            poll,
            timer,
            timer_at: None,
            address,
            timeout,
            connections: opened,
            idle: (0..connections).rev().collect(),
            busy: 0,
            scratch: vec![0; SCRATCH_BYTES],
            done: false,
        })
    }

    /// Runs a workload until it has no more requests and all replies have come or failed to come.
    pub fn run<W: Workload>(&mut self, work: &mut W) -> Result<Ending, BenchFault> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut tick_at = Instant::now() + TICK;
        let mut alive_at = Instant::now();
        self.done = false;
        for connection in &mut self.connections {
            connection.request = Vec::new();
        }
        loop {
            self.offer(work)?;
            if self.done && self.busy == 0 {
                return Ok(Ending::Finished);
            }
            let wait = tick_at.saturating_duration_since(Instant::now());
            match self.poll.poll(&mut events, Some(wait)) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => return Err(BenchFault::System { doing: "waiting for replies", source }),
            }
            for event in &events {
                match event.token() {
                    TIMER => self.timer_at = None,
                    Token(slot) => self.progress(slot, event, work),
                }
            }
            let now = Instant::now();
            if now >= tick_at {
                tick_at = now + TICK;
                work.tick(now);
                self.sweep(now, work);
                if self.connections.iter().any(|connection| !matches!(connection.state, State::Down)) {
                    alive_at = now;
                } else if now.duration_since(alive_at) >= GONE_AFTER {
                    return Ok(Ending::ServerGone);
                }
            }
        }
    }

    /// Hands requests to idle connections until the workload has none that is due.
    fn offer<W: Workload>(&mut self, work: &mut W) -> Result<(), BenchFault> {
        while !self.done
            && let Some(slot) = self.idle.pop()
        {
            match self.feed(slot, Instant::now(), work) {
                None => {}
                Some(at) => return self.arm(at),
            }
        }
        Ok(())
    }

    /// Asks the workload for the next request of an idle connection, which must not be on the idle list. Returns when to
    /// ask again if there is none yet.
    fn feed<W: Workload>(&mut self, slot: usize, now: Instant, work: &mut W) -> Option<Instant> {
        let connection = &mut self.connections[slot];
        match work.next(slot, now, &mut connection.request) {
            Step::Send => {
                connection.state = State::Busy;
                connection.written = 0;
                connection.sent_at = now;
                self.busy += 1;
                self.write(slot, work);
                None
            }
            Step::At(at) => {
                self.idle.push(slot);
                Some(at)
            }
            Step::Done => {
                self.idle.push(slot);
                self.done = true;
                None
            }
        }
    }

    /// Wakes the loop at a time that `epoll` with its milliseconds could not keep.
    fn arm(&mut self, at: Instant) -> Result<(), BenchFault> {
        if self.timer_at.is_some_and(|armed| armed <= at) {
            return Ok(());
        }
        // Zero would switch the timer off.
        let wait = at.saturating_duration_since(Instant::now()).max(Duration::from_nanos(1));
        let it_value = Timespec { tv_sec: wait.as_secs() as i64, tv_nsec: i64::from(wait.subsec_nanos()) };
        let once = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        rustix::time::timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &once)
            .map_err(|error| BenchFault::System { doing: "setting a timer", source: error.into() })?;
        self.timer_at = Some(at);
        Ok(())
    }

    fn progress<W: Workload>(&mut self, slot: usize, event: &Event, work: &mut W) {
        let connection = &self.connections[slot];
        if matches!(connection.state, State::Busy)
            && connection.written < connection.request.len()
            && event.is_writable()
        {
            self.write(slot, work);
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            self.read(slot, work);
        }
    }

    fn write<W: Workload>(&mut self, slot: usize, work: &mut W) {
        let connection = &mut self.connections[slot];
        while connection.written < connection.request.len() {
            match connection.stream.write(&connection.request[connection.written..]) {
                Ok(written) => connection.written += written,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return self.lose(slot, Loss::Broken, work),
            }
        }
    }

    fn read<W: Workload>(&mut self, slot: usize, work: &mut W) {
        loop {
            let connection = &mut self.connections[slot];
            if matches!(connection.state, State::Down) {
                return;
            }
            let count = match connection.stream.read(&mut self.scratch) {
                Ok(0) => return self.lose(slot, Loss::Closed, work),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return self.lose(slot, Loss::Broken, work),
            };
            if matches!(connection.state, State::Idle) {
                return self.lose(slot, Loss::Unreadable("bytes arrived that nobody asked for"), work);
            }
            let now = Instant::now();
            match connection.assembly.feed(&self.scratch[..count]) {
                Ok(None) => {}
                Ok(Some(reply)) => {
                    // A reply that overtakes its request leaves the connection in the middle of it.
                    let reusable = reply.reusable && connection.written == connection.request.len();
                    work.answered(slot, now, &reply);
                    return self.settle(slot, reusable, now, work);
                }
                Err(NotAReply(reason)) => return self.lose(slot, Loss::Unreadable(reason), work),
            }
            // The socket is empty: `epoll` reports what comes later.
            if count < self.scratch.len() {
                return;
            }
        }
    }

    /// After a whole reply: the next request goes out at once if it is due.
    fn settle<W: Workload>(&mut self, slot: usize, reusable: bool, now: Instant, work: &mut W) {
        self.busy -= 1;
        let connection = &mut self.connections[slot];
        connection.assembly.clear();
        connection.state = State::Idle;
        if !reusable {
            connection.state = State::Down;
            self.reconnect(slot);
        } else if self.done {
            self.idle.push(slot);
        } else {
            // When to ask again is found by `offer`, which asks the connection on top of the idle list.
            let _ = self.feed(slot, now, work);
        }
    }

    fn lose<W: Workload>(&mut self, slot: usize, loss: Loss, work: &mut W) {
        let connection = &mut self.connections[slot];
        match connection.state {
            State::Busy => {
                self.busy -= 1;
                work.lost(slot, Instant::now(), loss);
            }
            State::Idle => self.idle.retain(|idle| *idle != slot),
            State::Down => {}
        }
        connection.state = State::Down;
        connection.assembly.clear();
        let _ = self.poll.registry().deregister(&mut connection.stream);
    }

    fn reconnect(&mut self, slot: usize) {
        let connection = &mut self.connections[slot];
        let _ = self.poll.registry().deregister(&mut connection.stream);
        if let Ok(stream) = connect(&self.poll, self.address, slot) {
            connection.stream = stream;
            connection.state = State::Idle;
            self.idle.push(slot);
        }
    }

    /// Gives up requests that wait too long and tries connections that are down.
    fn sweep<W: Workload>(&mut self, now: Instant, work: &mut W) {
        for slot in 0..self.connections.len() {
            match self.connections[slot].state {
                State::Busy if now.duration_since(self.connections[slot].sent_at) > self.timeout => {
                    self.lose(slot, Loss::TimedOut, work);
                }
                State::Down => {
                    self.reconnect(slot);
                    if matches!(self.connections[slot].state, State::Down) {
                        // The next ones would fail alike.
                        return;
                    }
                }
                State::Busy | State::Idle => {}
            }
        }
    }
}

fn connect(poll: &Poll, address: SocketAddr, slot: usize) -> io::Result<TcpStream> {
    let stream = std::net::TcpStream::connect_timeout(&address, CONNECT_TIMEOUT)?;
    stream.set_nodelay(true)?;
    stream.set_nonblocking(true)?;
    let mut stream = TcpStream::from_std(stream);
    poll.registry().register(&mut stream, Token(slot), Interest::READABLE | Interest::WRITABLE)?;
    Ok(stream)
}

/// Asks the system for as many open files as the connections need.
pub(super) fn raise_file_limit(connections: usize) -> Result<(), BenchFault> {
    let needed = connections as u64 + OTHER_FILES;
    let limit = rustix::process::getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(allowed) = limit.maximum.filter(|maximum| *maximum < needed) {
        return Err(BenchFault::FileLimit { needed, allowed });
    }
    rustix::process::setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })
        .map_err(|error| BenchFault::System { doing: "raising the limit of open files", source: error.into() })
}
