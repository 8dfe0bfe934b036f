//! The nodes that are kept: those above whole blocks, in the order in which they become whole. Fixed width, append-only, derived.
//!
//! After the root of block `n` stand all nodes that are whole because of it, upwards. So before block `n` there are `2n` nodes less one
//! for each bit that is set in `n`, and where a node stands is known without looking.
//!
//! | at | bytes | of a node |
//! |---|---|---|
//! | 0 | 32 | the hash |
//! | 32 | 4 | checksum of it and of where it stands |
//!
//! Beside the file stands a mark: how many blocks are in it for sure, and of which journal.

use super::BLOCK_LEVEL;
use super::hash::Hash;
use super::tree::Peaks;
use crate::codec::bytes::put_u64;
use journal::disk::{Access, Disk, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// The file of nodes.
pub const FILE_NAME: &str = "proofs.tbl";
/// The file of the mark.
pub const MARK_NAME: &str = "proofs.mark";
const MARK_NEW_NAME: &str = "proofs.mark.new";
const MAGIC: &[u8; 8] = b"FLORINT1";
const MARK_BYTES: usize = 8 + 8 + 32 + 32 + 4;

/// Bytes of a node.
pub const NODE_BYTES: usize = 36;

/// How many nodes stand before a block.
pub const fn nodes_before(block: u64) -> u64 {
    2 * block - block.count_ones() as u64
}

/// Where the node of a level and an index stands; both as in the tree.
pub const fn place(level: u32, index: u64) -> u64 {
    let up = level - BLOCK_LEVEL;
    let last_block = ((index + 1) << up) - 1;
    nodes_before(last_block) + up as u64
}

/// Writes nodes as they stand from a place on.
pub fn encode(first: u64, nodes: &[Hash], out: &mut Vec<u8>) {
    for (at, node) in (first..).zip(nodes) {
        out.extend_from_slice(node);
        out.extend_from_slice(&checksum(at, node).to_le_bytes());
    }
}

/// Reads the node of a place. `None` when the bytes are not that node.
pub fn decode(at: u64, bytes: &[u8]) -> Option<Hash> {
    let (node, stored) = bytes.split_first_chunk::<32>()?;
    (checksum(at, node).to_le_bytes() == stored).then_some(*node)
}

fn checksum(at: u64, node: &Hash) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(at as u32);
    hasher.update(node);
    hasher.finalize()
}

/// How far the file goes for sure.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Mark {
    /// Blocks.
    pub blocks: u64,
    /// The chain hash of the record that made the last leaf of them.
    pub chain: Hash,
    /// The root of the tree of these blocks.
    pub root: Hash,
}

impl Mark {
    fn bytes(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        put_u64(&mut out, self.blocks);
        out.extend_from_slice(&self.chain);
        out.extend_from_slice(&self.root);
        let checksum = crc32fast::hash(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    fn parse(bytes: &[u8; MARK_BYTES]) -> Option<Mark> {
        let (content, stored) = bytes.split_at(MARK_BYTES - 4);
        if !content.starts_with(MAGIC) || crc32fast::hash(content).to_le_bytes() != stored {
            return None;
        }
        Some(Mark {
            blocks: u64::from_le_bytes(content[8..16].try_into().ok()?),
            chain: content[16..48].try_into().ok()?,
            root: content[48..80].try_into().ok()?,
        })
    }
}

/// The files. The table is made with the first block.
pub struct Table {
    disk: Arc<dyn Disk>,
    folder: PathBuf,
    file: OnceLock<Arc<dyn File>>,
    /// Whether a sync of the nodes has failed. What it should have made durable is not, and no later sync makes it so.
    doubtful: AtomicBool,
}

impl Table {
    /// The table of a folder.
    pub fn new(disk: Arc<dyn Disk>, folder: &Path) -> Table {
        Table { disk, folder: folder.to_owned(), file: OnceLock::new(), doubtful: AtomicBool::new(false) }
    }

    /// Where the nodes are.
    pub fn path(&self) -> PathBuf {
        self.folder.join(FILE_NAME)
    }

    /// The file of nodes, made if it is not there.
    fn file(&self) -> io::Result<&Arc<dyn File>> {
        if let Some(file) = self.file.get() {
            return Ok(file);
        }
        self.disk.create_folder(&self.folder)?;
        let file = self.disk.open(&self.path(), Access::Create)?;
        Ok(self.file.get_or_init(|| file))
    }

    /// Uses the file of nodes only to read. False when there is none.
    pub fn open_to_read(&self) -> io::Result<bool> {
        match self.disk.open(&self.path(), Access::Read) {
            Ok(file) => Ok(self.file.set(file).is_ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// A node; `None` when it is not there or is damaged.
    pub fn node(&self, level: u32, index: u64) -> io::Result<Option<Hash>> {
        let at = place(level, index);
        let mut bytes = [0; NODE_BYTES];
        let read = self.file()?.read_at(&mut bytes, at * NODE_BYTES as u64)?;
        Ok(decode(at, &bytes[..read]))
    }

    /// The nodes from a place on, so many; each `None` when it is not there or is damaged.
    pub fn nodes(&self, first: u64, count: usize) -> io::Result<Vec<Option<Hash>>> {
        let mut bytes = vec![0; count * NODE_BYTES];
        let read = self.file()?.read_at(&mut bytes, first * NODE_BYTES as u64)?;
        let whole = bytes[..read].chunks_exact(NODE_BYTES);
        let mut nodes: Vec<_> = (first..).zip(whole).map(|(at, bytes)| decode(at, bytes)).collect();
        nodes.resize(count, None);
        Ok(nodes)
    }

    /// Writes nodes from a place on. They are durable with the next mark.
    pub fn write(&self, first: u64, nodes: &[Hash], buffer: &mut Vec<u8>) -> io::Result<()> {
        buffer.clear();
        encode(first, nodes, buffer);
        self.file()?.write_at(buffer, first * NODE_BYTES as u64)
    }

    /// The peaks of so many blocks; `None` when one of them is not there or is damaged.
    pub fn peaks(&self, blocks: u64) -> io::Result<Option<Peaks>> {
        let mut roots = Vec::new();
        let mut at = 0;
        while at < blocks {
            let up = (blocks - at).ilog2();
            match self.node(BLOCK_LEVEL + up, at >> up)? {
                Some(root) => roots.push(root),
                None => return Ok(None),
            }
            at += 1 << up;
        }
        Ok(Some(Peaks::new(blocks, roots)))
    }

    /// The mark, unless it is missing or damaged.
    pub fn mark(&self) -> io::Result<Option<Mark>> {
        let path = self.folder.join(MARK_NAME);
        if !self.disk.exists(&path)? {
            return Ok(None);
        }
        let mut bytes = [0; MARK_BYTES];
        let read = self.disk.open(&path, Access::Read)?.read_at(&mut bytes, 0)?;
        Ok(Some(bytes).filter(|_| read == MARK_BYTES).and_then(|bytes| Mark::parse(&bytes)))
    }

    /// Makes the nodes durable, and then the mark that says so. Once that has failed there are no more marks until the next start,
    /// which writes the nodes behind the last one again.
    pub fn save(&self, mark: &Mark) -> io::Result<()> {
        if self.doubtful.load(Ordering::Relaxed) {
            return Ok(());
        }
        self.file()?.sync().inspect_err(|_| self.doubtful.store(true, Ordering::Relaxed))?;
        let new = self.folder.join(MARK_NEW_NAME);
        // A file whose sync has failed is not written a second time.
        if self.disk.exists(&new)? {
            self.disk.remove(&new)?;
        }
        let file = self.disk.open(&new, Access::Create)?;
        file.write_at(&mark.bytes(), 0)?;
        file.sync()?;
        self.disk.rename(&new, &self.folder.join(MARK_NAME))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::merkle::hash;
    use journal::disk::{Failure, MemoryDisk};

    /// Proves that a node is looked for where it was written, whatever its level.
    #[test]
    fn nodes_stand_where_they_are_looked_for() {
        let mut peaks = Peaks::default();
        let mut written = Vec::new();
        let leaf = |index: u64| hash::leaf(&index.to_le_bytes());
        for block in 0..300 {
            assert_eq!(written.len() as u64, nodes_before(block));
            peaks.push(leaf(block), |node| written.push(node));
        }
        let mut level: Vec<Hash> = (0..300).map(leaf).collect();
        for up in 0..9 {
            for (index, node) in (0..).zip(&level) {
                assert_eq!(written[place(BLOCK_LEVEL + up, index) as usize], *node, "{index} of {up} up");
            }
            level = level.chunks_exact(2).map(|two| hash::node(&two[0], &two[1])).collect();
        }
    }

    /// Proves that no mark tells of nodes that a failed sync may have lost, however often it is tried again.
    #[test]
    fn a_failed_sync_leaves_no_mark() {
        let folder = Path::new("/data/tables");
        let mark = Mark { blocks: 1, chain: [1; 32], root: [2; 32] };
        let disk = MemoryDisk::buffered();
        let table = Table::new(Arc::new(disk.clone()), folder);
        table.write(0, &[[2; 32]], &mut Vec::new()).expect("it is written");
        disk.fail_after(0, Failure::Sync);
        assert!(table.save(&mark).is_err());
        table.save(&mark).expect("it is left for the next start");
        for seed in 0..20 {
            let after = Table::new(Arc::new(disk.crash(seed)), folder);
            assert_eq!(after.mark().expect("it can be read"), None, "seed {seed}");
            after.write(0, &[[2; 32]], &mut Vec::new()).expect("it is written");
            after.save(&mark).expect("it is saved");
            assert_eq!(after.mark().expect("it can be read"), Some(mark));
        }
    }

    #[test]
    fn a_node_of_another_place_is_none() {
        let mut bytes = Vec::new();
        encode(7, &[[9; 32]], &mut bytes);
        assert_eq!(decode(7, &bytes), Some([9; 32]));
        assert_eq!((decode(8, &bytes), decode(7, &bytes[..35]), decode(7, &[0; 36])), (None, None, None));
    }
}
