//! Lineage movements as bytes. What follows from the movement that they followed from is not written again: its item and
//! precision, the reference and the description.

use super::bytes::{Reading, put_i128, put_text, put_varint};
use super::{CodecFault, allocation, decode_side, put_side};
use ledger::command::Terms;
use ledger::event::{Kind, Movement, NO_BALANCE, Outcome};
use ledger::lineage::Role;
use ledger::text::{self, Span};

/// Number of a movement that is posted or held.
pub const LINEAGE: u8 = 6;
/// Number of a movement that settles a lineage hold.
pub const SETTLEMENT: u8 = 7;

/// What a lineage movement has beyond the fields that every one has.
mod marks {
    pub const OWNER: u8 = 1;
    pub const NAMED: u8 = 1 << 1;
    pub const ALL: u8 = 3;
}

const CREDIT: u8 = 0;
const RECEIVE: u8 = 1;
const RELEASE: u8 = 2;

/// Appends a lineage movement, behind the byte with its kind and outcome.
pub fn put(movement: &Movement, main: &Movement, arena: &str, out: &mut Vec<u8>) {
    let (role, of) = movement.kind.lineage().expect("it is a lineage movement");
    let terms = movement.terms();
    let (provider, owner) = (terms.provider.of(arena), terms.owner.of(arena));
    let reference = movement.reference.of(arena);
    let named = reference != reference_of(role, main, provider, arena);
    out.push((if owner.is_empty() { 0 } else { marks::OWNER }) | (if named { marks::NAMED } else { 0 }));
    out.push(role_number(role));
    put_varint(out, u64::from(of));
    if let Kind::LineageSettlement { hold, .. } = movement.kind {
        put_varint(out, hold);
    }
    for (handle, named) in [(movement.source, Span::EMPTY), (movement.destination, Span::EMPTY)] {
        put_side(out, handle, named, arena);
    }
    put_i128(out, movement.amount);
    put_varint(out, u64::from(movement.currency));
    put_text(out, provider);
    if !owner.is_empty() {
        put_text(out, owner);
    }
    if named {
        put_text(out, reference);
    }
}

/// Reads a lineage movement, behind the byte with its kind and outcome. `before` are the movements before it.
pub fn take(
    from: &mut Reading<'_>,
    settles: bool,
    outcome: Outcome,
    before: &[Movement],
    arena: &mut String,
) -> Result<Movement, CodecFault> {
    let marks = from.byte()?;
    if marks & !marks::ALL != 0 {
        return Err(CodecFault::Value("marks"));
    }
    let role = role_of(from.byte()?)?;
    let of = from.number("a movement")?;
    let main = before.get(of as usize).filter(|main| main.kind.lineage().is_none());
    let main = main.ok_or(CodecFault::Value("a movement"))?;
    let in_order = before.last().and_then(|last| last.kind.lineage()).is_none_or(|(_, last)| last <= of);
    if !in_order {
        return Err(CodecFault::Value("a movement"));
    }
    let lawful = match outcome {
        Outcome::Applied => true,
        Outcome::Held => !settles,
        Outcome::Voided => settles,
        Outcome::Rejected(_) | Outcome::Scheduled => false,
    };
    if !lawful {
        return Err(CodecFault::Value("an outcome"));
    }
    let kind =
        if settles { Kind::LineageSettlement { role, of, hold: from.varint()? } } else { Kind::Lineage { role, of } };
    let (source, source_text) = decode_side(from, arena)?;
    let (destination, destination_text) = decode_side(from, arena)?;
    // What follows a movement is between balances that are there; a name would be lost when it is written again.
    if source == NO_BALANCE || destination == NO_BALANCE {
        return Err(CodecFault::Value("a balance"));
    }
    let (amount, currency) = (from.i128()?, from.number("a currency")?);
    let provider = from.span(arena)?;
    let owner = if marks & marks::OWNER != 0 { from.span(arena)? } else { Span::EMPTY };
    let reference = if marks & marks::NAMED != 0 {
        from.span(arena)?
    } else {
        let reference = reference_of(role, main, provider.of(arena), arena);
        text::push(arena, &reference)
    };
    let description = role.description(provider.of(arena));
    Ok(Movement {
        kind,
        outcome,
        queued: false,
        item: main.item,
        leg: 0,
        source,
        destination,
        source_text,
        destination_text,
        amount,
        precision: main.precision,
        currency,
        reference,
        description: text::push(arena, &description),
        metadata: Span::EMPTY,
        allow_overdraft: role.is_incoming(),
        inflight: outcome == Outcome::Held,
        atomic: false,
        terms: Terms { provider, owner, ..Terms::NONE }.boxed(),
    })
}

/// The reference that a movement has unless that was taken.
fn reference_of(role: Role, main: &Movement, provider: &str, arena: &str) -> String {
    role.reference(&[main.reference.of(arena), main.outcome_suffix()].concat(), provider)
}

/// The stored number of a role.
pub const fn role_number(role: Role) -> u8 {
    match role {
        Role::Credit => CREDIT,
        Role::Receive => RECEIVE,
        Role::Release(allocation) => RELEASE + allocation as u8,
    }
}

/// The role of a stored number.
pub fn role_of(number: u8) -> Result<Role, CodecFault> {
    match number {
        CREDIT => Ok(Role::Credit),
        RECEIVE => Ok(Role::Receive),
        number => allocation(number - RELEASE).map(Role::Release),
    }
}
