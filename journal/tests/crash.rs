//! Crashes, full disks and failed syncs at every single operation.

mod support;

use journal::appender::AppendFault;
use journal::disk::{Failure, MemoryDisk};
use journal::open::OpenFault;
use journal::place::Place;
use support::{group, open_all, open_from, read_all};

/// Lengths of the records of each group: small, large, across a segment, at a segment's end.
const GROUPS: [&[usize]; 9] = [
    &[10],
    &[300, 5000, 20],
    &[30_000, 7],
    &[20_000, 20_000, 100],
    &[1, 2, 3, 4, 5, 6, 7, 8, 9],
    &[60_000, 60_000, 500],
    &[4000],
    &[30_000; 5],
    &[256],
];

/// What a run was told.
struct Answered {
    place: Place,
    records: Vec<Vec<u8>>,
    /// The records of the append that failed, if one did.
    failed: Vec<Vec<u8>>,
}

/// Opens the journal and appends all groups that are not there yet, until something fails.
fn run(disk: &MemoryDisk) -> Result<Answered, OpenFault> {
    let opened = open_all(disk)?;
    let mut records = read_all(&opened.reader);
    let mut appender = opened.appender;
    let mut answered = Answered { place: appender.place(), records: records.clone(), failed: Vec::new() };
    let mut skip = records.len();
    for lengths in GROUPS {
        if skip >= lengths.len() {
            skip -= lengths.len();
            continue;
        }
        let mut group = group(appender.place(), &lengths[skip..]);
        skip = 0;
        let pushed: Vec<_> = (0..group.records_count()).map(|index| group.payload(index).to_vec()).collect();
        match appender.append(&mut group) {
            Ok(place) => {
                records.extend(pushed);
                answered.place = place;
                answered.records = records.clone();
            }
            Err(fault) => {
                assert!(!matches!(fault, AppendFault::Stopped), "the first fault says what happened");
                answered.failed = pushed;
                let again = appender.append(&mut group);
                assert!(matches!(again, Err(AppendFault::Stopped)), "nothing is appended after a fault");
                break;
            }
        }
    }
    Ok(answered)
}

/// Opens the disk after a crash: all that was answered is there, and what more is there was asked for. Then goes on.
fn check_after(disk: &MemoryDisk, answered: &Answered, note: &str) {
    let opened = open_from(disk, answered.place).unwrap_or_else(|fault| panic!("{note}: {fault}"));
    let records = read_all(&opened.reader);
    let known = answered.records.len();
    assert!(records.len() >= known, "{note}: {} of {known} answered records are there", records.len());
    assert!(records[..known] == answered.records[..], "{note}: an answered record changed");
    let more = &records[known..];
    assert!(*more == answered.failed[..more.len()], "{note}: a record appeared that nobody asked for");
    drop(opened);
    let finished = run(disk).unwrap_or_else(|fault| panic!("{note}: {fault}"));
    assert_eq!(finished.records.len(), GROUPS.iter().map(|lengths| lengths.len()).sum::<usize>(), "{note}");
}

fn operations_of_a_whole_run(make: fn() -> MemoryDisk) -> u64 {
    let disk = make();
    run(&disk).unwrap();
    disk.operations()
}

fn crash_everywhere(make: fn() -> MemoryDisk) {
    let operations = operations_of_a_whole_run(make);
    assert!(operations > 40, "{operations} operations");
    for at in 0..operations {
        for seed in 0..12 {
            let disk = make();
            disk.fail_after(at, Failure::PowerLost);
            let empty = Answered { place: Place::start(), records: Vec::new(), failed: Vec::new() };
            let answered = run(&disk).unwrap_or(empty);
            let after = disk.crash(seed * 1000 + at);
            check_after(&after, &answered, &format!("power cut at operation {at}, seed {seed}"));
        }
    }
}

#[test]
fn power_cut_at_every_operation() {
    crash_everywhere(MemoryDisk::new);
}

#[test]
fn power_cut_at_every_operation_without_direct_writes() {
    crash_everywhere(MemoryDisk::buffered);
}

/// Proves that a crash while recovery cuts a torn tail is recovered from like any other.
#[test]
fn power_cut_during_recovery() {
    for make in [MemoryDisk::new as fn() -> MemoryDisk, MemoryDisk::buffered] {
        let operations = operations_of_a_whole_run(make);
        for at in 0..operations {
            let disk = make();
            disk.fail_after(at, Failure::PowerLost);
            let Ok(answered) = run(&disk) else { continue };
            for step in 0..4 {
                let torn = disk.crash(at * 7 + step);
                torn.fail_after(step, Failure::PowerLost);
                // Fails, or needs fewer operations than that.
                let _ = open_all(&torn);
                check_after(&torn.crash(at + step), &answered, &format!("cuts at {at} and, opening, at {step}"));
            }
        }
    }
}

fn fail_everywhere(make: fn() -> MemoryDisk, failure: Failure) {
    for at in 0..operations_of_a_whole_run(make) {
        let disk = make();
        disk.fail_after(at, failure);
        // Opening may be what fails; nothing is answered then.
        let Ok(answered) = run(&disk) else { continue };
        let whole: usize = GROUPS.iter().map(|lengths| lengths.len()).sum();
        // A failed removal of a file nobody needs is the one thing that may fail without a word.
        assert!(answered.records.len() < whole || failure == Failure::NoSpace, "operation {at} failed unseen");
        check_after(&disk.crash(at), &answered, &format!("{failure:?} at operation {at}, then a power cut"));
    }
}

#[test]
fn input_output_error_at_every_operation() {
    fail_everywhere(MemoryDisk::new, Failure::Io);
    fail_everywhere(MemoryDisk::buffered, Failure::Io);
}

/// Proves that a full disk loses nothing, and that a group that needs a segment it cannot get leaves nothing behind.
#[test]
fn full_disk_at_every_operation() {
    fail_everywhere(MemoryDisk::new, Failure::NoSpace);
    fail_everywhere(MemoryDisk::buffered, Failure::NoSpace);
    let disk = MemoryDisk::new();
    let mut opened = open_all(&disk).unwrap();
    let place = opened.appender.append(&mut group(Place::start(), &[10])).unwrap();
    disk.fail_after(0, Failure::NoSpace);
    let fault = opened.appender.append(&mut group(place, &[30_000, 60_000])).unwrap_err();
    assert!(matches!(fault, AppendFault::Full { .. }), "{fault:?}");
    drop(opened);
    let opened = open_all(&disk.crash(1)).unwrap();
    assert_eq!((opened.tail, opened.cut_bytes), (place, 0));
}
