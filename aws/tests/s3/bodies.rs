//! Bodies: streams, chunks, trailers, and what they must be.

use super::*;
use http_body::Body as _;
use http_body_util::BodyExt;
use std::fmt::Write as _;

const MIB: usize = 1 << 20;

#[test]
fn bodies_stream_both_ways() {
    let face = Face::new();
    let pieces: Vec<Bytes> = (0..40_u8).map(|fill| Bytes::from(vec![fill; 100_000])).collect();
    let len = ("content-length", "4000000");
    assert_eq!(face.stream("/photos/k", &[len], pieces.clone()).status(), 200);
    let request =
        Face::request("GET", "/photos/k", &[("authorization", OWNER), ("x-amz-date", "20250101T000000Z")]);
    let mut body = now(face.router.serve(request.body(Body::default()).unwrap())).into_body();
    assert_eq!(body.size_hint().exact(), Some(4_000_000));
    let (mut found, mut longest) = (Vec::new(), 0);
    while let Some(frame) = now(body.frame()) {
        let data = frame.unwrap().into_data().unwrap();
        longest = longest.max(data.len());
        found.extend_from_slice(&data);
    }
    assert!(found == pieces.concat() && longest <= MIB, "{} bytes, {longest} at once", found.len());
}

#[test]
fn a_body_of_another_length_is_not_kept() {
    let face = Face::new();
    let pieces = || vec![Bytes::from("hello")];
    for len in ["4", "6"] {
        let answer = face.stream("/photos/k", &[("content-length", len)], pieces());
        assert_eq!(answer.status(), 400, "{len}");
    }
    assert_eq!(face.stream("/photos/k", &[], pieces()).status(), 411);
    assert_eq!(refusal(&face.send("GET", "/photos/k", &[], "")), ("NoSuchKey", 404));
}

fn chunked(data: &str, step: usize, trailer: &str) -> String {
    let mut body = String::new();
    for chunk in data.as_bytes().chunks(step) {
        let _ = write!(body, "{:x}\r\n{}\r\n", chunk.len(), std::str::from_utf8(chunk).unwrap());
    }
    format!("{body}0\r\n{trailer}\r\n")
}

#[test]
fn chunks_with_a_checksum_behind_them() {
    let face = Face::new();
    let put = |trailer: &str, len: &str, body: &str| {
        let headers = [
            ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", len),
            ("x-amz-trailer", trailer),
        ];
        face.send("PUT", "/photos/k", &headers, body)
    };
    let crc = "x-amz-checksum-crc32";
    let good = chunked("hello world", 11, "x-amz-checksum-crc32:DUoRhQ==\r\n");
    let done = put(crc, "11", &good);
    assert_eq!((done.status().as_u16(), header(&done, crc)), (200, "DUoRhQ=="));
    let got = face.send("GET", "/photos/k", &[("x-amz-checksum-mode", "ENABLED")], "");
    assert_eq!(
        (text(&got), header(&got, crc), header(&got, "content-encoding")),
        ("hello world", "DUoRhQ==", "")
    );
    let wrong = chunked("hello World", 11, "x-amz-checksum-crc32:DUoRhQ==\r\n");
    assert_eq!(refusal(&put(crc, "11", &wrong)), ("BadDigest", 400));
    assert_eq!(refusal(&put(crc, "11", &chunked("hello world", 11, ""))), ("MalformedTrailerError", 400));
    assert_eq!(refusal(&put(crc, "12", &good)), ("IncompleteBody", 400));
    for cut in [2, 30, good.len() - 12] {
        let refused = put(crc, "11", &good[..good.len() - cut]);
        assert_eq!(refusal(&refused), ("IncompleteBody", 400), "{cut}");
        assert_eq!(element(text(&refused), "Message"), "The request body terminated unexpectedly");
    }
    for broken in [
        "hello world",
        "b\nhello world\r\n0\r\n\r\n",
        "b\r\nhello world0\r\n\r\n",
        "b\r\nhello world\r\nJ\r\n",
    ] {
        assert_eq!(refusal(&put(crc, "11", broken)), ("IncompleteBody", 400), "{broken:?}");
    }
    for len in ["", "x", "11 "] {
        assert_eq!(refusal(&put(crc, len, &good)), ("MissingContentLength", 411), "{len:?}");
    }
    let value = chunked("hello world", 11, "x-amz-checksum-crc32:x\r\n");
    let refused = put(crc, "11", &value);
    assert_eq!(refusal(&refused), ("InvalidRequest", 400));
    assert_eq!(
        element(text(&refused), "Message"),
        "Value for x-amz-checksum-crc32 trailing header is invalid."
    );
    let short = put(crc, "11", &chunked("hello world", 6, ""));
    assert_eq!(refusal(&short), ("InvalidChunkSizeError", 400));
    assert_eq!((element(text(&short), "Chunk"), element(text(&short), "BadChunkSize")), ("2", "6"));
    assert_eq!(refusal(&put("x-amz-meta-a", "11", &good)), ("InvalidRequest", 400));
    assert_eq!(face.get("/photos/k"), "hello world");
}

#[test]
fn where_chunks_and_trailers_are_not_expected() {
    let face = Face::new();
    let kind = ("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    let headers = [kind, ("x-amz-decoded-content-length", "5")];
    let body = chunked("hello", 5, "x-amz-checksum-crc32:NhCmhg==\r\n");
    assert_eq!(refusal(&face.send("PUT", "/photos/k", &headers, &body)), ("MalformedTrailerError", 400));
    assert_eq!(face.send("PUT", "/photos/k", &headers, &chunked("hello", 5, "")).status(), 200);
    for (method, path) in [("GET", "/photos/k"), ("DELETE", "/photos/k"), ("PUT", "/photos?tagging")] {
        let refused = face.send(method, path, &[kind], "");
        assert_eq!(refusal(&refused), ("InvalidRequest", 400), "{method}");
        assert_eq!(
            element(text(&refused), "Message"),
            "The value of x-amz-content-sha256 header is invalid."
        );
    }
    let signed = ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD");
    let refused = face.unsigned("PUT", "/photos/k", &[signed, headers[1]], "");
    assert!(text(&refused).contains("Anonymous requests don't support this x-amz-content-sha256 value."));
    assert_eq!(face.get("/photos/k"), "hello");
}

#[test]
fn chunks_of_who_does_not_say_so() {
    let face = Face::new();
    let headers = [("content-encoding", "aws-chunked, gzip"), ("x-amz-decoded-content-length", "5")];
    face.send("PUT", "/photos/k", &headers, &chunked("hello", 2, ""));
    let got = face.send("GET", "/photos/k", &[], "");
    assert_eq!((text(&got), header(&got, "content-encoding")), ("hello", "gzip"));
}

#[test]
fn a_hash_of_chunks_is_of_their_frames_too() {
    let face = Face::new();
    let put = |hash: &str| {
        let headers = [
            ("content-encoding", "aws-chunked"),
            ("x-amz-decoded-content-length", "5"),
            ("x-amz-content-sha256", hash),
        ];
        face.send("PUT", "/photos/k", &headers, &chunked("hello", 2, ""))
    };
    let data = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(refusal(&put(data)), ("XAmzContentSHA256Mismatch", 400));
    assert_eq!(refusal(&face.send("GET", "/photos/k", &[], "")), ("NoSuchKey", 404));
    let frames = "db8c7eaed283e66d2d6bdbc8f744bcb6bccad05edf931da552be3d489a9d59ce";
    assert_eq!(put(frames).status(), 200);
    assert_eq!(face.get("/photos/k"), "hello");
}

#[test]
fn hashes_are_those_of_the_body() {
    let face = Face::new();
    let put = |name: &str, value: &str| face.send("PUT", "/photos/k", &[(name, value)], "hello");
    let sha = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(put("x-amz-content-sha256", sha).status(), 200);
    let wrong = put("x-amz-content-sha256", &sha.replace('2', "3"));
    assert_eq!(
        (refusal(&wrong), element(text(&wrong), "S3ComputedContentSHA256")),
        (("XAmzContentSHA256Mismatch", 400), sha)
    );
    assert_eq!(refusal(&put("x-amz-content-sha256", "x")), ("InvalidArgument", 400));
    assert_eq!(put("content-md5", "XUFAKrxLKna5cZ2REBfFkg==").status(), 200);
    assert_eq!(refusal(&put("content-md5", "XUFAKrxLKna5cZ2REBfFkA==")), ("BadDigest", 400));
    assert_eq!(refusal(&put("content-md5", "x")), ("InvalidDigest", 400));
    assert_eq!(put("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00=").status(), 200);
    assert_eq!(refusal(&put("x-amz-checksum-sha1", "x")), ("InvalidRequest", 400));
    let twice =
        [("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="), ("x-amz-checksum-crc32", "NhCmhg==")];
    assert_eq!(refusal(&face.send("PUT", "/photos/k", &twice, "hello")), ("InvalidRequest", 400));
}
