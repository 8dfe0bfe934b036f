//! One life of an engine: it is asked, turn by turn, and every answer is compared with what the auditor says.

use crate::audit::in_words as status_in_words;
use crate::auditor::{Auditor, Expected};
use crate::command::Speaker;
use crate::operation::Request;
use crate::workload::Scene;
use crate::world::{Entry, World};
use engine::answer::{Answer, Unavailable};
use engine::by_hand::ByHand;
use engine::engine::Engine;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, Sender, channel};

/// Turns that an engine may take to end.
const TURNS_MAX: usize = 10_000;
/// Turns of a life in which clients often send again what they sent before.
const EARLY_TURNS: u64 = 5;
/// Rows that are asked for with an answer.
const ROWS_WANTED: usize = 10;

/// Posted credits and debits, held credits and debits, of every balance.
type Figures = Vec<[i128; 4]>;

/// What comes back.
enum Told {
    Answer(Answer),
    Figures(Figures),
}

/// What must come back.
enum Due {
    Answer(Request, Expected),
    Figures(Figures),
}

/// An engine that runs.
pub struct Life<'w, 'g> {
    pub world: &'w mut World<'g>,
    engine: Engine,
    hand: ByHand,
    /// The books after everything that was asked for.
    books: Auditor,
    /// What must come back, with the records that it tells of.
    due: Vec<Option<(Due, u64)>>,
    sender: Sender<(usize, Told)>,
    receiver: Receiver<(usize, Told)>,
}

impl<'w, 'g> Life<'w, 'g> {
    /// An engine whose books were just audited.
    pub fn new(world: &'w mut World<'g>, engine: Engine, hand: ByHand) -> Life<'w, 'g> {
        let (sender, receiver) = channel();
        let books = world.base.clone();
        Life { world, engine, hand, books, due: Vec::new(), sender, receiver }
    }

    /// Works for so many turns; ends earlier when the engine stops, and answers why.
    pub fn work(&mut self, turns: u64) -> Result<Option<String>, String> {
        for turn in 0..turns {
            self.move_clock();
            for _ in 0..self.world.random.below(4) {
                self.ask(turn < EARLY_TURNS);
            }
            if self.world.random.one_in(4) {
                self.look();
            }
            self.turn()?;
            if let Some(reason) = self.engine.health().stopped() {
                return Ok(Some(reason));
            }
        }
        Ok(None)
    }

    /// Ends: cleanly, or as the world says.
    pub fn end(mut self, clean: bool) -> Result<(), String> {
        let failed = self.world.memory.has_failed() || self.engine.health().stopped().is_some();
        if failed || !clean {
            // Taken before anything is dropped: dropping may write.
            self.world.memory = self.world.left_behind();
            return Ok(());
        }
        self.engine.close();
        for _ in 0..TURNS_MAX {
            let ended = self.hand.turn();
            self.run_due();
            if ended {
                break;
            }
        }
        self.compare_answers()?;
        let stopped = self.engine.health().stopped();
        if let Some((due, _)) = self.due.iter().flatten().next()
            && stopped.is_none()
        {
            let Due::Answer(request, _) = due else { return Err("a look was never answered".to_owned()) };
            return Err(format!("{request:?} was never answered"));
        }
        self.hand.close();
        if self.world.memory.has_failed() {
            self.world.memory = self.world.left_behind();
        } else {
            self.world.tally.stops += 1;
            self.world.memory = self.world.memory.fork();
        }
        Ok(())
    }

    /// Time goes on; now and then far, and now and then back.
    fn move_clock(&mut self) {
        let world = &mut *self.world;
        let random = &mut world.random;
        world.time += match random.below(30) {
            0 => 3_600_000_000,
            1 => -(random.below(20_000_000) as i64),
            2..8 => 1_500_000,
            _ => random.below(50) as i64,
        };
        world.clock.now.store(world.time, Ordering::Relaxed);
    }

    fn ask(&mut self, early: bool) {
        let (usable, now) = (self.usable(), self.world.time);
        let World { workload, names, .. } = &mut *self.world;
        let request = workload.next(&Scene { books: &self.books, usable, names, now }, early);
        let accounts = self.books.opened.clone();
        let expected = self.books.take(&request, now);
        let speaker = Speaker { engine: &self.engine, accounts: &accounts, names: &self.world.names };
        let (command, key) = speaker.say(&request);
        self.world.log.push(Entry::Asked(request.clone(), now));
        let (index, sender) = (self.due.len(), self.sender.clone());
        self.due.push(Some((Due::Answer(request, expected), self.books.records)));
        let reply = Box::new(move |answer| drop(sender.send((index, Told::Answer(answer)))));
        self.engine.submit_once(command, key, ROWS_WANTED, reply);
    }

    /// How many accounts can be named: those whose ids are known outside of the writer.
    fn usable(&self) -> usize {
        let known = |handle: &&usize| self.engine.books().balance_id(**handle as u32).is_some();
        self.books.opened.iter().take_while(known).count()
    }

    fn look(&mut self) {
        let (index, sender) = (self.due.len(), self.sender.clone());
        let figures = self.books.accounts.iter();
        let figures = figures.map(|account| [account.credit, account.debit, account.held_credit, account.held_debit]);
        self.due.push(Some((Due::Figures(figures.collect()), self.books.records)));
        self.engine.read(
            |view| {
                let figures = |handle| view.state.balance(handle).figures;
                let all = (0..view.state.balances.len() as u32).map(figures);
                all.map(|figures| {
                    [figures.posted.credit, figures.posted.debit, figures.held.credit, figures.held.debit]
                })
                .collect()
            },
            move |figures| drop(sender.send((index, Told::Figures(figures)))),
        );
    }

    fn turn(&mut self) -> Result<(), String> {
        self.hand.turn();
        self.run_due();
        self.compare_answers()
    }

    fn run_due(&mut self) {
        while self.books.run_due(self.world.time) {
            self.world.log.push(Entry::Due(self.world.time));
        }
    }

    /// Compares what came back with what had to. Whatever it tells of must be there from now on (P1).
    fn compare_answers(&mut self) -> Result<(), String> {
        let before = self.world.acked;
        while let Ok((index, told)) = self.receiver.try_recv() {
            let Some((due, records)) = self.due[index].take() else {
                return Err("something was answered twice".to_owned());
            };
            match (due, told) {
                (Due::Answer(..), Told::Answer(Answer::Unavailable(Unavailable::Stopped(_)))) => continue,
                (Due::Answer(request, expected), Told::Answer(answer)) => {
                    if in_words(&answer).as_ref() != Some(&expected) || !self.shows_rows(&answer) {
                        return Err(format!("{request:?} was answered {answer:?} and must be {expected:?}"));
                    }
                    self.world.tally.answers += 1;
                }
                (Due::Figures(wanted), Told::Figures(figures)) if figures == wanted => {}
                (Due::Figures(wanted), Told::Figures(figures)) => {
                    return Err(format!("a look found {figures:?} and must find {wanted:?}"));
                }
                _ => return Err("an answer belongs to another question".to_owned()),
            }
            self.world.acked = self.world.acked.max(records);
        }
        if self.world.acked > before {
            self.world.remember_acked(before);
        }
        Ok(())
    }
}

impl Life<'_, '_> {
    /// Whether the rows of an answer are those that must be there.
    fn shows_rows(&self, answer: &Answer) -> bool {
        let Answer::Recorded(recorded) = answer else { return true };
        recorded.rows.iter().all(|row| {
            let wanted = self.books.rows.get(row.number as usize);
            wanted.is_some_and(|wanted| {
                (wanted.status, wanted.amount, wanted.at) == (status_in_words(row.status), row.amount, row.created_at)
            })
        })
    }
}

/// An answer in the words of the auditor, which knows no others.
fn in_words(answer: &Answer) -> Option<Expected> {
    Some(match answer {
        Answer::Made { .. } => Expected::Made,
        Answer::Recorded(recorded) => Expected::Recorded {
            rows: recorded.rows_count,
            refused: recorded.refused.iter().map(|refused| refused.item).collect(),
            known: recorded.known.iter().map(|known| known.item).collect(),
            replayed: recorded.replayed,
        },
        Answer::Rescheduled(_) => Expected::Moved,
        Answer::Unchanged => Expected::Unchanged,
        Answer::KeyTaken => Expected::KeyTaken,
        Answer::Refused(_) => Expected::Refused,
        Answer::Outdated | Answer::Unavailable(_) => return None,
    })
}
