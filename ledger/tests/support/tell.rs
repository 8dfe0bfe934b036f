//! What the books of a scenario say, in words.

use crate::support::book::START;
use crate::support::script::Script;
use ledger::decide::{Decision, Known};
use ledger::event::{Event, Movement, NO_BALANCE, Outcome};
use ledger::id::Prefix;
use ledger::policy::Policed;
use ledger::projection::{Seen, Step};
use ledger::rejection::{Refused, Rejection};
use ledger::row::{Flags, Parent, Row, Status};
use ledger::timers::Due;

/// `InsufficientFunds` is told as `insufficient funds`.
pub fn words_of(rejection: Rejection) -> String {
    let name = format!("{rejection:?}");
    let spaced =
        name.chars().flat_map(|letter| letter.is_uppercase().then_some(' ').into_iter().chain(letter.to_lowercase()));
    spaced.collect::<String>().trim_start().to_owned()
}

impl Script {
    /// The result of one command: what its rows say, or why there are none.
    pub(super) fn answered(&self, answer: &Result<Decision, Refused>, before: usize) -> String {
        match answer {
            Err(refused) if refused.item > 0 => format!("{} at {}", words_of(refused.rejection), refused.item),
            Err(refused) => words_of(refused.rejection),
            Ok(Decision { event: Some(_), .. }) => format!("{}{}", self.since(before), self.opened()),
            Ok(Decision { known, .. }) => self.known(known),
        }
    }

    fn known(&self, known: &[Known]) -> String {
        let labels = known.iter().map(|known| self.book.reference_of(&self.book.rows[known.row as usize]));
        format!("known as {}", labels.collect::<Vec<_>>().join(", "))
    }

    pub(super) fn answer_of_batch(&self, answer: &Result<Decision, Refused>) -> String {
        match answer {
            Err(refused) => format!("refused, {} at item {}", words_of(refused.rejection), refused.item),
            Ok(Decision { event, known, refused }) => {
                let refused: Vec<String> =
                    refused.iter().map(|one| format!("{} at item {}", words_of(one.rejection), one.item)).collect();
                let mut parts = match (event, refused.is_empty()) {
                    (Some(_), true) => vec!["recorded".to_owned()],
                    (Some(_), false) => vec!["partly".to_owned()],
                    (None, true) => Vec::new(),
                    (None, false) => vec!["nothing".to_owned()],
                };
                parts.extend(refused);
                parts.extend((!known.is_empty()).then(|| self.known(known)));
                let opened = if event.is_some() { self.opened() } else { String::new() };
                format!("{}{opened}", parts.join(", "))
            }
        }
    }

    /// What would come of a command, and what the sides of its movements could spend before and after.
    pub(super) fn tried(&self, answer: &Result<Decision, Refused>, steps: &[Step]) -> String {
        let event = match answer {
            Err(refused) => return words_of(refused.rejection),
            Ok(Decision { event: Some(Event::Recorded(event)), .. }) => event,
            Ok(Decision { known, .. }) => return self.known(known),
        };
        let seen = |seen: &Seen| {
            let (before, after) = (seen.before.available(), seen.after.available());
            format!("{} to {}", self.money(before), self.money(after))
        };
        let told = |(movement, step): (&Movement, &Step)| {
            let amount = self.money(movement.amount);
            let outcome = match movement.outcome {
                Outcome::Applied => format!("would apply {amount}"),
                Outcome::Held => format!("would hold {amount}"),
                Outcome::Rejected(rejection) => format!("would reject: {}", words_of(rejection)),
                other => panic!("nothing else is tried: {other:?}"),
            };
            format!("{outcome} ({}, {})", seen(&step.source), seen(&step.destination))
        };
        event.movements.iter().zip(steps).map(told).collect::<Vec<_>>().join(", ")
    }

    /// What the latest event opened.
    fn opened(&self) -> String {
        let Some(Event::Recorded(event)) = self.book.events.last() else { return String::new() };
        let currency = |number| self.book.state.currencies.text(number);
        let one = |opened: &ledger::event::Opened| {
            format!(" {} {}", opened.indicator.of(&event.text), currency(opened.currency))
        };
        let all: Vec<String> = event.opened.iter().map(one).collect();
        if all.is_empty() { String::new() } else { format!("; opens{}", all.join(",")) }
    }

    /// What rows say that were made since.
    pub(super) fn since(&self, before: usize) -> String {
        let rows: Vec<String> = self.book.rows[before..].iter().map(|row| self.row_in_words(row)).collect();
        rows.join(", ")
    }

    pub(super) fn since_of_item(&self, before: usize, item: u32) -> String {
        let rows = self.book.rows[before..].iter().filter(|row| self.book.movement(row).1.item == item);
        rows.map(|row| self.row_in_words(row)).collect::<Vec<_>>().join(", ")
    }

    /// The monitors of each balance, in order; where their definitions count from.
    pub(super) fn monitors(&self) -> Vec<String> {
        let state = &self.book.state;
        let label = |number: &u32| {
            let id = state.monitors.get(*number).expect("it is listed").id.text(Prefix::Monitor);
            self.names.iter().find(|(_, known)| **known == id).map_or(id.clone(), |(label, _)| label.clone())
        };
        let mut lines = Vec::new();
        for handle in 0..state.balances.len() as u32 {
            let labels: Vec<String> = state.monitors.of_balance(handle).iter().map(label).collect();
            if !labels.is_empty() {
                lines.push(format!("{:<7}{}", self.name_of(handle), labels.join(" ")));
            }
        }
        let rows: Vec<String> = state.monitors.changes().iter().map(|change| change.first_row.to_string()).collect();
        lines.push(format!("changes before rows {}", rows.join(" ")));
        lines
    }

    /// Up to when the books of each ledger are closed, and what was summed; what each balance is said to have been.
    pub(super) fn kept(&self) -> Vec<String> {
        let state = &self.book.state;
        let label = |id: &str| {
            let label = self.names.iter().find(|(_, known)| *known == id).map(|(label, _)| label.clone());
            label.unwrap_or_else(|| "general".to_owned())
        };
        let second = |at: i64| (at - START) / 1_000_000;
        let mut lines = Vec::new();
        for closing in state.closings.iter() {
            let event = self.book.events.get(closing.totals as usize);
            let totals = match event {
                Some(Event::ClosingTotalled(event)) => &event.totals[..],
                _ => &[],
            };
            let sums = totals.iter().map(|total| {
                let (currency, closing) = (state.currencies.text(total.currency), total.closing);
                format!(" {currency} credit={} debit={}", closing.credit, closing.debit)
            });
            let word = if event.is_some() { "" } else { " not summed" };
            let sums: String = sums.collect();
            let ledger = label(&state.ledger_text(closing.ledger));
            lines.push(format!("{ledger} closed until {}{word}{sums}", second(closing.until)));
        }
        for handle in 0..state.balances.len() as u32 {
            for number in state.assertions.of_balance(handle) {
                let one = state.assertions.get(*number).expect("it is listed");
                let (label, amount) = (label(&one.id.text(Prefix::Assertion)), self.money(one.amount));
                lines.push(format!("{label}: {} was {amount} at {}", self.name_of(handle), second(one.as_of)));
            }
        }
        lines
    }

    fn row_in_words(&self, row: &Row) -> String {
        let amount = self.money(row.amount);
        match (row.status, self.book.movement(row).1.outcome) {
            (Status::Queued, _) => "queued".into(),
            (Status::Inflight, _) if row.flags.has(Flags::CHANGE) => format!("raised by {amount}"),
            (Status::Void, _) if row.flags.has(Flags::CHANGE) => format!("lowered by {amount}"),
            (Status::Void, _) if row.flags.has(Flags::EXECUTION) => format!("cancelled {amount}"),
            (Status::Scheduled, _) => "scheduled".into(),
            (Status::Inflight, _) => format!("held {amount}"),
            (Status::Applied, _) => format!("applied {amount}"),
            (Status::Void, _) => format!("voided {amount}"),
            (Status::Rejected, Outcome::Rejected(rejection)) => format!("rejected: {}", words_of(rejection)),
            (Status::Rejected, _) => panic!("a rejected row says why"),
        }
    }

    /// Writes a statement and, indented, what a part of the books says.
    pub(super) fn tell(&self, out: &mut String, statement: &str, lines: fn(&Self) -> Vec<String>) {
        out.push_str(statement);
        out.push('\n');
        let lines = lines(self);
        let nothing = if lines.is_empty() { vec!["none".to_owned()] } else { Vec::new() };
        for line in lines.iter().chain(&nothing) {
            out.push_str(&format!("  {}\n", line.trim_end()));
        }
    }

    pub(super) fn balances(&self) -> Vec<String> {
        let state = &self.book.state;
        let line = |(handle, balance): (u32, &ledger::state::Balance)| {
            let figures = balance.figures;
            let money = |amount| self.money(amount);
            let held = [("held_debit", figures.held.debit), ("held_credit", figures.held.credit)];
            let held: String = held
                .iter()
                .filter(|(_, sum)| *sum != 0)
                .map(|(name, sum)| format!(" {name}={}", money(*sum)))
                .collect();
            format!(
                "{:<7} {} balance={} available={} debit={} credit={}{held} version={}",
                self.name_of(handle),
                state.currencies.text(balance.currency),
                money(figures.balance()),
                money(figures.available()),
                money(figures.posted.debit),
                money(figures.posted.credit),
                balance.version,
            )
        };
        (0u32..).zip(state.balances.iter()).map(line).collect()
    }

    pub(super) fn rows(&self) -> Vec<String> {
        self.book.rows.iter().map(|row| self.row(row)).collect()
    }

    fn row(&self, row: &Row) -> String {
        let (event, movement) = self.book.movement(row);
        let side = |handle: u32, text: ledger::text::Span| match handle {
            NO_BALANCE => format!("?{}", text.of(&event.text)),
            handle => self.name_of(handle),
        };
        let parent = match row.parent {
            Parent::None => String::new(),
            Parent::Row(number) => format!(" of {}", self.label_of(number)),
            Parent::Batch(number) => format!(" in batch {}", self.label_of(number)),
            Parent::Split(number) => format!(" in split {}", self.label_of(number)),
        };
        let effective =
            row.flags.has(Flags::EFFECTIVE).then(|| format!(" effective={}", (row.effective_at - START) / 1_000_000));
        let (source, destination) =
            (side(row.source, movement.source_text), side(row.destination, movement.destination_text));
        let precision = if row.precision == 100 { String::new() } else { format!(" precision={}", row.precision) };
        let status = row.status.word();
        let currency = self.book.state.currencies.text(row.currency);
        let (label, amount) = (self.label_of(row.number), self.money(row.amount));
        format!(
            "{label:<10} {status:<9} {source} -> {destination} {amount} {currency}{parent}{precision}{}",
            effective.unwrap_or_default()
        )
    }

    /// What was moved within the windows of each policy.
    pub(super) fn policies(&self) -> Vec<String> {
        let mut policies: Vec<_> = self.book.state.policies.iter().collect();
        policies.sort_by_key(|(handle, _)| **handle);
        let line = |(handle, policed): (&u32, &Policed)| {
            let windows = policed.policy.velocities.iter().zip(&policed.spent);
            let told = windows.map(|(velocity, spent)| {
                let side = if velocity.debits { "debits" } else { "credits" };
                let since = (spent.since - START) / 1_000_000;
                let since = if spent.count == 0 { String::new() } else { format!(" since {since}") };
                format!(" {side} {} in {}{since};", self.money(spent.sum), spent.count)
            });
            format!("{:<7}{}", self.name_of(*handle), told.collect::<String>().trim_end_matches(';'))
        };
        policies.into_iter().map(line).collect()
    }

    /// Whose money a balance has, and what holds bring and take.
    pub(super) fn tell_lineage(&self, out: &mut String, statement: &str, name: &str) {
        let id = ledger::id::Id::parse(Prefix::Balance, &self.names[name]).expect("lineage is that of a balance");
        let tracked = self.book.state.find_balance(id).and_then(|handle| self.book.state.tracked(handle));
        out.push_str(&format!("{statement}\n"));
        for fund in &tracked.expect("lineage is that of a tracked balance").funds {
            let purse = fund.purse;
            let money = |amount| self.money(amount);
            let (shadow, aggregate) = (self.name_of(fund.shadow), self.name_of(fund.aggregate));
            let (came, there, went) = (money(purse.received), money(purse.available()), money(purse.spent));
            let held = [("coming", purse.held_in), ("going", purse.held_out)];
            let held: String = held
                .iter()
                .filter(|(_, sum)| *sum != 0)
                .map(|(name, sum)| format!(" {name}={}", money(*sum)))
                .collect();
            out.push_str(&format!(
                "  {:<8} {there} of {came}, spent {went}{held} in {shadow} of {aggregate}\n",
                fund.provider
            ));
        }
    }

    pub(super) fn timers(&self) -> Vec<String> {
        let word = |due| match due {
            Due::Execute => "execute",
            Due::Commit => "commit",
            Due::Expire => "expire",
        };
        let line = |(at, row, due)| format!("{} {} {}", (at - START) / 1_000_000, word(due), self.label_of(row));
        self.book.state.timers.iter().map(line).collect()
    }

    /// The reference of a row, but for what the ledger made up: that is told by what it belongs to.
    fn label_of(&self, number: u64) -> String {
        let row = &self.book.rows[number as usize];
        let reference = self.book.reference_of(row);
        match row.parent {
            Parent::Row(of) if row.flags.has(Flags::REFUND) && !row.flags.has(Flags::OUTCOME) => {
                let made_up = reference.rsplit_once("_refund").map_or("", |(_, number)| number);
                format!("{}_refund{made_up}", self.label_of(of))
            }
            Parent::Row(of) if row.flags.has(Flags::REFUND) => format!("{}_q", self.label_of(of)),
            _ => reference,
        }
    }

    /// The label of a balance, or its indicator.
    fn name_of(&self, handle: u32) -> String {
        let id = self.book.state.balance_id(handle).text(Prefix::Balance);
        let label = self.names.iter().find(|(_, named)| **named == id).map(|(label, _)| label.clone());
        let indicator = || self.book.state.indicators().find(|one| one.2 == handle).map(|one| one.0.to_owned());
        label.or_else(indicator).expect("a balance has a label or an indicator")
    }

    /// Hundredths, or minor units when the scenario says so.
    fn money(&self, amount: i128) -> String {
        if self.minor || amount == 0 {
            return amount.to_string();
        }
        let sign = if amount < 0 { "-" } else { "" };
        format!("{sign}{}.{:02}", amount.unsigned_abs() / 100, amount.unsigned_abs() % 100)
    }
}
