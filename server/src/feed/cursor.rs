//! A place between two events, as text.

use engine::follow;

/// A place between two events: a record, and how many of its events were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// The record.
    pub record: follow::Cursor,
    /// How many of its events were taken, from the first.
    pub taken: usize,
}

impl Cursor {
    /// `<seq>-<position>-<taken>-<mark>`. Clients keep it and give it back; what it means is ours.
    pub fn text(self) -> String {
        let follow::Cursor { seq, position, mark } = self.record;
        format!("{seq}-{position}-{}-{mark:08x}", self.taken)
    }

    /// Reads what [`Cursor::text`] wrote, and nothing else.
    pub fn parse(text: &str) -> Option<Cursor> {
        let mut parts = text.split('-');
        let mut number = || parts.next()?.parse::<u64>().ok();
        let (seq, position, taken) = (number()?, number()?, usize::try_from(number()?).ok()?);
        let mark = u32::from_str_radix(parts.next()?, 16).ok()?;
        let cursor = Cursor { record: follow::Cursor { seq, position, mark }, taken };
        // Signs, zeros in front and anything behind are other texts.
        (cursor.text() == text).then_some(cursor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_have_one_spelling() {
        let record = follow::Cursor { seq: 7, position: 4096, mark: 0xab };
        let cursor = Cursor { record, taken: 3 };
        assert_eq!(cursor.text(), "7-4096-3-000000ab");
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
        for bad in [
            "",
            "7",
            "7-4096-3",
            "7-4096-3-ab",
            "7-4096-3-000000AB",
            "07-4096-3-000000ab",
            "+7-4096-3-000000ab",
            "7-4096-3-000000ab-",
            "7-4096-3-000000ab ",
            "7--4096-3-000000ab",
            "7-18446744073709551616-3-000000ab",
            "7-4096-3-1000000ab",
            "é-4096-3-000000ab",
        ] {
            assert_eq!(Cursor::parse(bad), None, "{bad}");
        }
    }
}
