//! The shares of a transaction with several sources or destinations.
//!
//! Fixed parts come first, percentages are of the whole, one part may take what is left. Fractions of a minor unit are cut
//! off and what they sum to goes to the largest share, so that the shares always sum to the total. Parts that do not account
//! for the total are a mistake to be told, not money to be moved somewhere.

use crate::decimal::Decimal;

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
/// nothing.
pub fn shares(total: i128, precision: u64, parts: &[Share]) -> Result<Vec<i128>, SplitFault> {
    if total == 1 {
        return Ok((0..parts.len()).map(|index| i128::from(index == 0)).collect());
    }
    let scaled_total = total.checked_mul(UNIT).ok_or(SplitFault::Range)?;
    let mut scaled = Vec::with_capacity(parts.len());
    let (mut fixed, mut percent) = (0i128, 0i128);
    for part in parts {
        let amount = match part {
            Share::Precise(minor) => minor.checked_mul(UNIT),
            Share::Fixed(major) => scaled_minor(*major, precision),
            Share::Percent(_) | Share::Left => Some(0),
        };
        let amount = amount.ok_or(SplitFault::Range)?;
        fixed = fixed.checked_add(amount).ok_or(SplitFault::Range)?;
        if fixed > scaled_total {
            return Err(SplitFault::FixedExceeds);
        }
        scaled.push(amount);
    }
    let mut percentages = 0i128;
    for (part, amount) in parts.iter().zip(&mut scaled) {
        let Share::Percent(share) = part else { continue };
        // Thousandths of a per cent of the percentage itself, only to compare sums of percentages.
        percentages += share.minor_units(1_000_000_000).ok_or(SplitFault::Range)?;
        *amount = percent_of(total, *share).ok_or(SplitFault::Range)?;
        if *amount < UNIT {
            *amount = 0;
        }
        percent = percent.checked_add(*amount).ok_or(SplitFault::Range)?;
    }
    if percentages > 100 * 1_000_000_000 {
        return Err(SplitFault::Exceeds);
    }
    let rest = scaled_total - fixed - percent;
    let lefts = parts.iter().filter(|part| **part == Share::Left).count();
    if lefts > 1 {
        return Err(SplitFault::SeveralLeft);
    }
    if rest < 0 && rest < -UNIT * parts.len() as i128 {
        return Err(SplitFault::Exceeds);
    }
    if lefts == 0 && !accounts_for_all(parts, rest, percentages, fixed) {
        return Err(SplitFault::Short);
    }
    Ok(whole_units(total, parts, &scaled, rest))
}

/// Whether parts of which none takes what is left make the whole: exactly, but for rounding.
fn accounts_for_all(parts: &[Share], rest: i128, percentages: i128, fixed: i128) -> bool {
    let only_percent = fixed == 0 && parts.iter().all(|part| matches!(part, Share::Percent(_)));
    if only_percent {
        return percentages >= WHOLE_PERCENT_THOUSANDTHS * 1_000_000;
    }
    rest.abs() <= UNIT * parts.len() as i128 && rest < UNIT
}

/// Cuts off fractions, gives the part that takes it what is left, and the largest what is missing or too much.
fn whole_units(total: i128, parts: &[Share], scaled: &[i128], rest: i128) -> Vec<i128> {
    let mut shares: Vec<i128> = scaled.iter().map(|amount| amount / UNIT).collect();
    if let Some(left) = parts.iter().position(|part| *part == Share::Left) {
        shares[left] = rest.max(0) / UNIT;
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

fn scaled_minor(major: Decimal, precision: u64) -> Option<i128> {
    major.minor_units(precision.checked_mul(UNIT as u64)?).or_else(|| major.minor_units(precision)?.checked_mul(UNIT))
}

/// `total × share / 100`, in units of `10^-FRACTION_DIGITS`.
fn percent_of(total: i128, share: Decimal) -> Option<i128> {
    // The percentage in 10^-12 of a per cent: no client writes finer ones.
    let fine = share.minor_units(1_000_000_000_000)?;
    let (whole, part) = (fine / 1_000_000_000_000, fine % 1_000_000_000_000);
    let of_whole = total.checked_mul(whole)?.checked_mul(UNIT / 100)?;
    let of_part = total.checked_mul(part)? / (1_000_000_000_000 / (UNIT / 100));
    of_whole.checked_add(of_part)
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
}
