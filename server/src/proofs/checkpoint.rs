//! Checkpoints (c2sp.org/tlog-checkpoint): the text of a note that tells how large the Merkle log is and what its root is.
//!
//! Two lines more are ours. `florin/journal <seq> <hash>`: the last record of the journal then, and its chain hash. So a checkpoint
//! tells of all records, also of those that make no transaction. `florin/before <seq> <hash>`: the same of an earlier record that was
//! asked for; so whoever has an earlier checkpoint sees that the journal still has its last record.

use super::note::is_name;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use engine::merkle::hash::Hash;
use engine::verify::proofs::Signed;
use std::fmt;

const JOURNAL: &str = "florin/journal ";
const BEFORE: &str = "florin/before ";

/// What a checkpoint tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// Leaves of the tree: transactions.
    pub size: u64,
    /// Its root.
    pub root: Hash,
    /// The seq of the last record, 0 when there is none, and its chain hash.
    pub record: Option<(u64, Hash)>,
    /// The same of an earlier record.
    pub before: Option<(u64, Hash)>,
}

impl Checkpoint {
    /// Reads the text of a note.
    pub fn parse(text: &str) -> Option<Checkpoint> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let origin = lines.next().filter(|origin| is_name(origin))?.to_owned();
        let size = number(lines.next()?)?;
        let root = hash(lines.next()?)?;
        let (mut record, mut before) = (None, None);
        for line in lines {
            if line.is_empty() {
                return None;
            }
            // Lines of others mean nothing here.
            if let Some(told) = line.strip_prefix(JOURNAL) {
                record = Some(record_of(told)?);
            } else if let Some(told) = line.strip_prefix(BEFORE) {
                before = Some(record_of(told)?);
            }
        }
        Some(Checkpoint { origin, size, root, record, before })
    }

    /// As `verify` takes it.
    pub fn signed(&self) -> Signed {
        Signed { size: self.size, root: self.root, record: self.record }
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))?;
        for (word, told) in [(JOURNAL, &self.record), (BEFORE, &self.before)] {
            if let Some((seq, chain)) = told {
                writeln!(f, "{word}{seq} {}", STANDARD.encode(chain))?;
            }
        }
        Ok(())
    }
}

fn record_of(told: &str) -> Option<(u64, Hash)> {
    let (seq, chain) = told.split_once(' ')?;
    Some((number(seq)?, hash(chain)?))
}

/// A number without leading zeros.
fn number(text: &str) -> Option<u64> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    text.parse().ok().filter(|_| plain)
}

/// A hash as base64.
pub fn hash(text: &str) -> Option<Hash> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of c2sp.org/tlog-checkpoint.
    const TEXT: &str = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_published_example() {
        let checkpoint = Checkpoint::parse(TEXT).expect("it is one");
        assert_eq!(
            (&*checkpoint.origin, checkpoint.size, checkpoint.record),
            ("example.com/behind-the-sofa", 20_852_163, None)
        );
        assert_eq!(checkpoint.to_string(), TEXT);
        let ours = Checkpoint { record: Some((7, [1; 32])), before: Some((3, [2; 32])), ..checkpoint };
        assert_eq!(Checkpoint::parse(&ours.to_string()), Some(ours.clone()));
        assert_eq!(Checkpoint::parse(&format!("{ours}of others\n")), Some(ours.clone()));
        let text = ours.to_string();
        for bad in [
            text.replace("20852163", "020852163"),
            text.replace("20852163", "+20852163"),
            text.replace("20852163", "18446744073709551616"),
            text.replace("CsUY", "CsU"),
            text.replace("florin/journal 7", "florin/journal x"),
            text.replace("florin/before 3", "florin/before 03"),
            text.replace("example.com/", "example.com "),
            format!("{text}\n"),
            text.trim_end().to_owned(),
            "a\n1\n".to_owned(),
        ] {
            assert_eq!(Checkpoint::parse(&bad), None, "{bad}");
        }
    }
}
