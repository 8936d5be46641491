//! Uploads by an HTML form (`multipart/form-data`), with a policy that says what the form may have.
//!
//! The file is the last field, so what stands before it is known when its bytes come, and they are never whole in memory.

use crate::body::Body;
use crate::form::latin;
use crate::s3::access::{ACL, Caller, Need, check_acl};
use crate::s3::acl::{Acl, Permission};
use crate::s3::ask::Ask;
use crate::s3::auth::{Gate, flaw_of_credential};
use crate::s3::document;
use crate::s3::error::{Error, Result};
use crate::s3::intake::Intake;
use crate::s3::object::say_put;
use crate::s3::post_policy::Policy;
use crate::s3::reply::{self, set};
use crate::s3::sse::{Encryption, customer_key_of};
use crate::s3::tree::Node;
use crate::signature::parse_date;
use bytes::{Bytes, BytesMut};
use fourfold::objects::{Checksum, ChecksumAlgorithm, ChecksumError, ContentMd5, PutObject};
use http::Response;

/// Bytes of all fields before the file, and of their heads.
const FIELDS_LEN_MAX: usize = 64 << 10;

/// A form on its way in.
#[derive(Debug)]
struct Form<'a, 'b> {
    body: &'a mut Intake<'b>,
    /// `\r\n--boundary`.
    delimiter: Vec<u8>,
    buffer: BytesMut,
    /// The body has ended.
    ended: bool,
}

/// The fields before the file.
#[derive(Debug, Default)]
pub(crate) struct Fields {
    pub(crate) pairs: Vec<(String, String)>,
    /// None if the file came as a text.
    file_name: Option<String>,
}

impl Fields {
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| &**value)
    }

    fn text(&self, name: &str) -> Option<String> {
        self.get(name).filter(|text| !text.is_empty()).map(str::to_owned)
    }
}

fn malformed() -> Error {
    let message = "The body of your POST request is not well-formed multipart/form-data.";
    Error::new("MalformedPOSTRequest", 400, message)
}

impl Form<'_, '_> {
    /// More of the body; false if there is none.
    async fn fill(&mut self) -> Result<bool> {
        let data = self.body.next().await?;
        self.ended = data.is_none();
        self.buffer.extend_from_slice(data.as_deref().unwrap_or_default());
        Ok(!self.ended)
    }

    /// What stands before `end`, which is taken too.
    async fn until(&mut self, end: &[u8]) -> Result<Bytes> {
        loop {
            if let Some(at) = find(&self.buffer, end) {
                let found = self.buffer.split_to(at).freeze();
                drop(self.buffer.split_to(end.len()));
                return Ok(found);
            }
            if self.buffer.len() > FIELDS_LEN_MAX {
                let message = "Your POST request fields preceding the upload file were too large.";
                return Err(Error::new("MaxPostPreDataLengthExceededError", 400, message));
            }
            if !self.fill().await? {
                return Err(malformed());
            }
        }
    }

    /// More bytes of the file; none at its end.
    async fn file(&mut self) -> Result<Option<Bytes>> {
        loop {
            if let Some(at) = find(&self.buffer, &self.delimiter) {
                if at == 0 {
                    // What follows must still be read, so that the caller hears the answer.
                    while !self.ended {
                        self.buffer.clear();
                        self.fill().await?;
                    }
                    return Ok(None);
                }
                return Ok(Some(self.buffer.split_to(at).freeze()));
            }
            let sure = self.buffer.len().saturating_sub(self.delimiter.len());
            if sure > 0 {
                return Ok(Some(self.buffer.split_to(sure).freeze()));
            }
            if !self.fill().await? {
                return Err(malformed());
            }
        }
    }

    /// The fields before the file.
    async fn fields(&mut self) -> Result<Fields> {
        let mut fields = Fields::default();
        let mut len = 0;
        loop {
            let head = self.until(b"\r\n\r\n").await?;
            let head = std::str::from_utf8(&head).map_err(|_| malformed())?;
            let (mut name, mut file_name) = (None, None);
            for line in head.lines() {
                let Some((header, value)) = line.split_once(':') else { continue };
                if header.trim().eq_ignore_ascii_case("content-disposition") {
                    name = parameter(value, "name");
                    file_name = parameter(value, "filename");
                }
            }
            let name = name.ok_or_else(malformed)?;
            if name.eq_ignore_ascii_case("file") {
                fields.file_name = file_name;
                return Ok(fields);
            }
            // One of them would be checked by the policy, and another might count.
            if fields.get(&name).is_some() {
                let rule = "A field of the form must not be given more than once.";
                return Err(Error::argument("name", name, rule));
            }
            let delimiter = self.delimiter.clone();
            let value = self.until(&delimiter).await?;
            len += name.len() + value.len();
            if len > FIELDS_LEN_MAX {
                let message = "Your POST request fields preceding the upload file were too large.";
                return Err(Error::new("MaxPostPreDataLengthExceededError", 400, message));
            }
            fields.pairs.push((name, latin(&value)));
            let end = self.until(b"\r\n").await?;
            if !end.is_empty() {
                let rule = "POST requires exactly one file upload per request.";
                return Err(Error::argument("file", "0", rule));
            }
        }
    }
}

/// A parameter of a header: `; name="value"`.
fn parameter(header: &str, name: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, behind)) = rest.split_once(';') {
        rest = behind;
        let Some((found, value)) = rest.trim_start().split_once('=') else { continue };
        let value = match value.strip_prefix('"') {
            Some(quoted) => quoted.split('"').next().unwrap_or_default(),
            None => value.split(';').next().unwrap_or_default().trim(),
        };
        if found.trim().eq_ignore_ascii_case(name) {
            return Some(value.to_owned());
        }
    }
    None
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    let first = *wanted.first()?;
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|byte| *byte == first) {
        if text.get(from + at..)?.starts_with(wanted) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// Takes a form.
pub(crate) async fn post(
    ask: &mut Ask<'_>,
    gate: &Gate<'_>,
    body: &mut Intake<'_>,
) -> Result<Response<Body>> {
    let content_type = ask.header_text("content-type").unwrap_or_default();
    let boundary =
        parameter(&content_type, "boundary").filter(|text| !text.is_empty()).ok_or_else(malformed)?;
    let bucket = ask.bucket()?;
    let mut form = Form {
        body,
        delimiter: format!("\r\n--{boundary}").into_bytes(),
        buffer: BytesMut::new(),
        ended: false,
    };
    form.until(format!("--{boundary}\r\n").as_bytes()).await?;
    let mut fields = form.fields().await?;
    let Some(key) = fields.get("key").filter(|key| !key.is_empty()) else {
        let rule = "Bucket POST must contain a field named 'key'.  If it is specified, please check the order of the fields.";
        return Err(Error::argument("key", "", rule));
    };
    let key = match &fields.file_name {
        Some(name) => key.replace("${filename}", name),
        None => key.to_owned(),
    };
    for (name, value) in &mut fields.pairs {
        if name.eq_ignore_ascii_case("key") {
            value.clone_from(&key);
        }
    }
    ask.target.key.clone_from(&key);
    let (caller, lens) = admit(ask, gate, &fields)?;
    ask.caller = caller;
    ask.form = Some(fields.pairs.clone());
    ask.allow("s3:PutObject", Need::Bucket(Permission::Write))?;
    ask.allow_what_comes_along()?;
    let (request, encryption) = request_of(ask, &bucket, &fields)?;
    let mut writer = bucket.writer(request)?;
    let mut len = 0;
    while let Some(data) = form.file().await? {
        len += data.len() as u64;
        if let Some((_, max)) = lens.filter(|(_, max)| len > *max) {
            let message = "Your proposed upload exceeds the maximum allowed size";
            let error = Error::new("EntityTooLarge", 400, message);
            return Err(error.with("ProposedSize", len.to_string()).with("MaxSizeAllowed", max.to_string()));
        }
        writer.write(data)?;
    }
    if let Some((min, _)) = lens.filter(|(min, _)| len < *min) {
        let message = "Your proposed upload is smaller than the minimum allowed size";
        let error = Error::new("EntityTooSmall", 400, message);
        return Err(error.with("ProposedSize", len.to_string()).with("MinSizeAllowed", min.to_string()));
    }
    let output = writer.finish_async().await?;
    let mut answer = answer_of(ask, &fields, &output.etag.to_string());
    say_put(&mut answer, ask, &bucket, &output, &encryption);
    Ok(answer)
}

fn request_of(
    ask: &Ask<'_>,
    bucket: &fourfold::objects::Bucket,
    fields: &Fields,
) -> Result<(PutObject, Encryption)> {
    const SSE: &str = "x-amz-server-side-encryption";
    if fields.pairs.iter().any(|(name, _)| name.to_ascii_lowercase().starts_with("x-amz-object-lock-")) {
        return Err(Error::request("Bucket is missing ObjectLockConfiguration"));
    }
    let field = |name: &str| fields.get(&format!("{SSE}{name}"));
    let customer =
        customer_key_of(field("-customer-algorithm"), field("-customer-key"), field("-customer-key-md5"))?;
    let key_id = field("-aws-kms-key-id").map(str::to_owned);
    let bucket_key = field("-bucket-key-enabled") == Some("true");
    let encryption = Encryption::of(field(""), key_id, bucket_key, customer, ask, bucket)?;
    let mut request = PutObject::new(ask.key());
    request.opaque_etag = encryption.is_opaque();
    request.by_form = true;
    let metadata = &mut request.metadata;
    metadata.content_type = fields.text("content-type");
    metadata.cache_control = fields.text("cache-control");
    metadata.content_disposition = fields.text("content-disposition");
    metadata.content_encoding = fields.text("content-encoding");
    metadata.content_language = fields.text("content-language");
    metadata.expires = fields.text("expires");
    metadata.website_redirect = fields.text("x-amz-website-redirect-location");
    for (name, value) in &fields.pairs {
        if let Some(name) = name.to_ascii_lowercase().strip_prefix("x-amz-meta-") {
            metadata.insert(name, value);
        }
    }
    encryption.store(&mut metadata.attributes);
    if let Some(name) = fields.get("acl").or(fields.get("x-amz-acl")) {
        let account = ask.store.account();
        let acl = Acl::of_canned(name, account)?;
        check_acl(bucket, &acl, account)?;
        if acl != Acl::private(account) {
            metadata.attributes.push((ACL.to_owned(), acl.document(account)));
        }
    }
    if let Some(text) = fields.text("tagging") {
        // Another document than one of tags has none; what is no document is refused.
        let root = Node::read(text.as_bytes()).ok_or_else(Error::malformed_xml)?;
        if root.name == "Tagging" {
            request.tags = crate::s3::object::tags_of(text.as_bytes())?;
        }
    }
    if let Some(class) = fields.get("x-amz-storage-class") {
        request.storage_class = class.parse()?;
    }
    if let Some(md5) = fields.get("content-md5") {
        request.content_md5 = Some(ContentMd5::parse(md5)?);
    }
    fields.pairs.iter().try_for_each(|(name, _)| reply::check_checksum_name(name))?;
    for algorithm in ChecksumAlgorithm::ALL {
        if let Some(text) = fields.get(algorithm.header()) {
            if request.checksum.is_some() {
                return Err(ChecksumError::SeveralChecksums.into());
            }
            request.checksum = Some(Checksum::parse(algorithm, text)?);
        }
    }
    Ok((request, encryption))
}

/// Who sends the form, by its policy, and how long the file may be.
fn admit(ask: &Ask<'_>, gate: &Gate<'_>, fields: &Fields) -> Result<(Caller, Option<(u64, u64)>)> {
    let has = |names: &[&str]| names.iter().any(|name| fields.get(name).is_some());
    let (is_new, is_old) = (has(&SIGNED), has(&SIGNED_OLD));
    let field = |name: &'static str| {
        let rule = format!(
            "Bucket POST must contain a field named '{name}'.  If it is specified, please check the order of the fields."
        );
        fields.get(name).ok_or_else(|| Error::argument(name, "", rule))
    };
    if !is_new && !is_old {
        // A policy that nobody signed allows nothing.
        let is_open = fields.get("policy").is_none();
        return if is_open { Ok((Caller::Anonymous, None)) } else { Err(Error::denied()) };
    }
    let policy = field("policy")?;
    let caller = if is_new {
        let [algorithm, credential, date, signature] = SIGNED.map(&field);
        let algorithm = algorithm?;
        if algorithm != crate::signature::ALGORITHM {
            let rule = "Only AWS4-HMAC-SHA256 is supported";
            return Err(Error::argument(SIGNED[0], algorithm, rule));
        }
        let (credential, date) = (credential?, date?);
        if let Some(flaw) = flaw_of_credential(credential) {
            return Err(Error::argument(SIGNED[1], credential, flaw));
        }
        if parse_date(date).is_none() {
            let rule = "X-Amz-Date must be formated via ISO8601 Long format";
            return Err(Error::argument(SIGNED[2], date, rule));
        }
        gate.admit_form(policy, Some(credential), Some(signature?))?
    } else {
        gate.admit_form_old(policy, field(SIGNED_OLD[0])?, field(SIGNED_OLD[1])?)?
    };
    let policy = Policy::read(policy)?;
    if gate.now > policy.end {
        return Err(Error::new("AccessDenied", 403, "Invalid according to Policy: Policy expired."));
    }
    let lens = policy.check(ask, fields)?;
    Ok((caller, lens))
}

/// Fields of a form by which its policy is signed, and those of old.
const SIGNED: [&str; 4] = ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Signature"];
const SIGNED_OLD: [&str; 2] = ["AWSAccessKeyId", "Signature"];

/// A redirect, a document, or nothing, as the form wants it.
fn answer_of(ask: &Ask<'_>, fields: &Fields, etag: &str) -> Response<Body> {
    let (bucket, key) = (&ask.target.bucket, ask.key());
    let redirect = fields.get("success_action_redirect").or(fields.get("redirect"));
    if let Some(url) = redirect.filter(|url| url.parse::<http::Uri>().is_ok_and(|uri| uri.scheme().is_some()))
    {
        let mut location = format!("{url}{}", if url.contains('?') { '&' } else { '?' });
        for (name, value) in [("bucket=", &**bucket), ("&key=", key), ("&etag=", etag)] {
            location.push_str(name);
            crate::form::encode(value, |_| false, &mut location);
        }
        let mut answer = document::empty(303);
        set(answer.headers_mut(), "location", location);
        return answer;
    }
    let host = ask.header("host").unwrap_or("localhost");
    let mut location = format!("{}://{host}/", ask.head.uri.scheme_str().unwrap_or("http"));
    if !ask.target.is_virtual {
        location.push_str(bucket);
        location.push('/');
    }
    crate::form::encode(key, |_| false, &mut location);
    let mut answer = match fields.get("success_action_status") {
        Some("201") => {
            let mut answer = {
                let mut xml = document::new();
                xml.element("PostResponse", |xml| {
                    xml.text("Location", &location);
                    xml.text("Bucket", bucket);
                    xml.text("Key", key);
                    xml.text("ETag", etag);
                });
                document::of(xml.finish())
            };
            *answer.status_mut() = http::StatusCode::CREATED;
            answer
        }
        Some("200") => document::empty(200),
        _ => document::empty(204),
    };
    set(answer.headers_mut(), "location", location);
    answer
}
