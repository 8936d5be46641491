//! The body of a request as it comes in: decoded from `aws-chunked`, and checked against what the caller signed.
//!
//! Data is handed on before the signature behind it is seen. Nothing is kept of it unless [`Intake::next`] has said that
//! there is no more, which it only does when everything was right.

use crate::body::Body;
use crate::s3::ask::Ask;
use crate::s3::chunked::{Decoder, Rules};
use crate::s3::error::{Error, Result};
use crate::s3::reply;
use crate::signature::hex;
use bytes::{Bytes, BytesMut};
use fourfold::objects::{Checksum, ChecksumAlgorithm};
use http_body::Body as _;
use sha2::{Digest, Sha256};
use std::future::poll_fn;
use std::pin::Pin;

/// Bytes that are read of a body that nobody wants.
const DRAINED_MAX: usize = 64 << 20;

/// What the signatures of chunks are made with.
#[derive(Clone, Debug)]
pub(crate) struct Seal {
    pub(crate) key: Vec<u8>,
    pub(crate) date: String,
    pub(crate) scope: String,
    /// Of the request's head, in hexadecimal digits.
    pub(crate) signature: String,
}

/// A body on its way in.
#[derive(Debug)]
pub(crate) struct Intake<'a> {
    body: &'a mut Body,
    decoder: Option<Decoder>,
    /// The hash so far, and what it must be.
    hash: Option<(Sha256, String)>,
    /// The checksum that comes behind the data.
    algorithm: Option<ChecksumAlgorithm>,
    rules: Rules,
    trailers: Vec<(String, String)>,
    ended: bool,
}

impl<'a> Intake<'a> {
    pub(crate) fn new(ask: &Ask<'_>, body: &'a mut Body) -> Result<Self> {
        let payload = ask.header("x-amz-content-sha256").unwrap_or("UNSIGNED-PAYLOAD");
        let is_chunked = payload.starts_with("STREAMING-")
            || (ask.header("x-amz-decoded-content-length").is_some()
                && ask.header("content-encoding").is_some_and(|coding| coding.contains("aws-chunked")));
        let mut intake = Self {
            body,
            decoder: None,
            hash: None,
            algorithm: None,
            rules: Rules::default(),
            trailers: Vec::new(),
            ended: false,
        };
        if is_chunked {
            if ask.header("x-amz-decoded-content-length").is_none() {
                return Err(Error::no_length());
            }
            let is_signed = payload.contains("HMAC");
            intake.rules = Rules::of(payload);
            intake.decoder = Some(Decoder::new(ask.seal.clone().filter(|_| is_signed), intake.rules));
            if ask.header("x-amz-trailer").is_some() {
                let refused =
                    || Error::request("The value specified in the x-amz-trailer header is not supported");
                intake.algorithm = Some(reply::trailing(ask).ok_or_else(refused)?);
            }
        }
        // A hash is of the body as it was sent, frames and all.
        if payload != "UNSIGNED-PAYLOAD" && !payload.starts_with("STREAMING-") {
            intake.hash = Some((Sha256::new(), payload.to_ascii_lowercase()));
        }
        Ok(intake)
    }

    /// The next data; none when all of it was there and right.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>> {
        while !self.ended {
            if let Some(data) = self.decoder.as_mut().map(Decoder::next).transpose()?.flatten() {
                return Ok(Some(data));
            }
            let Some(frame) = poll_fn(|context| Pin::new(&mut *self.body).poll_frame(context)).await else {
                return self.end().map(|()| None);
            };
            // Whoever broke off will not read this; who sent more than the server takes will.
            let frame = frame.map_err(|_| Error::incomplete_body())?;
            let data = match frame.into_data() {
                Ok(data) => data,
                Err(frame) => {
                    self.keep_trailers(&frame);
                    continue;
                }
            };
            if let Some((hasher, _)) = &mut self.hash {
                hasher.update(&data);
            }
            match &mut self.decoder {
                Some(decoder) => decoder.push(data),
                None if data.is_empty() => {}
                None => return Ok(Some(data)),
            }
        }
        Ok(None)
    }

    /// Trailers of HTTP itself.
    fn keep_trailers(&mut self, frame: &http_body::Frame<Bytes>) {
        let trailers = frame.trailers_ref().into_iter().flatten();
        self.trailers.extend(
            trailers.filter_map(|(name, value)| {
                Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
            }),
        );
    }

    fn end(&mut self) -> Result<()> {
        self.ended = true;
        if let Some(decoder) = &mut self.decoder {
            self.trailers.extend(decoder.finish()?);
            if self.rules.has_trailers && self.algorithm.is_none() && !self.trailers.is_empty() {
                return Err(Error::malformed_trailer());
            }
        }
        match self.hash.take() {
            Some((hasher, expected)) => {
                let found = hex(&hasher.finalize());
                if found == expected {
                    return Ok(());
                }
                let message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
                let error = Error::new("XAmzContentSHA256Mismatch", 400, message);
                Err(error
                    .with("ClientComputedContentSHA256", expected)
                    .with("S3ComputedContentSHA256", found))
            }
            None => Ok(()),
        }
    }

    /// Must the caller say how long the body is? Not if that can be seen.
    pub(crate) fn needs_len(&self) -> bool {
        !self.body.is_whole()
    }

    /// The algorithm of the checksum that is to come behind the data.
    pub(crate) fn trailing(&self) -> Option<ChecksumAlgorithm> {
        self.algorithm
    }

    /// The checksum that came behind the data.
    pub(crate) fn checksum(&self) -> Result<Option<Checksum>> {
        let Some(algorithm) = self.algorithm else { return Ok(None) };
        let found = self.trailers.iter().find(|(name, _)| name.eq_ignore_ascii_case(algorithm.header()));
        let (_, text) = found.ok_or_else(Error::malformed_trailer)?;
        let checksum = Checksum::parse(algorithm, text.trim());
        checksum.map(Some).map_err(|_| {
            Error::request(format!("Value for {} trailing header is invalid.", algorithm.header()))
        })
    }

    /// All of it, if it is not too long: a document.
    pub(crate) async fn collect(&mut self, len_max: usize) -> Result<Bytes> {
        let mut all = BytesMut::new();
        while let Some(data) = self.next().await? {
            if all.len() + data.len() > len_max {
                let message = "Your request was too big.";
                return Err(Error::new("MaxMessageLengthExceeded", 400, message)
                    .with("MaxMessageLengthBytes", len_max.to_string()));
            }
            if all.is_empty() && self.body.is_end_stream() && self.decoder.is_none() {
                // In one piece: nothing is copied. What is left to do is to check it.
                let rest = self.next().await?;
                debug_assert!(rest.is_none(), "the stream had ended");
                return Ok(data);
            }
            all.extend_from_slice(&data);
        }
        Ok(all.freeze())
    }
}

/// Reads what is left of a body that was refused, so that its sender gets to read why, unless that is much.
pub(crate) async fn drain(body: &mut Body) {
    let mut left = DRAINED_MAX;
    while let Some(Ok(frame)) = poll_fn(|context| Pin::new(&mut *body).poll_frame(context)).await {
        left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
        if left == 0 {
            return;
        }
    }
}
