//! What the workload may ask for.

/// One thing that is asked for, and the key that it is sent with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// What.
    pub what: Operation,
    /// The key, and what stands for all that is sent with it.
    pub key: Option<(String, u8)>,
}

/// What is asked for. Things are named by numbers, in the order in which they were made; rows are named by theirs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Operation {
    /// Make a ledger.
    Ledger,
    /// Open an account.
    Open {
        /// Its currency.
        currency: &'static str,
        /// Its ledger; 0 is the one that is always there.
        ledger: usize,
        /// Whose it is, when it is to know whose money it has.
        traced: Option<usize>,
    },
    /// Move or hold money.
    Pay(Payment),
    /// Bring money of somebody into a traced account, or spend of it.
    Trace {
        /// The account.
        account: usize,
        /// Whose money comes in; `None` spends.
        brings: Option<&'static str>,
        /// Minor units.
        amount: i128,
        /// The reference.
        reference: String,
    },
    /// Post what a hold holds, or a part of it, or more, or release it.
    Settle {
        /// The row of the hold.
        hold: u64,
        /// Whether it is posted.
        commit: bool,
        /// How much of it; all that is left when absent.
        amount: Option<i128>,
        /// Whether it may be more than is left.
        over: bool,
    },
    /// Raise or lower a hold, or give it other dates.
    Change {
        /// The row of the hold.
        hold: u64,
        /// What it is to hold.
        held: Option<i128>,
        /// When it ends by itself.
        expires_at: Option<i64>,
        /// When it is posted by itself.
        commits_at: Option<i64>,
    },
    /// Give back what a row moved.
    Refund {
        /// The row.
        row: u64,
        /// How much of it; all that is left when absent.
        amount: Option<i128>,
        /// The reference of the refund.
        reference: String,
    },
    /// Call off what waits.
    Cancel(u64),
    /// Give what waits another time or amount.
    Move {
        /// The row of its first request.
        group: u64,
        /// When it runs.
        due_at: Option<i64>,
        /// What it moves; only of one that runs by itself.
        amount: Option<i128>,
    },
    /// Say what an account may do, or nothing of it.
    Policy {
        /// The account.
        account: usize,
        /// What.
        rules: Option<Rules>,
    },
    /// Say something of a row.
    Note {
        /// The row.
        row: u64,
        /// What.
        text: String,
    },
    /// Have the key kept of a request that records nothing, and whose answer is this row, if it is one.
    Keep(Option<u64>),
    /// Close the books of a ledger up to a moment.
    Close {
        /// The ledger.
        ledger: usize,
        /// The first moment that is not closed.
        until: i64,
    },
    /// Record the totals of a closing.
    Total(usize),
    /// Say what an account had at a moment.
    Claim {
        /// The account.
        account: usize,
        /// The moment.
        at: i64,
        /// Of what counts exactly then, rows before this one.
        before: u64,
        /// How much.
        amount: i128,
    },
    /// Take back what was said.
    Unclaim(usize),
    /// Give an account a name, or none.
    Name {
        /// The account.
        account: usize,
        /// The name.
        name: &'static str,
    },
    /// Have an account watched.
    Watch {
        /// The account.
        account: usize,
        /// Above what in credits.
        above: i128,
        /// Whether only crossing it counts.
        edge: bool,
    },
    /// Make somebody.
    Person,
    /// Give an account to somebody.
    Own {
        /// The account.
        account: usize,
        /// Who.
        person: usize,
    },
    /// Forget somebody.
    Forget(usize),
    /// Register a currency.
    Register {
        /// Which.
        currency: &'static str,
        /// Minor units in a major unit.
        precision: u64,
        /// What it is called.
        name: &'static str,
    },
}

/// How postings belong together.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Batch {
    /// There is one.
    Single,
    /// All or none.
    Atomic,
    /// Each by itself.
    Independent,
}

/// Postings that are asked for together.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Payment {
    /// How they belong together.
    pub batch: Batch,
    /// Whether the others go on when one is refused.
    pub goes_on: bool,
    /// Whether they go through the queue.
    pub queued: bool,
    /// The postings.
    pub legs: Vec<Leg>,
}

/// A side of a posting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Side {
    /// An account, by the order in which they were opened.
    Account(usize),
    /// An indicator, which is opened when it is first used and may go below zero.
    Indicator(&'static str),
}

/// One posting.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Leg {
    /// Who pays.
    pub source: Side,
    /// Who is paid.
    pub destination: Side,
    /// Minor units.
    pub amount: i128,
    /// The currency.
    pub currency: &'static str,
    /// Its reference.
    pub reference: String,
    /// Whether it is held first.
    pub inflight: bool,
    /// The business date, when it is not now.
    pub effective_at: Option<i64>,
    /// When it is to run.
    pub scheduled_at: Option<i64>,
    /// When the hold ends by itself.
    pub expires_at: Option<i64>,
    /// When the hold is posted by itself.
    pub commits_at: Option<i64>,
    /// Bytes of the description.
    pub padding: usize,
}

/// What an account may do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Rules {
    /// How low it may get.
    pub floor: Option<Floor>,
    /// Whether nothing may be taken.
    pub no_debits: bool,
    /// Whether nothing may be given.
    pub no_credits: bool,
    /// With which accounts it may deal.
    pub with: Option<Vec<usize>>,
    /// How much, and how often; of each side and length one at most.
    pub limits: Vec<Limit>,
}

/// How low an account may get.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Floor {
    /// So much stays.
    Minimum(i128),
    /// So far below zero.
    Credit(i128),
}

/// How much, and how often, within so many seconds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limit {
    /// Whether of what is taken; otherwise of what is given.
    pub debits: bool,
    /// The length of a window.
    pub seconds: u32,
    /// Minor units.
    pub sum_max: Option<i128>,
    /// Transactions.
    pub count_max: Option<u64>,
}
