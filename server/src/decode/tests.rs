use super::*;

lenient_struct! {
    /// As a transaction is sent.
    struct Item<'a> {
        "amount" amount: Number<'a>,
        "reference" reference: Text<'a>,
        "meta_data" metadata: RawObject<'a>,
        "skip_queue" skip_queue: bool,
        "parts" parts: Vec<Part>,
    }
}

lenient_struct! {
    /// Borrows nothing.
    struct Part {
        "share" share: String,
    }
}

fn read(text: &str) -> Result<Item<'_>, Malformed> {
    from_slice(text.as_bytes())
}

fn refused(text: &str) -> String {
    read(text).expect_err(text).into_message()
}

#[test]
fn keys_match_in_any_case_and_the_last_one_wins() {
    let item =
        read(r#"{"AMOUNT": 5, "amount": 6, "Reference": "a", "reference": null, "nonsense": [1, {"amount": 7}]} tail"#)
            .unwrap();
    assert_eq!(item.amount, Some(Number("6")));
    assert_eq!(item.reference.as_deref(), Some("a"));
    assert!(item.metadata.is_none());
}

#[test]
fn numbers_keep_their_text() {
    for number in ["1.005", "1e3", "-0.10", "123456789012345678901234567890.000000001", "1E+400"] {
        assert_eq!(read(&format!(r#"{{"amount": {number} }}"#)).unwrap().amount, Some(Number(number)));
    }
    for wrong in [r#""1""#, "true", "[1]", "{}", "01", "+1", ".5", "NaN"] {
        assert!(read(&format!(r#"{{"amount": {wrong}}}"#)).is_err(), "{wrong}");
    }
}

#[test]
fn texts_are_borrowed_unless_escaped() {
    assert!(matches!(read(r#"{"reference": "plain"}"#).unwrap().reference.unwrap().0, Cow::Borrowed("plain")));
    assert_eq!(&*read(r#"{"reference": "a\nb\u00e9"}"#).unwrap().reference.unwrap(), "a\nbé");
    assert_eq!(
        read(r#"{"meta_data": {"n":9007199254740993 }}"#).unwrap().metadata.unwrap().0,
        r#"{"n":9007199254740993 }"#
    );
    // A key may be written with escapes too.
    assert_eq!(read(r#"{"\u0061mount": 1}"#).unwrap().amount, Some(Number("1")));
}

#[test]
fn nothing_broken_and_wrong() {
    assert_eq!(refused(""), "EOF");
    assert_eq!(refused(" \n"), "EOF");
    assert_eq!(refused("{"), "unexpected EOF");
    assert_eq!(refused(r#"{"amount": 1"#), "unexpected EOF");
    for text in [
        "{not json",
        "[1, 2]",
        "3",
        "\"x\"",
        r#"{"skip_queue": "yes"}"#,
        r#"{"reference": 5}"#,
        r#"{"meta_data": "x"}"#,
        r#"{"parts": [1]}"#,
    ] {
        refused(text);
    }
    assert!(read("null").unwrap().amount.is_none());
    assert_eq!(read(r#"{"parts": [null, {"SHARE": "10%"}]}"#).unwrap().parts.unwrap()[1].share.as_deref(), Some("10%"));
}

#[test]
fn nul_and_bytes_that_are_no_text() {
    refused(r#"{"reference": "a\u0000b"}"#);
    refused(r#"{"meta_data": {"k": "\u0000"}}"#);
    refused(r#"{"reference": "\\\u0000"}"#);
    refused("{\"reference\": \"a\0b\"}");
    assert_eq!(&*read(r#"{"reference": "\\u0000"}"#).unwrap().reference.unwrap(), "\\u0000");
    assert!(read(r#"{"amount": 1} "\u0000""#).is_ok());
    assert!(from_slice::<Item>(b"{\"reference\": \"\xff\"}").is_err());
    assert!(from_slice::<Item>(b"{\"unknown\": \"\xff\"}").is_err());
    assert!(from_slice::<Item>(b"{\"amount\": 1} \xff").is_ok());
}

/// Small and repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }

    fn case(&mut self, key: &str) -> String {
        key.chars()
            .map(|character| if self.below(3) == 0 { character.to_ascii_uppercase() } else { character })
            .collect()
    }
}

/// Objects made from a model that knows what must come out: keys in any case and number, nulls, unknown keys, a tail.
#[test]
fn seeded_objects_come_out_as_they_were_made() {
    for seed in 1..=2_000 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let (mut amount, mut reference, mut skip_queue) = (None, None, None);
        let mut members = Vec::new();
        for _ in 0..random.below(8) {
            match random.below(6) {
                0 => {
                    let number = format!("{}.{:03}", random.below(1000), random.below(1000));
                    members.push(format!("\"{}\":{number}", random.case("amount")));
                    amount = Some(number);
                }
                1 => {
                    let text = ["", "a", "é\n", "\"quoted\"", "\\u0000", "💰"][random.below(6)];
                    members.push(format!(
                        "\"{}\" : {}",
                        random.case("reference"),
                        serde_json::to_string(text).unwrap()
                    ));
                    reference = Some(text);
                }
                2 => {
                    let flag = random.below(2) == 0;
                    members.push(format!("\"{}\":{flag}", random.case("skip_queue")));
                    skip_queue = Some(flag);
                }
                3 => {
                    let key = ["amount", "reference", "skip_queue"][random.below(3)];
                    members.push(format!("\"{}\": null", random.case(key)));
                }
                4 => members.push(format!("\"other{}\": [{{\"amount\": 1}}, \"\\\"\", -1e9]", random.below(3))),
                _ => members.push(format!("\"{}s\": 1", random.case("amount"))),
            }
        }
        let text = format!("{{{}}}{}", members.join(","), ["", " ", " tail", "{"][random.below(4)]);
        let item = read(&text).unwrap_or_else(|error| panic!("seed {seed}: {text}: {error}"));
        assert_eq!(item.amount.map(|number| number.0), amount.as_deref(), "seed {seed}: {text}");
        assert_eq!(item.reference.as_deref(), reference, "seed {seed}: {text}");
        assert_eq!(item.skip_queue, skip_queue, "seed {seed}: {text}");
    }
}

/// Whatever arrives is answered: read, or refused with a message.
#[test]
fn seeded_damage_never_panics() {
    let whole = br#"{"amount": 10.50, "reference": "r\u00e9f", "meta_data": {"a": [1, {"b": null}]}, "skip_queue": true, "parts": [{"share": "left"}]}"#;
    for seed in 1..=20_000 {
        let mut random = Random(0x9E37_79B9_7F4A_7C15_u64.wrapping_mul(seed));
        let mut bytes = whole.to_vec();
        for _ in 0..=random.below(4) {
            if bytes.is_empty() {
                break;
            }
            let at = random.below(bytes.len());
            match random.below(3) {
                0 => bytes[at] = random.below(256) as u8,
                1 => drop(bytes.remove(at)),
                _ => bytes.truncate(at.max(1)),
            }
        }
        if let Err(malformed) = from_slice::<Item>(&bytes) {
            assert!(!malformed.into_message().is_empty(), "seed {seed}");
        }
    }
}

/// Deep nesting in parts that nobody looks at must not exhaust the stack.
#[test]
fn deep_nesting() {
    let deep = format!("{{\"other\": {}{}, \"amount\": 1}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
    assert_eq!(read(&deep).unwrap().amount, Some(Number("1")));
}
