//! A statement whose rows do not add up is refused before its first byte, or breaks off; it never looks whole.

use crate::books::payment;
use crate::support::{KEY, TestServer, open, settings};
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use journal::disk::{Access, Disk, MemoryDisk};
use serde_json::json;
use server::http::statements::LINES_AT_ONCE;
use std::net::SocketAddr;
use std::path::Path;

const ROW_BYTES: usize = 192;
const AMOUNT_AT: usize = 48;

/// Adds one to the amount of a row in the table, and makes its checksum fit.
fn change_amount(disk: &MemoryDisk, folder: &Path, row: u64) {
    let file = disk.open(&folder.join("tables/rows.tbl"), Access::Create).expect("it is there");
    let mut bytes = [0; ROW_BYTES];
    assert_eq!(file.read_at(&mut bytes, row * ROW_BYTES as u64).expect("it can be read"), ROW_BYTES);
    let amount = i128::from_le_bytes(bytes[AMOUNT_AT..AMOUNT_AT + 16].try_into().expect("sixteen bytes"));
    assert_eq!(amount, 100, "the amount stands where it stood");
    bytes[AMOUNT_AT..AMOUNT_AT + 16].copy_from_slice(&(amount + 1).to_le_bytes());
    let mut hasher = crc32fast::Hasher::new_with_initial(row as u32);
    hasher.update(&bytes[..ROW_BYTES - 4]);
    bytes[ROW_BYTES - 4..].copy_from_slice(&hasher.finalize().to_le_bytes());
    file.write_at(&bytes, row * ROW_BYTES as u64).expect("it can be written");
    file.sync().expect("it can be written");
}

/// A balance with so many lines, and its server with one row that was changed.
async fn tampered(lines: usize, changed: u64) -> (TestServer, String) {
    let server = open();
    let a = server.balance().await;
    for first in (0..lines).step_by(1_000) {
        let item = |index: usize| {
            payment(
                "@World",
                &a,
                json!({"reference": format!("r{index}"), "allow_overdraft": true, "skip_queue": null}),
            )
        };
        let items: Vec<_> = (first..lines.min(first + 1_000)).map(item).collect();
        let told =
            server.post("/transactions/bulk", json!({"transactions": items, "atomic": true, "skip_queue": true})).await;
        assert_eq!(told.status.as_u16(), 201, "{}", told.text);
    }
    (server.tampered(settings(&[]), |disk, folder| change_amount(disk, folder, changed)), a)
}

#[tokio::test]
async fn a_short_one_is_refused_in_every_form() {
    let (server, a) = tampered(20, 7).await;
    for form in ["json", "csv", "camt053", "pdf"] {
        let told = server.get(&format!("/balances/{a}/statement?format={form}")).await;
        told.is_error(500, "GEN_INTERNAL", "does not add up");
    }
    let told = server.get(&format!("/balances/{a}/statement?limit=5")).await;
    assert_eq!(told.status.as_u16(), 200, "the page before the row is good");
    let next = told.field("next");
    let told = server.get(&format!("/balances/{a}/statement?limit=5&cursor={next}")).await;
    told.is_error(500, "GEN_INTERNAL", "does not add up");
}

#[tokio::test]
async fn a_long_one_breaks_off() {
    // More than one part: the first is sent before the row that does not add up is read.
    let lines = LINES_AT_ONCE + 1_000;
    for (form, end) in [("csv", "closing"), ("camt053", "</Document>")] {
        let (server, a) = tampered(lines, lines as u64 - 3).await;
        let uri = format!("/balances/{a}/statement?format={form}");
        let request = Request::builder().uri(uri).header("X-Blnk-Key", KEY).body(Body::empty()).expect("a request");
        let response = server.shell.respond(SocketAddr::from(([127, 0, 0, 1], 9)), request).await;
        assert_eq!(response.status().as_u16(), 200);
        let mut body = response.into_body();
        let mut sent = Vec::new();
        let broken = loop {
            match body.frame().await {
                Some(Ok(frame)) => sent.extend_from_slice(frame.data_ref().expect("data")),
                Some(Err(_)) => break true,
                None => break false,
            }
        };
        assert!(broken && sent.len() > 256 << 10, "{form} breaks off after {} bytes", sent.len());
        assert!(!String::from_utf8(sent).expect("text").contains(end), "{form} does not look whole");
    }
}

#[tokio::test]
async fn a_long_one_that_adds_up_is_whole() {
    let server = open();
    let a = server.balance().await;
    for first in (0..LINES_AT_ONCE + 808).step_by(1_000) {
        let item = |index: usize| {
            payment(
                "@World",
                &a,
                json!({"reference": format!("r{index}"), "allow_overdraft": true, "skip_queue": null}),
            )
        };
        let items: Vec<_> = (first..first + 1_000).map(item).collect();
        server.post("/transactions/bulk", json!({"transactions": items, "atomic": true, "skip_queue": true})).await;
    }
    let told = server.get(&format!("/balances/{a}/statement?format=csv")).await;
    let lines: Vec<&str> = told.text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 9_003);
    for (index, line) in lines[2..9_002].iter().enumerate() {
        assert!(line.ends_with(&format!(",1.00,{}.00", index + 1)), "{line}");
    }
    assert!(lines[9_002].contains(",closing,") && lines[9_002].ends_with(",9000.00"));
}
