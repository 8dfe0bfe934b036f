//! Dates, times and durations: what is read is what was written, a date of a filter stands for a span of time that holds it, and a
//! duration is what its parts add up to.

#![no_main]

use libfuzzer_sys::fuzz_target;
use server::api::duration::Duration;
use server::api::filter::moment::Told;
use server::api::time::{self, Moment};
use server::feed::cursor::Cursor;

// A number of microseconds and a text, a line each.
fuzz_target!(|input: &str| {
    let (number, text) = input.split_once('\n').unwrap_or(("", input));
    printed(number.parse().unwrap_or(0));
    moment(text);
    told(text);
    duration(text);
    if let Some(cursor) = Cursor::parse(text) {
        assert_eq!(cursor.text(), text, "a cursor has one spelling");
    }
});

fn moment(text: &str) {
    let Some(moment) = Moment::parse(text) else { return };
    let micros = moment.micros();
    let again = Moment::parse(&moment.text()).unwrap_or_else(|| panic!("{text:?} is shown {:?}", moment.text()));
    assert_eq!(again, moment, "{text:?}");
    let utc = time::text(micros);
    let in_utc = Moment::parse(&utc).unwrap_or_else(|| panic!("{text:?} is shown {utc:?}"));
    assert_eq!(in_utc.micros(), micros, "{text:?} is shown {utc:?}");
    let seconds =
        Moment::parse(&moment.seconds_text()).unwrap_or_else(|| panic!("{text:?} without its fraction is no time"));
    assert_eq!(seconds.micros(), micros.div_euclid(1_000_000) * 1_000_000, "{text:?}");
    assert_eq!(moment.day(), format!("{}T00:00:00Z", &text[..10]), "{text:?}");
}

/// Any number of microseconds is shown; those of years with four digits can be read again.
fn printed(micros: i64) {
    let text = time::text(micros);
    if let Some(moment) = Moment::parse(&text)
        && text != time::ZERO
    {
        assert_eq!(moment.micros(), micros, "{text}");
    }
}

fn told(text: &str) {
    let Some(told) = Told::parse(text) else { return };
    let whole = told.whole();
    assert!(whole.contains(&told.at) && whole.end - whole.start == told.unit, "{text:?}: {told:?}");
    let day = told.day().whole();
    assert!(day.start <= told.at && told.at < day.end, "{text:?}: {told:?}");
}

fn duration(text: &str) {
    let Some(duration) = Duration::parse(text) else { return };
    assert_eq!(Duration::parse(&duration.text()), Some(duration), "{text:?} is shown {:?}", duration.text());
    // What follows is added.
    if !text.starts_with(['-', '+']) && text != "0" {
        let both = Duration::parse(&format!("{text}1ns"));
        assert!(both.is_none_or(|both| both != duration), "{text:?}");
    }
}
