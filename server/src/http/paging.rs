//! Pages of lists.

use super::error::{ApiError, Code};
use super::openapi::{Field, Schema};
use super::parameters::Parameters;

/// Most rows of a page, whatever is asked for.
pub const PAGE_ROWS_MAX: usize = 10_000;
/// Most bytes of texts on a page: metadata, descriptions.
pub const PAGE_BYTES_MAX: usize = 64 << 20;
/// Most rows of a page of balances or transactions that are filtered.
pub const FILTERED_PAGE_ROWS_MAX: usize = 1_000;
/// Past this limit a page of ledgers or identities has [`FALLBACK_ROWS`].
pub const SMALL_PAGE_ROWS_MAX: usize = 100;
/// Rows of a page whose limit was too large for its list.
pub const FALLBACK_ROWS: usize = 20;

/// Parameters of lists.
pub const FIELDS: &[Field] = &[
    Field::optional("limit", Schema::Integer, "Rows of the page."),
    Field::optional("offset", Schema::Integer, "Rows before the page."),
];

/// Which rows of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// Rows of the page.
    pub limit: usize,
    /// Rows before the page.
    pub offset: usize,
}

impl Paging {
    /// A page whose numbers must be numbers.
    pub fn strict(query: &Parameters, default: usize, messages: [&str; 2]) -> Result<Paging, ApiError> {
        let number = |name: &str, default: usize, least: usize, message: &str| match query.get(name) {
            None => Ok(default),
            Some(text) => parse(&text, least).ok_or_else(|| ApiError::new(Code::GenValidationError, message)),
        };
        let limit = number("limit", default, 1, messages[0])?;
        let offset = number("offset", 0, 0, messages[1])?;
        Ok(Paging { limit: limit.min(PAGE_ROWS_MAX), offset })
    }

    /// A page whose numbers fall back when they are none.
    pub fn lenient(query: &Parameters, default: usize) -> Paging {
        let number = |name: &str, default: usize, least: usize| {
            query.get(name).and_then(|text| parse(&text, least)).unwrap_or(default)
        };
        Paging { limit: number("limit", default, 1).min(PAGE_ROWS_MAX), offset: number("offset", 0, 0) }
    }

    /// The page of a filtered list of balances or transactions.
    #[must_use]
    pub fn filtered(self) -> Paging {
        Paging { limit: self.limit.min(FILTERED_PAGE_ROWS_MAX), ..self }
    }

    /// The page of a list whose limit falls back past a hundred.
    #[must_use]
    pub fn ledgers(self) -> Paging {
        if self.limit > SMALL_PAGE_ROWS_MAX { Paging { limit: FALLBACK_ROWS, ..self } } else { self }
    }
}

/// How much text is on a page while it is made. Rows may show what is kept once for many of them, so that a page can have far more of
/// it than was ever sent.
#[derive(Debug, Default)]
pub struct Filling(usize);

impl Filling {
    /// Adds a row with so many bytes of texts; refuses the page when that is too much.
    pub fn add(&mut self, bytes: usize) -> Result<(), ApiError> {
        self.0 = self.0.saturating_add(bytes);
        if self.is_over() {
            let message =
                format!("limit: the page would have more than {PAGE_BYTES_MAX} bytes of texts; ask for fewer rows");
            return Err(ApiError::new(Code::GenValidationError, message));
        }
        Ok(())
    }

    /// Adds a row to a list that has no pages; answers whether it still has room for it.
    pub fn has_room_for(&mut self, bytes: usize) -> bool {
        self.0 = self.0.saturating_add(bytes);
        !self.is_over()
    }

    const fn is_over(&self) -> bool {
        self.0 > PAGE_BYTES_MAX
    }
}

fn parse(text: &str, least: usize) -> Option<usize> {
    text.parse().ok().filter(|&number| number >= least)
}
