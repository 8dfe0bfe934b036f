//! Values of filters, in the type they were sent in.

use super::json::Json;
use super::moment::Told;
use super::number::Number;
use crate::api::time;
use serde_json::value::RawValue;

/// A value of a filter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Operand {
    /// Nothing, or `null`.
    Null,
    /// A text.
    Text(String),
    /// A number.
    Number(Number),
    /// `true` or `false`.
    Flag(bool),
    /// A time in a query string, where equality means all of the part that was told.
    Time(Told),
    /// A JSON object or list.
    Compound(String),
}

impl Operand {
    /// A value of a JSON body.
    pub fn of_json(raw: Option<&RawValue>) -> Option<Operand> {
        let raw = raw.map_or("null", RawValue::get);
        Some(match Json::parse(raw) {
            Some(Json::Null) => Operand::Null,
            Some(Json::Text(text)) => Operand::Text(text),
            Some(Json::Number(number)) => Operand::Number(number),
            Some(Json::Flag(flag)) => Operand::Flag(flag),
            Some(Json::List(_) | Json::Map(_)) => Operand::Compound(raw.to_owned()),
            None => return None,
        })
    }

    /// A value of a query string: the first type that fits, whatever the field.
    pub fn of_text(text: &str) -> Operand {
        // Blanks around a number make it a text, and so does a plus: that belongs to a telephone number, and nothing that was
        // stored as a number has one. Fields that are numbers read it all the same.
        if text.trim().len() == text.len()
            && !text.starts_with('+')
            && let Some(number) = Number::parse(text)
        {
            return Operand::Number(number);
        }
        match text {
            "true" => Operand::Flag(true),
            "false" => Operand::Flag(false),
            _ => Told::parse(text).map_or_else(|| Operand::Text(text.to_owned()), Operand::Time),
        }
    }

    /// The value as a text, as it is compared with texts. A number has one text only.
    pub fn text(&self) -> Option<String> {
        Some(match self {
            Operand::Null => return None,
            Operand::Text(text) | Operand::Compound(text) => text.clone(),
            Operand::Number(number) => number.plain(),
            Operand::Flag(flag) => flag.to_string(),
            Operand::Time(told) => time::text(told.at).replacen('T', " ", 1),
        })
    }

    /// The value as JSON.
    pub fn json(&self) -> Json {
        match self {
            Operand::Null => Json::Null,
            Operand::Text(text) => Json::Text(text.clone()),
            Operand::Number(number) => Json::Number(number.clone()),
            Operand::Flag(flag) => Json::Flag(*flag),
            Operand::Time(told) => Json::Text(time::text(told.at)),
            Operand::Compound(raw) => Json::parse(raw).unwrap_or(Json::Null),
        }
    }

    /// Whether it is an object or a list.
    pub const fn is_compound(&self) -> bool {
        matches!(self, Operand::Compound(_))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Operand {
        Operand::Number(Number::parse(text).expect("a number"))
    }

    #[test]
    fn a_query_string_has_the_first_type_that_fits() {
        for (text, operand, shown) in [
            ("00123", number("123"), "123"),
            ("1e3", number("1000"), "1000"),
            ("10.50", number("10.5"), "10.5"),
            ("true", Operand::Flag(true), "true"),
            ("True", Operand::Text("True".to_owned()), "True"),
            ("", Operand::Text(String::new()), ""),
            (" 1", Operand::Text(" 1".to_owned()), " 1"),
            ("+2348012345678", Operand::Text("+2348012345678".to_owned()), "+2348012345678"),
            ("inf", Operand::Text("inf".to_owned()), "inf"),
            ("2024-01-01", Operand::Time(Told::parse("2024-01-01").expect("a day")), "2024-01-01 00:00:00Z"),
        ] {
            assert_eq!(Operand::of_text(text), operand, "{text:?}");
            assert_eq!(operand.text().as_deref(), Some(shown), "{text:?}");
        }
    }

    #[test]
    fn a_body_says_its_types() {
        let of = |raw: &str| Operand::of_json(Some(&RawValue::from_string(raw.to_owned()).expect("JSON")));
        assert_eq!(of("null"), Some(Operand::Null));
        assert_eq!(Operand::of_json(None), Some(Operand::Null));
        assert_eq!(of("\"2024-01-01\""), Some(Operand::Text("2024-01-01".to_owned())));
        assert_eq!(of("9007199254740993"), Some(number("9007199254740993")));
        assert_eq!(of("[1]"), Some(Operand::Compound("[1]".to_owned())));
        assert_eq!(of("1e999"), None);
    }
}
