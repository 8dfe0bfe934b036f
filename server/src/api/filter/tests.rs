//! Each operator on each kind of column, as a table; then what is refused.

use super::body::FilterBody;
use super::check::Check;
use super::columns::{BalanceColumn, IdentityColumn, LedgerColumn, TransactionColumn};
use super::{Field, Filters, Sort, Subject, Value, Wanted};
use crate::api::filter::columns::Column;
use crate::api::metadata::Metadata;
use crate::api::time::Moment;
use crate::http::error::ApiError;
use std::borrow::Cow;

fn asked<C: Column>(body: &str) -> Result<Wanted<C>, ApiError> {
    crate::decode::from_slice::<FilterBody<'_>>(body.as_bytes()).expect("a body").wanted()
}

fn one<C: Column>(condition: &str) -> Result<Filters<C>, ApiError> {
    asked::<C>(&format!(r#"{{"filters": [{condition}]}}"#)).map(|wanted| wanted.filters)
}

/// One transaction from a balance of no indicator to `@World`.
struct Sample;

impl Subject for Sample {
    type Column = TransactionColumn;

    fn value(&mut self, column: TransactionColumn) -> Result<Value<'_>, ApiError> {
        use super::number::Number;
        let time = |text: &str| Value::Time(Moment::parse(text).expect("a time").micros());
        let number = |text: &str| Value::Number(Number::parse(text).expect("a number"));
        Ok(match column {
            TransactionColumn::Source => Value::Text("a".into()),
            TransactionColumn::Destination => Value::Text("b".into()),
            TransactionColumn::SourceIndicator | TransactionColumn::EffectiveDate => Value::Null,
            TransactionColumn::DestinationIndicator => Value::Text("@World".into()),
            TransactionColumn::Parent => Value::Text("".into()),
            TransactionColumn::Reference => Value::Text("order-7".into()),
            TransactionColumn::Amount => number("9007199254740993.5"),
            TransactionColumn::Precision => number("100"),
            TransactionColumn::CreatedAt => time("2024-02-03T04:05:06.5Z"),
            _ => Value::Text("x".into()),
        })
    }

    fn metadata(&mut self) -> Result<Cow<'_, Metadata>, ApiError> {
        let text =
            r#"{"tier": "gold", "size": 5, "text": "5", "null": null, "list": [1, "a"], "map": {"a": 1}, "hot": true}"#;
        Ok(Cow::Owned(Metadata::parse(text).expect("an object")))
    }
}

#[track_caller]
fn holds(field: &str, operator: &str, rest: &str, wanted: bool) {
    let condition = format!(r#"{{"field": "{field}", "operator": "{operator}"{rest}}}"#);
    let filters = one(&condition).unwrap_or_else(|error| panic!("{condition}: {}", error.message));
    assert_eq!(filters.hold(&mut Sample).expect("a sample has all values"), wanted, "{condition}");
}

#[test]
fn operators_on_columns() {
    for (field, operator, rest, wanted) in [
        ("reference", "eq", r#", "value": "order-7""#, true),
        ("reference", "eq", r#", "value": "Order-7""#, false),
        ("reference", "ne", r#", "value": "order-7""#, false),
        ("reference", "ne", r#", "value": 7"#, true),
        ("reference", "gt", r#", "value": "order-6""#, true),
        ("reference", "lte", r#", "value": "order-7""#, true),
        ("reference", "lt", r#", "value": "order-7""#, false),
        ("reference", "in", r#", "values": ["z", null, "order-7"]"#, true),
        ("reference", "in", r#", "values": [null]"#, false),
        ("reference", "between", r#", "values": ["order-", "order-8"]"#, true),
        ("reference", "between", r#", "values": ["order-8", "order-"]"#, false),
        ("reference", "between", r#", "values": ["order-", null]"#, false),
        ("reference", "like", r#", "value": "order-_""#, true),
        ("reference", "like", r#", "value": "ORDER%""#, false),
        ("reference", "ilike", r#", "value": "ORDER%""#, true),
        ("reference", "like", "", false),
        ("reference", "eq", "", false),
        ("reference", "ne", r#", "value": null"#, false),
        ("parent_transaction", "isnull", "", false),
        ("parent_transaction", "eq", r#", "value": """#, true),
        ("effective_date", "isnull", r#", "value": false"#, true),
        ("effective_date", "isnotnull", "", false),
        ("effective_date", "ne", r#", "value": "2024-01-01""#, false),
        ("amount", "eq", r#", "value": "9007199254740993.5""#, true),
        ("amount", "eq", r#", "value": 9007199254740993.50"#, true),
        ("amount", "eq", r#", "value": 9007199254740993"#, false),
        ("amount", "gt", r#", "value": "9007199254740993.4999999999999999999999999999""#, true),
        ("amount", "between", r#", "values": ["1e3", "1e16"]"#, true),
        ("amount", "in", r#", "values": [1, "9007199254740993.5", 3]"#, true),
        ("amount", "isnotnull", "", true),
        ("precision", "eq", r#", "value": 1e2"#, true),
        ("created_at", "eq", r#", "value": "2024-02-03""#, false),
        ("created_at", "eq", r#", "value": "2024-02-03T04:05:06.500+02:00""#, true),
        ("created_at", "gte", r#", "value": "2024-02-03""#, true),
        ("created_at", "lt", r#", "value": "2024-02-03 04:05:06.5""#, false),
        ("created_at", "in", r#", "values": ["2024-02-03T04:05:06.5Z"]"#, true),
        ("balance_id", "eq", r#", "value": "b""#, true),
        ("balance_id", "ne", r#", "value": "b""#, false),
        ("balance_id", "ne", r#", "value": "c""#, true),
        ("balance_id", "in", r#", "values": ["c", "a"]"#, true),
        ("balance_id", "isnull", "", false),
        ("balance_id", "isnotnull", "", true),
        ("indicator", "eq", r#", "value": "@World""#, true),
        ("indicator", "ne", r#", "value": "@World""#, false),
        ("indicator", "ilike", r#", "value": "@w%""#, true),
        ("indicator", "isnull", "", true),
        ("meta_data", "isnull", "", false),
        ("meta_data", "eq", r#", "value": "{}""#, false),
        ("meta_data", "ne", r#", "value": "null""#, true),
    ] {
        holds(field, operator, rest, wanted);
    }
}

#[test]
fn operators_on_metadata() {
    for (key, operator, rest, wanted) in [
        ("tier", "eq", r#", "value": "gold""#, true),
        ("size", "eq", r#", "value": 5.0"#, true),
        ("size", "eq", r#", "value": "5""#, false),
        ("text", "eq", r#", "value": "5""#, true),
        ("hot", "eq", r#", "value": true"#, true),
        ("null", "eq", r#", "value": null"#, true),
        ("none", "eq", r#", "value": null"#, false),
        ("list", "eq", r#", "value": ["a"]"#, true),
        ("list", "eq", r#", "value": "a""#, false),
        ("map", "eq", r#", "value": {"a": 1}"#, true),
        ("size", "ne", r#", "value": 5"#, false),
        ("size", "ne", r#", "value": "6""#, true),
        ("none", "ne", r#", "value": "6""#, false),
        ("size", "in", r#", "values": ["5"]"#, true),
        ("text", "in", r#", "values": [5, null]"#, true),
        ("hot", "in", r#", "values": [true]"#, true),
        ("size", "gt", r#", "value": 4"#, true),
        ("text", "gte", r#", "value": "5""#, true),
        ("tier", "gt", r#", "value": 1"#, false),
        ("size", "between", r#", "values": [5, 6]"#, true),
        ("tier", "like", r#", "value": "g%d""#, true),
        ("tier", "ilike", r#", "value": "GOLD""#, true),
        ("null", "isnull", "", true),
        ("none", "isnull", "", true),
        ("tier", "isnull", "", false),
        ("tier", "isnotnull", "", true),
        ("null", "isnotnull", "", false),
    ] {
        holds(&format!("meta_data.{key}"), operator, rest, wanted);
    }
}

#[test]
fn and_or() {
    let conditions =
        r#"[{"field": "source", "operator": "eq", "value": "a"}, {"field": "source", "operator": "eq", "value": "z"}]"#;
    for (word, wanted) in [("and", false), ("", false), (" OR ", true)] {
        let wanted_list =
            asked(&format!(r#"{{"filters": {conditions}, "logical_operator": "{word}"}}"#)).expect("good");
        assert_eq!(wanted_list.filters.hold(&mut Sample).expect("a sample has all values"), wanted, "{word:?}");
    }
    assert!(Filters::<TransactionColumn>::new(Vec::new(), true).hold(&mut Sample).expect("no tests"));
    let error = asked::<TransactionColumn>(r#"{"logical_operator": "xor"}"#).expect_err("no such word");
    assert_eq!(
        (error.code.text(), error.message.as_str()),
        ("GEN_VALIDATION_ERROR", "invalid logical_operator: must be 'and' or 'or'")
    );
}

#[test]
fn what_is_refused() {
    for (condition, message) in [
        (
            r#"{"field": "amount", "operator": "EQ", "value": 1}"#,
            "invalid operator 'EQ' for field 'amount': must be one of eq, ne,",
        ),
        (r#"{"field": "amount", "operator": "neq", "value": 1}"#, "invalid operator 'neq'"),
        (r#"{"field": "nonsense"}"#, "invalid operator ''"),
        (r#"{"field": "amount", "operator": "in", "value": 1}"#, "operator 'in' for field 'amount' needs 'values'"),
        (r#"{"field": "amount", "operator": "between", "values": [1, 2, 3]}"#, "needs 2 values, not 3"),
        (r#"{"field": "balance_id", "operator": "like", "value": "a"}"#, "field 'balance_id' takes the operators"),
        (r#"{"field": "meta_data.a.b", "operator": "eq", "value": 1}"#, "invalid metadata field 'meta_data.a.b'"),
        (r#"{"field": "meta_data.1a", "operator": "isnull"}"#, "invalid metadata field"),
        (r#"{"field": "meta_data.", "operator": "isnull"}"#, "invalid metadata field"),
        (r#"{"field": "meta_data.é", "operator": "isnull"}"#, "invalid metadata field"),
        (r#"{"field": "Amount", "operator": "eq", "value": 1}"#, "invalid field 'Amount' for table 'transactions'"),
        (r#"{"field": "hash", "operator": "eq", "value": 1}"#, "invalid field 'hash'"),
        (r#"{"field": "amount", "operator": "eq", "value": "many"}"#, "the value for field 'amount' is not a number"),
        (r#"{"field": "amount", "operator": "eq", "value": true}"#, "is not a number"),
        (r#"{"field": "amount", "operator": "like", "value": "1%"}"#, "field 'amount' is no text"),
        (r#"{"field": "created_at", "operator": "gt", "value": "yesterdayish"}"#, "is not a time"),
        (r#"{"field": "created_at", "operator": "gt", "value": 5}"#, "is not a time"),
        (r#"{"field": "reference", "operator": "eq", "value": ["a"]}"#, "cannot be an object or a list"),
        (r#"{"field": "reference", "operator": "like", "value": "a\\"}"#, "ends in an escape"),
        (r#"{"field": "meta_data.size", "operator": "gt", "value": "big"}"#, "is not a number"),
        (r#"{"field": "meta_data", "operator": "eq", "value": "{"}"#, "is not JSON"),
        (
            r#"{"field": "indicator", "operator": "isnull"}, {"field": "indicator", "operator": "isnull"}"#,
            "can be used once",
        ),
        ("null", "invalid operator ''"),
    ] {
        let error = one::<TransactionColumn>(condition).expect_err(condition);
        assert_eq!(error.code.text(), "GEN_BAD_REQUEST", "{condition}");
        assert!(error.message.starts_with("Invalid filter: ") && error.message.contains(message), "{}", error.message);
        assert_eq!(error.details, Some(serde_json::json!({})));
    }
    let table = |error: Option<ApiError>| error.expect("no such field").message;
    let unknown = r#"{"field": "x", "operator": "isnull"}"#;
    assert!(table(one::<IdentityColumn>(unknown).err()).ends_with("table 'identity'"));
    assert!(table(one::<LedgerColumn>(unknown).err()).ends_with("table 'ledgers'"));
    assert!(table(one::<BalanceColumn>(unknown).err()).ends_with("table 'balances'"));
}

#[test]
fn pages_and_sorting_fall_back() {
    for (body, limit, offset) in [
        ("{}", 20, 0),
        (r#"{"limit": 100, "offset": 3}"#, 100, 3),
        (r#"{"limit": 101}"#, 20, 0),
        (r#"{"limit": 0, "offset": -1}"#, 20, 0),
        (r#"{"limit": -9223372036854775808}"#, 20, 0),
        (r#"{"filters": null, "limit": null}"#, 20, 0),
    ] {
        let wanted = asked::<LedgerColumn>(body).expect("good");
        assert_eq!((wanted.limit, wanted.offset), (limit, offset), "{body}");
    }
    for (body, column, ascending) in [
        ("{}", TransactionColumn::CreatedAt, false),
        (r#"{"sort_by": " Amount ", "sort_order": "ASC"}"#, TransactionColumn::Amount, true),
        (r#"{"sort_by": "meta_data.a", "sort_order": "asc"}"#, TransactionColumn::CreatedAt, true),
        (r#"{"sort_by": "nonsense", "sort_order": "sideways"}"#, TransactionColumn::CreatedAt, false),
    ] {
        assert_eq!(asked::<TransactionColumn>(body).expect("good").sort, Sort { column, ascending }, "{body}");
    }
    for virtual_field in ["balance_id", "indicator"] {
        let error = asked::<TransactionColumn>(&format!(r#"{{"sort_by": "{virtual_field}"}}"#))
            .expect_err("cannot be sorted by");
        assert_eq!(error.code.text(), "GEN_BAD_REQUEST");
    }
    assert_eq!(
        asked::<BalanceColumn>(r#"{"sort_by": "indicator"}"#).expect("good").sort.column,
        BalanceColumn::Indicator
    );
}

#[test]
fn bodies_are_not_nested_without_end() {
    let nested = |depth: usize, tail: &str| format!("{}1{}{tail}", r#"{"x":"#.repeat(depth), "}".repeat(depth));
    assert!(!super::body::is_too_deep(nested(super::body::DEPTH_MAX, "").as_bytes()));
    assert!(super::body::is_too_deep(nested(super::body::DEPTH_MAX + 1, "").as_bytes()));
    assert!(super::body::is_too_deep("[".repeat(20_000).as_bytes()));
    assert!(
        !super::body::is_too_deep(nested(1, &"[".repeat(20_000)).as_bytes()),
        "what follows the first value is not read"
    );
    assert!(
        !super::body::is_too_deep(format!(r#"{{"x": "\"{}"}}"#, "[".repeat(20_000)).as_bytes()),
        "brackets in texts"
    );
}

#[test]
fn cheap_tests_come_first() {
    let body = r#"{"filters": [{"field": "meta_data.a", "operator": "isnull"}, {"field": "reference", "operator": "isnull"},
                   {"field": "status", "operator": "eq", "value": "VOID"}]}"#;
    let filters = asked::<TransactionColumn>(body).expect("good").filters;
    assert_eq!(filters.tests[0].field, Field::One(TransactionColumn::Status));
    assert_eq!(filters.tests[2].field, Field::Key("a".to_owned()));
    assert_eq!(filters.tests[2].check, Check::Null);
}
