//! What is done when the walk through the journal cannot go on: a table.
//!
//! A crash leaves at most one group unfinished, because a group touches the disk only after the one before it is durable.
//! Of that group any sectors may have survived, in any order. So what stands after the first place without a record
//! tells what happened:
//!
//! | durable | hole | beyond | remains | verdict | because |
//! |---|---|---|---|---|---|
//! | yes | – | – | – | damaged | a checkpoint, a mark or an index says that records were durable here |
//! | no | yes | – | – | damaged | a segment file is missing and a later one exists |
//! | no | no | yes | – | damaged | a later segment was entered, so this place was durable |
//! | no | no | no | other | damaged | a whole record that does not continue the chain: crashes do not make those |
//! | no | no | no | later group | damaged | a later group was written, so this place was durable |
//! | no | no | no | same group | torn tail | the group in flight, its sectors out of order |
//! | no | no | no | bytes | torn tail | the group in flight, or what a half-done cut left of it |
//! | no | no | no | zeros | clean end | nothing was in flight |
//!
//! Damage in the last group of all cannot be told from a torn write and is cut, unless somebody knows better. So whoever writes the
//! journal leaves a mark elsewhere of how far it reached, as soon as no group follows for a moment.

pub(crate) mod cut;
pub(crate) mod evidence;

use std::fmt;

/// What stands at and after the place where the walk stopped.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Evidence {
    /// The place lies before one that the caller knows to be durable.
    pub durable: bool,
    /// A segment file is missing between two others, or before all of them.
    pub hole: bool,
    /// A segment after the torn one is not all zeros, or the next one has a whole header that does not continue.
    pub beyond: bool,
    /// The strongest thing found from the place to the end of the torn segment.
    pub remains: Remains,
}

/// What stands in the torn segment, strongest last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Remains {
    /// Nothing.
    Zeros,
    /// Bytes without the header of a record.
    Bytes,
    /// Records whose group began at or before the missing one.
    SameGroup,
    /// Records whose group began after the missing one.
    LaterGroup,
    /// At the place itself a whole record that is not the one that belongs there.
    Other,
}

/// What is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// The journal ends here.
    CleanEnd,
    /// The journal ends here; what follows was never answered for and is overwritten with zeros.
    TornTail,
    /// Records that were durable are gone or changed. The journal is not opened.
    Damaged(Damage),
}

/// What proves that the journal is damaged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Damage {
    /// Records are missing that are known to have been there: a checkpoint, a mark or an index counts them.
    BeforeDurable,
    /// A segment is missing.
    SegmentMissing,
    /// A later segment holds records.
    LaterSegment,
    /// A whole record does not continue the chain.
    OtherRecord,
    /// A later group of records exists.
    LaterGroup,
    /// The journal and the checkpoint disagree about the records up to it.
    OtherHistory,
    /// A segment file does not have the length that it was made with.
    WrongLength,
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Damage::BeforeDurable => {
                "no whole record, but there were records from here on: what follows the journal has seen them"
            }
            Damage::SegmentMissing => "the segment is missing",
            Damage::LaterSegment => "no whole record, but a later segment was written",
            Damage::OtherRecord => "a whole record that does not follow from the one before",
            Damage::LaterGroup => "no whole record, but later records exist",
            Damage::OtherHistory => "the records are not those that the checkpoint was made from",
            Damage::WrongLength => "the file does not have the length of a segment",
        })
    }
}

/// A row: `None` matches anything.
struct Row {
    durable: Option<bool>,
    hole: Option<bool>,
    beyond: Option<bool>,
    remains: Option<Remains>,
    verdict: Verdict,
}

const fn row(
    durable: Option<bool>,
    hole: Option<bool>,
    beyond: Option<bool>,
    remains: Option<Remains>,
    verdict: Verdict,
) -> Row {
    Row { durable, hole, beyond, remains, verdict }
}

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);

/// Each combination of evidence matches exactly one row.
#[rustfmt::skip]
const TABLE: [Row; 8] = [
    row(YES, None, None, None,                      Verdict::Damaged(Damage::BeforeDurable)),
    row(NO,  YES,  None, None,                      Verdict::Damaged(Damage::SegmentMissing)),
    row(NO,  NO,   YES,  None,                      Verdict::Damaged(Damage::LaterSegment)),
    row(NO,  NO,   NO,   Some(Remains::Other),      Verdict::Damaged(Damage::OtherRecord)),
    row(NO,  NO,   NO,   Some(Remains::LaterGroup), Verdict::Damaged(Damage::LaterGroup)),
    row(NO,  NO,   NO,   Some(Remains::SameGroup),  Verdict::TornTail),
    row(NO,  NO,   NO,   Some(Remains::Bytes),      Verdict::TornTail),
    row(NO,  NO,   NO,   Some(Remains::Zeros),      Verdict::CleanEnd),
];

impl Row {
    fn matches(&self, evidence: &Evidence) -> bool {
        self.durable.is_none_or(|durable| durable == evidence.durable)
            && self.hole.is_none_or(|hole| hole == evidence.hole)
            && self.beyond.is_none_or(|beyond| beyond == evidence.beyond)
            && self.remains.is_none_or(|remains| remains == evidence.remains)
    }
}

/// Looks the evidence up in the table.
pub fn decide(evidence: &Evidence) -> Verdict {
    let row = TABLE.iter().find(|row| row.matches(evidence));
    row.expect("the table has a row for each combination, as its test shows").verdict
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that the table leaves nothing open and nothing to the order of its rows.
    #[test]
    fn each_combination_matches_one_row() {
        let all = [Remains::Zeros, Remains::Bytes, Remains::SameGroup, Remains::LaterGroup, Remains::Other];
        let mut used = [0; TABLE.len()];
        for bits in 0..8 {
            for remains in all {
                let evidence = Evidence { durable: bits & 1 != 0, hole: bits & 2 != 0, beyond: bits & 4 != 0, remains };
                let rows: Vec<usize> = (0..TABLE.len()).filter(|index| TABLE[*index].matches(&evidence)).collect();
                assert_eq!(rows.len(), 1, "{evidence:?} matches rows {rows:?}");
                assert_eq!(decide(&evidence), TABLE[rows[0]].verdict);
                used[rows[0]] += 1;
            }
        }
        assert!(used.iter().all(|count| *count > 0), "a row that nothing matches is a lie: {used:?}");
        assert_eq!(used.iter().sum::<i32>(), 40);
    }

    /// Proves that nothing is cut when any sign speaks against it.
    #[test]
    fn cuts_only_without_a_sign_of_durability() {
        for bits in 1..8 {
            let evidence = Evidence {
                durable: bits & 1 != 0,
                hole: bits & 2 != 0,
                beyond: bits & 4 != 0,
                remains: Remains::SameGroup,
            };
            assert!(matches!(decide(&evidence), Verdict::Damaged(_)), "{evidence:?}");
        }
    }
}
