//! Every limit of the engine, by name.

use std::time::Duration;

/// Requests that may wait for the writer. One more is refused as busy.
pub const QUEUE_REQUESTS_MAX: usize = 16_384;
/// Transactions that may wait for the writer, over all requests.
pub const QUEUE_POSTINGS_MAX: usize = 400_000;
/// Bytes of one group of records, after which the writer hands it to the disk before it takes more.
pub const GROUP_BYTES_MAX: usize = 2 << 20;
/// Requests of one group.
pub const GROUP_REQUESTS_MAX: usize = 8_192;
/// A group below this many bytes is written by the writer thread itself when nothing else is being written: handing it
/// to another thread would cost more than it saves.
pub const INLINE_BYTES_MAX: usize = 32 << 10;
/// Bytes that a movement may have more when it runs than when it was scheduled: the row of its request, another amount, and
/// why it was rejected.
pub const RUN_BYTES_MORE_MAX: usize = 32;
/// Most bytes of one lineage movement in a record.
pub const LINEAGE_MOVEMENT_BYTES_MAX: usize = 256;
/// Rows that may have come since a balance was looked at that must be what it is said to have been; past them it is looked at again.
/// The writer reads those of the balance.
pub const REQUIRED_ROWS_MAX: u64 = 65_536;
/// Rows between two checkpoints.
pub const CHECKPOINT_ROWS: u64 = 500_000;
/// Records between two checkpoints, for what makes no rows.
pub const CHECKPOINT_RECORDS: u64 = 500_000;
/// Pairs that the index of references keeps in memory before it writes them.
pub const REFERENCES_TAIL_PAIRS: usize = 1 << 18;
/// Pairs that the index of children keeps in memory before it writes them.
pub const CHILDREN_TAIL_PAIRS: usize = 1 << 14;
/// Rows with another business date than their own time that are kept in memory before they are put in order, sixteen times over.
pub const DATED_CHUNK_ROWS: usize = 1_024;
/// Rows and alerts between two marks of how far monitors were evaluated.
pub const ALERTS_MARK_ROWS: u64 = 1_000_000;
/// Runs of an index that are merged into one.
pub const INDEX_FAN_OUT: usize = 8;
/// Runs of an index, each of which is two open files. What would be one more waits in memory until some are merged, and the
/// writer with it. Merging that keeps up leaves about a dozen for each tier, of which a billion pairs make five.
pub const INDEX_RUNS_MAX: usize = 128;
/// Rows that an answer carries; what a request wants beyond them it reads.
pub const ANSWER_ROWS_MAX: usize = 2 * ledger::limits::SPLIT_LEGS_MAX;
/// Problems of one part of a data folder that `verify` tells one by one; of more it tells the number.
pub const PROBLEMS_MAX: usize = 100;
/// How long the writer waits at most without looking at the clock.
pub const IDLE_WAIT: Duration = Duration::from_secs(1);
/// How often a mark is left of how far the journal reached, at most.
pub const REACHED_EVERY: Duration = Duration::from_secs(1);
/// What a client should wait after a refusal because of full queues, in seconds.
pub const RETRY_AFTER_SECONDS: u32 = 1;

/// How often derived things are written. A server has the usual sizes; tests have small ones, so that much happens soon.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sizes {
    /// See [`CHECKPOINT_ROWS`].
    pub checkpoint_rows: u64,
    /// See [`CHECKPOINT_RECORDS`].
    pub checkpoint_records: u64,
    /// See [`REFERENCES_TAIL_PAIRS`].
    pub references_tail_pairs: usize,
    /// See [`CHILDREN_TAIL_PAIRS`].
    pub children_tail_pairs: usize,
    /// See [`DATED_CHUNK_ROWS`].
    pub dated_chunk_rows: usize,
    /// See [`ALERTS_MARK_ROWS`].
    pub alerts_mark_rows: u64,
}

impl Sizes {
    /// What a server uses.
    pub const USUAL: Sizes = Sizes {
        checkpoint_rows: CHECKPOINT_ROWS,
        checkpoint_records: CHECKPOINT_RECORDS,
        references_tail_pairs: REFERENCES_TAIL_PAIRS,
        children_tail_pairs: CHILDREN_TAIL_PAIRS,
        dated_chunk_rows: DATED_CHUNK_ROWS,
        alerts_mark_rows: ALERTS_MARK_ROWS,
    };
}

/// Numbers that are tried behind the reference of a refund when clients have taken it: each is a look-up on the writer's thread.
pub const REFUND_NUMBERS_TRIED: usize = 64;
