//! Bodies are taken whole, within limits. No route of the base reads one, so they are taken as a handler would.

use crate::support::{TestServer, settings};
use axum::body::Body;
use axum::extract::{FromRequest, Request};
use axum::response::IntoResponse;
use server::decode::{Malformed, Text};
use server::http::body::RequestBody;
use server::http::error::ApiError;

server::lenient_struct! {
    struct Named<'a> {
        "name" name: Text<'a>,
    }
}

async fn take(body: Body) -> RequestBody {
    let server = TestServer::new(settings(&[("FLORIN_SERVER_MAX_REQUEST_BODY_SIZE_MB", "1")]));
    RequestBody::from_request(Request::new(body), &server.state).await.unwrap_or_else(|never| match never {})
}

#[tokio::test]
async fn a_body_may_be_as_long_as_the_limit_and_no_longer() {
    let whole = "x".repeat(1 << 20);
    assert_eq!(take(Body::from(whole.clone())).await.bytes().unwrap().len(), 1 << 20);
    let fault = take(Body::from(whole + "x")).await.bytes().unwrap_err().clone();
    assert_eq!(fault, Malformed::new("http: request body too large"));
    let response = ApiError::from(fault).into_response();
    assert_eq!(response.status().as_u16(), 400);
}

/// A body that comes in pieces is put together.
#[tokio::test]
async fn pieces_are_joined() {
    struct Pieces(Vec<&'static [u8]>);
    impl http_body::Body for Pieces {
        type Data = axum::body::Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            mut self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<http_body::Frame<Self::Data>, Self::Error>>> {
            let piece = self.0.pop().map(|piece| Ok(http_body::Frame::data(axum::body::Bytes::from_static(piece))));
            std::task::Poll::Ready(piece)
        }
    }
    let body = take(Body::new(Pieces(vec![b" tail", b"a\"}", b"", b"name\": \"", b"{\""]))).await;
    assert_eq!(body.decode::<Named>().unwrap().name.as_deref(), Some("a"));
    assert_eq!(take(Body::empty()).await.decode::<Named>().unwrap_err(), Malformed::new("EOF"));
}
