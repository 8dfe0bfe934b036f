//! Statements as PDF, A4, one balance after the other, each on pages of its own: whose it is and of what time, what it was and
//! what it is then, and its lines with the balance after each.
//!
//! The fonts are embedded, with the glyphs that are used. What does not fit into its column is cut and ends in an ellipsis.
//! Positions are in points from the top left; they are floats because the format has no other numbers, and no amount is one.
#![allow(clippy::float_arithmetic, reason = "positions on a page; amounts are text here")]

use super::section::{Entry, Section};
use crate::api::time;
use crate::http::error::ApiError;
use krilla::Document;
use krilla::color::rgb;
use krilla::geom::{PathBuilder, Point, Rect};
use krilla::metadata::Metadata;
use krilla::num::NormalizedF32;
use krilla::page::PageSettings;
use krilla::paint::Fill;
use krilla::surface::Surface;
use krilla::text::{Font, TextDirection};
use ledger::id::Prefix;
use std::sync::LazyLock;

/// Lines that a PDF has at most, over all its sections.
pub const ROWS_MAX: usize = 5_000;
/// Sections that a PDF has at most.
pub const SECTIONS_MAX: usize = 200;

const WIDTH: f32 = 595.0;
const HEIGHT: f32 = 842.0;
const LEFT: f32 = 42.0;
const RIGHT: f32 = WIDTH - 42.0;
const TOP: f32 = 54.0;
const BOTTOM: f32 = HEIGHT - 58.0;
const ROW: f32 = 25.0;
/// Where the columns end: date, text, debit, credit, balance.
const TEXT_LEFT: f32 = LEFT + 66.0;
const DEBIT_RIGHT: f32 = RIGHT - 172.0;
const CREDIT_RIGHT: f32 = RIGHT - 88.0;
/// Between a column and the next.
const GAP: f32 = 8.0;

const INK: u8 = 30;
const GREY: u8 = 110;
const LINE: u8 = 205;
const SHADE: u8 = 244;

static REGULAR: &[u8] = include_bytes!("../../fonts/DejaVuSansCondensed.ttf");
static BOLD: &[u8] = include_bytes!("../../fonts/DejaVuSansCondensed-Bold.ttf");
static FACES: LazyLock<[Face; 2]> = LazyLock::new(|| [REGULAR, BOLD].map(Face::new));

/// A font, and how wide its characters are.
struct Face {
    font: Font,
    face: ttf_parser::Face<'static>,
}

impl Face {
    fn new(bytes: &'static [u8]) -> Face {
        let face = ttf_parser::Face::parse(bytes, 0).expect("the font in this program is one");
        let font = Font::new(bytes.into(), 0).expect("the font in this program is one");
        Face { font, face }
    }

    fn width(&self, text: &str, size: f32) -> f32 {
        let units: u32 = text
            .chars()
            .map(|char| {
                let glyph = self.face.glyph_index(char).unwrap_or_default();
                u32::from(self.face.glyph_hor_advance(glyph).unwrap_or_default())
            })
            .sum();
        units as f32 * size / f32::from(self.face.units_per_em())
    }

    /// As much of a text as fits; on one line.
    fn fit(&self, text: &str, size: f32, width: f32) -> String {
        // No longer text can fit, and a description may have 64 KB.
        let text: String = text.chars().take(400).map(|char| if char.is_control() { ' ' } else { char }).collect();
        if self.width(&text, size) <= width {
            return text;
        }
        let mut cut = text;
        while cut.pop().is_some() && self.width(&cut, size) + self.width("…", size) > width {}
        cut.truncate(cut.trim_end().len());
        cut.push('…');
        cut
    }
}

/// A text to be drawn.
#[derive(Clone, Copy)]
struct Style {
    bold: bool,
    size: f32,
    grey: u8,
}

const TITLE: Style = Style { bold: true, size: 19.0, grey: INK };
const LABEL: Style = Style { bold: false, size: 7.0, grey: GREY };
const VALUE: Style = Style { bold: false, size: 9.0, grey: INK };
const SUM: Style = Style { bold: true, size: 10.5, grey: INK };
const HEAD: Style = Style { bold: true, size: 7.5, grey: GREY };
const BODY: Style = Style { bold: false, size: 8.5, grey: INK };
const STRONG: Style = Style { bold: true, size: 8.5, grey: INK };
const NOTE: Style = Style { bold: false, size: 6.8, grey: GREY };

/// Draws on one page.
struct Pen<'a, 'b> {
    surface: &'a mut Surface<'b>,
}

impl Pen<'_, '_> {
    fn fill(&mut self, grey: u8) {
        let paint = rgb::Color::new(grey, grey, grey).into();
        self.surface.set_fill(Some(Fill { paint, opacity: NormalizedF32::ONE, rule: Default::default() }));
    }

    /// A text that begins at a place and is cut at a width.
    fn text(&mut self, text: &str, style: Style, (x, y): (f32, f32), width: f32) {
        let face = &FACES[usize::from(style.bold)];
        let text = face.fit(text, style.size, width);
        self.fill(style.grey);
        self.surface.draw_text(Point::from_xy(x, y), face.font.clone(), style.size, &text, false, TextDirection::Auto);
    }

    /// A text that ends at a place. An amount is never cut: where it is too wide it gets smaller.
    fn amount(&mut self, text: &str, style: Style, (right, y): (f32, f32), width: f32) {
        let face = &FACES[usize::from(style.bold)];
        let wide = face.width(text, style.size);
        let size = if wide > width { style.size * width / wide } else { style.size };
        let x = right - face.width(text, size);
        self.fill(style.grey);
        self.surface.draw_text(Point::from_xy(x, y), face.font.clone(), size, text, false, TextDirection::Auto);
    }

    fn bar(&mut self, (left, top): (f32, f32), (right, bottom): (f32, f32), grey: u8) {
        let Some(rect) = Rect::from_ltrb(left, top, right, bottom) else { return };
        let mut path = PathBuilder::new();
        path.push_rect(rect);
        if let Some(path) = path.finish() {
            self.fill(grey);
            self.surface.draw_path(&path);
        }
    }

    fn rule(&mut self, y: f32) {
        self.bar((LEFT, y), (RIGHT, y + 0.6), LINE);
    }
}

/// What is on a page: a section, what stands in its table on this page, and whether it is the first.
struct Page<'a> {
    section: &'a Section,
    items: Vec<Item<'a>>,
    first: bool,
}

/// What takes a row of the table.
#[derive(Clone, Copy)]
enum Item<'a> {
    Opening,
    Line(&'a Entry),
    Closing,
    /// What stands before the open holds.
    Pending,
}

/// A statement with all its lines, typeset.
pub fn typeset(sections: &[(Section, Vec<Entry>)], made_at: i64) -> Result<Vec<u8>, ApiError> {
    let mut document = Document::new();
    let title = match sections {
        [(section, _)] => format!("Statement of {}", section.heading.id.text(Prefix::Balance)),
        _ => "Statement".to_owned(),
    };
    document.set_metadata(Metadata::new().title(title).creator("Florin".to_owned()).language("en".to_owned()));
    let pages: Vec<Page<'_>> = sections.iter().flat_map(|(section, entries)| paginate(section, entries)).collect();
    for (index, page) in pages.iter().enumerate() {
        let settings = PageSettings::from_wh(WIDTH, HEIGHT).expect("A4 is a size");
        let mut sheet = document.start_page_with(settings);
        let mut surface = sheet.surface();
        draw(page, &mut Pen { surface: &mut surface });
        foot(page.section, (index + 1, pages.len()), made_at, &mut Pen { surface: &mut surface });
        surface.finish();
        sheet.finish();
    }
    document.finish().map_err(|fault| {
        tracing::error!("a PDF cannot be made: {fault:?}");
        ApiError::internal()
    })
}

/// Where the lines begin, on the first page of a section and on the others.
const FIRST_TABLE: f32 = TOP + 172.0;
const NEXT_TABLE: f32 = TOP + 38.0;

fn paginate<'a>(section: &'a Section, entries: &'a [Entry]) -> Vec<Page<'a>> {
    let room = |top: f32| ((BOTTOM - top - 20.0) / ROW) as usize;
    let mut items = vec![Item::Opening];
    items.extend(entries.iter().map(Item::Line));
    items.push(Item::Closing);
    if let Some(holds) = section.pending.as_ref().filter(|holds| !holds.is_empty()) {
        items.push(Item::Pending);
        items.extend(holds.iter().map(Item::Line));
    }
    let head = items.iter().position(|item| matches!(item, Item::Pending));
    let counts = cut(items.len(), head, room(FIRST_TABLE), room(NEXT_TABLE));
    let mut left = items.into_iter();
    let page = |(index, count)| Page { section, items: left.by_ref().take(count).collect(), first: index == 0 };
    counts.into_iter().enumerate().map(page).collect()
}

/// How many rows each page has, when there is room for so many on the first and on the others. A row that stands at the head of
/// those behind it is not left alone at the end of a page.
fn cut(count: usize, head: Option<usize>, first: usize, others: usize) -> Vec<usize> {
    let (mut pages, mut at) = (Vec::new(), 0);
    while at < count {
        let room = if at == 0 { first } else { others };
        let mut end = count.min(at + room);
        if end < count && head.is_some_and(|head| head + 1 == end) {
            end -= 1;
        }
        pages.push(end - at);
        at = end;
    }
    pages
}

fn draw(page: &Page<'_>, pen: &mut Pen<'_, '_>) {
    let section = page.section;
    let top = if page.first {
        head(section, pen);
        FIRST_TABLE
    } else {
        let of = format!("Statement of {}, continued", name_of(section));
        pen.text(&of, STRONG, (LEFT, TOP + 8.0), RIGHT - LEFT);
        NEXT_TABLE
    };
    pen.text("DATE (UTC)", HEAD, (LEFT, top), TEXT_LEFT - LEFT);
    pen.text("DESCRIPTION", HEAD, (TEXT_LEFT, top), 200.0);
    pen.amount("DEBIT", HEAD, (DEBIT_RIGHT, top), 80.0);
    pen.amount("CREDIT", HEAD, (CREDIT_RIGHT, top), 80.0);
    pen.amount("BALANCE", HEAD, (RIGHT, top), 80.0);
    pen.rule(top + 6.0);
    let mut y = top + 20.0;
    for item in &page.items {
        let (opening, closing) = (section.opening, section.closing);
        match item {
            Item::Opening => sum("Opening balance", section.from, opening.credit - opening.debit, section, y, pen),
            Item::Line(entry) => row(section, entry, y, pen),
            Item::Closing => sum("Closing balance", section.to, closing.credit - closing.debit, section, y, pen),
            Item::Pending => {
                pen.text("Pending: open holds, which are in no sum above", STRONG, (LEFT, y), RIGHT - LEFT);
                pen.rule(y + 12.0);
            }
        }
        y += ROW;
    }
}

fn name_of(section: &Section) -> String {
    let id = section.heading.id.text(Prefix::Balance);
    if section.heading.indicator.is_empty() { id } else { format!("{} ({id})", section.heading.indicator) }
}

fn head(section: &Section, pen: &mut Pen<'_, '_>) {
    let heading = &section.heading;
    pen.text("Statement", TITLE, (LEFT, TOP + 12.0), 250.0);
    pen.amount(&heading.ledger_name.chars().take(60).collect::<String>(), STRONG, (RIGHT, TOP + 12.0), 260.0);
    pen.rule(TOP + 24.0);
    let owner = if heading.owner.is_empty() { &heading.identity_id } else { &heading.owner };
    let owner = if owner.is_empty() { "—" } else { owner };
    let period = format!("{} – {}", moment(section.from), moment(section.to));
    let balance = name_of(section);
    let facts = [
        ("OWNER", owner, (LEFT, TOP + 42.0)),
        ("PERIOD (UTC, WITHOUT ITS END)", &period, (LEFT + 290.0, TOP + 42.0)),
        ("BALANCE", &balance, (LEFT, TOP + 72.0)),
        ("CURRENCY", &heading.currency, (LEFT + 290.0, TOP + 72.0)),
    ];
    for (label, value, (x, y)) in facts {
        pen.text(label, LABEL, (x, y), 270.0);
        pen.text(value, VALUE, (x, y + 12.0), if x > LEFT { RIGHT - x } else { 280.0 });
    }
    let (top, bottom) = (TOP + 98.0, TOP + 142.0);
    pen.bar((LEFT, top), (RIGHT, bottom), SHADE);
    let sums = [
        ("OPENING BALANCE", section.opening.credit - section.opening.debit),
        ("TOTAL CREDITS", section.closing.credit - section.opening.credit),
        ("TOTAL DEBITS", section.closing.debit - section.opening.debit),
        ("CLOSING BALANCE", section.closing.credit - section.closing.debit),
    ];
    let column = (RIGHT - LEFT) / 4.0;
    let mut x = LEFT + 10.0;
    for (label, minor) in sums {
        pen.text(label, LABEL, (x, top + 16.0), column - GAP);
        let text = section.major(minor);
        let face = &FACES[1];
        let width = face.width(&text, SUM.size).min(column - 16.0);
        pen.amount(&text, SUM, (x + width, top + 32.0), width);
        x += column;
    }
}

fn sum(label: &str, at: i64, minor: i128, section: &Section, y: f32, pen: &mut Pen<'_, '_>) {
    pen.text(&day(at), BODY, (LEFT, y), TEXT_LEFT - LEFT - GAP);
    pen.text(label, STRONG, (TEXT_LEFT, y), 200.0);
    pen.amount(&section.major(minor), STRONG, (RIGHT, y), RIGHT - CREDIT_RIGHT - GAP);
    pen.rule(y + 12.0);
}

fn row(section: &Section, entry: &Entry, y: f32, pen: &mut Pen<'_, '_>) {
    let text_width = DEBIT_RIGHT - 70.0 - TEXT_LEFT - GAP;
    pen.text(&day(entry.effective_at), BODY, (LEFT, y), TEXT_LEFT - LEFT - GAP);
    pen.text(&clock(entry.effective_at), NOTE, (LEFT, y + 9.0), TEXT_LEFT - LEFT - GAP);
    let said = if entry.description.is_empty() { &entry.reference } else { &entry.description };
    pen.text(said, BODY, (TEXT_LEFT, y), text_width);
    let note = if entry.kind == "posting" { String::new() } else { format!("{}, ", entry.kind) };
    pen.text(&format!("{note}{}", entry.reference), NOTE, (TEXT_LEFT, y + 9.0), text_width);
    if entry.moved.debit != 0 {
        pen.amount(&section.major(entry.moved.debit), BODY, (DEBIT_RIGHT, y), 70.0);
    }
    if entry.moved.credit != 0 {
        pen.amount(&section.major(entry.moved.credit), BODY, (CREDIT_RIGHT, y), CREDIT_RIGHT - DEBIT_RIGHT - GAP);
    }
    if let Some(balance) = entry.balance {
        pen.amount(&section.major(balance), BODY, (RIGHT, y), RIGHT - CREDIT_RIGHT - GAP);
    }
    pen.rule(y + 14.0);
}

fn foot(section: &Section, (number, count): (usize, usize), made_at: i64, pen: &mut Pen<'_, '_>) {
    let y = HEIGHT - 32.0;
    let said = format!("{}   made {} UTC by Florin", section.heading.id.text(Prefix::Balance), moment(made_at));
    pen.text(&said, NOTE, (LEFT, y), 400.0);
    pen.amount(&format!("Page {number} of {count}"), NOTE, (RIGHT, y), 100.0);
}

/// `2026-03-04`.
fn day(at: i64) -> String {
    time::text(at).chars().take(10).collect()
}

/// `10:11:12`.
fn clock(at: i64) -> String {
    time::text(at).chars().skip(11).take(8).collect()
}

/// `2026-03-04 10:11`.
fn moment(at: i64) -> String {
    format!("{} {}", day(at), clock(at).chars().take(5).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_stands_with_what_is_below_it() {
        for (count, head, pages) in [
            (2, None, vec![2]),
            (5, None, vec![5]),
            (6, None, vec![5, 1]),
            (13, None, vec![5, 7, 1]),
            (6, Some(4), vec![4, 2]),
            (6, Some(3), vec![5, 1]),
            (5, Some(3), vec![5]),
            (14, Some(11), vec![5, 6, 3]),
        ] {
            assert_eq!(cut(count, head, 5, 7), pages, "{count} rows, head at {head:?}");
        }
    }
}
