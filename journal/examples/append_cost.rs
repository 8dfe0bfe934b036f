//! What an append costs on the disk that a folder lies on: `cargo run --release --example append_cost -- <folder>`.

use journal::disk::RealDisk;
use journal::group::Group;
use journal::open::{Options, RECORD_BYTES_MAX, SEGMENT_BYTES, open};
use journal::place::Place;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

fn main() {
    let folder = std::env::args().nth(1).map_or_else(std::env::temp_dir, PathBuf::from).join("append-cost-journal");
    let _ = std::fs::remove_dir_all(&folder);
    let options = Options { segment_bytes: SEGMENT_BYTES, record_bytes_max: RECORD_BYTES_MAX };
    let opened = open(Arc::new(RealDisk::new()), &folder, options, Place::start()).expect("the folder is writable");
    let mut appender = opened.appender;
    println!("direct writes: {}", appender.is_direct());
    let mut group = Group::new(1, 0, SEGMENT_BYTES);
    // Paced, as a ledger at 200 000 records a second is, and flat out.
    for (name, records, bytes, groups, pause_us) in [
        ("warm up", 1000, 200, 200, 0),
        ("1000 x 200 B, flat out", 1000, 200, 2000, 0),
        ("1000 x 200 B, 200 groups/s", 1000, 200, 600, 5000),
        ("1 x 300 B", 1, 300, 5000, 0),
        ("100 x 300 B", 100, 300, 2000, 0),
    ] {
        let payload = vec![0x5a; bytes];
        let mut costs = Vec::new();
        for _ in 0..groups {
            for _ in 0..records {
                group.push(|frame| frame.extend_from_slice(&payload)).expect("the record is small");
            }
            let start = Instant::now();
            let place = appender.append(&mut group).expect("there is room");
            costs.push(start.elapsed().as_micros());
            group.reset(place.seq, place.position);
            std::thread::sleep(std::time::Duration::from_micros(pause_us));
        }
        costs.sort_unstable();
        let at = |per_mille: usize| costs[(costs.len() - 1) * per_mille / 1000];
        println!("{name}: p50 {} us, p90 {} us, p99 {} us, max {} us", at(500), at(900), at(990), at(1000));
    }
    drop(appender);
    let start = Instant::now();
    let tail = open(Arc::new(RealDisk::new()), &folder, options, Place::start()).expect("what was written opens").tail;
    println!(
        "open and verify {} MB, {} records: {} ms",
        tail.position >> 20,
        tail.seq - 1,
        start.elapsed().as_millis()
    );
    let start = Instant::now();
    drop(open(Arc::new(RealDisk::new()), &folder, options, tail).expect("what was written opens"));
    println!("open from a checkpoint at the tail: {} ms", start.elapsed().as_millis());
    let _ = std::fs::remove_dir_all(&folder);
}
