//! Files in memory that can crash.
//!
//! A file has what readers see (`current`), what survives a power cut for certain (`synced`), and the writes in between,
//! any sectors of which may survive. Names have the same three states; they survive in the order of the calls.

use super::{Access, Disk, Failure, File, MemoryDisk};
use crate::block::BLOCK_BYTES;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The unit that a medium writes whole or not at all.
const SECTOR_BYTES: usize = 512;

pub(super) struct State {
    is_direct: bool,
    names: BTreeMap<PathBuf, usize>,
    names_synced: BTreeMap<PathBuf, usize>,
    names_pending: Vec<NameChange>,
    folders: BTreeSet<PathBuf>,
    nodes: Vec<Node>,
    operations: u64,
    failing: Option<(u64, Failure)>,
    has_failed: bool,
    is_full: bool,
    is_dead: bool,
}

#[derive(Clone)]
enum NameChange {
    Add(PathBuf, usize),
    Rename(PathBuf, PathBuf),
    Remove(PathBuf),
}

#[derive(Clone, Default)]
struct Node {
    current: Vec<u8>,
    synced: Vec<u8>,
    pending: Vec<Change>,
    /// Changes whose sync failed: no later sync makes them durable, a crash may still keep them.
    limbo: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    SetLen(usize),
}

/// What the injected failure does to one operation.
enum Verdict {
    Fine,
    Fail(io::Error),
}

struct MemoryFile {
    state: Arc<Mutex<State>>,
    node: usize,
    is_direct: bool,
    is_writable: bool,
}

impl MemoryDisk {
    /// An empty disk whose files can be direct.
    pub fn new() -> MemoryDisk {
        MemoryDisk::with(true)
    }

    /// An empty disk that refuses direct files, as some file systems do.
    pub fn buffered() -> MemoryDisk {
        MemoryDisk::with(false)
    }

    fn with(is_direct: bool) -> MemoryDisk {
        let state = State {
            is_direct,
            names: BTreeMap::new(),
            names_synced: BTreeMap::new(),
            names_pending: Vec::new(),
            folders: BTreeSet::new(),
            nodes: Vec::new(),
            operations: 0,
            failing: None,
            has_failed: false,
            is_full: false,
            is_dead: false,
        };
        MemoryDisk { state: Arc::new(Mutex::new(state)) }
    }

    /// How many writes, length changes, syncs, renames and removals were asked for.
    pub fn operations(&self) -> u64 {
        lock(&self.state).operations
    }

    /// Makes the operation fail that comes after `operations` more of those that [`MemoryDisk::operations`] counts.
    pub fn fail_after(&self, operations: u64, failure: Failure) {
        let mut state = lock(&self.state);
        let at = state.operations + operations + 1;
        state.failing = Some((at, failure));
    }

    /// The disk as another process finds it when the one that used it was killed: all that was written, synced or not. It is
    /// independent of this one, has room again, and does not fail.
    pub fn fork(&self) -> MemoryDisk {
        let state = lock(&self.state);
        let disk = MemoryDisk::with(state.is_direct);
        let mut fresh = lock(&disk.state);
        fresh.names = state.names.clone();
        fresh.names_synced = state.names_synced.clone();
        fresh.names_pending = state.names_pending.clone();
        fresh.folders = state.folders.clone();
        fresh.nodes = state.nodes.clone();
        drop(fresh);
        disk
    }

    /// Whether the failure that [`MemoryDisk::fail_after`] asked for has come.
    pub fn has_failed(&self) -> bool {
        lock(&self.state).has_failed
    }

    /// Whether the power is gone.
    pub fn has_lost_power(&self) -> bool {
        lock(&self.state).is_dead
    }

    /// All files, by their names.
    pub fn files(&self) -> Vec<PathBuf> {
        lock(&self.state).names.keys().cloned().collect()
    }

    /// Removes a file, durably and past any failure: the hand of a test.
    pub fn forget(&self, path: &Path) {
        let mut state = lock(&self.state);
        state.names.remove(path);
        state.names_synced.remove(path);
    }

    /// The disk that a power cut leaves now: what was synced, and of the rest what the seed says, in torn sectors.
    pub fn crash(&self, seed: u64) -> MemoryDisk {
        let state = lock(&self.state);
        let mut random = Random(seed);
        let mut names = state.names_synced.clone();
        let kept = random.below(state.names_pending.len() as u64 + 1) as usize;
        for change in &state.names_pending[..kept] {
            change.apply(&mut names);
        }
        // Files without a name are gone.
        let mut nodes = Vec::new();
        for number in names.values_mut() {
            let bytes = state.nodes[*number].survivors(&mut random);
            *number = nodes.len();
            nodes.push(Node { current: bytes.clone(), synced: bytes, pending: Vec::new(), limbo: Vec::new() });
        }
        let disk = MemoryDisk::with(state.is_direct);
        let mut fresh = lock(&disk.state);
        fresh.names_synced = names.clone();
        fresh.names = names;
        fresh.folders = state.folders.clone();
        fresh.nodes = nodes;
        drop(fresh);
        disk
    }

    /// What a file holds, `None` when there is no such file.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = lock(&self.state);
        state.names.get(path).map(|node| state.nodes[*node].current.clone())
    }

    /// Puts a file there with these bytes, durably and past any failure: the hand of a test.
    pub fn set_contents(&self, path: &Path, bytes: &[u8]) {
        let mut state = lock(&self.state);
        let number = state.nodes.len();
        state.nodes.push(Node { current: bytes.to_vec(), synced: bytes.to_vec(), ..Node::default() });
        state.names.insert(path.to_owned(), number);
        state.names_synced.insert(path.to_owned(), number);
        if let Some(folder) = path.parent() {
            state.folders.extend(folder.ancestors().map(Path::to_owned));
        }
    }
}

impl Default for MemoryDisk {
    fn default() -> MemoryDisk {
        MemoryDisk::new()
    }
}

impl State {
    /// Counts an operation and decides whether it fails. `grows`: it needs room on the disk.
    fn operation(&mut self, grows: bool) -> Verdict {
        self.counted(grows, false)
    }

    /// The same of a sync.
    fn sync_operation(&mut self) -> Verdict {
        self.counted(false, true)
    }

    fn counted(&mut self, grows: bool, syncs: bool) -> Verdict {
        if self.is_dead {
            return Verdict::Fail(power_lost());
        }
        self.operations += 1;
        let is_due = |at, failure| match failure {
            Failure::Sync => syncs && at <= self.operations,
            Failure::NoSpace | Failure::Io | Failure::PowerLost => at == self.operations,
        };
        match self.failing {
            Some((at, failure)) if is_due(at, failure) => {
                self.failing = None;
                self.has_failed = true;
                match failure {
                    Failure::NoSpace => {
                        self.is_full = true;
                        Verdict::Fail(no_space())
                    }
                    Failure::Io | Failure::Sync => Verdict::Fail(io::Error::other("injected input/output error")),
                    Failure::PowerLost => {
                        self.is_dead = true;
                        Verdict::Fail(power_lost())
                    }
                }
            }
            _ if grows && self.is_full => Verdict::Fail(no_space()),
            _ => Verdict::Fine,
        }
    }

    fn alive(&self) -> io::Result<()> {
        if self.is_dead { Err(power_lost()) } else { Ok(()) }
    }

    fn change_names(&mut self, change: NameChange) {
        change.apply(&mut self.names);
        self.names_pending.push(change);
    }

    fn sync_names(&mut self) {
        self.names_pending.clear();
        self.names_synced = self.names.clone();
    }
}

impl NameChange {
    fn apply(&self, names: &mut BTreeMap<PathBuf, usize>) {
        match self {
            NameChange::Add(path, node) => {
                names.insert(path.clone(), *node);
            }
            NameChange::Rename(from, to) => {
                if let Some(node) = names.remove(from) {
                    names.insert(to.clone(), node);
                }
            }
            NameChange::Remove(path) => {
                names.remove(path);
            }
        }
    }
}

impl Change {
    /// What of a change lies outside of a stretch of the file.
    fn outside(self, begin: usize, end: usize) -> Vec<Change> {
        match self {
            Change::Write(offset, bytes) if offset < end && offset + bytes.len() > begin => {
                let before = &bytes[..begin.saturating_sub(offset)];
                let after = &bytes[(end - offset).min(bytes.len())..];
                let parts = [(offset, before), (end, after)].into_iter().filter(|(_, part)| !part.is_empty());
                parts.map(|(offset, part)| Change::Write(offset, part.to_vec())).collect()
            }
            other => vec![other],
        }
    }
}

impl Node {
    fn sync_lengths(&mut self) {
        let synced = &mut self.synced;
        self.pending.retain(|change| match change {
            Change::SetLen(length) => {
                synced.resize(*length, 0);
                false
            }
            Change::Write(..) => true,
        });
    }

    /// Makes bytes durable. What was written to the same place before and is not durable yet, or whose sync failed, cannot come
    /// back over them: writes to one place keep their order.
    fn keep(&mut self, offset: usize, bytes: &[u8]) {
        overwrite(&mut self.synced, offset, bytes);
        let end = offset + bytes.len();
        for changes in [&mut self.pending, &mut self.limbo] {
            let rests = std::mem::take(changes).into_iter().flat_map(|change| change.outside(offset, end));
            *changes = rests.collect();
        }
    }

    fn survivors(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for change in self.limbo.iter().chain(&self.pending) {
            match change {
                Change::SetLen(length) if random.below(2) == 0 => bytes.resize(*length, 0),
                Change::SetLen(_) => {}
                Change::Write(offset, written) => survive(&mut bytes, *offset, written, random),
            }
        }
        bytes
    }
}

/// Applies the sectors of a write that survive: none, all, the first few, or any.
fn survive(bytes: &mut Vec<u8>, offset: usize, written: &[u8], random: &mut Random) {
    let end = offset + written.len();
    let sectors = end.div_ceil(SECTOR_BYTES) - offset / SECTOR_BYTES;
    let mode = random.below(5);
    let prefix = random.below(sectors as u64 + 1) as usize;
    let mut at = offset;
    let mut index = 0;
    while at < end {
        let next = ((at / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
        let lives = match mode {
            0 => false,
            1 => true,
            2 => index < prefix,
            _ => random.below(2) == 0,
        };
        if lives {
            if bytes.len() < next {
                bytes.resize(next, 0);
            }
            bytes[at..next].copy_from_slice(&written[at - offset..next - offset]);
        }
        at = next;
        index += 1;
    }
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, access: Access) -> io::Result<Arc<dyn File>> {
        let mut state = lock(&self.state);
        state.alive()?;
        let node = match (state.names.get(path).copied(), access) {
            (Some(node), _) => node,
            (None, Access::Create) => {
                let node = state.nodes.len();
                state.nodes.push(Node::default());
                state.change_names(NameChange::Add(path.to_owned(), node));
                node
            }
            (None, _) => return Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let is_direct = access == Access::Direct && state.is_direct;
        let is_writable = access != Access::Read;
        Ok(Arc::new(MemoryFile { state: self.state.clone(), node, is_direct, is_writable }))
    }

    fn exists(&self, path: &Path) -> io::Result<bool> {
        let state = lock(&self.state);
        state.alive()?;
        Ok(state.names.contains_key(path) || state.folders.contains(path))
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<String>> {
        let state = lock(&self.state);
        state.alive()?;
        if !state.folders.contains(folder) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        let inside = state.names.keys().filter(|path| path.parent() == Some(folder));
        Ok(inside.filter_map(|path| path.file_name()?.to_str().map(str::to_owned)).collect())
    }

    fn create_folder(&self, folder: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        state.alive()?;
        state.folders.extend(folder.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !state.names.contains_key(path) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        if let Verdict::Fail(error) = state.operation(false) {
            return Err(error);
        }
        state.change_names(NameChange::Remove(path.to_owned()));
        Ok(())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        if !state.names.contains_key(from) {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        let verdict = state.operation(false);
        state.change_names(NameChange::Rename(from.to_owned(), to.to_owned()));
        match verdict {
            Verdict::Fail(error) => Err(error),
            Verdict::Fine => {
                state.sync_names();
                Ok(())
            }
        }
    }

    fn sync_folder(&self, _folder: &Path) -> io::Result<()> {
        let mut state = lock(&self.state);
        match state.sync_operation() {
            Verdict::Fail(error) => Err(error),
            Verdict::Fine => {
                state.sync_names();
                Ok(())
            }
        }
    }

    /// The n-th operation is the same one every time.
    fn allows_threads(&self) -> bool {
        false
    }
}

impl File for MemoryFile {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let state = lock(&self.state);
        state.alive()?;
        self.check_aligned(bytes, offset)?;
        let content = &state.nodes[self.node].current;
        let begin = usize::try_from(offset).map_or(content.len(), |offset| offset.min(content.len()));
        let count = bytes.len().min(content.len() - begin);
        bytes[..count].copy_from_slice(&content[begin..begin + count]);
        Ok(count)
    }

    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        self.check_aligned(bytes, offset)?;
        self.check_writable()?;
        let offset = offset as usize;
        let end = offset + bytes.len();
        let grows = end > state.nodes[self.node].current.len();
        let verdict = state.operation(grows);
        let (is_dead, is_full, operations) = (state.is_dead, state.is_full, state.operations);
        let node = &mut state.nodes[self.node];
        match verdict {
            Verdict::Fail(error) => {
                if is_full && error.kind() == io::ErrorKind::StorageFull {
                    return Err(error);
                }
                if is_dead {
                    node.limbo.push(Change::Write(offset, bytes.to_vec()));
                    return Err(error);
                }
                // Some sectors may have been written. Whoever reads finds these; of a direct file the medium has them too, of another
                // one it may get them later. It never gets what nobody finds: a drive does not work off a write that it has refused.
                survive(&mut node.current, offset, bytes, &mut Random(operations));
                if self.is_direct {
                    survive(&mut node.synced, offset, bytes, &mut Random(operations));
                } else if let Some(found) = node.current.get(offset..end.min(node.current.len())) {
                    node.limbo.push(Change::Write(offset, found.to_vec()));
                }
                return Err(error);
            }
            Verdict::Fine => {}
        }
        overwrite(&mut node.current, offset, bytes);
        if self.is_direct {
            // A durable write takes the length it needs with it.
            node.sync_lengths();
            node.keep(offset, bytes);
        } else {
            node.pending.push(Change::Write(offset, bytes.to_vec()));
        }
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut state = lock(&self.state);
        let verdict = state.sync_operation();
        let node = &mut state.nodes[self.node];
        let pending = std::mem::take(&mut node.pending);
        match verdict {
            Verdict::Fail(error) => {
                node.limbo.extend(pending);
                Err(error)
            }
            Verdict::Fine => {
                for change in pending {
                    match change {
                        Change::Write(offset, bytes) => node.keep(offset, &bytes),
                        Change::SetLen(length) => {
                            node.synced.resize(length, 0);
                            node.limbo.retain(|change| matches!(change, Change::Write(..)));
                        }
                    }
                }
                Ok(())
            }
        }
    }

    fn len(&self) -> io::Result<u64> {
        let state = lock(&self.state);
        state.alive()?;
        Ok(state.nodes[self.node].current.len() as u64)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = lock(&self.state);
        self.check_writable()?;
        let length = len as usize;
        let grows = length > state.nodes[self.node].current.len();
        if let Verdict::Fail(error) = state.operation(grows) {
            return Err(error);
        }
        let node = &mut state.nodes[self.node];
        node.current.resize(length, 0);
        node.pending.push(Change::SetLen(length));
        Ok(())
    }

    fn is_direct(&self) -> bool {
        self.is_direct
    }
}

impl MemoryFile {
    fn check_aligned(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let block = BLOCK_BYTES as u64;
        let aligned = (bytes.as_ptr() as usize).is_multiple_of(BLOCK_BYTES)
            && bytes.len().is_multiple_of(BLOCK_BYTES)
            && offset.is_multiple_of(block);
        if self.is_direct && !aligned { Err(io::Error::from(io::ErrorKind::InvalidInput)) } else { Ok(()) }
    }

    fn check_writable(&self) -> io::Result<()> {
        if self.is_writable { Ok(()) } else { Err(io::Error::from(io::ErrorKind::PermissionDenied)) }
    }
}

fn overwrite(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    let end = offset + bytes.len();
    if content.len() < end {
        content.resize(end, 0);
    }
    content[offset..end].copy_from_slice(bytes);
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn no_space() -> io::Error {
    io::Error::from(io::ErrorKind::StorageFull)
}

fn power_lost() -> io::Error {
    io::Error::other("injected power cut")
}

/// Splitmix64: a sequence that a seed decides.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}
