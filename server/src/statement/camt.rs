//! Statements as ISO 20022 `camt.053.001.08`, "bank to customer statement": one `Stmt` for each balance.
//!
//! Ids are longer there than the format allows (34 or 35 characters), so an id stands as the 32 hexadecimal digits of its UUID;
//! the name of the account is the id as it is elsewhere. A reference that is too long is given as `NOTPROVIDED`, and stands whole
//! in `AddtlTxInf`, up to what fits.

use super::section::{Entry, Section};
use crate::api::time;
use crate::http::error::{ApiError, Code};
use ledger::id::{Id, Prefix};
use sha2::{Digest, Sha256};

/// Decimals that an amount may have.
const DECIMALS_MAX: usize = 5;
/// Digits that an amount may have.
const DIGITS_MAX: usize = 18;
/// Characters of a reference.
const REFERENCE_MAX: usize = 35;
/// Characters of a name.
const NAME_MAX: usize = 140;
/// Characters of one line of remittance information.
const REMITTANCE_MAX: usize = 140;
/// Characters of additional information.
const ADDITIONAL_MAX: usize = 500;

/// Refuses a currency that the format has no place for.
pub fn check_currency(currency: &str) -> Result<(), ApiError> {
    if currency.len() == 3 && currency.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return Ok(());
    }
    let message = format!("format: camt.053 has no place for the currency {currency}, only for codes of ISO 4217");
    Err(ApiError::new(Code::GenValidationError, message))
}

/// Writes what stands before all sections. `about` names what the statement is of.
pub fn begin(about: &str, made_at: i64, out: &mut Vec<u8>) {
    let mut xml = Xml(out);
    xml.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.raw("<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt><GrpHdr>");
    xml.element("MsgId", &digest(&[about, &made_at.to_string()]));
    xml.element("CreDtTm", &time::text(made_at));
    xml.raw("</GrpHdr>\n");
}

/// Writes a section up to its first line.
pub fn open(section: &Section, made_at: i64, out: &mut Vec<u8>) -> Result<(), ApiError> {
    let heading = &section.heading;
    let account = hexadecimal(heading.id, Prefix::Balance);
    let mut xml = Xml(out);
    xml.raw("<Stmt>");
    xml.element("Id", &digest(&[&account, &section.from.to_string(), &section.to.to_string()]));
    xml.element("CreDtTm", &time::text(made_at));
    xml.raw("<FrToDt>");
    xml.element("FrDtTm", &time::text(section.from));
    xml.element("ToDtTm", &time::text(section.to));
    xml.raw("</FrToDt><Acct><Id><Othr>");
    xml.element("Id", &account);
    xml.raw("</Othr></Id>");
    xml.element("Ccy", &heading.currency);
    xml.element("Nm", &heading.id.text(Prefix::Balance));
    if !heading.owner.is_empty() {
        xml.raw("<Ownr>");
        xml.text("Nm", &heading.owner, NAME_MAX);
        xml.raw("</Ownr>");
    }
    xml.raw("</Acct>");
    balance(section, "OPBD", section.opening.credit - section.opening.debit, section.from, &mut xml)?;
    balance(section, "CLBD", section.closing.credit - section.closing.debit, section.to, &mut xml)?;
    xml.raw("\n");
    Ok(())
}

fn balance(section: &Section, code: &str, minor: i128, at: i64, xml: &mut Xml<'_>) -> Result<(), ApiError> {
    xml.raw("<Bal><Tp><CdOrPrtry>");
    xml.element("Cd", code);
    xml.raw("</CdOrPrtry></Tp>");
    amount(section, minor, xml)?;
    xml.element("CdtDbtInd", if minor < 0 { "DBIT" } else { "CRDT" });
    xml.raw("<Dt>");
    xml.element("DtTm", &time::text(at));
    xml.raw("</Dt></Bal>");
    Ok(())
}

fn amount(section: &Section, minor: i128, xml: &mut Xml<'_>) -> Result<(), ApiError> {
    let text = section.major(minor);
    let text = text.trim_start_matches('-');
    let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    if decimals > DECIMALS_MAX || digits > DIGITS_MAX {
        let message = format!(
            "format: camt.053 has no place for the amount {text}: at most {DIGITS_MAX} digits, {DECIMALS_MAX} of them decimals"
        );
        return Err(ApiError::new(Code::GenValidationError, message));
    }
    xml.raw("<Amt Ccy=\"");
    xml.escaped(&section.heading.currency);
    xml.raw("\">");
    xml.raw(text);
    xml.raw("</Amt>");
    Ok(())
}

/// Writes a line.
pub fn entry(section: &Section, entry: &Entry, out: &mut Vec<u8>) -> Result<(), ApiError> {
    for (minor, indicator) in [(entry.moved.debit, "DBIT"), (entry.moved.credit, "CRDT")] {
        if minor != 0 {
            movement(section, entry, minor, indicator, &mut Xml(out))?;
        }
    }
    Ok(())
}

fn movement(section: &Section, entry: &Entry, minor: i128, indicator: &str, xml: &mut Xml<'_>) -> Result<(), ApiError> {
    let id = hexadecimal(entry.id, Prefix::Transaction);
    xml.raw("<Ntry>");
    amount(section, minor, xml)?;
    xml.element("CdtDbtInd", indicator);
    if entry.kind == "refund" {
        xml.element("RvslInd", "true");
    }
    if entry.balance.is_some() {
        xml.raw("<Sts><Cd>BOOK</Cd></Sts><BookgDt>");
        xml.element("DtTm", &time::text(entry.created_at));
        xml.raw("</BookgDt><ValDt>");
    } else {
        // A hold is not booked.
        xml.raw("<Sts><Cd>PDNG</Cd></Sts><ValDt>");
    }
    xml.element("DtTm", &time::text(entry.effective_at));
    xml.raw("</ValDt>");
    xml.element("AcctSvcrRef", &id);
    xml.raw("<BkTxCd><Prtry>");
    xml.element("Cd", entry.kind);
    xml.raw("</Prtry></BkTxCd><NtryDtls><TxDtls><Refs>");
    xml.element("AcctSvcrRef", &id);
    let fits = entry.reference.chars().count() <= REFERENCE_MAX && !entry.reference.trim().is_empty();
    xml.element("EndToEndId", if fits { &entry.reference } else { "NOTPROVIDED" });
    xml.element("TxId", &id);
    xml.raw("</Refs>");
    if let Some(other) = Id::parse(Prefix::Balance, &entry.counterparty) {
        let (open, close) = match indicator {
            "DBIT" => ("<RltdPties><CdtrAcct><Id><Othr>", "</Othr></Id></CdtrAcct></RltdPties>"),
            _ => ("<RltdPties><DbtrAcct><Id><Othr>", "</Othr></Id></DbtrAcct></RltdPties>"),
        };
        xml.raw(open);
        xml.element("Id", &hexadecimal(other, Prefix::Balance));
        xml.raw(close);
    }
    if !entry.description.is_empty() {
        xml.raw("<RmtInf>");
        xml.text("Ustrd", &entry.description, REMITTANCE_MAX);
        xml.raw("</RmtInf>");
    }
    if !fits {
        xml.text("AddtlTxInf", &entry.reference, ADDITIONAL_MAX);
    }
    xml.raw("</TxDtls></NtryDtls></Ntry>\n");
    Ok(())
}

/// Writes the open holds of a section, and its end.
pub fn close(section: &Section, out: &mut Vec<u8>) -> Result<(), ApiError> {
    for hold in section.pending.iter().flatten() {
        entry(section, hold, out)?;
    }
    Xml(out).raw("</Stmt>\n");
    Ok(())
}

/// Writes what stands after all sections.
pub fn end(out: &mut Vec<u8>) {
    Xml(out).raw("</BkToCstmrStmt></Document>\n");
}

/// The 32 hexadecimal digits of an id.
fn hexadecimal(id: Id, prefix: Prefix) -> String {
    let text = id.text(prefix);
    let uuid = text.split_once('_').map_or(text.as_str(), |(_, uuid)| uuid);
    uuid.chars().filter(|char| *char != '-').collect()
}

/// 32 hexadecimal digits that stand for some texts.
fn digest(parts: &[&str]) -> String {
    let hash = Sha256::digest(parts.join("\n"));
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

struct Xml<'a>(&'a mut Vec<u8>);

impl Xml<'_> {
    fn raw(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn element(&mut self, name: &str, text: &str) {
        self.raw("<");
        self.raw(name);
        self.raw(">");
        self.escaped(text);
        self.raw("</");
        self.raw(name);
        self.raw(">");
    }

    /// An element with as much of a text as fits, if there is something of it.
    fn text(&mut self, name: &str, text: &str, most: usize) {
        let cut: String = text.chars().take(most).collect();
        if !cut.is_empty() {
            self.element(name, &cut);
        }
    }

    /// A text. What XML has no characters for is replaced.
    fn escaped(&mut self, text: &str) {
        for char in text.chars() {
            match char {
                '<' => self.raw("&lt;"),
                '>' => self.raw("&gt;"),
                '&' => self.raw("&amp;"),
                '"' => self.raw("&quot;"),
                '\r' => self.raw("&#13;"),
                '\t' | '\n' | ' '..='\u{FFFD}' | '\u{10000}'.. => {
                    self.0.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => self.raw("\u{FFFD}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_escaped_and_cut() {
        let mut out = Vec::new();
        let mut xml = Xml(&mut out);
        xml.text("a", "<b> & \"c\"\u{1}\u{FFFE}é\r beyond", 13);
        xml.text("a", "", 3);
        xml.text("a", "ééé", 2);
        let wanted = "<a>&lt;b&gt; &amp; &quot;c&quot;\u{FFFD}\u{FFFD}é&#13;</a><a>éé</a>";
        assert_eq!(String::from_utf8(out).expect("text"), wanted);
    }

    #[test]
    fn only_codes_of_three_capitals_are_currencies() {
        assert!(check_currency("USD").is_ok());
        for bad in ["usd", "US", "USDT", "", "PTS1", "ÄÖ"] {
            assert!(check_currency(bad).is_err(), "{bad}");
        }
    }
}
