//! What processes cost: CPU time and memory, read from `/proc`.

use std::collections::HashSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use serde::Serialize;

const PEAK_INTERVAL: Duration = Duration::from_millis(200);
const NANOSECONDS_PER_SECOND: u64 = 1_000_000_000;

/// CPU time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Usage {
    pub user_nanoseconds: u64,
    pub system_nanoseconds: u64,
}

impl Usage {
    pub fn since(self, before: Self) -> Self {
        Self {
            user_nanoseconds: self.user_nanoseconds.saturating_sub(before.user_nanoseconds),
            system_nanoseconds: self.system_nanoseconds.saturating_sub(before.system_nanoseconds),
        }
    }

    pub fn total_nanoseconds(self) -> u64 {
        self.user_nanoseconds + self.system_nanoseconds
    }
}

/// Resident memory. Pages that several processes share are counted once for each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct MemoryUse {
    pub resident_bytes: u64,
    /// The part that is not backed by files, which the system cannot simply drop.
    pub anonymous_bytes: u64,
}

/// The processes of the server. Their children belong to them.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    roots: Vec<u32>,
}

impl Watched {
    /// Without given processes the one that listens on the port is looked for, if the address is of this machine.
    pub fn find(given: &[u32], address: SocketAddr) -> Self {
        match given.is_empty() {
            false => Self { roots: given.to_vec() },
            true if address.ip().is_loopback() => Self { roots: listener(address.port()).into_iter().collect() },
            true => Self { roots: Vec::new() },
        }
    }

    #[cfg(test)]
    pub fn none() -> Self {
        Self { roots: Vec::new() }
    }

    /// The processes and all that descend from them.
    fn tree(&self) -> Vec<u32> {
        let mut tree: Vec<u32> = Vec::new();
        let mut open = self.roots.clone();
        while let Some(process) = open.pop() {
            if tree.contains(&process) {
                continue;
            }
            tree.push(process);
            for task in numbers_in(&format!("/proc/{process}/task")) {
                let children = fs::read_to_string(format!("/proc/{process}/task/{task}/children")).unwrap_or_default();
                open.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
        }
        tree
    }

    pub fn usage(&self) -> Option<Usage> {
        let parts: Vec<Usage> = self.tree().into_iter().filter_map(|process| usage(&process.to_string())).collect();
        (!parts.is_empty()).then(|| Usage {
            user_nanoseconds: parts.iter().map(|part| part.user_nanoseconds).sum(),
            system_nanoseconds: parts.iter().map(|part| part.system_nanoseconds).sum(),
        })
    }

    pub fn memory(&self) -> Option<MemoryUse> {
        let parts: Vec<MemoryUse> = self.tree().into_iter().filter_map(memory).collect();
        (!parts.is_empty()).then(|| MemoryUse {
            resident_bytes: parts.iter().map(|part| part.resident_bytes).sum(),
            anonymous_bytes: parts.iter().map(|part| part.anonymous_bytes).sum(),
        })
    }

    /// The folder that the server was told to keep its data in.
    pub fn data_folder(&self) -> Option<PathBuf> {
        self.roots.iter().find_map(|process| {
            let line = fs::read(format!("/proc/{process}/cmdline")).ok()?;
            let line = String::from_utf8(line).ok()?;
            let folder = argument(&line.split('\0').collect::<Vec<_>>(), "--data")?;
            let working_folder = fs::read_link(format!("/proc/{process}/cwd")).ok()?;
            Some(working_folder.join(folder)).filter(|folder| folder.is_dir())
        })
    }
}

/// CPU time of this process.
pub(super) fn own_usage() -> Option<Usage> {
    usage("self")
}

fn usage(process: &str) -> Option<Usage> {
    let line = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    parse_usage(&line, rustix::param::clock_ticks_per_second())
}

/// Own time and that of children that have ended, so that a server of short-lived processes is not undercounted.
fn parse_usage(line: &str, ticks_per_second: u64) -> Option<Usage> {
    // The second field is the name in parentheses and may contain anything.
    let (_, fields) = line.rsplit_once(')')?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<u64>().ok();
    let nanoseconds = |count: u64| count * (NANOSECONDS_PER_SECOND / ticks_per_second);
    Some(Usage {
        user_nanoseconds: nanoseconds(ticks(11)? + ticks(13)?),
        system_nanoseconds: nanoseconds(ticks(12)? + ticks(14)?),
    })
}

fn memory(process: u32) -> Option<MemoryUse> {
    parse_memory(&fs::read_to_string(format!("/proc/{process}/status")).ok()?)
}

fn parse_memory(status: &str) -> Option<MemoryUse> {
    let bytes = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        Some(line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()? * 1024)
    };
    Some(MemoryUse { resident_bytes: bytes("VmRSS")?, anonymous_bytes: bytes("RssAnon")? })
}

/// The value of `--name value` or `--name=value`.
fn argument<'a>(arguments: &[&'a str], name: &str) -> Option<&'a str> {
    let spelled = |argument: &&'a str| argument.strip_prefix(name)?.strip_prefix('=');
    let following = arguments.iter().position(|argument| *argument == name).and_then(|at| arguments.get(at + 1));
    following.copied().or_else(|| arguments.iter().find_map(spelled))
}

fn numbers_in(folder: &str) -> Vec<u32> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The process that listens on a port of this machine.
fn listener(port: u16) -> Option<u32> {
    let mut sockets = HashSet::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        sockets.extend(listening_sockets(&fs::read_to_string(table).unwrap_or_default(), port));
    }
    numbers_in("/proc").into_iter().find(|process| {
        let open = fs::read_dir(format!("/proc/{process}/fd")).into_iter().flatten().flatten();
        let mut links = open.filter_map(|entry| fs::read_link(entry.path()).ok());
        links.any(|link| sockets.contains(link.as_os_str().to_str().unwrap_or_default()))
    })
}

/// Names of the sockets that listen on a port, as `/proc/*/fd` shows them.
fn listening_sockets(table: &str, port: u16) -> Vec<String> {
    let socket = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let (_, local_port) = fields.get(1)?.rsplit_once(':')?;
        let listens = *fields.get(3)? == "0A" && u16::from_str_radix(local_port, 16) == Ok(port);
        listens.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
    };
    table.lines().skip(1).filter_map(socket).collect()
}

/// Follows memory while a run lasts, on a thread of its own: reading `/proc` would hold up requests.
pub(super) struct PeakWatch {
    stop: Arc<AtomicBool>,
    peak_bytes: Arc<AtomicU64>,
    thread: JoinHandle<()>,
}

impl PeakWatch {
    pub fn start(watched: &Watched) -> Self {
        let (stop, peak_bytes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let (watched, stop_seen, peak_kept) = (watched.clone(), stop.clone(), peak_bytes.clone());
        let thread = std::thread::spawn(move || {
            while !stop_seen.load(Ordering::Relaxed) && !watched.roots.is_empty() {
                let resident = watched.memory().map_or(0, |memory| memory.resident_bytes);
                peak_kept.fetch_max(resident, Ordering::Relaxed);
                std::thread::park_timeout(PEAK_INTERVAL);
            }
        });
        Self { stop, peak_bytes, thread }
    }

    /// The highest resident memory seen, if any was.
    pub fn stop(self) -> Option<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        let _ = self.thread.join();
        Some(self.peak_bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}

/// The part of `path` that exists, made absolute.
pub(super) fn absolute(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_read_past_odd_names() {
        let line = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 7 3 20 0 4 0 100 1000 200 18446744073709551615";
        let usage = parse_usage(line, 100).expect("a stat line");
        assert_eq!(usage, Usage { user_nanoseconds: 1_570_000_000, system_nanoseconds: 530_000_000 });
        assert_eq!(parse_usage("nonsense", 100), None);
    }

    #[test]
    fn memory_is_read_in_bytes() {
        let status = "Name:\tflorin\nVmHWM:\t  9 kB\nVmRSS:\t    2048 kB\nRssAnon:\t    1024 kB\nRssFile:\t 1024 kB\n";
        assert_eq!(parse_memory(status), Some(MemoryUse { resident_bytes: 2 << 20, anonymous_bytes: 1 << 20 }));
        assert_eq!(parse_memory("Name:\tkthreadd\n"), None);
    }

    #[test]
    fn the_listener_of_a_port_is_this_process() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("an address");
        let watched = Watched::find(&[], address);
        assert_eq!(watched.roots, [std::process::id()]);
        assert!(watched.usage().is_some() && watched.memory().is_some_and(|memory| memory.resident_bytes > 0));
    }

    #[test]
    fn the_data_argument_is_found_in_both_spellings() {
        assert_eq!(argument(&["florin", "serve", "--data", "d"], "--data"), Some("d"));
        assert_eq!(argument(&["florin", "serve", "--data=d"], "--data"), Some("d"));
        assert_eq!(argument(&["florin", "serve", "--database"], "--data"), None);
    }
}
