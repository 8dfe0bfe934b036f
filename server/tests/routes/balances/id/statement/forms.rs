use crate::books::payment;
use crate::support::{KEY, TestServer, Told, open};
use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use serde_json::json;
use server::statement::pdf;
use std::net::SocketAddr;

async fn books() -> (TestServer, String) {
    let server = open();
    let identity = server.post("/identities", json!({"first_name": "Ada", "last_name": "King <& Co>"})).await;
    let body =
        json!({"ledger_id": "general_ledger_id", "currency": "USD", "identity_id": identity.field("identity_id")});
    let a = server.post("/balances", body).await.field("balance_id");
    let long = "r".repeat(36);
    for (reference, description, date) in
        [("@one", "=1+1", "2026-01-01T10:00:00Z"), (long.as_str(), "a \"b\", <c> & \u{1}", "2026-01-02T10:00:00Z")]
    {
        let fields = json!({"reference": reference, "description": description, "effective_date": date, "amount": 12.5, "allow_overdraft": true});
        assert_eq!(server.post("/transactions", payment("@World", &a, fields)).await.status.as_u16(), 201);
    }
    (server, a)
}

async fn ask(server: &TestServer, balance: &str, query: &str) -> Told {
    server.get(&format!("/balances/{balance}/statement?to=2026-02-01T00:00:00Z&{query}")).await
}

#[tokio::test]
async fn as_comma_separated_values() {
    let (server, a) = books().await;
    let told = ask(&server, &a, "format=csv").await;
    assert_eq!(told.header("content-type"), Some("text/csv; charset=utf-8; header=present"));
    assert_eq!(
        told.header("content-disposition"),
        Some(format!("attachment; filename=\"statement_{a}.csv\"").as_str())
    );
    let lines: Vec<&str> = told.text.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 5, "{}", told.text);
    assert!(
        lines[0].starts_with("balance_id,currency,kind,effective_date,created_at,transaction_id,reference,description")
    );
    assert_eq!(lines[1], format!("{a},USD,opening,2026-01-01T10:00:00Z,,,,,,,,0.00"));
    assert!(lines[2].contains(",'@one,'=1+1,") && lines[2].ends_with(",,12.50,12.50"), "{}", lines[2]);
    assert!(lines[3].contains(",\"a \"\"b\"\", <c> & \u{1}\",") && lines[3].ends_with(",,12.50,25.00"), "{}", lines[3]);
    assert_eq!(lines[4], format!("{a},USD,closing,2026-02-01T00:00:00Z,,,,,,,,25.00"));
    let headers = [("Accept", "text/csv")];
    let accepted =
        server.ask_with("GET", &format!("/balances/{a}/statement?to=2026-02-01T00:00:00Z"), &headers, "").await;
    assert_eq!(accepted.text, told.text);
}

#[tokio::test]
async fn as_camt053() {
    let (server, a) = books().await;
    let told = ask(&server, &a, "format=camt053").await;
    assert_eq!(told.header("content-type"), Some("application/xml; charset=utf-8"));
    let text = told.text;
    let account = a.trim_start_matches("bln_").replace('-', "");
    // The order of the elements is that of the schema; `xmllint --schema` holds it against the whole of that.
    let wanted = [
        "<Document xmlns=\"urn:iso:std:iso:20022:tech:xsd:camt.053.001.08\"><BkToCstmrStmt><GrpHdr><MsgId>",
        "<Stmt><Id>",
        "<FrToDt><FrDtTm>2026-01-01T10:00:00Z</FrDtTm><ToDtTm>2026-02-01T00:00:00Z</ToDtTm></FrToDt><Acct><Id><Othr><Id>",
        &account,
        "<Ccy>USD</Ccy><Nm>",
        &a,
        "<Ownr><Nm>Ada King &lt;&amp; Co&gt;</Nm>",
        "<Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"USD\">0.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><DtTm>2026-01-01T10:00:00Z",
        "<Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy=\"USD\">25.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><DtTm>2026-02-01T00:00:00Z",
        "<Ntry><Amt Ccy=\"USD\">12.50</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BookgDt><DtTm>",
        "<ValDt><DtTm>2026-01-01T10:00:00Z</DtTm></ValDt><AcctSvcrRef>",
        "<BkTxCd><Prtry><Cd>posting</Cd></Prtry></BkTxCd><NtryDtls><TxDtls><Refs><AcctSvcrRef>",
        "<EndToEndId>@one</EndToEndId><TxId>",
        "<RltdPties><DbtrAcct><Id><Othr><Id>",
        "<RmtInf><Ustrd>=1+1</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>",
        "<EndToEndId>NOTPROVIDED</EndToEndId>",
        "<Ustrd>a &quot;b&quot;, &lt;c&gt; &amp; \u{FFFD}</Ustrd></RmtInf><AddtlTxInf>rrr",
        "</Stmt>\n</BkToCstmrStmt></Document>",
    ];
    let mut rest = text.as_str();
    for part in wanted {
        let at = rest.find(part).unwrap_or_else(|| panic!("{part} is not next in {rest}"));
        rest = &rest[at + part.len()..];
    }
    assert_eq!(rest, "\n");
}

#[tokio::test]
async fn camt053_has_no_place_for_everything() {
    let server = open();
    for (currency, precision, minor, text) in [
        ("usd", 100, 100u64, "format: camt.053 has no place for the currency usd"),
        ("BTC", 1_000_000, 1, "at most 18 digits, 5 of them decimals"),
        ("JPY", 1, 1_234_567_890_123_456_789, "at most 18 digits"),
    ] {
        let body = json!({"ledger_id": "general_ledger_id", "currency": currency});
        let a = server.post("/balances", body).await.field("balance_id");
        let fields = json!({
            "amount": null, "precise_amount": minor, "currency": currency, "precision": precision, "reference": currency,
            "allow_overdraft": true,
        });
        let told = server.post("/transactions", payment("@World", &a, fields)).await;
        assert_eq!(told.status.as_u16(), 201, "{}", told.text);
        let told = server.get(&format!("/balances/{a}/statement?format=camt053")).await;
        told.is_error(400, "GEN_VALIDATION_ERROR", text);
        assert_eq!(server.get(&format!("/balances/{a}/statement?format=csv")).await.status.as_u16(), 200);
    }
}

/// A body that is no text.
pub async fn bytes(server: &TestServer, path: &str) -> (u16, Vec<u8>) {
    let request = Request::builder().uri(path).header("X-Blnk-Key", KEY).body(Body::empty()).expect("a request");
    let response = server.shell.respond(SocketAddr::from(([127, 0, 0, 1], 9)), request).await;
    let status = response.status().as_u16();
    (status, response.into_body().collect().await.expect("a body").to_bytes().to_vec())
}

fn count(bytes: &[u8], wanted: &[u8]) -> usize {
    bytes.windows(wanted.len()).filter(|window| *window == wanted).count()
}

#[tokio::test]
async fn as_pdf_up_to_a_number_of_lines() {
    let server = open();
    let a = server.balance().await;
    let post = |first: usize, count: usize| {
        let item = |index: usize| {
            payment(
                "@World",
                &a,
                json!({"reference": format!("r{index}"), "allow_overdraft": true, "skip_queue": null}),
            )
        };
        json!({"transactions": (first..first + count).map(item).collect::<Vec<_>>(), "atomic": true, "skip_queue": true})
    };
    let path = format!("/balances/{a}/statement?format=pdf");
    let mut posted = 0;
    for (wanted, pages) in [(0, 1), (19, 1), (20, 2), (60, 3), (pdf::ROWS_MAX, 193)] {
        while posted < wanted {
            let count = (wanted - posted).min(1_000);
            assert_eq!(server.post("/transactions/bulk", post(posted, count)).await.status.as_u16(), 201);
            posted += count;
        }
        let (status, bytes) = bytes(&server, &path).await;
        assert_eq!((status, bytes.starts_with(b"%PDF-")), (200, true), "{wanted}");
        assert_eq!(count(&bytes, b"/Type/Page/") + count(&bytes, b"/Type /Page\n"), pages, "pages of {wanted} lines");
    }
    server.post("/transactions/bulk", post(posted, 1)).await;
    server.get(&path).await.is_error(400, "GEN_VALIDATION_ERROR", "a PDF has at most 5000 lines");
}
