//! Dry runs on the wire: what would become of a transaction, and of the balances that it names. Minor units are text here.

use super::lineage::ShareView;
use super::number::NumberText;
use ledger::decimal::major_text;
use ledger::lineage::Role;
use ledger::state::Figures;
use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

/// What would become of a transaction, a settlement or a refund.
#[derive(Debug, Serialize)]
pub struct ProjectionView {
    dry_run: bool,
    /// Whether it would be done.
    pub would_apply: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    rejection: Option<RejectionView>,
    /// `commit` or `void`, of a settlement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation: Option<&'static str>,
    /// The status that it would have; none when it would not be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<&'static str>,
    /// The reference that it would have.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub reference: String,
    currency: String,
    amount: NumberText,
    #[serde(serialize_with = "digits")]
    precise_amount: i128,
    precision: u64,
    /// The balances that it names; `None` of an item whose reference is used.
    pub balances: Option<Vec<BalanceProjection>>,
    /// Its parts, when it has several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub legs: Vec<LegProjection>,
    /// What it would spend of each provider whose money is tracked.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fund_allocation: Vec<ShareView>,
    /// What would follow from it in the lineage of tracked balances.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lineage: Vec<LineageProjection>,
    /// What else is to be known, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl ProjectionView {
    /// One that would be done.
    pub fn new(minor: i128, precision: u64, currency: &str) -> ProjectionView {
        ProjectionView {
            dry_run: true,
            would_apply: true,
            rejection: None,
            operation: None,
            status: None,
            reference: String::new(),
            currency: currency.to_owned(),
            amount: NumberText::nearest_double(&major_text(minor, precision)),
            precise_amount: minor,
            precision,
            balances: Some(Vec::new()),
            legs: Vec::new(),
            fund_allocation: Vec::new(),
            lineage: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// The same, refused: it has no status and no parts, nothing changes, and nothing follows.
    pub fn refused(self, rejection: RejectionView) -> ProjectionView {
        let mut balances = self.balances;
        for balance in balances.iter_mut().flatten() {
            balance.after = balance.before;
        }
        ProjectionView {
            would_apply: false,
            rejection: Some(rejection),
            status: None,
            legs: Vec::new(),
            fund_allocation: Vec::new(),
            lineage: Vec::new(),
            balances,
            ..self
        }
    }
}

/// Why something would not be done.
#[derive(Debug, Serialize)]
pub struct RejectionView {
    /// The code of the error that the real call answers with.
    pub code: &'static str,
    /// A class of reasons.
    pub reason: &'static str,
    /// For people.
    pub message: String,
}

/// A balance before and after.
#[derive(Debug)]
pub struct BalanceProjection {
    /// Its id; the indicator of one that does not exist yet.
    pub balance_id: String,
    /// `source` or `destination`: as what it is named first.
    pub role: &'static str,
    /// Its currency.
    pub currency: String,
    /// Whether it does not exist yet.
    pub is_new: bool,
    /// Its figures now.
    pub before: Figures,
    /// Its figures then.
    pub after: Figures,
}

const CURRENT: [&str; 6] = [
    "current_balance",
    "current_available",
    "current_credit_balance",
    "current_debit_balance",
    "current_inflight_debit_balance",
    "current_inflight_credit_balance",
];
const RESULTING: [&str; 6] = [
    "resulting_balance",
    "resulting_available",
    "resulting_credit_balance",
    "resulting_debit_balance",
    "resulting_inflight_debit_balance",
    "resulting_inflight_credit_balance",
];

impl Serialize for BalanceProjection {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields_count = 3 + usize::from(self.is_new) + CURRENT.len() + RESULTING.len();
        let mut fields = serializer.serialize_struct("BalanceProjection", fields_count)?;
        fields.serialize_field("balance_id", &self.balance_id)?;
        fields.serialize_field("role", self.role)?;
        fields.serialize_field("currency", &self.currency)?;
        if self.is_new {
            fields.serialize_field("virtual", &true)?;
        }
        for (names, figures) in [(CURRENT, self.before), (RESULTING, self.after)] {
            let Figures { posted, held } = figures;
            let shown = [figures.balance(), figures.available(), posted.credit, posted.debit, held.debit, held.credit];
            for (name, minor) in names.into_iter().zip(shown) {
                fields.serialize_field(name, &Digits(minor))?;
            }
        }
        fields.end()
    }
}

/// What would follow in the lineage of a tracked balance.
#[derive(Debug, Serialize)]
pub struct LineageProjection {
    lineage_type: &'static str,
    provider: String,
    balance_id: String,
    status: &'static str,
    #[serde(serialize_with = "digits")]
    precise_amount: i128,
    amount: NumberText,
}

impl LineageProjection {
    /// So much of a provider's money comes to a balance, or goes.
    pub fn new(
        role: Role,
        provider: &str,
        balance_id: String,
        status: &'static str,
        (minor, precision): (i128, u64),
    ) -> Self {
        LineageProjection {
            lineage_type: role.word(),
            provider: provider.to_owned(),
            balance_id,
            status,
            precise_amount: minor,
            amount: NumberText::nearest_double(&major_text(minor, precision)),
        }
    }
}

/// One part of a split transaction, or of what is given back or settled together.
#[derive(Debug, Serialize)]
pub struct LegProjection {
    identifier: String,
    role: &'static str,
    #[serde(serialize_with = "digits")]
    precise_amount: i128,
    amount: NumberText,
}

impl LegProjection {
    /// A part.
    pub fn new(identifier: String, role: &'static str, minor: i128, precision: u64) -> LegProjection {
        let amount = NumberText::nearest_double(&major_text(minor, precision));
        LegProjection { identifier, role, precise_amount: minor, amount }
    }
}

/// What would become of the items of a batch.
#[derive(Debug, Serialize)]
pub struct BatchProjectionView {
    dry_run: bool,
    would_apply: bool,
    cumulative: bool,
    atomic: bool,
    /// One for each item, in order.
    pub results: Vec<ProjectionView>,
    /// All balances of the batch, when its items follow each other.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub balances: Vec<BalanceProjection>,
    /// What else is to be known, for people.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

impl BatchProjectionView {
    /// A batch, but for its items.
    pub fn new(would_apply: bool, cumulative: bool, atomic: bool) -> BatchProjectionView {
        let (results, balances, notes) = (Vec::new(), Vec::new(), Vec::new());
        BatchProjectionView { dry_run: true, would_apply, cumulative, atomic, results, balances, notes }
    }
}

struct Digits(i128);

impl Serialize for Digits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        digits(&self.0, serializer)
    }
}

/// Minor units as text.
pub fn digits<S: Serializer>(number: &i128, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}
