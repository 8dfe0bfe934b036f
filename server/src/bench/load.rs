//! The measured workload: when the next request goes out, and what its reply counts for.
//!
//! In a closed loop a request starts when it is written. In an open loop it starts when it was due, so that the wait for
//! a free connection, or for a server that stands still, is part of its latency.

use std::time::{Duration, Instant};

use memchr::memmem::Finder;
use serde::Serialize;

use super::body::{Pool, Template};
use super::exchange::{Ending, Loss, Step, Workload};
use super::failures::Failures;
use super::latency::{Latency, Percentiles, Second, milliseconds};
use super::plan::{Extent, Plan};
use super::postings::Postings;
use super::process::{Usage, Watched, own_usage};
use super::reply::Reply;
use super::schedule::Schedule;

/// A number of transactions and the sum of their amounts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Tally {
    pub transactions: u64,
    pub minor: u64,
}

impl Tally {
    fn add(&mut self, transactions: u64, minor: u64) {
        self.transactions += transactions;
        self.minor += minor;
    }
}

/// What a run did.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Outcome {
    /// Transactions of requests that started within the measurement and were acknowledged.
    pub transactions: u64,
    pub requests: u64,
    pub elapsed_microseconds: u64,
    pub transactions_per_second: u64,
    pub requests_per_second: u64,
    pub latency: Percentiles,
    pub seconds: Vec<Second>,
    /// Of the whole run, the warm-up included.
    pub failures: Failures,
    /// Open loop only: requests that were due, but for which no connection became free in time.
    pub requests_never_sent: u64,
    pub server_gone: bool,
    /// Of the whole run, the warm-up included.
    pub acknowledged: Tally,
    /// Transactions that may have been posted or not: no reply, or a failed batch that keeps its first items.
    pub uncertain: Tally,
    pub request_bytes: usize,
    pub client_cpu: Option<Usage>,
    pub server_cpu: Option<Usage>,
    /// What the CPU times above are divided by.
    pub transactions_while_cpu_was_counted: u64,
}

/// A request under way or about to be.
#[derive(Clone, Copy)]
struct Slot {
    /// The request is patched and only waits for its time.
    ready: bool,
    minor: u64,
    from: Instant,
}

/// CPU used before the measurement.
struct Baseline {
    client: Option<Usage>,
    server: Option<Usage>,
    acknowledged: u64,
}

/// A [`Workload`] of transactions.
pub(super) struct Load<'a> {
    plan: &'a Plan,
    pool: &'a Pool,
    watched: &'a Watched,
    template: Template,
    postings: Postings,
    /// Part of the body of every reply that is what was asked for.
    expected: Finder<'static>,
    slots: Vec<Slot>,
    references_used: u64,
    schedule: Option<Schedule>,
    /// Requests of the schedule that were sent.
    scheduled_sent: u64,
    /// Requests of the schedule that will be sent.
    scheduled_end: u64,
    measure_from: Instant,
    /// Requests still to be sent by a closed loop that counts them.
    countdown: Option<u64>,
    /// When a closed loop stops sending, or when an open loop gives up sending what is overdue.
    stop_at: Option<Instant>,
    baseline: Option<Baseline>,
    last_answer: Instant,
    latency: Latency,
    measured_requests: u64,
    failures: Failures,
    acknowledged: Tally,
    uncertain: Tally,
    progress_transactions: u64,
}

impl<'a> Load<'a> {
    pub fn new(plan: &'a Plan, pool: &'a Pool, watched: &'a Watched, start: Instant) -> Self {
        let measure_from = start + plan.warmup;
        let schedule = plan.rate.map(|rate| Schedule::new(start, plan.items_per_request, rate));
        let scheduled_end = match (&schedule, plan.extent) {
            (None, _) => 0,
            (Some(schedule), Extent::Requests(count)) => schedule.due_before(measure_from) + count,
            (Some(schedule), Extent::Lasting(duration)) => schedule.due_before(measure_from + duration),
        };
        let stop_at = match (&schedule, plan.extent) {
            (Some(schedule), _) => Some(schedule.due(scheduled_end) + plan.timeout),
            (None, Extent::Lasting(duration)) => Some(measure_from + duration),
            (None, Extent::Requests(_)) => None,
        };
        let countdown = match (&schedule, plan.extent) {
            (None, Extent::Requests(count)) => Some(count),
            _ => None,
        };
        Self {
            plan,
            pool,
            watched,
            template: Template::new(plan, pool),
            postings: Postings::new(plan),
            expected: Finder::new(expected_text(plan)),
            slots: vec![Slot { ready: false, minor: 0, from: start }; plan.connections],
            references_used: 0,
            schedule,
            scheduled_sent: 0,
            scheduled_end,
            measure_from,
            countdown,
            stop_at,
            baseline: None,
            last_answer: measure_from,
            latency: Latency::new(measure_from),
            measured_requests: 0,
            failures: Failures::default(),
            acknowledged: Tally::default(),
            uncertain: Tally::default(),
            progress_transactions: 0,
        }
    }

    fn items(&self) -> u64 {
        self.plan.items_per_request as u64
    }

    fn open_loop_step(&mut self, slot: usize, schedule: Schedule, now: Instant) -> Step {
        let overdue_too_long = self.stop_at.is_some_and(|stop_at| now >= stop_at);
        if self.scheduled_sent == self.scheduled_end || overdue_too_long {
            return Step::Done;
        }
        let due = schedule.due(self.scheduled_sent);
        if due > now {
            return Step::At(due);
        }
        self.scheduled_sent += 1;
        self.slots[slot].from = due;
        Step::Send
    }

    fn closed_loop_step(&mut self, slot: usize, now: Instant) -> Step {
        if self.stop_at.is_some_and(|stop_at| now >= stop_at) || self.countdown == Some(0) {
            return Step::Done;
        }
        // Patching a batch takes a while that is not the server's.
        let from = Instant::now();
        self.slots[slot].from = from;
        if from >= self.measure_from
            && let Some(countdown) = &mut self.countdown
        {
            *countdown -= 1;
        }
        Step::Send
    }

    fn begin_measurement(&mut self) {
        self.baseline = Some(Baseline {
            client: own_usage(),
            server: self.watched.usage(),
            acknowledged: self.acknowledged.transactions,
        });
    }

    /// Whether a failed request may have moved money all the same.
    fn keeps_items_of_failed_batch(&self) -> bool {
        self.plan.bulk && !self.plan.atomic
    }

    /// Ends the measurement. Call it right after the last reply.
    pub fn finish(mut self, ending: Ending) -> Outcome {
        if self.baseline.is_none() {
            self.begin_measurement();
        }
        let baseline = self.baseline.as_ref().expect("it was just set");
        let used = |now: Option<Usage>, before: Option<Usage>| Some(now?.since(before?));
        let client_cpu = used(own_usage(), baseline.client);
        let server_cpu = used(self.watched.usage(), baseline.server);
        let end = match self.plan.extent {
            Extent::Lasting(duration) => self.last_answer.max(self.measure_from + duration),
            Extent::Requests(_) => self.last_answer,
        };
        self.latency.advance(end);
        let elapsed = end.duration_since(self.measure_from).max(Duration::from_micros(1));
        let per_second = |count: u64| (u128::from(count) * 1_000_000 / elapsed.as_micros()) as u64;
        let transactions = self.measured_requests * self.items();
        Outcome {
            transactions,
            requests: self.measured_requests,
            elapsed_microseconds: elapsed.as_micros() as u64,
            transactions_per_second: per_second(transactions),
            requests_per_second: per_second(self.measured_requests),
            latency: self.latency.percentiles(),
            seconds: self.latency.seconds().to_vec(),
            failures: self.failures,
            requests_never_sent: self.scheduled_end - self.scheduled_sent,
            server_gone: ending == Ending::ServerGone,
            acknowledged: self.acknowledged,
            uncertain: self.uncertain,
            request_bytes: self.template.request_bytes(),
            client_cpu,
            server_cpu,
            transactions_while_cpu_was_counted: self.acknowledged.transactions - baseline.acknowledged,
        }
    }
}

/// A success that says something else, such as `QUEUED` where a final status was asked for, is not what was asked for.
fn expected_text(plan: &Plan) -> &'static str {
    match (plan.bulk, plan.queued, plan.inflight) {
        (false, true, _) => "\"status\":\"",
        (false, false, false) => "\"status\":\"APPLIED\"",
        (false, false, true) => "\"status\":\"INFLIGHT\"",
        (true, _, false) => "\"status\":\"applied\"",
        (true, _, true) => "\"status\":\"inflight\"",
    }
}

impl Workload for Load<'_> {
    fn next(&mut self, slot: usize, now: Instant, request: &mut Vec<u8>) -> Step {
        if self.baseline.is_none() && now >= self.measure_from {
            self.begin_measurement();
        }
        if !self.slots[slot].ready {
            let minor = self.template.patch(request, self.pool, &mut self.postings, self.references_used);
            self.references_used += self.items();
            self.slots[slot].ready = true;
            self.slots[slot].minor = minor;
        }
        let step = match self.schedule {
            Some(schedule) => self.open_loop_step(slot, schedule, now),
            None => self.closed_loop_step(slot, now),
        };
        if step == Step::Send {
            self.slots[slot].ready = false;
        }
        step
    }

    fn answered(&mut self, slot: usize, now: Instant, reply: &Reply<'_>) {
        let Slot { minor, from, .. } = self.slots[slot];
        let items = self.items();
        let measured = from >= self.measure_from;
        if measured {
            self.last_answer = self.last_answer.max(now);
        }
        if reply.succeeded() && self.expected.find(&reply.body).is_some() {
            self.acknowledged.add(items, minor);
            if measured {
                self.measured_requests += 1;
                self.latency.record(now, from, items);
            }
            return;
        }
        if reply.succeeded() || self.keeps_items_of_failed_batch() {
            self.uncertain.add(items, minor);
        }
        self.failures.add_reply(reply);
        if measured {
            self.latency.record_failure(now);
        }
    }

    fn lost(&mut self, slot: usize, now: Instant, loss: Loss) {
        let Slot { minor, from, .. } = self.slots[slot];
        self.uncertain.add(self.items(), minor);
        self.failures.add_loss(loss);
        if from >= self.measure_from {
            self.last_answer = self.last_answer.max(now);
            self.latency.record_failure(now);
        }
    }

    fn tick(&mut self, now: Instant) {
        self.latency.advance(now);
        let transactions = self.acknowledged.transactions - self.progress_transactions;
        self.progress_transactions = self.acknowledged.transactions;
        let failed = self.failures.count();
        let Some(elapsed) = now.checked_duration_since(self.measure_from) else {
            eprintln!("warm-up  {transactions:>9} tx/s   errors {failed}");
            return;
        };
        let last = self.latency.seconds().last();
        let shown = |value: Option<u64>| value.map_or("-".to_owned(), milliseconds);
        let p50 = shown(last.and_then(|second| second.p50_microseconds));
        let p99 = shown(last.and_then(|second| second.p99_microseconds));
        let seconds = elapsed.as_secs();
        eprintln!("{seconds:>5} s  {transactions:>9} tx/s   p50 {p50} ms   p99 {p99} ms   errors {failed}");
    }
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;

    const APPLIED: &[u8] = b"{\"status\":\"applied\"}";

    fn pool() -> Pool {
        Pool::new(&["bln_1".to_owned(), "bln_2".to_owned()]).expect("plain identifiers")
    }

    fn answer(status: u16, body: &'static [u8]) -> Reply<'static> {
        Reply { status, body: body.into(), reusable: true }
    }

    #[test]
    fn open_loop_counts_the_wait_for_a_connection() {
        let plan = plan("--balances 2 --bulk 10 --rate 1000 --duration 1s --warmup 0s --connections 1");
        let (pool, watched, start) = (pool(), Watched::none(), Instant::now());
        let mut load = Load::new(&plan, &pool, &watched, start);
        let at = |milliseconds| start + Duration::from_millis(milliseconds);
        let mut request = Vec::new();
        assert_eq!(load.next(0, start, &mut request), Step::Send);
        // The server stands still for 500 ms; the request due at 10 ms can only go out then.
        load.answered(0, at(500), &answer(201, APPLIED));
        assert_eq!(load.next(0, at(500), &mut request), Step::Send);
        load.answered(0, at(501), &answer(201, APPLIED));
        for _ in 2..100 {
            assert_eq!(load.next(0, at(995), &mut request), Step::Send);
            load.answered(0, at(995), &answer(201, APPLIED));
        }
        assert_eq!(load.next(0, at(996), &mut request), Step::Done);
        let outcome = load.finish(Ending::Finished);
        assert_eq!((outcome.requests, outcome.transactions, outcome.requests_never_sent), (100, 1000, 0));
        assert_eq!(outcome.transactions_per_second, 1000);
        assert!(outcome.latency.max_microseconds >= 970_000, "{:?}", outcome.latency);
    }

    #[test]
    fn open_loop_waits_for_the_due_time_with_a_finished_request() {
        let plan = plan("--balances 2 --bulk 10 --rate 1000 --warmup 0s");
        let (pool, watched, start) = (pool(), Watched::none(), Instant::now());
        let mut load = Load::new(&plan, &pool, &watched, start);
        let (mut first, mut second) = (Vec::new(), Vec::new());
        assert_eq!(load.next(0, start, &mut first), Step::Send);
        let due = start + Duration::from_millis(10);
        assert_eq!(load.next(1, start, &mut second), Step::At(due));
        let prepared = second.clone();
        assert_eq!(load.next(1, due, &mut second), Step::Send);
        assert_eq!(prepared, second);
        assert_ne!(first, second);
    }

    #[test]
    fn what_the_server_cannot_take_is_reported_as_never_sent() {
        let plan = plan("--balances 2 --rate 1000 --duration 1s --warmup 0s --timeout 1s");
        let (pool, watched, start) = (pool(), Watched::none(), Instant::now());
        let mut load = Load::new(&plan, &pool, &watched, start);
        let mut request = Vec::new();
        assert_eq!(load.next(0, start, &mut request), Step::Send);
        assert_eq!(load.next(1, start + Duration::from_secs(3), &mut request), Step::Done);
        assert_eq!(load.finish(Ending::Finished).requests_never_sent, 999);
    }

    #[test]
    fn warm_up_counts_for_the_books_but_not_for_the_result() {
        let plan = plan("--balances 2 --bulk 10 --count 20 --warmup 1s");
        let (pool, watched, start) = (pool(), Watched::none(), Instant::now() - Duration::from_millis(500));
        let mut load = Load::new(&plan, &pool, &watched, start);
        let mut request = Vec::new();
        assert_eq!(load.next(0, Instant::now(), &mut request), Step::Send);
        load.answered(0, Instant::now(), &answer(201, APPLIED));
        let outcome = load.finish(Ending::Finished);
        assert_eq!((outcome.transactions, outcome.acknowledged.transactions), (0, 10));
    }

    #[test]
    fn failures_are_no_throughput() {
        let plan = plan("--balances 2 --bulk 10 --count 50 --warmup 0s");
        let (pool, watched) = (pool(), Watched::none());
        let mut load = Load::new(&plan, &pool, &watched, Instant::now());
        let mut request = Vec::new();
        for reply in [answer(201, APPLIED), answer(400, b"{}"), answer(200, b"{\"status\":\"odd\"}")] {
            assert_eq!(load.next(0, Instant::now(), &mut request), Step::Send);
            load.answered(0, Instant::now(), &reply);
        }
        assert_eq!(load.next(0, Instant::now(), &mut request), Step::Send);
        load.lost(0, Instant::now(), Loss::Closed);
        let outcome = load.finish(Ending::ServerGone);
        assert_eq!((outcome.requests, outcome.failures.count(), outcome.server_gone), (1, 3, true));
        assert_eq!((outcome.acknowledged.transactions, outcome.uncertain.transactions), (10, 30));
    }
}
