//! Dry runs in the OpenAPI document.

use crate::http::lineage::SHARE;
use crate::http::openapi::{Answer, Field, Object, Schema};

/// Said of the field that asks for one.
pub const FIELD: Field = Field::optional(
    "dry_run",
    Schema::Flag,
    "Whether to say only what would happen: nothing is recorded, made, used up or sent. The answer is a `200`.",
);

/// The answer to a dry run.
pub const PROJECTED: Answer =
    Answer { status: 200, description: "What a dry run would do.", schema: &Schema::Object(&PROJECTION) };
/// The answer to a dry run of a batch.
pub const BATCH_PROJECTED: Answer =
    Answer { status: 200, description: "What a dry run would do.", schema: &Schema::Object(&BATCH_PROJECTION) };

/// The answer to a dry run of an exchange.
pub const EXCHANGE_PROJECTED: Answer =
    Answer { status: 200, description: "What a dry run would do.", schema: &Schema::Object(&EXCHANGE_PROJECTION) };

/// A dry run of one transaction, settlement or refund.
pub const PROJECTION: Object = Object {
    name: "Projection",
    description: "What would happen, as the ledger is now.",
    fields: &[
        Field::required("dry_run", Schema::Flag, "Always `true`."),
        Field::required("would_apply", Schema::Flag, "Whether it would be done."),
        Field::optional("rejection", Schema::Object(&REJECTION), "Why not."),
        Field::optional("operation", Schema::Choice(&["commit", "void"]), "Of a settlement: what would be done."),
        Field::optional(
            "status",
            Schema::Choice(&["APPLIED", "INFLIGHT", "VOID"]),
            "The status that it would have, if it would be done.",
        ),
        Field::optional("reference", Schema::Text, "The reference that it would have."),
        Field::required("currency", Schema::Text, "Its currency."),
        Field::required("amount", Schema::Decimal, "Major units."),
        Field::required("precise_amount", Schema::Text, "Minor units, as digits."),
        Field::required("precision", Schema::Integer, "Minor units in a major unit."),
        Field::required(
            "balances",
            Schema::List(&Schema::Object(&BALANCE)),
            "The balances that it names; `null` of an item whose reference is used.",
        ),
        Field::optional("legs", Schema::List(&Schema::Object(&LEG)), "Its parts, when it has several."),
        Field::optional(
            "fund_allocation",
            Schema::List(&Schema::Object(&SHARE)),
            "What it would spend of each provider, in the order in which it would be taken.",
        ),
        Field::optional(
            "lineage",
            Schema::List(&Schema::Object(&FOLLOWING)),
            "What would follow from it in the lineage of tracked balances.",
        ),
        Field::optional("notes", Schema::List(&Schema::Text), "What else is to be known, for people."),
    ],
};

/// A dry run of a batch.
pub const BATCH_PROJECTION: Object = Object {
    name: "BatchProjection",
    description: "What would become of each item, as the ledger is now.",
    fields: &[
        Field::required("dry_run", Schema::Flag, "Always `true`."),
        Field::required("would_apply", Schema::Flag, "Whether every item would be done."),
        Field::required(
            "cumulative",
            Schema::Flag,
            "Whether each item is told as those before it leave the balances: so it is without the queue.",
        ),
        Field::required("atomic", Schema::Flag, "Whether all items are recorded or none."),
        Field::required("results", Schema::List(&Schema::Object(&PROJECTION)), "One for each item, in order."),
        Field::optional(
            "balances",
            Schema::List(&Schema::Object(&BALANCE)),
            "All balances of the batch, before it and as it would leave them; only when cumulative.",
        ),
        Field::optional("notes", Schema::List(&Schema::Text), "What else is to be known, for people."),
    ],
};

/// A dry run of an exchange.
pub const EXCHANGE_PROJECTION: Object = Object {
    name: "ExchangeProjection",
    description: "What would become of an exchange, as the ledger is now. All figures are minor units, as digits.",
    fields: &[
        Field::required("dry_run", Schema::Flag, "Always `true`."),
        Field::required("would_apply", Schema::Flag, "Whether it would be done."),
        Field::optional("rejection", Schema::Object(&REJECTION), "Why not."),
        Field::optional(
            "status",
            Schema::Choice(&["APPLIED", "INFLIGHT"]),
            "The status that it would have, if it would be done.",
        ),
        Field::required("reference", Schema::Text, "Its reference."),
        Field::required("rate", Schema::Text, "The rate, as a decimal."),
        Field::required("quote", Schema::Text, "Reference of the quote, or empty."),
        Field::required("source", Schema::Text, "As it was named."),
        Field::required("destination", Schema::Text, "As it was named."),
        Field::required("source_currency", Schema::Text, "The currency of the amount."),
        Field::required("precise_amount", FIGURE, "What the source would give."),
        Field::required("destination_currency", Schema::Text, "The other currency."),
        Field::required(
            "precise_destination_amount",
            FIGURE,
            "What that is worth, before a spread of the destination side.",
        ),
        Field::required("spread", Schema::Object(&SPREAD), "What the house would keep, or null."),
        Field::required(
            "balances",
            Schema::List(&Schema::Object(&BALANCE)),
            "The balances that it names, those of the position of the house too, each once.",
        ),
        Field::optional("notes", Schema::List(&Schema::Text), "What else is to be known, for people."),
    ],
};

const SPREAD: Object = Object {
    name: "ProjectedSpread",
    description: "What the house would keep of an exchange.",
    fields: &[
        Field::required("destination", Schema::Text, "As it was named."),
        Field::required("side", Schema::Choice(&["source", "destination"]), "From which side it would be taken."),
        Field::required("currency", Schema::Text, "The currency of the side."),
        Field::required("precise_amount", FIGURE, "How much."),
    ],
};

const REJECTION: Object = Object {
    name: "ProjectedRejection",
    description: "Why something would not be done.",
    fields: &[
        Field::required("code", Schema::Text, "The code of the error that the real call answers with."),
        Field::required(
            "reason",
            Schema::Choice(&["insufficient_funds", "overdraft_limit", "other"]),
            "A class of reasons.",
        ),
        Field::required("message", Schema::Text, "For people; may change."),
    ],
};

const FIGURE: Schema = Schema::Text;
const BALANCE: Object = Object {
    name: "ProjectedBalance",
    description: "A balance before and after. All figures are minor units, as digits.",
    fields: &[
        Field::required("balance_id", Schema::Text, "Its id; the `@indicator` of one that does not exist yet."),
        Field::required("role", Schema::Choice(&["source", "destination"]), "As what it is named first."),
        Field::required("currency", Schema::Text, "Its currency."),
        Field::optional("virtual", Schema::Flag, "`true` when it does not exist yet."),
        Field::required("current_balance", FIGURE, "Credits less debits, now."),
        Field::required("current_available", FIGURE, "What may be spent, now: the balance less held debits."),
        Field::required("current_credit_balance", FIGURE, "Posted credits, now."),
        Field::required("current_debit_balance", FIGURE, "Posted debits, now."),
        Field::required("current_inflight_debit_balance", FIGURE, "Held debits, now."),
        Field::required("current_inflight_credit_balance", FIGURE, "Held credits, now."),
        Field::required("resulting_balance", FIGURE, "Credits less debits, then."),
        Field::required("resulting_available", FIGURE, "What may be spent, then."),
        Field::required("resulting_credit_balance", FIGURE, "Posted credits, then."),
        Field::required("resulting_debit_balance", FIGURE, "Posted debits, then."),
        Field::required("resulting_inflight_debit_balance", FIGURE, "Held debits, then."),
        Field::required("resulting_inflight_credit_balance", FIGURE, "Held credits, then."),
    ],
};
const FOLLOWING: Object = Object {
    name: "ProjectedLineage",
    description: "Money of a provider that would come to a tracked balance, or go.",
    fields: &[
        Field::required("lineage_type", Schema::Choice(&["credit", "release", "receive"]), "What it does."),
        Field::required("provider", Schema::Text, "The provider."),
        Field::required("balance_id", Schema::Text, "The tracked balance."),
        Field::required("status", Schema::Choice(&["APPLIED", "INFLIGHT", "VOID"]), "The status that it would have."),
        Field::required("precise_amount", Schema::Text, "Minor units, as digits."),
        Field::required("amount", Schema::Decimal, "Major units."),
    ],
};
const LEG: Object = Object {
    name: "ProjectedLeg",
    description: "One part.",
    fields: &[
        Field::required(
            "identifier",
            Schema::Text,
            "The balance as it was named; of refunds and settlements the transaction.",
        ),
        Field::required("role", Schema::Choice(&["source", "destination"]), "The side that is split."),
        Field::required("precise_amount", Schema::Text, "Minor units, as digits."),
        Field::required("amount", Schema::Decimal, "Major units."),
    ],
};
