//! Balance monitors: what is watched of a balance. Whoever follows the rows evaluates them; the ledger only
//! keeps which there are, and nothing of them is looked at while money is moved.

use crate::id::Id;
use crate::limits;
use crate::state::Figures;

/// What a monitor watches, and what is told with it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Definition {
    /// What has to hold, from 1 to [`limits::MONITOR_CONDITIONS_MAX`].
    pub conditions: Vec<Condition>,
    /// Whether one of the conditions is enough; otherwise all have to hold.
    pub any: bool,
    /// Whether it fires only when what is watched becomes true; otherwise after every change while it is true.
    pub edge: bool,
    /// Text for people.
    pub description: String,
    /// Kept for who asked, and never called.
    pub call_back_url: String,
    /// JSON object, or empty for none.
    pub metadata: String,
}

impl Definition {
    /// Whether it keeps the limits that its bytes have.
    pub fn is_within_limits(&self) -> bool {
        (1..=limits::MONITOR_CONDITIONS_MAX).contains(&self.conditions.len())
            && self.conditions.iter().all(|condition| (1..=limits::PRECISION_MAX).contains(&condition.precision))
            && self.description.len() <= limits::DESCRIPTION_BYTES_MAX
            && self.call_back_url.len() <= limits::CALL_BACK_URL_BYTES_MAX
            && self.metadata.len() <= limits::METADATA_BYTES_MAX
    }

    /// Whether what is watched is true of some figures.
    pub fn holds(&self, figures: &Figures) -> bool {
        match self.any {
            true => self.conditions.iter().any(|condition| condition.holds(figures)),
            false => self.conditions.iter().all(|condition| condition.holds(figures)),
        }
    }
}

/// A figure of a balance compared with a threshold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Condition {
    /// Which figure.
    pub field: Field,
    /// How it is compared.
    pub operator: Operator,
    /// With what, in minor units.
    pub threshold: i128,
    /// Minor units in a major unit, from 1 to [`limits::PRECISION_MAX`]; only for showing.
    pub precision: u64,
}

impl Condition {
    /// Whether it is true of some figures.
    pub const fn holds(&self, figures: &Figures) -> bool {
        let (figure, threshold) = (self.field.of(figures), self.threshold);
        match self.operator {
            Operator::Greater => figure > threshold,
            Operator::Less => figure < threshold,
            Operator::GreaterOrEqual => figure >= threshold,
            Operator::LessOrEqual => figure <= threshold,
            Operator::Equal => figure == threshold,
            Operator::NotEqual => figure != threshold,
        }
    }
}

/// A figure of a balance. The number of each is stored and never changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Field {
    /// Posted credits less posted debits.
    Balance = 0,
    /// Posted credits.
    Credit = 1,
    /// Posted debits.
    Debit = 2,
    /// Held credits less held debits.
    Inflight = 3,
    /// Held credits.
    InflightCredit = 4,
    /// Held debits.
    InflightDebit = 5,
}

impl Field {
    /// All figures, by number.
    pub const ALL: [Field; 6] =
        [Field::Balance, Field::Credit, Field::Debit, Field::Inflight, Field::InflightCredit, Field::InflightDebit];

    /// The figure of a stored number.
    pub fn of_number(number: u8) -> Option<Field> {
        Field::ALL.get(usize::from(number)).copied()
    }

    /// The figure, in minor units.
    pub const fn of(self, figures: &Figures) -> i128 {
        match self {
            Field::Balance => figures.balance(),
            Field::Credit => figures.posted.credit,
            Field::Debit => figures.posted.debit,
            Field::Inflight => figures.inflight(),
            Field::InflightCredit => figures.held.credit,
            Field::InflightDebit => figures.held.debit,
        }
    }
}

/// How a figure is compared. The number of each is stored and never changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Operator {
    /// `>`
    Greater = 0,
    /// `<`
    Less = 1,
    /// `>=`
    GreaterOrEqual = 2,
    /// `<=`
    LessOrEqual = 3,
    /// `=`
    Equal = 4,
    /// `!=`
    NotEqual = 5,
}

impl Operator {
    /// All operators, by number.
    pub const ALL: [Operator; 6] = [
        Operator::Greater,
        Operator::Less,
        Operator::GreaterOrEqual,
        Operator::LessOrEqual,
        Operator::Equal,
        Operator::NotEqual,
    ];

    /// The operator of a stored number.
    pub fn of_number(number: u8) -> Option<Operator> {
        Operator::ALL.get(usize::from(number)).copied()
    }
}

/// One monitor, as the state knows it; what it watches is in its record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Monitor {
    /// Its id, which carries its number.
    pub id: Id,
    /// Microseconds since 1970.
    pub created_at: i64,
    /// The handle of the balance that it watches.
    pub balance: u32,
    /// Where its latest definition is, or [`crate::state::NO_RECORD`] when it was deleted.
    pub record: u64,
}

/// A record that defines or deletes a monitor, and from which row on it counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Defined {
    /// Where the record is.
    pub record: u64,
    /// The number of the first row after it.
    pub first_row: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::row::Posted;

    const FIGURES: Figures = Figures { posted: Posted { credit: 70, debit: 50 }, held: Posted { credit: 3, debit: 9 } };

    #[test]
    fn numbers_are_read_back() {
        for (number, field) in Field::ALL.into_iter().enumerate() {
            assert_eq!((field as usize, Field::of_number(number as u8)), (number, Some(field)));
        }
        for (number, operator) in Operator::ALL.into_iter().enumerate() {
            assert_eq!((operator as usize, Operator::of_number(number as u8)), (number, Some(operator)));
        }
        assert_eq!((Field::of_number(6), Operator::of_number(6)), (None, None));
    }

    #[test]
    fn every_operator_compares_every_figure() {
        let figures = [20, 70, 50, -6, 3, 9];
        for (field, figure) in Field::ALL.into_iter().zip(figures) {
            for (difference, wanted) in [
                (-1, [true, false, true, false, false, true]),
                (0, [false, false, true, true, true, false]),
                (1, [false, true, false, true, false, true]),
            ] {
                for (operator, wanted) in Operator::ALL.into_iter().zip(wanted) {
                    let condition = Condition { field, operator, threshold: figure + difference, precision: 100 };
                    assert_eq!(condition.holds(&FIGURES), wanted, "{figure} {operator:?} {}", condition.threshold);
                }
            }
        }
    }

    #[test]
    fn conditions_are_joined() {
        let of = |operator| Condition { field: Field::Balance, operator, threshold: 20, precision: 1 };
        let (yes, no) = (of(Operator::Equal), of(Operator::NotEqual));
        for (conditions, any, all) in [
            (vec![yes], true, true),
            (vec![no], false, false),
            (vec![yes, no], true, false),
            (vec![no, no], false, false),
        ] {
            for (is_any, wanted) in [(true, any), (false, all)] {
                let definition = Definition {
                    conditions: conditions.clone(),
                    any: is_any,
                    edge: false,
                    description: String::new(),
                    call_back_url: String::new(),
                    metadata: String::new(),
                };
                assert_eq!(definition.holds(&FIGURES), wanted);
            }
        }
    }
}
