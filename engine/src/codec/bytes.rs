//! Numbers and texts as bytes.

use super::CodecFault;
use ledger::text::{self, Span};

/// Appends a number in LEB128.
pub fn put_varint(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends a signed number: zigzag, then LEB128.
pub fn put_i128(out: &mut Vec<u8>, number: i128) {
    let mut number = (number << 1 ^ number >> 127) as u128;
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// Appends eight bytes.
pub fn put_u64(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends eight bytes.
pub fn put_i64(out: &mut Vec<u8>, number: i64) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// Appends a length and a text.
pub fn put_text(out: &mut Vec<u8>, text: &str) {
    put_varint(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Reads bytes from front to back.
pub struct Reading<'a> {
    rest: &'a [u8],
}

impl<'a> Reading<'a> {
    /// A reading of some bytes.
    pub fn new(bytes: &'a [u8]) -> Reading<'a> {
        Reading { rest: bytes }
    }

    /// Whether all is read.
    pub fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// How many bytes are left.
    pub fn len(&self) -> usize {
        self.rest.len()
    }

    /// The next byte.
    pub fn byte(&mut self) -> Result<u8, CodecFault> {
        let (&first, rest) = self.rest.split_first().ok_or(CodecFault::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    /// The next byte, which stays the next.
    pub fn peek(&self) -> Result<u8, CodecFault> {
        self.rest.first().copied().ok_or(CodecFault::Truncated)
    }

    /// Goes over numbers in LEB128, without a look at what they are.
    #[inline]
    pub fn pass_numbers(&mut self, count: usize) -> Result<(), CodecFault> {
        let (mut at, mut left) = (0, count);
        while left > 0 {
            left -= usize::from(*self.rest.get(at).ok_or(CodecFault::Truncated)? < 0x80);
            at += 1;
        }
        self.rest = &self.rest[at..];
        Ok(())
    }

    /// Goes over a text, without a look at it.
    #[inline]
    pub fn pass_text(&mut self) -> Result<(), CodecFault> {
        let len = usize::try_from(self.varint()?).map_err(|_| CodecFault::Truncated)?;
        self.take(len).map(drop)
    }

    /// Yes or no.
    pub fn flag(&mut self, field: &'static str) -> Result<bool, CodecFault> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(CodecFault::Value(field)),
        }
    }

    /// Some bytes.
    pub fn take(&mut self, count: usize) -> Result<&'a [u8], CodecFault> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(CodecFault::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }

    /// Eight bytes.
    pub fn u64(&mut self) -> Result<u64, CodecFault> {
        Ok(u64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes were taken")))
    }

    /// Eight bytes.
    pub fn i64(&mut self) -> Result<i64, CodecFault> {
        Ok(i64::from_le_bytes(self.take(8)?.try_into().expect("eight bytes were taken")))
    }

    /// A time, if there is one.
    pub fn time_when(&mut self, present: bool) -> Result<Option<i64>, CodecFault> {
        if present { self.i64().map(Some) } else { Ok(None) }
    }

    /// A number in LEB128.
    pub fn varint(&mut self) -> Result<u64, CodecFault> {
        let mut number = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                break;
            }
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        Err(CodecFault::Value("a number"))
    }

    /// A signed number.
    pub fn i128(&mut self) -> Result<i128, CodecFault> {
        let mut number = 0u128;
        for shift in (0..128).step_by(7) {
            let byte = self.byte()?;
            if shift == 126 && byte > 3 {
                break;
            }
            number |= u128::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((number >> 1) as i128 ^ -((number & 1) as i128));
            }
        }
        Err(CodecFault::Value("a number"))
    }

    /// A number that fits into 32 bits.
    pub fn number(&mut self, field: &'static str) -> Result<u32, CodecFault> {
        u32::try_from(self.varint()?).map_err(|_| CodecFault::Value(field))
    }

    /// How many of something follow: each takes a byte at least, so there are never more than bytes.
    pub fn count(&mut self, max: usize, field: &'static str) -> Result<usize, CodecFault> {
        let count = self.varint()?;
        usize::try_from(count).ok().filter(|&count| count <= max && count <= self.len()).ok_or(CodecFault::Value(field))
    }

    /// A text.
    pub fn text(&mut self) -> Result<&'a str, CodecFault> {
        let len = usize::try_from(self.varint()?).map_err(|_| CodecFault::Truncated)?;
        std::str::from_utf8(self.take(len)?).map_err(|_| CodecFault::Value("a text"))
    }

    /// A text, put into an arena.
    pub fn span(&mut self, arena: &mut String) -> Result<Span, CodecFault> {
        Ok(text::push(arena, self.text()?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive() {
        for number in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            put_varint(&mut out, number);
            assert_eq!(Reading::new(&out).varint(), Ok(number));
        }
        for number in [0, 1, -1, 63, -64, 64, 10i128.pow(30), i128::MAX, i128::MIN] {
            let mut out = Vec::new();
            put_i128(&mut out, number);
            assert_eq!(Reading::new(&out).i128(), Ok(number));
        }
    }

    #[test]
    fn numbers_that_are_too_long_are_refused() {
        assert_eq!(Reading::new(&[0xff; 20]).varint(), Err(CodecFault::Value("a number")));
        assert_eq!(Reading::new(&[0xff; 20]).i128(), Err(CodecFault::Value("a number")));
        assert_eq!(Reading::new(&[0x80, 0x80]).varint(), Err(CodecFault::Truncated));
    }
}
