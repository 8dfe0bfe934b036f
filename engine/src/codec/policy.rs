//! Policies as bytes: in events, and in checkpoints.

use super::CodecFault;
use super::bytes::{Reading, put_i128, put_varint};
use ledger::limits;
use ledger::policy::{Floor, Policy, Velocity, Window};

/// What a policy has.
mod marks {
    pub const NO_DEBITS: u8 = 1;
    pub const NO_CREDITS: u8 = 1 << 1;
    pub const MINIMUM: u8 = 1 << 2;
    pub const CREDIT: u8 = 1 << 3;
    pub const COUNTERPARTIES: u8 = 1 << 4;
    pub const ALL: u8 = (1 << 5) - 1;
}

/// What a velocity has.
mod watched {
    pub const DEBITS: u8 = 1;
    pub const SUM: u8 = 1 << 1;
    pub const COUNT: u8 = 1 << 2;
    pub const ALL: u8 = (1 << 3) - 1;
}

/// Windows that are no number of seconds; a number of seconds is above both.
const WEEK: u64 = 0;
const MONTH: u64 = 1;
const SECONDS: u64 = 2;

/// Appends a policy.
pub fn put(out: &mut Vec<u8>, policy: &Policy) {
    let when = |set: bool, mark: u8| if set { mark } else { 0 };
    let floor = match policy.floor {
        None => 0,
        Some(Floor::Minimum(_)) => marks::MINIMUM,
        Some(Floor::Credit(_)) => marks::CREDIT,
    };
    out.push(
        when(policy.no_debits, marks::NO_DEBITS)
            | when(policy.no_credits, marks::NO_CREDITS)
            | floor
            | when(policy.counterparties.is_some(), marks::COUNTERPARTIES),
    );
    if let Some(Floor::Minimum(amount) | Floor::Credit(amount)) = policy.floor {
        put_i128(out, amount);
    }
    if let Some(counterparties) = &policy.counterparties {
        put_varint(out, counterparties.len() as u64);
        for &handle in counterparties {
            put_varint(out, u64::from(handle));
        }
    }
    put_varint(out, policy.velocities.len() as u64);
    for velocity in &policy.velocities {
        out.push(
            when(velocity.debits, watched::DEBITS)
                | when(velocity.sum_max.is_some(), watched::SUM)
                | when(velocity.count_max.is_some(), watched::COUNT),
        );
        put_varint(
            out,
            match velocity.window {
                Window::Week => WEEK,
                Window::Month => MONTH,
                Window::Seconds(seconds) => SECONDS + u64::from(seconds),
            },
        );
        if let Some(sum) = velocity.sum_max {
            put_i128(out, sum);
        }
        if let Some(count) = velocity.count_max {
            put_varint(out, count);
        }
    }
}

/// Takes a policy.
pub fn take(from: &mut Reading<'_>) -> Result<Policy, CodecFault> {
    let has = from.byte()?;
    if has & !marks::ALL != 0 || has & marks::MINIMUM != 0 && has & marks::CREDIT != 0 {
        return Err(CodecFault::Value("a policy"));
    }
    let floor = match (has & marks::MINIMUM != 0, has & marks::CREDIT != 0) {
        (true, _) => Some(Floor::Minimum(from.i128()?)),
        (_, true) => Some(Floor::Credit(from.i128()?)),
        _ => None,
    };
    let mut counterparties = None;
    if has & marks::COUNTERPARTIES != 0 {
        let mut handles = Vec::new();
        for _ in 0..from.count(limits::POLICY_COUNTERPARTIES_MAX, "counterparties")? {
            handles.push(from.number("a balance")?);
        }
        if !handles.is_sorted_by(|one, next| one < next) {
            return Err(CodecFault::Value("counterparties"));
        }
        counterparties = Some(handles);
    }
    let mut velocities = Vec::new();
    for _ in 0..from.count(limits::POLICY_VELOCITIES_MAX, "velocities")? {
        velocities.push(take_velocity(from)?);
    }
    Ok(Policy {
        floor,
        no_debits: has & marks::NO_DEBITS != 0,
        no_credits: has & marks::NO_CREDITS != 0,
        counterparties,
        velocities,
    })
}

fn take_velocity(from: &mut Reading<'_>) -> Result<Velocity, CodecFault> {
    let has = from.byte()?;
    if has & !watched::ALL != 0 {
        return Err(CodecFault::Value("a velocity"));
    }
    let window = match from.varint()? {
        WEEK => Window::Week,
        MONTH => Window::Month,
        number => match u32::try_from(number - SECONDS) {
            Ok(seconds) if (1..=limits::POLICY_WINDOW_SECONDS_MAX).contains(&seconds) => Window::Seconds(seconds),
            _ => return Err(CodecFault::Value("a window")),
        },
    };
    Ok(Velocity {
        debits: has & watched::DEBITS != 0,
        window,
        sum_max: if has & watched::SUM != 0 { Some(from.i128()?) } else { None },
        count_max: if has & watched::COUNT != 0 { Some(from.varint()?) } else { None },
    })
}
