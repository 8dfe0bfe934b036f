//! Requests as bytes. A request is written once per connection and patched in place for every use.
//!
//! All values that change have slots of a fixed width, so the length of the body and its `Content-Length` never change.
//! Amounts and references fill their slots; identifiers may be shorter and are followed by spaces, outside of the quotes.

use super::plan::{Plan, Target};
use super::postings::{Posting, Postings};

/// Digits of the running number in a reference.
const COUNTER_DIGITS: usize = 10;
const COUNTER_END: u64 = 10_000_000_000;
/// Transactions that are drawn before the first of them is written.
const GROUP: usize = 32;

/// Balance identifiers, each in quotes and padded to one width, in one block of memory.
pub(super) struct Pool {
    bytes: Vec<u8>,
    stride: usize,
}

impl Pool {
    /// Identifiers with characters that JSON escapes are refused: they would have to be written differently.
    pub fn new(identifiers: &[String]) -> Option<Self> {
        let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\';
        if !identifiers.iter().all(|identifier| identifier.bytes().all(plain)) {
            return None;
        }
        let stride = identifiers.iter().map(String::len).max()? + 2;
        let mut bytes = Vec::with_capacity(identifiers.len() * stride);
        for identifier in identifiers {
            let end = bytes.len() + stride;
            bytes.push(b'"');
            bytes.extend_from_slice(identifier.as_bytes());
            bytes.push(b'"');
            bytes.resize(end, b' ');
        }
        Some(Self { bytes, stride })
    }

    pub fn len(&self) -> usize {
        self.bytes.len() / self.stride
    }

    fn quoted(&self, index: u32) -> &[u8] {
        let start = index as usize * self.stride;
        &self.bytes[start..start + self.stride]
    }

    /// Reads the first and last byte of each identifier. A million of them do not fit any cache; these reads do not depend
    /// on each other and are under way together, where copying one after the other would wait for each.
    fn warm(&self, group: &[Posting]) {
        let mut sum = 0u8;
        for index in group.iter().flat_map(|posting| [posting.source, posting.destination]) {
            let quoted = self.quoted(index);
            sum ^= quoted[0] ^ quoted[self.stride - 1];
        }
        std::hint::black_box(sum);
    }

    pub fn identifier(&self, index: usize) -> &str {
        let quoted = str::from_utf8(self.quoted(index as u32)).expect("identifiers are text");
        quoted.trim_end().trim_matches('"')
    }
}

/// First line and headers of a request.
pub(super) fn head(target: &Target, method: &str, path: &str, body_bytes: usize) -> Vec<u8> {
    let mut head = format!("{method} {}{path} HTTP/1.1\r\nHost: {}\r\n", target.prefix, target.host);
    if let Some(key) = &target.key {
        head.push_str(&format!("X-Blnk-Key: {key}\r\n"));
    }
    if method != "GET" {
        head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {body_bytes}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// A whole request.
pub(super) fn request(target: &Target, method: &str, path: &str, body: &str) -> Vec<u8> {
    let mut request = head(target, method, path, body.len());
    request.extend_from_slice(body.as_bytes());
    request
}

/// The request of a run, and where its slots are.
pub(super) struct Template {
    blank: Vec<u8>,
    items_start: usize,
    item_stride: usize,
    items: usize,
    /// Offsets of the slots within an item.
    reference: usize,
    amount: usize,
    source: usize,
    destination: usize,
}

impl Template {
    pub fn new(plan: &Plan, pool: &Pool) -> Self {
        let mut item = format!("{{\"reference\":\"{:016x}-", plan.run_id).into_bytes();
        let reference = item.len();
        item.extend_from_slice(&[b'0'; COUNTER_DIGITS]);
        item.extend_from_slice(b"\",\"amount\":");
        let amount = item.len();
        item.extend_from_slice(b"0.00,\"precision\":100,\"currency\":\"");
        item.extend_from_slice(plan.currency.as_bytes());
        item.extend_from_slice(b"\",\"description\":\"florin bench\",\"source\":");
        let source = item.len();
        item.extend_from_slice(pool.quoted(0));
        item.extend_from_slice(b",\"destination\":");
        let destination = item.len();
        item.extend_from_slice(pool.quoted(0));
        if plan.overdraft {
            item.extend_from_slice(b",\"allow_overdraft\":true");
        }
        if plan.meta_bytes > 0 {
            item.extend_from_slice(b",\"meta_data\":{\"note\":\"");
            item.extend((0..plan.meta_bytes).map(|index| b'a' + (index % 26) as u8));
            item.extend_from_slice(b"\"}");
        }
        let flags = format!("\"skip_queue\":{},\"inflight\":{}", !plan.queued, plan.inflight);
        let (opening, closing) = match plan.bulk {
            true => (format!("{{{flags},\"atomic\":{},\"transactions\":[", plan.atomic), "]}"),
            false => (String::new(), ""),
        };
        item.extend_from_slice(if plan.bulk { "},".to_owned() } else { format!(",{flags}}}") }.as_bytes());

        let items = plan.items_per_request;
        let separators = if plan.bulk { 1 } else { 0 };
        let body_bytes = opening.len() + items * item.len() - separators + closing.len();
        let path = if plan.bulk { "/transactions/bulk" } else { "/transactions" };
        let mut blank = head(&plan.target, "POST", path, body_bytes);
        blank.extend_from_slice(opening.as_bytes());
        let items_start = blank.len();
        for _ in 0..items {
            blank.extend_from_slice(&item);
        }
        blank.truncate(blank.len() - separators);
        blank.extend_from_slice(closing.as_bytes());
        Self { blank, items_start, item_stride: item.len(), items, reference, amount, source, destination }
    }

    /// Makes `request` the next one: new references from `counter`, new balances and amounts. Returns the sum of its
    /// amounts in minor units. An empty buffer is filled first.
    pub fn patch(&self, request: &mut Vec<u8>, pool: &Pool, postings: &mut Postings, counter: u64) -> u64 {
        if request.is_empty() {
            request.extend_from_slice(&self.blank);
        }
        let mut minor_sum = 0;
        let mut start = self.items_start;
        let mut position = 0;
        while position < self.items {
            let mut group = [Posting { source: 0, destination: 0, minor: 0 }; GROUP];
            let group = &mut group[..GROUP.min(self.items - position)];
            for posting in group.iter_mut() {
                *posting = postings.next();
            }
            pool.warm(group);
            for posting in group {
                // The last item of a batch has no comma behind it and is one byte shorter; no slot reaches that far.
                let item = &mut request[start..];
                write_counter(&mut item[self.reference..self.reference + COUNTER_DIGITS], counter + position as u64);
                write_amount(&mut item[self.amount..self.amount + 4], posting.minor);
                item[self.source..self.source + pool.stride].copy_from_slice(pool.quoted(posting.source));
                item[self.destination..self.destination + pool.stride]
                    .copy_from_slice(pool.quoted(posting.destination));
                minor_sum += u64::from(posting.minor);
                start += self.item_stride;
                position += 1;
            }
        }
        minor_sum
    }

    pub fn request_bytes(&self) -> usize {
        self.blank.len()
    }
}

const PAIRS: [[u8; 2]; 100] = {
    let mut pairs = [[b'0'; 2]; 100];
    let mut value = 0;
    while value < 100 {
        pairs[value] = [b'0' + (value / 10) as u8, b'0' + (value % 10) as u8];
        value += 1;
    }
    pairs
};

/// Writes a number with leading zeros.
fn write_counter(slot: &mut [u8], counter: u64) {
    assert!(counter < COUNTER_END);
    let mut rest = counter;
    for pair in slot.as_chunks_mut::<2>().0.iter_mut().rev() {
        *pair = PAIRS[(rest % 100) as usize];
        rest /= 100;
    }
}

/// Writes minor units as a decimal with two digits after the point, `1.00` to `9.99`.
fn write_amount(slot: &mut [u8], minor: u32) {
    slot[0] = b'0' + (minor / 100) as u8;
    slot[2..4].copy_from_slice(&PAIRS[(minor % 100) as usize]);
}

#[cfg(test)]
mod tests {
    use super::super::plan::tests::plan;
    use super::*;
    use serde_json::Value;
    use std::collections::HashSet;

    /// Identifiers of different lengths, as a server may make them.
    fn pool() -> Pool {
        Pool::new(&["bln_1".to_owned(), "bln_22".to_owned(), "bln_333".to_owned()]).expect("plain identifiers")
    }

    /// The parsed body, after checking that the announced length is the real one.
    fn body(request: &[u8]) -> (String, Value) {
        let text = str::from_utf8(request).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains(&format!("Content-Length: {}", body.len())), "{head} {}", body.len());
        (head.to_owned(), serde_json::from_str(body).expect(body))
    }

    /// Amounts as minor units, taken from the text: a float would not do.
    fn amounts(request: &[u8]) -> Vec<u64> {
        let text = str::from_utf8(request).expect("text");
        let digits = |rest: &str| rest.split(',').next().expect("an amount").replace('.', "");
        text.split("\"amount\":").skip(1).map(|rest| digits(rest).parse().expect("digits")).collect()
    }

    #[test]
    fn singles_have_the_fields_of_the_route() {
        let plan = plan("--balances 3 --key secret --currency EUR --meta-bytes 30 --overdraft");
        let (pool, mut postings) = (pool(), Postings::new(&plan));
        let template = Template::new(&plan, &pool);
        let mut request = Vec::new();
        let sum = template.patch(&mut request, &pool, &mut postings, 41);
        let (head, body) = body(&request);
        assert!(head.starts_with("POST /transactions HTTP/1.1\r\nHost: 127.0.0.1:5001\r\n"));
        assert!(head.contains("\r\nX-Blnk-Key: secret\r\n"));
        assert_eq!(body["reference"], format!("{:016x}-0000000041", plan.run_id));
        assert!(body["amount"].is_number());
        assert_eq!(amounts(&request), [sum]);
        assert_eq!(body["precision"], 100);
        assert_eq!(body["currency"], "EUR");
        assert_eq!(body["description"], "florin bench");
        assert_eq!(body["skip_queue"], true);
        assert_eq!(body["inflight"], false);
        assert_eq!(body["allow_overdraft"], true);
        assert_eq!(body["meta_data"]["note"].as_str().map(str::len), Some(30));
        assert_ne!(body["source"], body["destination"]);
    }

    #[test]
    fn batches_carry_their_flags_and_unique_references() {
        let plan = plan("--balances 3 --bulk 250 --queued --atomic --inflight");
        let (pool, mut postings) = (pool(), Postings::new(&plan));
        let template = Template::new(&plan, &pool);
        let mut request = Vec::new();
        let mut references = HashSet::new();
        for round in 0..4 {
            let sum = template.patch(&mut request, &pool, &mut postings, round * 250);
            let (head, body) = body(&request);
            assert!(head.starts_with("POST /transactions/bulk HTTP/1.1"));
            assert_eq!(
                (&body["skip_queue"], &body["atomic"], &body["inflight"]),
                (&false.into(), &true.into(), &true.into())
            );
            let items = body["transactions"].as_array().expect("an array");
            assert_eq!(items.len(), 250);
            assert_eq!(amounts(&request).iter().sum::<u64>(), sum);
            for item in items {
                assert!(references.insert(item["reference"].to_string()), "{item}");
                assert!(item["source"].as_str().is_some_and(|source| source.starts_with("bln_")));
                assert!(item.get("skip_queue").is_none() && item.get("allow_overdraft").is_none());
            }
        }
        assert_eq!(references.len(), 1000);
        assert_eq!(request.len(), template.request_bytes());
    }

    #[test]
    fn pool_gives_identifiers_back_and_refuses_odd_ones() {
        let pool = pool();
        assert_eq!(pool.len(), 3);
        assert_eq!([pool.identifier(0), pool.identifier(1), pool.identifier(2)], ["bln_1", "bln_22", "bln_333"]);
        assert!(Pool::new(&["a\"b".to_owned()]).is_none());
        assert!(Pool::new(&[]).is_none());
    }

    #[test]
    fn counters_keep_their_width() {
        let mut slot = [0; COUNTER_DIGITS];
        for (counter, text) in [(0, "0000000000"), (7, "0000000007"), (9_876_543_210, "9876543210")] {
            write_counter(&mut slot, counter);
            assert_eq!(str::from_utf8(&slot), Ok(text));
        }
    }
}
