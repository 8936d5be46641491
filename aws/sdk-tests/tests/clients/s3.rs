//! Objects: in one piece, as streams, in parts.

use crate::store;
use crate::wire::Wire;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::primitives::{ByteStream, SdkBody};
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use fourfold::{ManualClock, Store};
use fourfold_aws::{Router, sdk};
use http_body::{Body, Frame};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A body that comes in pieces.
struct Pieces(u32);

const PIECE: [u8; 10_000] = [7; 10_000];

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if self.0 == 0 {
            return Poll::Ready(None);
        }
        self.0 -= 1;
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&PIECE)))))
    }
}

/// A client, and the time.
async fn bucket() -> (Client, ManualClock) {
    let (store, clock) = store();
    let s3 = Client::new(&fourfold_aws::sdk::config(&store));
    s3.create_bucket().bucket("photos").send().await.unwrap();
    (s3, clock)
}

#[tokio::test]
async fn objects_are_put_got_listed_and_deleted() {
    let (s3, _) = bucket().await;
    let body = ByteStream::from_static(b"hello");
    let put = s3.put_object().bucket("photos").key("2026/lake one.jpg").body(body).send().await.unwrap();
    assert_eq!(put.e_tag(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    let got = s3.get_object().bucket("photos").key("2026/lake one.jpg").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes(), "hello");
    let part =
        s3.get_object().bucket("photos").key("2026/lake one.jpg").range("bytes=1-2").send().await.unwrap();
    assert_eq!(part.body.collect().await.unwrap().into_bytes(), "el");
    let list = s3.list_objects_v2().bucket("photos").prefix("2026/").send().await.unwrap();
    assert_eq!(list.contents()[0].key(), Some("2026/lake one.jpg"));
    s3.delete_object().bucket("photos").key("2026/lake one.jpg").send().await.unwrap();
    let gone = s3.get_object().bucket("photos").key("2026/lake one.jpg").send().await;
    assert!(gone.unwrap_err().into_service_error().is_no_such_key());
    let head = s3.head_object().bucket("photos").key("2026/lake one.jpg").send().await;
    assert!(head.unwrap_err().into_service_error().is_not_found());
}

#[tokio::test]
async fn a_body_that_streams_arrives_as_it_was() {
    let (s3, clock) = bucket().await;
    // By then a signature of the first moment is too old.
    clock.advance(Duration::from_hours(10));
    let body = ByteStream::new(SdkBody::from_body_1_x(Pieces(100)));
    let put = s3.put_object().bucket("photos").key("film").content_length(1_000_000).body(body);
    put.send().await.unwrap();
    let mut got = s3.get_object().bucket("photos").key("film").send().await.unwrap();
    assert_eq!(got.content_length(), Some(1_000_000));
    let mut len = 0;
    while let Some(piece) = got.body.next().await {
        let piece = piece.unwrap();
        assert!(piece.iter().all(|byte| *byte == 7));
        len += piece.len();
    }
    assert_eq!(len, 1_000_000);
}

#[tokio::test]
async fn an_upload_in_parts_is_one_object() {
    let (s3, _) = bucket().await;
    let upload = s3.create_multipart_upload().bucket("photos").key("film").send().await.unwrap();
    let id = upload.upload_id().unwrap();
    let mut parts = CompletedMultipartUpload::builder();
    for (number, len) in [(1, 5 << 20), (2, 3)] {
        let body = ByteStream::from(vec![u8::try_from(number).unwrap(); len]);
        let part = s3.upload_part().bucket("photos").key("film").upload_id(id).part_number(number);
        let part = part.body(body).send().await.unwrap();
        parts = parts.parts(CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
    }
    let complete = s3.complete_multipart_upload().bucket("photos").key("film").upload_id(id);
    let done = complete.multipart_upload(parts.build()).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""));
    let tail = s3.get_object().bucket("photos").key("film").range("bytes=-4").send().await.unwrap();
    assert_eq!(tail.body.collect().await.unwrap().into_bytes(), [1, 2, 2, 2][..]);
}

/// Over HTTP without TLS the SDK signs a stream piece by piece, and the checksum behind it.
#[tokio::test]
async fn the_signatures_of_a_stream_are_verified() {
    // Of a stream it says the machine's time, whatever its clock is.
    let store = Store::in_memory();
    let wire = Wire::new(Router::new(store.clone()).key("AKIDEXAMPLE", "secret")).await;
    let config = sdk::config(&store).to_builder().endpoint_url(wire.endpoint()).http_client(wire).build();
    let with = |secret: &str| {
        let credentials = Credentials::new("AKIDEXAMPLE", secret, None, None, "test");
        Client::from_conf(
            aws_sdk_s3::config::Builder::from(&config).credentials_provider(credentials).build(),
        )
    };
    let s3 = with("secret");
    s3.create_bucket().bucket("photos").send().await.unwrap();
    let put = |s3: &Client| {
        let body = ByteStream::new(SdkBody::from_body_1_x(Pieces(100)));
        s3.put_object().bucket("photos").key("film").content_length(1_000_000).body(body)
    };
    let done = put(&s3).send().await.unwrap();
    assert!(done.checksum_crc32().is_some());
    let got = s3.get_object().bucket("photos").key("film").send().await.unwrap();
    assert_eq!(got.body.collect().await.unwrap().into_bytes().len(), 1_000_000);
    let refused = put(&with("other")).send().await.unwrap_err().into_service_error();
    assert_eq!(refused.meta().code(), Some("SignatureDoesNotMatch"));
}
