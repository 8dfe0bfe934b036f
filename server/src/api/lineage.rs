//! Fund lineage on the wire: the tag of a transaction, the label of an owner, and what reads tell.

use super::metadata::{Metadata, PROVIDER};
use super::number::NumberText;
use super::transaction::view::TransactionView;
use super::validate::Problems;
use ledger::command::Allocation;
use ledger::event::{Kind, Movement, Recorded};
use ledger::limits::{LINEAGE_LABEL_BYTES_MAX, PROVIDER_BYTES_MAX};
use ledger::lineage::{Role, Tracked};
use serde::Serialize;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The tag of a transaction: the provider that its metadata names. Nothing when it names none, or not as a text.
pub fn provider(raw: &str) -> Option<String> {
    // Most transactions have no tag, and reading their metadata would cost more than all else. An escaped key is one too.
    if !raw.contains(PROVIDER) && !raw.contains('\\') {
        return None;
    }
    let keys: BTreeMap<String, &RawValue> = serde_json::from_str(raw).ok()?;
    let provider: String = serde_json::from_str(keys.get(PROVIDER)?.get()).ok()?;
    Some(provider).filter(|provider| !provider.is_empty())
}

/// Sees that the tag of a transaction, if it has one, is not too long to be part of an indicator.
pub fn check_provider(problems: &mut Problems, raw: &str) {
    problems.length("meta_data.BLNK_LINEAGE_PROVIDER", &provider(raw).unwrap_or_default(), PROVIDER_BYTES_MAX);
}

/// What the lineage of an owner's balances is named after: the names of a person, or that of an organization, with the
/// first letters of the id; the id when there are no names. What is longer than may be is cut.
///
/// It is kept with the balance when that is made, so that an owner who is renamed keeps one lineage.
pub fn lineage_label(first_name: &str, last_name: &str, organization_name: &str, identity_id: &str) -> String {
    const ID_CHARS: usize = 8;
    let name = if !first_name.is_empty() && !last_name.is_empty() {
        format!("{first_name}_{last_name}").to_lowercase()
    } else if !organization_name.is_empty() {
        organization_name.to_lowercase().replace(' ', "_")
    } else {
        return cut(identity_id, LINEAGE_LABEL_BYTES_MAX).to_owned();
    };
    let suffix: String = identity_id.chars().take(ID_CHARS).collect();
    let name = cut(&name, LINEAGE_LABEL_BYTES_MAX - suffix.len() - 1);
    format!("{name}_{suffix}")
}

fn cut(text: &str, bytes_max: usize) -> &str {
    let end = (0..=bytes_max.min(text.len())).rev().find(|&at| text.is_char_boundary(at));
    &text[..end.unwrap_or_default()]
}

/// What of one provider a transaction spent.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
pub struct ShareView {
    amount: NumberText,
    provider: String,
}

/// What a movement spent of each provider; of a refund, what it brought back. In the order in which it was taken.
pub fn allocation(event: &Recorded, of: u32) -> Vec<ShareView> {
    shares(event, [of].into_iter())
}

/// What some movements spent of each provider together.
pub fn shares(event: &Recorded, movements: impl Iterator<Item = u32>) -> Vec<ShareView> {
    let followed = movements
        .map(|of| (event.movements[of as usize].kind, event.lineage_of(of).map(|(_, movement)| movement).collect()));
    shares_of(followed, &event.text)
}

/// The same of movements by their kind, each with what follows from it. `text` is the arena of their texts.
pub fn shares_of<'a>(movements: impl Iterator<Item = (Kind, Vec<&'a Movement>)>, text: &str) -> Vec<ShareView> {
    let mut sums: Vec<(&str, i128)> = Vec::new();
    for (kind, followed) in movements {
        let refund = matches!(kind, Kind::Refund(_));
        let spends = |movement: &Movement| matches!(movement.kind.lineage(), Some((Role::Release(_), _)));
        let returns = |movement: &Movement| matches!(movement.kind.lineage(), Some((Role::Credit, _)));
        let spent = followed.iter().any(|movement| spends(movement));
        for movement in followed {
            if !spends(movement) && (spent || !refund || !returns(movement)) {
                continue;
            }
            let provider = movement.terms().provider.of(text);
            match sums.iter_mut().find(|sum| sum.0 == provider) {
                Some(sum) => sum.1 += movement.amount,
                None => sums.push((provider, movement.amount)),
            }
        }
    }
    let view =
        |(provider, sum): (&str, i128)| ShareView { amount: NumberText::integer(sum), provider: provider.to_owned() };
    sums.into_iter().map(view).collect()
}

/// What the metadata of a row tells that follows another in the lineage of a balance.
pub struct Following<'a> {
    /// The id of the row that it follows.
    pub shadow_for: String,
    /// What it does.
    pub role: Role,
    /// Whose money.
    pub provider: &'a str,
    /// The id of the owner, for a credit.
    pub owner: &'a str,
    /// The id of the tracked balance.
    pub main_balance: String,
    /// The id of the balance that released it, for what is received.
    pub from_balance: String,
}

impl Following<'_> {
    /// The metadata.
    pub fn metadata(self) -> Metadata {
        let mut metadata = Metadata::default();
        metadata.set("_shadow_for", self.shadow_for);
        metadata.set("_provider", self.provider);
        metadata.set("_lineage_type", self.role.word());
        metadata.set("_main_balance", self.main_balance);
        match self.role {
            Role::Credit => metadata.set("_identity_id", self.owner),
            Role::Release(allocation) => metadata.set("_allocation", allocation_word(allocation)),
            Role::Receive => metadata.set("_from_balance", self.from_balance),
        }
        if self.role.is_incoming() {
            metadata.set("allow_overdraft", true);
        }
        metadata
    }
}

const fn allocation_word(allocation: Allocation) -> &'static str {
    super::balance::allocation_word(allocation)
}

/// The answer to `GET /balances/{id}/lineage`.
#[derive(Debug, Serialize)]
pub struct BalanceLineageView {
    balance_id: String,
    total_with_lineage: NumberText,
    aggregate_balance_id: String,
    providers: Vec<ProviderView>,
}

/// The money of one provider.
#[derive(Debug, Serialize)]
struct ProviderView {
    provider: String,
    amount: NumberText,
    available: NumberText,
    spent: NumberText,
    shadow_balance_id: String,
}

impl BalanceLineageView {
    /// The lineage of a balance; `id_of` tells the ids of shadows and aggregates.
    pub fn new(balance_id: String, tracked: &Tracked, id_of: impl Fn(u32) -> String) -> BalanceLineageView {
        let total = tracked.funds.iter().map(|fund| fund.purse.available()).sum();
        let providers = tracked.funds.iter().map(|fund| ProviderView {
            provider: fund.provider.to_string(),
            amount: NumberText::integer(fund.purse.received),
            available: NumberText::integer(fund.purse.available()),
            spent: NumberText::integer(fund.purse.spent),
            shadow_balance_id: id_of(fund.shadow),
        });
        BalanceLineageView {
            balance_id,
            total_with_lineage: NumberText::integer(total),
            aggregate_balance_id: tracked.funds.first().map(|fund| id_of(fund.aggregate)).unwrap_or_default(),
            providers: providers.collect(),
        }
    }
}

/// The answer to `GET /transactions/{id}/lineage`.
#[derive(Debug, Serialize)]
pub struct TransactionLineageView {
    /// The id of the transaction.
    pub transaction_id: String,
    /// What it spent of each provider; left out when it spent nothing that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fund_allocation: Vec<ShareView>,
    /// The rows that follow it, oldest first.
    pub shadow_transactions: Vec<TransactionView>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_texts_that_are_not_empty() {
        assert_eq!(provider(r#"{"BLNK_LINEAGE_PROVIDER": "stripe"}"#).as_deref(), Some("stripe"));
        assert_eq!(provider(r#"{"BLNK_LINEAGE\u005fPROVIDER": "Sp\u00e4t"}"#).as_deref(), Some("Spät"));
        for none in [
            "",
            "{}",
            r#"{"BLNK_LINEAGE_PROVIDER": ""}"#,
            r#"{"BLNK_LINEAGE_PROVIDER": 7}"#,
            r#"{"BLNK_LINEAGE_PROVIDER": null}"#,
            r#"{"note": "BLNK_LINEAGE_PROVIDER"}"#,
            r#"{"a": {"BLNK_LINEAGE_PROVIDER": "stripe"}}"#,
        ] {
            assert_eq!(provider(none), None, "{none}");
        }
    }

    #[test]
    fn labels_are_those_of_the_specification() {
        let id = "idt_7b1e0000-0000-4000-8000-000000000000";
        assert_eq!(lineage_label("Ada", "Obi", "Acme", id), "ada_obi_idt_7b1e");
        assert_eq!(lineage_label("Ada Mae", "de Boer", "", id), "ada mae_de boer_idt_7b1e");
        assert_eq!(lineage_label("Ada", "", "The Acme Co", id), "the_acme_co_idt_7b1e");
        assert_eq!(lineage_label("", "Obi", "", id), id);
        let long = lineage_label(&"é".repeat(200), "x", "", id);
        assert!(long.len() <= LINEAGE_LABEL_BYTES_MAX && long.ends_with("_idt_7b1e"), "{long}");
        assert!(lineage_label("", "", "", &"i".repeat(500)).len() == LINEAGE_LABEL_BYTES_MAX);
    }
}
