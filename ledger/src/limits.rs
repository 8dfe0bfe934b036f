//! Every limit of the ledger, by name. Past a limit a request is refused with a message that names it.

/// Longest reference of a transaction, in bytes.
pub const REFERENCE_BYTES_MAX: usize = 4096;
/// Longest description of a transaction, in bytes.
pub const DESCRIPTION_BYTES_MAX: usize = 65_536;
/// Longest metadata of one entity, in bytes of its JSON text.
pub const METADATA_BYTES_MAX: usize = 262_144;
/// How often the metadata of a transaction, batch or split transaction can be changed after it was recorded: whoever shows it
/// reads every change.
pub const METADATA_CHANGES_MAX: u32 = 1_000;
/// How long those changes can be together, in bytes of their JSON text.
pub const METADATA_CHANGES_BYTES_MAX: u64 = 4 * METADATA_BYTES_MAX as u64;
/// Longest currency, in bytes.
pub const CURRENCY_BYTES_MAX: usize = 64;
/// Longest `@indicator`, in bytes, with its `@`.
pub const INDICATOR_BYTES_MAX: usize = 256;
/// Longest alias of a balance, in bytes.
pub const ALIAS_BYTES_MAX: usize = 256;
/// Longest text in place of a balance id, in bytes.
pub const PARTY_BYTES_MAX: usize = 4096;
/// Longest name of a ledger, in bytes.
pub const LEDGER_NAME_BYTES_MAX: usize = 4096;
/// Longest identity, in bytes of its JSON text.
pub const IDENTITY_BYTES_MAX: usize = 262_144;
/// Most fields that one reveal may name.
pub const REVEAL_FIELDS_MAX: usize = 16;
/// Longest text of a reveal: a field, who asked, or the id of the request; in bytes. Longer ones are cut.
pub const REVEAL_TEXT_BYTES_MAX: usize = 256;
/// Most bytes that sealing adds to the fields of an identity.
pub const SEAL_BYTES_MAX: usize = 64;
/// Most items of one batch.
pub const BATCH_ITEMS_MAX: usize = 10_000;
/// Most legs of one split transaction.
pub const SPLIT_LEGS_MAX: usize = 1_000;
/// Most rows that one event may make: a full batch through the queue, with some splits.
pub const EVENT_ROWS_MAX: usize = 4 * BATCH_ITEMS_MAX;
/// Most holds that one settlement, release or refund may name.
pub const SETTLED_HOLDS_MAX: usize = EVENT_ROWS_MAX;
/// Largest precision: minor units in a major unit.
pub const PRECISION_MAX: u64 = i64::MAX as u64;
/// Largest sum of credits, or of debits, that a balance may reach with what is held: half the range of 128 bits, so that a
/// balance, less what is held, less another amount, is always in range.
pub const SUM_MAX: i128 = i128::MAX / 2;
/// Rows that a ledger server can hold: as many as fit into an id.
pub const ROWS_MAX: u64 = 1 << crate::id::ROW_BITS;
/// Balances that a ledger server can hold.
pub const BALANCES_MAX: usize = u32::MAX as usize - 1;
/// Currencies that a ledger server can hold.
pub const CURRENCIES_MAX: usize = 1 << 20;

/// Most windows of time that one policy may watch.
pub const POLICY_VELOCITIES_MAX: usize = 8;
/// Most counterparties that one policy may name.
pub const POLICY_COUNTERPARTIES_MAX: usize = 1_000;
/// Longest window of time that a policy may watch, in seconds: a year.
pub const POLICY_WINDOW_SECONDS_MAX: u32 = 366 * 86_400;
/// Longest text that is kept of the failure of a batch, in bytes; longer ones are cut.
pub const BATCH_ERROR_BYTES_MAX: usize = 16_384;
/// Longest key that a request may be sent with, in bytes.
pub const KEY_BYTES_MAX: usize = 255;
/// Longest number of an account, in bytes.
pub const ACCOUNT_NUMBER_BYTES_MAX: usize = 256;
/// Longest name of the bank of an account, in bytes.
pub const BANK_NAME_BYTES_MAX: usize = 1_024;
/// Accounts that a ledger server can hold.
pub const ACCOUNTS_MAX: usize = u32::MAX as usize - 1;
/// Monitors that there can be at the same time.
pub const MONITORS_MAX: usize = 1 << 20;
/// Monitors that can watch one balance.
pub const MONITORS_PER_BALANCE_MAX: usize = 100;
/// Times that monitors can be made, changed and deleted, all together.
pub const MONITOR_CHANGES_MAX: usize = u32::MAX as usize;
/// Most conditions of one monitor.
pub const MONITOR_CONDITIONS_MAX: usize = 16;
/// Longest call-back URL of a monitor, in bytes.
pub const CALL_BACK_URL_BYTES_MAX: usize = 2048;
/// Longest name of a registered currency, in bytes.
pub const CURRENCY_NAME_BYTES_MAX: usize = 256;
/// Longest provider that a transaction may be tagged with, in bytes.
pub const PROVIDER_BYTES_MAX: usize = 100;
/// Longest label of an identity in the indicators of its lineage, in bytes.
pub const LINEAGE_LABEL_BYTES_MAX: usize = 140;
/// Most providers that one tracked balance may have.
pub const PROVIDERS_MAX: usize = 1_000;
/// Most lineage movements that one event may make.
pub const LINEAGE_MOVEMENTS_MAX: usize = EVENT_ROWS_MAX;
/// Most parts of providers that one hold may have: raising it again and again adds some each time.
pub const LINEAGE_PARTS_MAX: usize = 4 * PROVIDERS_MAX;
/// Closings of one ledger: of each day of 27 years.
pub const CLOSINGS_PER_LEDGER_MAX: usize = 10_000;
/// Closings of all ledgers together.
pub const CLOSINGS_MAX: usize = 1 << 20;
/// Most currencies that a ledger whose books are closed may have balances in.
pub const CLOSING_CURRENCIES_MAX: usize = 10_000;
/// Assertions that there can be of one balance.
pub const ASSERTIONS_PER_BALANCE_MAX: usize = 1_000;
/// Assertions that there can be at the same time.
pub const ASSERTIONS_MAX: usize = 1 << 20;
/// Assertions that can ever be made; those that were deleted count too.
pub const ASSERTIONS_MADE_MAX: usize = u32::MAX as usize;
/// Longest text that says where an asserted amount comes from, in bytes.
pub const ASSERTION_SOURCE_BYTES_MAX: usize = 1_024;

const _: () = assert!(
    PROVIDER_BYTES_MAX + LINEAGE_LABEL_BYTES_MAX + "@__lineage".len() <= INDICATOR_BYTES_MAX,
    "the indicator of a shadow balance is one"
);
const _: () = assert!(LINEAGE_PARTS_MAX <= LINEAGE_MOVEMENTS_MAX, "a hold can always be settled by itself");
const _: () = assert!(BATCH_ITEMS_MAX * 2 <= EVENT_ROWS_MAX, "a full queued batch makes two rows an item");
const _: () = assert!(SPLIT_LEGS_MAX < BATCH_ITEMS_MAX, "one split is never larger than a batch");
