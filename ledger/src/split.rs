//! The shares of a transaction with several sources or destinations.
//!
//! Fixed parts come first, percentages are of the whole, one part may take what is left. Fractions of a minor unit are cut
//! off and what they sum to goes to the largest share, so that the shares always sum to the total. Parts that do not account
//! for the total are a mistake to be told, not money to be moved somewhere.

use crate::decimal::Decimal;
use crate::limits::SUM_MAX;

/// What a part of a split asks for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Share {
    /// Minor units.
    Precise(i128),
    /// Major units.
    Fixed(Decimal),
    /// Per cent of the total.
    Percent(Decimal),
    /// What the others leave.
    Left,
}

/// Why parts make no split.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum SplitFault {
    /// The fixed parts are more than the total.
    FixedExceeds,
    /// The parts are more than the total, or than a hundred per cent.
    Exceeds,
    /// Several parts want what is left.
    SeveralLeft,
    /// The parts are less than the total, and none takes what is left.
    Short,
    /// A number is too large or too fine to be calculated with.
    Range,
}

/// Fractional digits to which parts are calculated.
const FRACTION_DIGITS: u32 = 9;
const UNIT: i128 = 10i128.pow(FRACTION_DIGITS);
/// Percentages alone that reach this, in thousandths of a per cent, count as the whole: 33.33 % three times.
const WHOLE_PERCENT_THOUSANDTHS: i128 = 99_900;

/// The shares of a total, in minor units, in the order of the parts. They sum to the total. A part that asks for nothing gets
/// nothing. Parts are not below zero; a total past what a balance may reach is not shared, so that no sum is beyond 128 bits.
pub fn shares(total: i128, precision: u64, parts: &[Share]) -> Result<Vec<i128>, SplitFault> {
    if !(0..=SUM_MAX).contains(&total) {
        return Err(SplitFault::Range);
    }
    if total == 1 {
        return Ok((0..parts.len()).map(|index| i128::from(index == 0)).collect());
    }
    let whole = Fine { units: total, billionths: 0 };
    let mut fine = Vec::with_capacity(parts.len());
    let (mut fixed, mut percent) = (Fine::ZERO, Fine::ZERO);
    for part in parts {
        let amount = match part {
            Share::Precise(minor) => Some(Fine { units: *minor, billionths: 0 }),
            Share::Fixed(major) => Fine::of_major(*major, precision),
            Share::Percent(_) | Share::Left => Some(Fine::ZERO),
        };
        let amount = amount.ok_or(SplitFault::Range)?;
        fixed = fixed.plus(amount).ok_or(SplitFault::Range)?;
        if fixed > whole {
            return Err(SplitFault::FixedExceeds);
        }
        fine.push(amount);
    }
    let mut percentages = 0i128;
    for (part, amount) in parts.iter().zip(&mut fine) {
        let Share::Percent(share) = part else { continue };
        // Thousandths of a per cent of the percentage itself, only to compare sums of percentages.
        let thousandths = share.minor_units(1_000_000_000);
        percentages = thousandths.and_then(|more| percentages.checked_add(more)).ok_or(SplitFault::Range)?;
        *amount = percent_of(total, *share).ok_or(SplitFault::Range)?;
        if amount.units < 1 {
            *amount = Fine::ZERO;
        }
        percent = percent.plus(*amount).ok_or(SplitFault::Range)?;
    }
    if percentages > 100 * 1_000_000_000 {
        return Err(SplitFault::Exceeds);
    }
    let rest = whole.minus(fixed).and_then(|rest| rest.minus(percent)).ok_or(SplitFault::Range)?;
    let lefts = parts.iter().filter(|part| **part == Share::Left).count();
    if lefts > 1 {
        return Err(SplitFault::SeveralLeft);
    }
    // Each part may be off by less than a unit.
    let slack = Fine { units: -(parts.len() as i128), billionths: 0 };
    if rest < slack {
        return Err(SplitFault::Exceeds);
    }
    if lefts == 0 && !accounts_for_all(parts, rest >= slack && rest.units < 1, percentages, fixed) {
        return Err(SplitFault::Short);
    }
    Ok(whole_units(total, parts, &fine, rest))
}

/// Whether parts of which none takes what is left make the whole: exactly, but for rounding.
fn accounts_for_all(parts: &[Share], nothing_left: bool, percentages: i128, fixed: Fine) -> bool {
    let only_percent = fixed == Fine::ZERO && parts.iter().all(|part| matches!(part, Share::Percent(_)));
    if only_percent {
        return percentages >= WHOLE_PERCENT_THOUSANDTHS * 1_000_000;
    }
    nothing_left
}

/// Cuts off fractions, gives the part that takes it what is left, and the largest what is missing or too much.
fn whole_units(total: i128, parts: &[Share], fine: &[Fine], rest: Fine) -> Vec<i128> {
    let mut shares: Vec<i128> = fine.iter().map(|amount| amount.cut()).collect();
    if let Some(left) = parts.iter().position(|part| *part == Share::Left) {
        shares[left] = rest.units.max(0);
    }
    let missing = total - shares.iter().sum::<i128>();
    let mut largest = 0;
    for (index, share) in shares.iter().enumerate() {
        if *share > shares[largest] {
            largest = index;
        }
    }
    if let Some(share) = shares.get_mut(largest) {
        *share += missing;
    }
    assert_eq!(shares.iter().sum::<i128>(), total, "shares sum to their total");
    shares
}

/// An amount with [`FRACTION_DIGITS`] fractional digits: whole minor units, and billionths of one from 0 to below [`UNIT`]. Apart,
/// so that an amount of any size can be calculated with.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Fine {
    units: i128,
    billionths: i128,
}

impl Fine {
    const ZERO: Fine = Fine { units: 0, billionths: 0 };

    fn of_major(major: Decimal, precision: u64) -> Option<Fine> {
        let finest = precision.checked_mul(UNIT as u64).and_then(|finest| major.minor_units(finest));
        match finest {
            Some(all) => Some(Fine { units: all.div_euclid(UNIT), billionths: all.rem_euclid(UNIT) }),
            // Beyond what can be calculated so finely: in whole units.
            None => major.minor_units(precision).map(|units| Fine { units, billionths: 0 }),
        }
    }

    fn plus(self, other: Fine) -> Option<Fine> {
        let billionths = self.billionths + other.billionths;
        let units = self.units.checked_add(other.units)?.checked_add(billionths.div_euclid(UNIT))?;
        Some(Fine { units, billionths: billionths.rem_euclid(UNIT) })
    }

    fn minus(self, other: Fine) -> Option<Fine> {
        let billionths = self.billionths - other.billionths;
        let units = self.units.checked_sub(other.units)?.checked_add(billionths.div_euclid(UNIT))?;
        Some(Fine { units, billionths: billionths.rem_euclid(UNIT) })
    }

    /// The whole units, cut towards zero.
    const fn cut(self) -> i128 {
        if self.units < 0 && self.billionths > 0 { self.units + 1 } else { self.units }
    }
}

/// `total × share / 100`, cut to billionths.
fn percent_of(total: i128, share: Decimal) -> Option<Fine> {
    // The percentage in 10^-12 of a per cent: no client writes finer ones.
    const WHOLE: i128 = 100_000_000_000_000;
    let share = share.minor_units(WHOLE as u64 / 100)?;
    // Divided before it is multiplied, so that nothing is beyond 128 bits; what the division leaves is small.
    let of_rest = (total % WHOLE).checked_mul(share)?;
    let units = (total / WHOLE).checked_mul(share)?.checked_add(of_rest.div_euclid(WHOLE))?;
    Some(Fine { units, billionths: of_rest.rem_euclid(WHOLE) / (WHOLE / UNIT) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn percent(text: &str) -> Share {
        Share::Percent(Decimal::parse(text).expect("a number"))
    }

    fn fixed(text: &str) -> Share {
        Share::Fixed(Decimal::parse(text).expect("a number"))
    }

    #[test]
    fn the_vectors_of_the_specification() {
        let left = Share::Left;
        for (total, parts, expected) in [
            (10_001, vec![percent("33.33"), percent("33.33"), percent("33.34")], Ok(vec![3333, 3333, 3335])),
            (1001, vec![percent("50"), percent("50")], Ok(vec![501, 500])),
            (9999, vec![percent("33"), percent("33"), left], Ok(vec![3299, 3299, 3401])),
            (100_000, vec![fixed("0.01"), percent("33.333"), left], Ok(vec![1, 33_333, 66_666])),
            (3_000_000, vec![percent("10"), Share::Precise(2_000_000), left], Ok(vec![300_000, 2_000_000, 700_000])),
            (10_000, vec![fixed("10"), fixed("20")], Err(SplitFault::Short)),
            (10_000, vec![fixed("60"), percent("50")], Err(SplitFault::Exceeds)),
            (1000, vec![percent("0.001"), percent("99.999")], Ok(vec![0, 1000])),
            (10_000, vec![percent("33.33"), percent("33.33"), percent("33.33")], Ok(vec![3334, 3333, 3333])),
            (10_000, vec![percent("80"), percent("30")], Err(SplitFault::Exceeds)),
            (10_000, vec![fixed("150")], Err(SplitFault::FixedExceeds)),
            (10_000, vec![left, left], Err(SplitFault::SeveralLeft)),
            (1, vec![percent("50"), left], Ok(vec![1, 0])),
            (7, vec![percent("50"), left], Ok(vec![4, 3])),
        ] {
            assert_eq!(shares(total, 100, &parts), expected, "{total} {parts:?}");
        }
    }

    #[test]
    fn amounts_of_any_size_are_shared() {
        let wei = 10u64.pow(18);
        let ether = i128::from(wei);
        let parts = [fixed("1"), fixed("0.000000000000000001"), Share::Left];
        assert_eq!(shares(10 * ether, wei, &parts), Ok(vec![ether, 1, 9 * ether - 1]));
        let total = 10i128.pow(37) + 7;
        let parts = [percent("33.33"), Share::Precise(10i128.pow(36)), Share::Left];
        let third = 3_333 * 10i128.pow(33) + 2;
        assert_eq!(shares(total, 100, &parts), Ok(vec![third, 10i128.pow(36), total - third - 10i128.pow(36)]));
        let half = crate::limits::SUM_MAX / 2;
        assert_eq!(shares(crate::limits::SUM_MAX, 1, &[percent("50"), percent("50")]), Ok(vec![half + 1, half]));
        assert_eq!(shares(total, 100, &[Share::Precise(total), fixed("0.01")]), Err(SplitFault::FixedExceeds));
    }

    /// What is off by rounding would be beyond 128 bits, and so would sums of percentages that nobody means.
    #[test]
    fn numbers_at_the_end_of_what_can_be_calculated() {
        let parts = [Share::Precise((1 << 126) + 1), percent("50")];
        assert_eq!(shares(i128::MAX, 100, &parts), Err(SplitFault::Range));
        assert_eq!(shares(SUM_MAX + 1, 100, &[Share::Left]), Err(SplitFault::Range));
        assert_eq!(shares(SUM_MAX, 100, &[Share::Left, percent("100")]), Ok(vec![0, SUM_MAX]));
        let most = (1 << 125) + 1;
        assert_eq!(
            shares(SUM_MAX, 100, &[Share::Precise(most), percent("50")]),
            Ok(vec![most - 1, SUM_MAX - most + 1])
        );
        for (total, parts) in [
            (0, ["170141183460469231731687303%", "170141183460469231731687303715%"]),
            (2, ["80000000000000000000000000%", "170141183460469231731687303715%"]),
        ] {
            let parts = parts.map(|part| percent(part.trim_end_matches('%')));
            assert_eq!(shares(total, 100, &parts), Err(SplitFault::Range), "{total}");
        }
    }
}
