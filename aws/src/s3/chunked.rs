//! `aws-chunked`: a body in chunks that say their length, may be signed each, and may have trailers behind them.
//!
//! ```text
//! 400;chunk-signature=<64 hexadecimal digits>\r\n <0x400 bytes> \r\n
//! 0;chunk-signature=<...>\r\n
//! x-amz-checksum-crc32:<base64>\r\n
//! x-amz-trailer-signature:<...>\r\n
//! \r\n
//! ```
//!
//! The signature of a chunk covers the one before it, so chunks cannot be left out, swapped or added.

use crate::s3::error::{Error, Result};
use crate::s3::intake::Seal;
use crate::signature::{from_hex, hex, mac};
use bytes::{Buf, Bytes, BytesMut};
use hmac::Mac;
use sha2::{Digest, Sha256};
use std::mem;

/// Longest line: a length and a signature, or a trailer.
const LINE_LEN_MAX: usize = 4096;
const TRAILERS_MAX: usize = 16;
/// Longest chunk that is believed: that of a whole object.
const CHUNK_LEN_MAX: u64 = 5 << 30;
/// Bytes that every chunk but the last has at least.
const CHUNK_LEN_MIN: u64 = 8 << 10;

/// What a body must be, by what was said of it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rules {
    /// There may be trailers, and there is an end behind them.
    pub(crate) has_trailers: bool,
    /// Bytes of every chunk but the last.
    len_min: u64,
}

impl Rules {
    /// From `x-amz-content-sha256`. Who does not say there that the body comes in chunks is not asked for more.
    pub(crate) fn of(payload: &str) -> Self {
        let len_min = if payload.starts_with("STREAMING-") { CHUNK_LEN_MIN } else { 0 };
        Self { has_trailers: payload.ends_with("-TRAILER"), len_min }
    }
}

/// Takes a body as it comes, and gives the data in it.
#[derive(Debug)]
pub(crate) struct Decoder {
    seal: Option<Seal>,
    rules: Rules,
    /// Chunks so far, and the length of the last one.
    chunks: (u64, u64),
    /// What came and was not yet looked at, and what came behind it.
    head: BytesMut,
    data: Bytes,
    state: State,
    hash: Sha256,
    /// Of the chunk that is being read.
    signature: String,
    trailers: Vec<(String, String)>,
    /// Did the last line end in a line feed alone? Some clients write a trailer so, and an end of a line behind it.
    is_bare: bool,
    /// Was that the end of a line, or of the trailers?
    may_end: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The line before a chunk.
    Line,
    /// So many bytes of it are to come.
    Data(u64),
    /// The end of its line.
    DataEnd,
    Trailers,
    Done,
}

impl Decoder {
    /// With a seal, signatures are checked.
    pub(crate) fn new(seal: Option<Seal>, rules: Rules) -> Self {
        Self {
            seal,
            rules,
            chunks: (0, CHUNK_LEN_MIN),
            head: BytesMut::new(),
            data: Bytes::new(),
            state: State::Line,
            hash: Sha256::new(),
            signature: String::new(),
            trailers: Vec::new(),
            is_bare: false,
            may_end: false,
        }
    }

    /// More of the body. All that was pushed before has been given out.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        if self.data.is_empty() {
            self.data = bytes;
        } else {
            let mut both = BytesMut::with_capacity(self.data.len() + bytes.len());
            both.extend_from_slice(&self.data);
            both.extend_from_slice(&bytes);
            self.data = both.freeze();
        }
    }

    /// The next data, or none until more is pushed.
    pub(crate) fn next(&mut self) -> Result<Option<Bytes>> {
        loop {
            match self.state {
                State::Data(0) => {
                    self.end_chunk()?;
                    self.state = State::DataEnd;
                }
                State::Data(left) => {
                    if self.data.is_empty() {
                        return Ok(None);
                    }
                    let len = usize::try_from(left).unwrap_or(usize::MAX).min(self.data.len());
                    let data = self.data.split_to(len);
                    if self.seal.is_some() {
                        self.hash.update(&data);
                    }
                    self.state = State::Data(left - len as u64);
                    return Ok(Some(data));
                }
                State::Line => {
                    let Some(line) = self.line()? else { return Ok(None) };
                    self.begin_chunk(&line)?;
                }
                State::DataEnd => match self.line()? {
                    Some(line) if line.is_empty() => self.state = State::Line,
                    Some(_) => return Err(broken()),
                    None => return Ok(None),
                },
                State::Trailers => {
                    let is_behind_bare = self.is_bare;
                    let Some(line) = self.line()? else { return Ok(None) };
                    self.may_end = line.is_empty() && is_behind_bare;
                    if !self.may_end {
                        self.trailer(&line)?;
                    }
                }
                State::Done => {
                    self.data.clear();
                    return Ok(None);
                }
            }
        }
    }

    /// A line without its end, once it is all there.
    fn line(&mut self) -> Result<Option<String>> {
        let end = self.data.iter().position(|byte| *byte == b'\n');
        let taken = self.data.split_to(end.map_or(self.data.len(), |end| end + 1));
        if self.head.len() + taken.len() > LINE_LEN_MAX {
            return Err(broken());
        }
        self.head.extend_from_slice(&taken);
        if end.is_none() {
            return Ok(None);
        }
        let line = mem::take(&mut self.head);
        self.is_bare = !line.ends_with(b"\r\n");
        if self.is_bare && (self.state != State::Trailers || line.len() == 1) {
            return Err(broken());
        }
        let line = line.strip_suffix(b"\n").unwrap_or(&line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        String::from_utf8(line.to_vec()).map(Some).map_err(|_| broken())
    }

    fn begin_chunk(&mut self, line: &str) -> Result<()> {
        let (len, extension) = line.split_once(';').unwrap_or((line, ""));
        let is_number = !len.is_empty() && len.bytes().all(|byte| byte.is_ascii_hexdigit());
        let len = u64::from_str_radix(len, 16).ok().filter(|len| is_number && *len <= CHUNK_LEN_MAX);
        let len = len.ok_or_else(broken)?;
        let signature = extension.trim().strip_prefix("chunk-signature=").unwrap_or_default();
        if self.seal.is_some() && signature.is_empty() {
            return Err(mismatch());
        }
        signature.clone_into(&mut self.signature);
        self.hash = Sha256::new();
        let number = self.chunks.0 + 1;
        let (_, before) = mem::replace(&mut self.chunks, (number, len));
        if len > 0 && before < self.rules.len_min {
            let message = "Only the last chunk is allowed to have a size less than 8192 bytes";
            let error = Error::new("InvalidChunkSizeError", 400, message);
            return Err(error.with("Chunk", number.to_string()).with("BadChunkSize", before.to_string()));
        }
        if len == 0 {
            self.end_chunk()?;
            self.state = State::Trailers;
        } else {
            self.state = State::Data(len);
        }
        Ok(())
    }

    /// The chunk is all there: was it signed as it is?
    fn end_chunk(&mut self) -> Result<()> {
        let Some(seal) = &mut self.seal else { return Ok(()) };
        let hash = hex(&mem::take(&mut self.hash).finalize());
        let text = format!(
            "AWS4-HMAC-SHA256-PAYLOAD\n{}\n{}\n{}\n{}\n{hash}",
            seal.date,
            seal.scope,
            seal.signature,
            hex(&Sha256::digest(b""))
        );
        seal.check(&text, &self.signature)?;
        seal.signature = mem::take(&mut self.signature);
        Ok(())
    }

    fn trailer(&mut self, line: &str) -> Result<()> {
        if line.is_empty() {
            self.state = State::Done;
            return Ok(());
        }
        let (name, value) = line.split_once(':').ok_or_else(Error::malformed_trailer)?;
        if self.trailers.len() == TRAILERS_MAX {
            return Err(Error::malformed_trailer());
        }
        self.trailers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        Ok(())
    }

    /// The body is all there: were its chunks? Gives the trailers.
    pub(crate) fn finish(&mut self) -> Result<Vec<(String, String)>> {
        if !self.rules.has_trailers && !self.head.is_empty() && self.state == State::Trailers {
            // The last line needs no end.
            let line = mem::take(&mut self.head);
            let line = String::from_utf8(line.chunk().to_vec()).map_err(|_| broken())?;
            self.trailer(line.trim_end_matches('\r'))?;
        }
        let has_ended = self.state == State::Done
            || self.may_end
            || !self.rules.has_trailers && self.state == State::Trailers;
        if !has_ended {
            return Err(broken());
        }
        let mut trailers = mem::take(&mut self.trailers);
        let signature = trailers.iter().position(|(name, _)| name == "x-amz-trailer-signature");
        let signature = signature.map(|at| trailers.remove(at).1);
        if let (Some(seal), false) = (&self.seal, trailers.is_empty()) {
            let lines: Vec<String> =
                trailers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
            let lines = lines.concat();
            let text = format!(
                "AWS4-HMAC-SHA256-TRAILER\n{}\n{}\n{}\n{}",
                seal.date,
                seal.scope,
                seal.signature,
                hex(&Sha256::digest(lines.as_bytes()))
            );
            seal.check(&text, &signature.unwrap_or_default())?;
        }
        Ok(trailers)
    }
}

impl Seal {
    fn check(&self, text: &str, signature: &str) -> Result<()> {
        let is_right = mac(&self.key, text.as_bytes())
            .and_then(|mac| mac.verify_slice(&from_hex(signature)?).ok())
            .is_some();
        if is_right { Ok(()) } else { Err(mismatch()) }
    }
}

/// What is no chunk is to the service the end of the body.
#[cold]
fn broken() -> Error {
    Error::new("IncompleteBody", 400, "The request body terminated unexpectedly")
}

#[cold]
pub(crate) fn mismatch() -> Error {
    let message = "The request signature we calculated does not match the signature you provided. Check your key and \
                   signing method.";
    Error::new("SignatureDoesNotMatch", 403, message)
}

/// The same, with what was signed here: as texts, and as bytes for who cannot see where they differ.
#[cold]
pub(crate) fn mismatch_of(key_id: &str, text: &str, signature: &str, canonical: Option<&str>) -> Error {
    let bytes = |text: &str| {
        let bytes: Vec<String> = text.bytes().map(|byte| format!("{byte:02x}")).collect();
        bytes.join(" ")
    };
    let error = mismatch()
        .with("AWSAccessKeyId", key_id)
        .with("StringToSign", text)
        .with("SignatureProvided", signature)
        .with("StringToSignBytes", bytes(text));
    match canonical {
        Some(canonical) => {
            error.with("CanonicalRequest", canonical).with("CanonicalRequestBytes", bytes(canonical))
        }
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Data and trailers.
    type Decoded = (Vec<u8>, Vec<(String, String)>);

    fn decode(body: &[u8], step: usize, seal: Option<Seal>) -> Result<Decoded> {
        let (mut decoder, mut data) = (Decoder::new(seal, Rules::default()), Vec::new());
        for piece in body.chunks(step) {
            decoder.push(Bytes::copy_from_slice(piece));
            while let Some(more) = decoder.next()? {
                data.extend_from_slice(&more);
            }
        }
        Ok((data, decoder.finish()?))
    }

    #[test]
    fn data_and_trailers_however_they_are_cut() {
        let body = b"5;x=1\r\nhello\r\n6\r\n world\r\n0\r\nX-Amz-Checksum-Crc32:AAAA\r\n\r\n";
        for step in 1..body.len() {
            let (data, trailers) = decode(body, step, None).unwrap();
            assert_eq!(data, b"hello world");
            assert_eq!(trailers, [("x-amz-checksum-crc32".to_owned(), "AAAA".to_owned())]);
        }
        assert_eq!(decode(b"0\r\n\r\n", 2, None).unwrap().0, b"");
    }

    /// As the client of another store for Go writes them.
    #[test]
    fn a_trailer_may_end_in_a_line_feed_and_an_end_of_line() {
        for body in ["0\r\na:1\n\r\n\r\n", "0\r\na:1\n\r\nb:2\r\n\r\n", "0\r\na:1\n\r\n"] {
            for step in 1..body.len() {
                let (_, trailers) = decode(body.as_bytes(), step, None).unwrap();
                let expected = [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "2".to_owned())];
                assert_eq!(trailers, expected[..if body.contains('b') { 2 } else { 1 }], "{body:?}");
            }
        }
    }

    #[test]
    fn what_is_broken_is_refused() {
        for body in [
            "",
            "5\r\nhel",
            "5\r\nhello",
            "5\r\nhelloX\r\n0\r\n\r\n",
            "g\r\n",
            "\r\n",
            "-1\r\n",
            "5\r\nhello\r\n",
            "0\r\nx\r\n\r\n",
        ] {
            assert!(decode(body.as_bytes(), 3, None).is_err(), "{body:?}");
        }
        assert!(decode(&[b'1'; 5000], 100, None).is_err());
        assert!(decode(b"fffffffffffffffff\r\n", 100, None).is_err());
    }

    /// The example of the service's documentation: 65 KiB of `a` in two chunks.
    #[test]
    fn signatures_are_those_of_the_documentation() {
        let scope = crate::signature::Scope::parse("K/20130524/us-east-1/s3/aws4_request").unwrap();
        let seal = Seal {
            key: crate::signature::signing_key("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", &scope),
            date: "20130524T000000Z".to_owned(),
            scope: scope.text(),
            signature: "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9".to_owned(),
        };
        let signatures = [
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ];
        let mut body = Vec::new();
        for (len, signature) in [65536, 1024, 0].into_iter().zip(signatures) {
            body.extend_from_slice(format!("{len:x};chunk-signature={signature}\r\n").as_bytes());
            body.extend_from_slice(&vec![b'a'; len]);
            body.extend_from_slice(b"\r\n");
        }
        assert_eq!(decode(&body, 777, Some(seal.clone())).unwrap().0.len(), 66560);
        let at = body.len() - 200;
        body[at] = b'b';
        assert_eq!(decode(&body, 777, Some(seal)).unwrap_err().code, "SignatureDoesNotMatch");
    }
}
