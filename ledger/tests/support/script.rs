//! Scenarios in plain words: one statement a line, its result behind `=>`. Playing a text gives the same text with the
//! results that the ledger gives.
//!
//! ```text
//! balance A [USD] [ledger=L] [identity=I] [indicator=@X] [alias=a]
//!                                                             make a balance; ledger L, identity I, rename L likewise
//! alias A a | none, owner A I                                 another alias, another owner
//! note A|L|p1 [stale]                                         change metadata, perhaps made from what is no longer so
//! update I [stale], reveal I, delete I                        give an identity other fields; look at it; delete it
//!   [tracked=fifo|lifo|proportional] [label=ada]              whose lineage is tracked, under this name
//! fund A 200.00                                               post from @World, which may go below zero
//! pay p1 A -> B 10.00 [EUR] [queued] [overdraft] [limit=5.00] post; hold the same; the label is the reference
//! split s1 A -> B 6.00 + C 4.00                               legs from or to several balances
//! batch atomic|independent [goes on] [queued]                 the indented statements below are its items
//! commit h1 [+ h2] [5.00] [over|open], void h1                settle, perhaps beyond what is left, or what of it is open; release
//! refund p1 [+ p2] [5.00] [queued]                            give back, or a part of it
//! change h1 [to 5.00] [expires=60] [commits=60]               raise or lower a hold, or give it other dates
//! cancel s1 [+ s2], reschedule s1 [+ s2] [at=60] [to 5.00]    what is scheduled, with all that runs together with it
//! policy A [minimum=1.00] [credit=1.00] [frozen=debits|credits|all] [deals=B,C] [debits=5.00/60] [credits=2x/week] | none
//!                                                             how low it may get, with whom it deals; how much, or how
//!                                                             often, within seconds, a week, a month
//! account 0123 A [identity=I]                                 make an account for a balance; the label is its number
//! register EUR 100                                            a currency, with its minor units in a major one
//! monitor M A [+ balance < 5.00] [any] [edge]                 watch a balance; again, what M watches is replaced
//! forget M                                                    delete a monitor
//! close L 60, total L                                         close books up to a second; keep the totals of the last closing
//! assert a A 5.00 [at=60] [found=4.00], retract a A           say what a balance was, and perhaps is by the rows; take it back
//! try pay p1 A -> B 10.00                                     say what would come of it, and of both balances
//! wait 60                                                     let seconds pass and carry out what is due
//! lineage A                                                   whose money a balance has, and what holds have of it
//! balances, rows, timers, policies, monitors, kept            tell the books, in indented lines; kept are closings, assertions
//! units minor, mismatch allow, fingerprints equal             settings
//! ```
//!
//! Further words of an order: `tag=…` (a provider), `reference=…` (also `refund:p1`), `precision=…`, `inflight`, and seconds
//! from the start as `at=`, `expires=`, `commits=`, `effective=`. Amounts are hundredths; with `units minor` they are integers.

use crate::support::book::{Book, Changed, START};
use crate::support::order::Order;
use crate::support::periods::summed;
use ledger::closings::Total;
use ledger::command::{
    Action, Allocation, AssertBalance, Batch, ChangeMetadata, CloseLedger, Command, CreateAccount, CreateBalance,
    CreateIdentity, CreateLedger, DeleteAssertion, DeleteIdentity, DeleteMonitor, Found, LinkIdentity, Mismatch,
    NameBalance, RecordTotals, RegisterCurrency, RenameLedger, RevealIdentity, SetMonitor, SetPolicy, UpdateIdentity,
    Wanted,
};
use ledger::decide::Decision;
use ledger::decimal::Decimal;
use ledger::id::{Id, Prefix};
use ledger::identity::Detail;
use ledger::monitor::{Condition, Definition, Field, Operator};
use ledger::notes::Subject;
use ledger::policy::{Floor, Policy, Velocity, Window};
use ledger::row::Parent;
use ledger::state::GENERAL_LEDGER_ID;
use std::collections::HashMap;

const SECOND: i64 = 1_000_000;

/// A scenario that is being played.
pub struct Script {
    pub(super) book: Book,
    /// Labels of ledgers, identities and balances, and their ids.
    pub(super) names: HashMap<String, String>,
    pub(super) minor: bool,
    numbers: u64,
}

/// Plays a text; answers it with the results that came.
pub fn play(text: &str) -> String {
    let mut script = Script { book: Book::new(1), names: HashMap::new(), minor: false, numbers: 0 };
    let mut out = String::new();
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let statement = line.split("=>").next().unwrap_or_default().trim_end();
        let mut indented = Vec::new();
        while let Some(next) = lines.next_if(|next| next.starts_with(' ')) {
            indented.push(next.split("=>").next().unwrap_or_default().trim_end());
        }
        if statement.is_empty() || statement.starts_with('#') {
            assert!(indented.is_empty(), "indented lines belong to a statement: {indented:?}");
            out.push_str(statement);
            out.push('\n');
            continue;
        }
        script.statement(statement, &indented, &mut out);
    }
    script.book.auditor.periods.check_sums(&script.book.state, &script.book.rows);
    out
}

/// Writes a statement with its result.
fn told(out: &mut String, statement: &str, result: &str) {
    if result.is_empty() {
        out.push_str(statement);
    } else {
        out.push_str(&format!("{statement:<44} => {result}"));
    }
    out.push('\n');
}

impl Script {
    fn statement(&mut self, statement: &str, indented: &[&str], out: &mut String) {
        let words: Vec<&str> = statement.split_whitespace().collect();
        let told_before = self.book.rows.len();
        let result = match (words[0], &words[1..]) {
            ("balances", []) => return self.tell(out, statement, Self::balances),
            ("rows", []) => return self.tell(out, statement, Self::rows),
            ("timers", []) => return self.tell(out, statement, Self::timers),
            ("monitors", []) => return self.tell(out, statement, Self::monitors),
            ("lineage", [name]) => return self.tell_lineage(out, statement, name),
            ("kept", []) => return self.tell(out, statement, Self::kept),
            ("policies", []) => return self.tell(out, statement, Self::policies),
            ("batch", words) => return self.batch(statement, words, indented, out),
            ("units", ["minor"]) => {
                self.minor = true;
                String::new()
            }
            ("mismatch", [word]) => {
                self.book.mismatch = if *word == "allow" { Mismatch::Allow } else { Mismatch::Refuse };
                String::new()
            }
            ("fingerprints", ["equal"]) => {
                self.book.fingerprint_mask = 0;
                String::new()
            }
            ("ledger" | "identity" | "balance" | "rename", words_behind) => self.create(words[0], words_behind),
            ("update" | "delete" | "reveal", [label, rest @ ..]) => self.identity(words[0], label, rest),
            ("fund", [name, amount, ..]) => self.fund(name, amount),
            ("pay" | "hold" | "split", _) => self.single(&words),
            ("try", [word, ..]) if *word != "batch" => self.attempt(&words[1..]),
            ("commit" | "void", [label, rest @ ..]) => self.settle(words[0], label, rest),
            ("refund", [label, rest @ ..]) => {
                let amount = self.amount_among(rest);
                let parts: Vec<_> = self.rows_of(label, rest).into_iter().map(|row| (row, amount)).collect();
                let answer = self.book.refund_parts(&parts, rest.contains(&"queued"));
                self.answered(&answer, told_before)
            }
            ("change", [label, rest @ ..]) => {
                let changed = Changed {
                    held: self.amount_among(rest),
                    expires_at: date(rest, "expires"),
                    commits_at: date(rest, "commits"),
                };
                let answer = self.book.change_hold(self.rows_of(label, &[])[0], changed);
                self.answered(&answer, told_before)
            }
            ("cancel", [label, rest @ ..]) => {
                let groups = self.groups_of(label, rest);
                let answer = self.book.cancel(&groups);
                self.answered(&answer, told_before)
            }
            ("reschedule", [label, rest @ ..]) => {
                let groups = self.groups_of(label, rest);
                let answer = self.book.reschedule(&groups, date(rest, "at"), self.amount_among(rest));
                answer.map_or_else(|refused| super::tell::words_of(refused.rejection), |_| "rescheduled".into())
            }
            ("policy", [name, rest @ ..]) => {
                let command = self.policy(name, rest);
                self.ruled(command)
            }
            ("alias", [name, alias]) => {
                let balance = self.balance(name);
                let alias = if *alias == "none" { String::new() } else { (*alias).to_owned() };
                self.ruled(Command::NameBalance(NameBalance { balance, alias }))
            }
            ("owner", [name, owner]) => {
                let balance = Some(self.balance(name));
                let identity = self.names.get(*owner).cloned().unwrap_or((*owner).to_owned());
                self.ruled(Command::LinkIdentity(LinkIdentity { balance, identity, lineage_label: String::new() }))
            }
            ("note", [name, rest @ ..]) => {
                let subject = self.subject(name);
                let seen = if rest == ["stale"] { 1 << 40 } else { self.book.state.newest_note(subject) };
                self.ruled(Command::ChangeMetadata(ChangeMetadata { subject, metadata: "{}".into(), seen }))
            }
            ("account", [number, name, rest @ ..]) => {
                let balance = Id::parse(Prefix::Balance, &self.party(name)).unwrap_or(Id::new(0, 0, 0));
                let identity = option(rest, "identity").unwrap_or_default();
                let identity = self.names.get(identity).cloned().unwrap_or(identity.to_owned());
                let (number, bank) = (number.trim_matches('"').to_owned(), String::new());
                let command = CreateAccount { balance, identity, number, bank, metadata: String::new() };
                self.account(command)
            }
            ("monitor", [label, balance, rest @ ..]) => self.monitor(label, balance, rest),
            ("close", [ledger, second]) => self.close(ledger, second),
            ("total", [ledger]) => self.total(ledger),
            ("assert", [label, balance, amount, rest @ ..]) => self.assert(label, balance, amount, rest),
            ("retract", [label, balance]) => {
                let parsed = self.names.get(*label).and_then(|id| Id::parse(Prefix::Assertion, id));
                let (balance, assertion) = (self.balance(balance), parsed.unwrap_or(Id::new(0, 0, 0)));
                self.ruled(Command::DeleteAssertion(DeleteAssertion { balance, assertion }))
            }
            ("forget", [label]) => {
                let monitor = self.monitor_of(label).unwrap_or(Id::new(0, 0, 0));
                self.ruled(Command::DeleteMonitor(DeleteMonitor { monitor }))
            }
            ("register", [code, precision, name @ ..]) => {
                let (code, precision) = ((*code).to_owned(), precision.parse().expect("a precision"));
                self.ruled(Command::RegisterCurrency(RegisterCurrency { code, precision, name: name.join(" ") }))
            }
            ("wait", [seconds]) => {
                self.book.now += seconds.parse::<i64>().expect("seconds") * SECOND;
                self.book.run_due();
                self.since(told_before)
            }
            _ => panic!("no such statement: {statement}"),
        };
        assert!(indented.is_empty(), "nothing belongs to {statement}");
        told(out, statement, &result);
    }

    fn create(&mut self, what: &str, words: &[&str]) -> String {
        let label = words[0].to_owned();
        let name =
            |wanted: &str| option(words, wanted).map(|label| self.names.get(label).cloned().unwrap_or(label.into()));
        let command = match what {
            "ledger" => Command::CreateLedger(CreateLedger { name: label.clone(), metadata: String::new() }),
            "rename" => {
                let ledger = self.names.get(&label).cloned().unwrap_or(label.clone());
                Command::RenameLedger(RenameLedger { ledger, name: words[1..].join(" ") })
            }
            "identity" => {
                let id = option(words, "id").unwrap_or_default().to_owned();
                Command::CreateIdentity(CreateIdentity { id, detail: Detail::Plain("{}".into()) })
            }
            _ => Command::CreateBalance(CreateBalance {
                ledger: name("ledger").unwrap_or(GENERAL_LEDGER_ID.into()),
                currency: currency(words).to_owned(),
                identity: name("identity").unwrap_or_default(),
                indicator: option(words, "indicator").unwrap_or_default().to_owned(),
                metadata: String::new(),
                track_fund_lineage: option(words, "tracked").is_some(),
                allocation: match option(words, "tracked") {
                    Some("lifo") => Allocation::Lifo,
                    Some("proportional") => Allocation::Proportional,
                    Some("fifo") | None => Allocation::Fifo,
                    Some(word) => {
                        panic!("no such order of spending: {word}")
                    }
                },
                lineage_label: option(words, "label").unwrap_or_default().to_owned(),
                alias: option(words, "alias").unwrap_or_default().to_owned(),
            }),
        };
        if let Err(refused) = self.book.perform(command) {
            return super::tell::words_of(refused.rejection);
        }
        let state = &self.book.state;
        let last = |count: usize| u32::try_from(count - 1).expect("scenarios are short");
        let id = match what {
            "ledger" => state.ledger_text(last(state.ledgers.len())),
            "identity" => state.identity_text(last(state.identities.len())),
            "balance" => state.balance_id(last(state.balances.len())).text(Prefix::Balance),
            _ => return "renamed".into(),
        };
        self.names.insert(label, id);
        "made".into()
    }

    fn balance(&self, name: &str) -> Id {
        Id::parse(Prefix::Balance, &self.party(name)).unwrap_or(Id::new(0, 0, 0))
    }

    /// What a label stands for, of which there is metadata.
    fn subject(&self, label: &str) -> Subject {
        let id = self.names.get(label).map_or("", |id| id);
        if let Some(handle) = self.book.state.find_ledger(id) {
            return Subject::Ledger(handle);
        }
        match Id::parse(Prefix::Balance, id).and_then(|id| self.book.state.find_balance(id)) {
            Some(handle) => Subject::Balance(handle),
            None => Subject::Rows(Parent::Row(self.book.references[label])),
        }
    }

    /// What happens to an identity that was made.
    fn identity(&mut self, what: &str, label: &str, words: &[&str]) -> String {
        let identity = self.names.get(label).cloned().unwrap_or_else(|| label.to_owned());
        let state = &self.book.state;
        let known = state.find_identity(&identity).and_then(|handle| state.identities.get(handle as usize));
        let (command, done) = match what {
            "update" => {
                let basis = known.map_or(0, |known| if words == ["stale"] { known.record } else { known.detail });
                let detail = Detail::Plain("{}".into());
                (Command::UpdateIdentity(UpdateIdentity { identity, basis, detail }), "updated")
            }
            "delete" => (Command::DeleteIdentity(DeleteIdentity { identity }), "deleted"),
            _ => {
                let (who, request, fields) = ("master".into(), "r-1".into(), vec!["FirstName".into()]);
                (Command::RevealIdentity(RevealIdentity { identity, who, request, fields }), "revealed")
            }
        };
        match self.book.perform(command) {
            Ok(_) => done.to_owned(),
            Err(refused) => super::tell::words_of(refused.rejection),
        }
    }

    fn fund(&mut self, name: &str, amount: &str) -> String {
        self.numbers += 1;
        let id = Id::parse(Prefix::Balance, &self.party(name)).expect("funds go to a balance");
        let handle = self.book.state.find_balance(id).expect("funds go to a balance that exists");
        let currency = self.book.state.currencies.text(self.book.state.balance(handle).currency).to_owned();
        let reference = format!("fund-{}", self.numbers);
        let mut order = Order::new("@World", &self.party(name), self.amount(amount), &currency, &reference);
        order.allow_overdraft = true;
        let answer = self.book.record(Batch::Single, false, &[order]);
        assert!(answer.is_ok(), "{name} cannot be funded: {answer:?}");
        String::new()
    }

    fn single(&mut self, words: &[&str]) -> String {
        let before = self.book.rows.len();
        let orders = self.orders(words, 0);
        let answer = self.book.record(Batch::Single, words.contains(&"queued"), &orders);
        self.answered(&answer, before)
    }

    fn batch(&mut self, statement: &str, words: &[&str], items: &[&str], out: &mut String) {
        let before = self.book.rows.len();
        let batch = if words.contains(&"atomic") { Batch::Atomic } else { Batch::Independent };
        let items: Vec<Vec<&str>> = items.iter().map(|line| line.split_whitespace().collect()).collect();
        let orders: Vec<Order> = (0u32..).zip(&items).flat_map(|(item, words)| self.orders(words, item)).collect();
        let (goes_on, queued) = (words.contains(&"goes"), words.contains(&"queued"));
        let answer = self.book.perform(self.book.recording(batch, goes_on, queued, &orders));
        told(out, statement, &self.answer_of_batch(&answer));
        for (item, words) in (0u32..).zip(&items) {
            let result = self.since_of_item(before, item);
            told(out, &format!("  {}", words.join(" ")), if result.is_empty() { "nothing" } else { &result });
        }
    }

    /// What would come of an order, and the figures of both sides before and after.
    fn attempt(&mut self, words: &[&str]) -> String {
        let orders = self.orders(words, 0);
        let (answer, steps) =
            self.book.attempt(self.book.recording(Batch::Single, false, words.contains(&"queued"), &orders));
        self.tried(&answer, &steps)
    }

    /// A setting that was made, or left as it was.
    fn ruled(&mut self, command: Command) -> String {
        match self.book.perform(command) {
            Err(refused) if refused.item > 0 => {
                format!("{} at {}", super::tell::words_of(refused.rejection), refused.item)
            }
            Err(refused) => super::tell::words_of(refused.rejection),
            Ok(Decision { event: Some(_), .. }) => "set".into(),
            Ok(_) => "unchanged".into(),
        }
    }

    /// An account that was made: its owner, and the id by which it is found.
    fn account(&mut self, command: CreateAccount) -> String {
        if let Err(refused) = self.book.perform(Command::CreateAccount(command)) {
            return super::tell::words_of(refused.rejection);
        }
        let state = &self.book.state;
        let handle = u32::try_from(state.accounts.len() - 1).expect("scenarios are short");
        let account = state.accounts.get(handle).expect("it was just made");
        assert_eq!(state.accounts.find(&account.id(handle).text(Prefix::Account)), Some(handle));
        let owner = state.identity_text(account.identity);
        let label = self.names.iter().find(|(_, id)| **id == owner).expect("owners have labels").0;
        format!("made, {label} owns {}", state.accounts.owned_by(account.identity))
    }

    fn monitor_of(&self, label: &str) -> Option<Id> {
        Id::parse(Prefix::Monitor, self.names.get(label)?)
    }

    fn monitor(&mut self, label: &str, balance: &str, words: &[&str]) -> String {
        let balance = Id::parse(Prefix::Balance, &self.party(balance)).unwrap_or(Id::new(0, 0, 0));
        let conditions = words.windows(4).filter(|window| window[0] == "+").map(|window| Condition {
            field: FIELDS.into_iter().find(|(word, _)| *word == window[1]).expect("a figure").1,
            operator: OPERATORS.into_iter().find(|(sign, _)| *sign == window[2]).expect("an operator").1,
            threshold: self.amount(window[3]),
            precision: 100,
        });
        let definition = Definition {
            conditions: conditions.collect(),
            any: words.contains(&"any"),
            edge: words.contains(&"edge"),
            description: label.to_owned(),
            call_back_url: String::new(),
            metadata: String::new(),
        };
        let monitor = self.monitor_of(label);
        let said = self.ruled(Command::SetMonitor(SetMonitor { monitor, balance, definition }));
        if monitor.is_none() && said == "set" {
            let made = self.book.state.monitors.iter().last().expect("it was just made");
            self.names.insert(label.to_owned(), made.id.text(Prefix::Monitor));
        }
        said
    }

    fn close(&mut self, ledger: &str, second: &str) -> String {
        let until = START + second.parse::<i64>().expect("seconds") * SECOND;
        let general = GENERAL_LEDGER_ID.to_owned();
        let ledger = if ledger == "general" { general } else { self.party(ledger) };
        let (description, metadata) = (String::new(), String::new());
        self.ruled(Command::CloseLedger(CloseLedger { ledger, until, description, metadata }))
    }

    /// Keeps what the rows add up to now, at the moment of the last closing of a ledger.
    fn total(&mut self, ledger: &str) -> String {
        let ledger = if ledger == "general" { GENERAL_LEDGER_ID.to_owned() } else { self.party(ledger) };
        let state = &self.book.state;
        let handle = state.find_ledger(&ledger).expect("it exists");
        let number = *state.closings.of_ledger(handle).last().expect("its books are closed");
        let closing = *state.closings.get(number).expect("it is listed");
        let sums = summed(state, &self.book.rows, handle, closing.until);
        let total = |(currency, closing)| Total { currency, closing, ..Total::default() };
        let totals = sums.into_iter().map(total).collect();
        self.ruled(Command::RecordTotals(RecordTotals { closing: closing.id, totals }))
    }

    fn assert(&mut self, label: &str, balance: &str, amount: &str, words: &[&str]) -> String {
        let found =
            option(words, "found").map(|found| Found { rows: self.book.state.rows_count, amount: self.amount(found) });
        let command = AssertBalance {
            balance: Id::parse(Prefix::Balance, &self.party(balance)).unwrap_or(Id::new(0, 0, 0)),
            as_of: date(words, "at").unwrap_or(self.book.now),
            before_row: self.book.state.rows_count,
            amount: self.amount(amount),
            precision: 100,
            description: String::new(),
            source: String::new(),
            metadata: String::new(),
            required: found,
        };
        let said = self.ruled(Command::AssertBalance(command));
        if said == "set" {
            let made = self.book.state.assertions.iter().last().expect("it was just made");
            self.names.insert(label.to_owned(), made.id.text(Prefix::Assertion));
        }
        said
    }

    fn policy(&self, name: &str, words: &[&str]) -> Command {
        let id = |name: &str| Id::parse(Prefix::Balance, &self.party(name)).unwrap_or(Id::new(0, 0, 0));
        let balance = id(name);
        if words == ["none"] {
            return Command::SetPolicy(SetPolicy { balance, policy: None });
        }
        let minimum = option(words, "minimum").map(|amount| Floor::Minimum(self.amount(amount)));
        let credit = option(words, "credit").map(|amount| Floor::Credit(self.amount(amount)));
        let frozen = option(words, "frozen").unwrap_or_default();
        let mut velocities = Vec::new();
        for word in words {
            let Some((side, rest)) = word.split_once('=').filter(|(side, _)| ["debits", "credits"].contains(side))
            else {
                continue;
            };
            let (most, window) = rest.split_once('/').expect("an amount or a number of times, and a window");
            let window = match window {
                "week" => Window::Week,
                "month" => Window::Month,
                seconds => Window::Seconds(seconds.parse().expect("seconds")),
            };
            let count_max = most.strip_suffix('x').map(|count| count.parse().expect("a number of times"));
            let sum_max = count_max.is_none().then(|| self.amount(most));
            velocities.push(Velocity { debits: side == "debits", window, sum_max, count_max });
        }
        let policy = Policy {
            floor: minimum.or(credit),
            no_debits: ["debits", "all"].contains(&frozen),
            no_credits: ["credits", "all"].contains(&frozen),
            counterparties: None,
            velocities,
        };
        let counterparties = option(words, "deals").map(|names| names.split(',').map(id).collect());
        Command::SetPolicy(SetPolicy { balance, policy: Some(Wanted { policy, counterparties }) })
    }

    /// The groups that requests belong to.
    fn groups_of(&self, label: &str, rest: &[&str]) -> Vec<u64> {
        let more = rest.windows(2).filter(|pair| pair[0] == "+").map(|pair| pair[1]);
        let mut groups = Vec::new();
        for label in [label].into_iter().chain(more) {
            let requests = &self.book.references;
            let request = requests.get(label).or_else(|| requests.get(&format!("{label}_1"))).copied();
            let group = self.book.group_of(request.unwrap_or(u64::MAX)).map_or(u64::MAX, |group| group.first_row());
            groups.push(group);
        }
        groups
    }

    /// The orders of a statement: several for a split transaction.
    fn orders(&self, words: &[&str], item: u32) -> Vec<Order> {
        let arrow = words.iter().position(|word| *word == "->").expect("an order goes from one to another");
        let label = words[1];
        let reference = self.reference(option(words, "reference").unwrap_or(label));
        let mut order = Order::new("", "", 0, currency(&words[arrow..]), &reference);
        order.item = item;
        order.inflight = words[0] == "hold" || words.contains(&"inflight");
        order.allow_overdraft = words.contains(&"overdraft");
        order.terms.overdraft_limit = option(words, "limit").map_or(0, |limit| self.amount(limit));
        order.provider = option(words, "tag").unwrap_or_default().to_owned();
        order.precision = option(words, "precision").map_or(100, |precision| precision.parse().expect("a precision"));
        (order.terms.scheduled_at, order.terms.effective_at) = (date(words, "at"), date(words, "effective"));
        (order.terms.expires_at, order.terms.commits_at) = (date(words, "expires"), date(words, "commits"));
        let (before, behind) = (&words[2..arrow], &words[arrow + 1..]);
        if words[0] != "split" {
            (order.source, order.destination) = (self.party(before[0]), self.party(behind[0]));
            order.amount = self.amount(behind[1]);
            return vec![order];
        }
        let from_many = before.len() > 1;
        let parts = if from_many { before } else { behind };
        let legs = parts.split(|word| *word == "+").zip(1u32..);
        let leg = |(part, leg): (&[&str], u32)| {
            let (source, destination) = if from_many { (part[0], behind[0]) } else { (before[0], part[0]) };
            let reference = format!("{reference}_{leg}");
            let (source, destination, amount) = (self.party(source), self.party(destination), self.amount(part[1]));
            Order { leg, source, destination, amount, reference, ..order.clone() }
        };
        legs.map(leg).collect()
    }

    /// A reference as it is written; `refund:p1` is that of the refund of p1, `refund:p1_q` that of its outcome, `refund:p1#2`
    /// that of a second part.
    fn reference(&self, text: &str) -> String {
        let Some(label) = text.strip_prefix("refund:") else { return text.to_owned() };
        let (label, suffix) = label.strip_suffix("_q").map_or((label, ""), |label| (label, "_q"));
        let (label, number) =
            label.split_once('#').map_or((label, String::new()), |(label, number)| (label, format!("_{number}")));
        format!("{}{number}{suffix}", self.book.refund_reference(self.rows_of(label, &[])[0]))
    }

    fn settle(&mut self, word: &str, label: &str, rest: &[&str]) -> String {
        let before = self.book.rows.len();
        let rows = self.rows_of(label, rest);
        let action = if word == "void" { Action::Void } else { Action::Commit };
        let amount = self.amount_among(rest);
        let answer = if rest.contains(&"open") {
            self.book.settle_open(action, &rows, amount)
        } else {
            self.book.settle_as_far(action, &rows, amount, rest.contains(&"over"))
        };
        self.answered(&answer, before)
    }

    /// The first amount that stands among words.
    fn amount_among(&self, words: &[&str]) -> Option<i128> {
        words.iter().find(|text| Decimal::parse(text).is_ok()).map(|text| self.amount(text))
    }

    /// The rows that labels mean: the outcome, if the request was queued; `#7` is a row by its number.
    fn rows_of(&self, label: &str, rest: &[&str]) -> Vec<u64> {
        let more = rest.windows(2).filter(|pair| pair[0] == "+").map(|pair| pair[1]);
        let row = |label: &str| {
            let references = &self.book.references;
            let outcome = references.get(&format!("{label}_q")).or_else(|| references.get(label));
            let number = label.strip_prefix('#').map(|number| number.parse().expect("a number of a row"));
            number.or(outcome.copied()).unwrap_or(u64::MAX)
        };
        [label].into_iter().chain(more).map(row).collect()
    }

    fn party(&self, name: &str) -> String {
        self.names.get(name).cloned().unwrap_or(name.into())
    }

    fn amount(&self, text: &str) -> i128 {
        if self.minor {
            return text.parse().expect("an amount in minor units");
        }
        Decimal::parse(text).ok().and_then(|amount| amount.minor_units(100)).expect("an amount with a point")
    }
}

const FIELDS: [(&str, Field); 6] = [
    ("balance", Field::Balance),
    ("credit", Field::Credit),
    ("debit", Field::Debit),
    ("inflight", Field::Inflight),
    ("inflight_credit", Field::InflightCredit),
    ("inflight_debit", Field::InflightDebit),
];
const OPERATORS: [(&str, Operator); 6] = [
    (">", Operator::Greater),
    ("<", Operator::Less),
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    ("=", Operator::Equal),
    ("!=", Operator::NotEqual),
];

/// A time in seconds from the start.
fn date(words: &[&str], name: &str) -> Option<i64> {
    option(words, name).map(|at| START + at.parse::<i64>().expect("seconds") * SECOND)
}

fn option<'a>(words: &[&'a str], name: &str) -> Option<&'a str> {
    words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
}

/// The word in capital letters behind what is named first; USD when there is none.
fn currency<'a>(words: &[&'a str]) -> &'a str {
    let capital = |word: &&&str| word.len() == 3 && word.bytes().all(|byte| byte.is_ascii_uppercase());
    words.iter().skip(1).find(capital).copied().unwrap_or("USD")
}
