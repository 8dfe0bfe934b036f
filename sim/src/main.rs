//! `sim --seeds N --minutes M [--from S] [--lives L]`, or `--seed S` to play one again.

#![forbid(unsafe_code)]

use sim::world::{Ground, Tally, World};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const USAGE: &str = "usage: sim [--seed S | --seeds N [--from S] [--minutes M]] [--lives L]";

/// What was typed.
struct Asked {
    seeds: u64,
    from: u64,
    minutes: Option<u64>,
    lives: u64,
}

fn main() -> ExitCode {
    let Some(asked) = asked(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    let started = Instant::now();
    let ends = asked.minutes.map(|minutes| started + Duration::from_secs(60 * minutes));
    let (next, failed) = (AtomicU64::new(asked.from), AtomicBool::new(false));
    let total = Mutex::new(Tally::default());
    let end = asked.from.saturating_add(asked.seeds);
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(asked.seeds as usize);
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (asked, next, failed, total) = (&asked, &next, &failed, &total);
            scope.spawn(move || {
                let ground = Ground::new(&thread.to_string()).expect("there is a folder for temporary files");
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    let late = ends.is_some_and(|ends| Instant::now() >= ends);
                    if seed >= end || late || failed.load(Ordering::Relaxed) {
                        return;
                    }
                    match play(&ground, seed, asked.lives) {
                        Ok(tally) => total.lock().expect("no holder panics").add(&tally),
                        Err(what) => {
                            failed.store(true, Ordering::Relaxed);
                            eprintln!("{what}\nreplay with: cargo xtask sim --seed {seed} --lives {}", asked.lives);
                        }
                    }
                }
            });
        }
    });
    let seconds = started.elapsed().as_secs().max(1);
    let total = *total.lock().expect("no holder panics");
    println!("{total}\n{seconds} s, {} crashes an hour", total.crashes * 3600 / seconds);
    if failed.load(Ordering::Relaxed) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Plays one seed; a panic of the engine is a failure like another.
fn play(ground: &Ground, seed: u64, lives: u64) -> Result<Tally, String> {
    let played = catch_unwind(AssertUnwindSafe(|| World::live(ground, seed, lives)));
    played.unwrap_or_else(|_| Err(format!("seed {seed}: the engine panicked")))
}

fn asked(mut arguments: impl Iterator<Item = String>) -> Option<Asked> {
    let mut asked = Asked { seeds: 100, from: 1, minutes: None, lives: 12 };
    while let Some(name) = arguments.next() {
        let number = arguments.next()?.parse().ok()?;
        match name.as_str() {
            "--seed" => (asked.from, asked.seeds) = (number, 1),
            "--seeds" => asked.seeds = number,
            "--from" => asked.from = number,
            "--minutes" => asked.minutes = Some(number),
            "--lives" => asked.lives = number,
            _ => return None,
        }
    }
    Some(asked)
}
