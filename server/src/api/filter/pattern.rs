//! Patterns of `like`: `%` stands for any run of letters, `_` for one, `\` takes the meaning of what follows it.

/// A pattern over a whole text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    pieces: Vec<Piece>,
    fold: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece {
    Letter(char),
    One,
    Run,
}

impl Pattern {
    /// Reads a pattern. `None` when it ends in a `\` that nothing follows.
    pub fn parse(text: &str, fold: bool) -> Option<Pattern> {
        let mut pieces = Vec::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            match letter {
                '%' if pieces.last() == Some(&Piece::Run) => {}
                '%' => pieces.push(Piece::Run),
                '_' => pieces.push(Piece::One),
                '\\' => push_letter(&mut pieces, letters.next()?, fold),
                _ => push_letter(&mut pieces, letter, fold),
            }
        }
        Some(Pattern { pieces, fold })
    }

    /// How many pieces it has.
    pub const fn pieces_count(&self) -> usize {
        self.pieces.len()
    }

    /// Whether a text matches. Takes at most as many steps as letters times pieces.
    pub fn matches(&self, text: &str) -> bool {
        if self.fold { self.walk(text.chars().flat_map(char::to_lowercase)) } else { self.walk(text.chars()) }
    }

    /// The longest text that stands in every text that matches; none that is empty, and none when letters of both cases match.
    pub fn literal(&self) -> Option<String> {
        if self.fold {
            return None;
        }
        let runs = self.pieces.split(|piece| !matches!(piece, Piece::Letter(_)));
        let longest = runs.max_by_key(|run| run.len()).filter(|run| !run.is_empty())?;
        let letters = longest.iter().map(|piece| match piece {
            Piece::Letter(letter) => *letter,
            Piece::One | Piece::Run => unreachable!("runs are of letters"),
        });
        Some(letters.collect())
    }

    fn walk(&self, mut letters: impl Iterator<Item = char> + Clone) -> bool {
        let mut at = 0;
        // Where to go on when a run has to take one more letter: the piece behind it, and the letters from there.
        let mut retry = None;
        loop {
            let before = letters.clone();
            let Some(letter) = letters.next() else {
                return self.pieces[at..].iter().all(|piece| *piece == Piece::Run);
            };
            match self.pieces.get(at) {
                Some(Piece::Run) => {
                    at += 1;
                    letters = before.clone();
                    retry = Some((at, before));
                    continue;
                }
                Some(Piece::One) => at += 1,
                Some(Piece::Letter(wanted)) if *wanted == letter => at += 1,
                _ => {
                    let Some((piece, mut from)) = retry.take() else { return false };
                    from.next();
                    at = piece;
                    letters = from.clone();
                    retry = Some((piece, from));
                }
            }
        }
    }
}

fn push_letter(pieces: &mut Vec<Piece>, letter: char, fold: bool) {
    if fold {
        pieces.extend(letter.to_lowercase().map(Piece::Letter));
    } else {
        pieces.push(Piece::Letter(letter));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_every_match() {
        for (pattern, fold, literal) in [
            ("rent", false, Some("rent")),
            ("%rent%", false, Some("rent")),
            ("a_bc%\\%d", false, Some("%d")),
            ("a_bc\\_d%e", false, Some("bc_d")),
            ("%", false, None),
            ("_%_", false, None),
            ("", false, None),
            ("rent", true, None),
        ] {
            let pattern = Pattern::parse(pattern, fold).expect("it is whole");
            assert_eq!(pattern.literal().as_deref(), literal, "{pattern:?}");
        }
    }

    #[test]
    fn patterns() {
        for (pattern, text, fold, wanted) in [
            ("coffee%", "coffee 2", false, true),
            ("coffee", "coffee 2", false, false),
            ("COFFEE%", "coffee 2", false, false),
            ("%OFFEE 2%", "coffee 2", true, true),
            ("coffee __", "coffee 2", false, false),
            ("coffee _", "coffee 2", false, true),
            ("%", "", false, true),
            ("%%", "x", false, true),
            ("", "", false, true),
            ("", "x", false, false),
            ("_", "", false, false),
            ("_", "é", false, true),
            ("50\\%", "50%", false, true),
            ("50\\%", "500", false, false),
            ("\\_a", "xa", false, false),
            ("a%b%c", "a-b-b-c", false, true),
            ("a%b%c", "a-b-b-d", false, false),
            ("%a", "aaab", false, false),
            ("%aab", "aaaab", false, true),
            ("STRASSE_", "strassen", true, true),
            ("ÉCOLE", "école", true, true),
            ("%_", "x", false, true),
        ] {
            let compiled = Pattern::parse(pattern, fold).expect("a pattern");
            assert_eq!(compiled.matches(text), wanted, "{pattern:?} on {text:?}");
        }
        assert_eq!(Pattern::parse("x\\", false), None);
    }

    #[test]
    fn many_runs_take_no_exponential_time() {
        let pattern = Pattern::parse(&"a%".repeat(200), false).expect("a pattern");
        assert!(!pattern.matches(&format!("b{}", "a".repeat(20_000))));
        let pattern = Pattern::parse(&format!("{}b", "%a".repeat(200)), false).expect("a pattern");
        assert!(!pattern.matches(&"a".repeat(2_000)));
    }
}
