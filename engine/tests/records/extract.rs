//! One movement of a record, read without the others.

use super::support::workload::Random;
use super::{any_recorded, bytes_of};
use engine::codec::extract::Extract;
use ledger::command::Batch;
use ledger::event::{Event, Movement, Recorded};

/// The bytes of an event with nothing but one movement, so that the arenas may differ.
fn only(of: &Recorded, movement: &Movement, text: &str) -> Vec<u8> {
    let (key, currencies, opened) = (None, Vec::new(), Vec::new());
    let (movements, text) = (vec![movement.clone()], text.to_owned());
    let base = Recorded { at: of.at, seed: of.seed, first_row: of.first_row, batch: of.batch, ..of.clone() };
    bytes_of(&Event::Recorded(Recorded { key, currencies, opened, movements, text, ..base }))
}

/// Whether no others matter for a movement.
fn is_alone(event: &Recorded, movement: &Movement) -> bool {
    movement.kind.lineage().is_none() && (movement.leg == 0 || event.batch != Batch::Single)
}

/// Proves that going on from one movement to a later one, over however many, tells what the whole record tells of that, and that
/// nothing changes where it cannot be gone to.
#[test]
fn later_movements_are_gone_on_to() {
    let mut random = Random(6);
    let (mut gone, mut stayed) = (0, 0);
    for turn in 0..5_000 {
        let event = any_recorded(&mut random, 1 + turn, 7);
        let bytes = bytes_of(&Event::Recorded(event.clone()));
        let mut at = 0;
        let Ok(mut extract) = Extract::take(bytes, at).expect("the record is whole") else { continue };
        loop {
            if random.below(2) == 0 {
                assert_eq!(extract.has_lineage(), Ok(event.has_lineage()), "turn {turn}, movement {at}");
            }
            let past = random.below(3) as usize;
            let to = at + 1 + past;
            let wanted = event.movements.get(to).filter(|movement| is_alone(&event, movement));
            assert_eq!(extract.go_on(past), Ok(wanted.is_some()), "turn {turn}, from {at} to {to}");
            at = if wanted.is_some() { to } else { at };
            let (read, wanted) =
                (only(&event, &extract.movement, &extract.text), only(&event, &event.movements[at], &event.text));
            assert_eq!(read, wanted, "turn {turn}, movement {at}");
            if at != to {
                stayed += 1;
                break;
            }
            gone += 1;
        }
    }
    assert!(gone > 1_000 && stayed > 1_000, "{gone} and {stayed}");
}

/// Proves that what is read of one movement is what the whole record tells of it, and that records that end too early are refused
/// at whatever byte.
#[test]
fn one_movement_is_read_as_among_all() {
    let mut random = Random(5);
    let (mut ones, mut followed) = (0, 0);
    for turn in 0..5_000 {
        let event = any_recorded(&mut random, 1 + turn, 7);
        let bytes = bytes_of(&Event::Recorded(event.clone()));
        for (index, movement) in event.movements.iter().enumerate() {
            let alone = is_alone(&event, movement);
            let extract = match Extract::take(bytes.clone(), index).expect("the record is whole") {
                Ok(extract) => extract,
                Err(payload) => {
                    assert!(!alone && payload == bytes, "turn {turn}, movement {index}");
                    continue;
                }
            };
            assert!(alone, "turn {turn}, movement {index}: others matter for it");
            let facts = (extract.at, extract.seed, extract.first_row, extract.batch);
            assert_eq!(facts, (event.at, event.seed, event.first_row, event.batch), "turn {turn}");
            let (read, wanted) = (only(&event, &extract.movement, &extract.text), only(&event, movement, &event.text));
            assert_eq!(read, wanted, "turn {turn}, movement {index}");
            assert_eq!(extract.has_lineage(), Ok(event.has_lineage()), "turn {turn}, movement {index}");
            ones += 1;
            followed += u32::from(event.has_lineage());
            if turn % 10 == 0 {
                for length in 0..bytes.len() {
                    // What follows is seen by what stands first of it.
                    let short = Extract::take(bytes[..length].to_vec(), index);
                    let refused = short.map(|read| read.map(|one| one.has_lineage().is_err() || event.has_lineage()));
                    assert!(matches!(refused, Err(_) | Ok(Ok(true))), "turn {turn}: {length} bytes");
                }
            }
        }
        let past = Extract::take(bytes.clone(), event.movements.len()).expect("the record is whole");
        assert!(past.is_err_and(|payload| payload == bytes), "turn {turn}: there is no such movement");
    }
    assert!(ones > 5_000 && followed > 1_000, "{ones} and {followed}");
}
