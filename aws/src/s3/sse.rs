//! Encryption as callers speak of it. Nothing is encrypted here: what was asked for is kept and said again, and who asked
//! with a key of his own must show it again.

use crate::s3::acl::canonical_id;
use crate::s3::ask::Ask;
use crate::s3::error::{Error, Result};
use crate::s3::reply::set;
use crate::s3::tree::Node;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fourfold::objects::{Bucket, ChecksumAlgorithm, ChecksumHasher, Metadata, Setting};
use http::HeaderMap;

/// Names of attributes of objects: the encryption, the id of its key, whether the bucket has a key of its own; the MD5 of a
/// key that only the caller has.
const KIND: &str = "sse";
const KEY_ID: &str = "sse-kms-key-id";
const BUCKET_KEY: &str = "sse-bucket-key";
const CUSTOMER: &str = "sse-c-md5";

/// How an object is, or is to be, encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Encryption {
    kind: Option<String>,
    key_id: Option<String>,
    bucket_key: bool,
    /// The MD5 of the caller's key.
    customer: Option<String>,
}

/// Where headers of a caller's key begin.
pub(crate) const OWN: &str = "x-amz-server-side-encryption-customer";
pub(crate) const OF_SOURCE: &str = "x-amz-copy-source-server-side-encryption-customer";

/// The MD5 of the key that the caller sent, if the key is one.
pub(crate) fn customer_key(ask: &Ask<'_>, prefix: &str) -> Result<Option<String>> {
    let header = |name: &str| ask.header(&format!("{prefix}-{name}"));
    customer_key_of(header("algorithm"), header("key"), header("key-md5"))
}

pub(crate) fn customer_key_of(
    algorithm: Option<&str>,
    key: Option<&str>,
    md5: Option<&str>,
) -> Result<Option<String>> {
    let missing = |what: &str| {
        let rule = format!(
            "Requests specifying Server Side Encryption with Customer provided keys must provide {what}."
        );
        Error::argument("x-amz-server-side-encryption", "null", rule)
    };
    match (algorithm, key, md5) {
        (None, None, None) => Ok(None),
        (None, ..) => Err(missing("a valid encryption algorithm")),
        (Some(other), ..) if other != "AES256" => {
            let message = "The Encryption request you specified is not valid. Supported value: AES256.";
            Err(Error::new("InvalidEncryptionAlgorithmError", 400, message)
                .with("ArgumentName", "x-amz-server-side-encryption")
                .with("ArgumentValue", other))
        }
        (_, None, _) => Err(missing("an appropriate secret key")),
        (.., None) => Err(missing("the client calculated MD5 of the secret key")),
        (_, Some(key), Some(md5)) => {
            let key = STANDARD.decode(key).unwrap_or_default();
            if key.len() != 32 {
                let rule = "The secret key was invalid for the specified algorithm.";
                return Err(Error::argument("x-amz-server-side-encryption", "null", rule));
            }
            let found = ChecksumHasher::digest(ChecksumAlgorithm::Md5, &key).base64();
            if found != md5 {
                let rule = "The calculated MD5 hash of the key did not match the hash that was provided.";
                return Err(Error::argument("x-amz-server-side-encryption", "null", rule));
            }
            Ok(Some(found))
        }
    }
}

impl Encryption {
    /// What a write is to be encrypted with: as its headers say, or as the bucket does by default.
    pub(crate) fn of_write(ask: &Ask<'_>, bucket: &Bucket) -> Result<Self> {
        let kind = ask.header("x-amz-server-side-encryption");
        let key_id = ask.header_text("x-amz-server-side-encryption-aws-kms-key-id");
        let customer = customer_key(ask, OWN)?;
        let bucket_key = ask.header("x-amz-server-side-encryption-bucket-key-enabled") == Some("true");
        Self::of(kind, key_id, bucket_key, customer, ask, bucket)
    }

    pub(crate) fn of(
        kind: Option<&str>,
        key_id: Option<String>,
        bucket_key: bool,
        customer: Option<String>,
        ask: &Ask<'_>,
        bucket: &Bucket,
    ) -> Result<Self> {
        const NAME: &str = "x-amz-server-side-encryption";
        if customer.is_some() {
            if kind.is_some() {
                let rule = "Server Side Encryption with Customer provided key is incompatible with the encryption method specified";
                return Err(Error::argument(NAME, kind.unwrap_or_default(), rule));
            }
            return Ok(Self { customer, ..Self::default() });
        }
        let Some(kind) = kind else {
            if key_id.is_some() {
                let rule = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms";
                return Err(Error::argument(NAME, "null", rule));
            }
            return Self::default_of(bucket, ask);
        };
        match kind {
            "AES256" if key_id.is_some() => {
                let rule = "Server Side Encryption with AWS KMS managed key requires HTTP header x-amz-server-side-encryption : aws:kms";
                Err(Error::argument(NAME, kind, rule))
            }
            "AES256" => Ok(Self { kind: Some(kind.to_owned()), ..Self::default() }),
            "aws:kms" | "aws:kms:dsse" => {
                let key_id = Some(key_id.map_or_else(|| default_key(ask), |id| key_arn(&id, ask)));
                Ok(Self { kind: Some(kind.to_owned()), key_id, bucket_key, customer: None })
            }
            _ => Err(Error::argument(NAME, kind, "The encryption method specified is not supported")),
        }
    }

    /// As a bucket encrypts what comes without a word about it.
    fn default_of(bucket: &Bucket, ask: &Ask<'_>) -> Result<Self> {
        let text = match bucket.setting(Setting::Encryption) {
            Ok(text) => text,
            Err(error) if error.status() == 404 && error.code() != "NoSuchBucket" => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error.into()),
        };
        let node = Node::read(text.as_bytes()).unwrap_or_default();
        let Some(rule) = node.child("Rule") else { return Ok(Self::default()) };
        let default = rule.child("ApplyServerSideEncryptionByDefault");
        let kind = default.and_then(|default| default.text_of("SSEAlgorithm")).map(str::to_owned);
        let is_kms = kind.as_deref().is_some_and(|kind| kind.starts_with("aws:kms"));
        let key_id = default.and_then(|default| default.text_of("KMSMasterKeyID")).map(str::to_owned);
        let key_id = is_kms.then(|| key_id.map_or_else(|| default_key(ask), |id| key_arn(&id, ask)));
        let bucket_key = is_kms && rule.text_of("BucketKeyEnabled") == Some("true");
        Ok(Self { kind, key_id, bucket_key, customer: None })
    }

    /// What is kept of it.
    pub(crate) fn store(&self, attributes: &mut Vec<(String, String)>) {
        let pairs = [(KIND, &self.kind), (KEY_ID, &self.key_id), (CUSTOMER, &self.customer)];
        let pairs = pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value.clone()?)));
        attributes.extend(pairs);
        if self.bucket_key {
            attributes.push((BUCKET_KEY.to_owned(), String::new()));
        }
    }

    /// What was kept.
    pub(crate) fn of_stored(metadata: &Metadata) -> Self {
        let text = |name: &str| metadata.attribute(name).map(str::to_owned);
        let bucket_key = metadata.attribute(BUCKET_KEY).is_some();
        Self { kind: text(KIND), key_id: text(KEY_ID), bucket_key, customer: text(CUSTOMER) }
    }

    /// Is it encrypted with a key that only the caller has?
    pub(crate) fn is_customers(&self) -> bool {
        self.customer.is_some()
    }

    /// Is the entity tag then something else than the MD5 of the data?
    pub(crate) fn is_opaque(&self) -> bool {
        self.customer.is_some() || self.kind.as_deref().is_some_and(|kind| kind.starts_with("aws:kms"))
    }

    /// Has the caller shown the key that the object was written with?
    pub(crate) fn check_read(&self, ask: &Ask<'_>, prefix: &str) -> Result<()> {
        match (&self.customer, customer_key(ask, prefix)?) {
            (None, None) => Ok(()),
            (Some(own), Some(shown)) if *own == shown => Ok(()),
            (Some(_), Some(_)) => {
                let message = "Requests specifying Server Side Encryption with Customer provided keys must provide the \
                               correct secret key.";
                Err(Error::new("AccessDenied", 403, message))
            }
            (Some(_), None) => Err(Error::request(
                "The object was stored using a form of Server Side Encryption. The correct parameters must be provided \
                 to retrieve the object.",
            )),
            (None, Some(_)) => {
                Err(Error::request("The encryption parameters are not applicable to this object."))
            }
        }
    }

    /// Has the caller shown the key that the upload was begun with?
    pub(crate) fn check_part(&self, ask: &Ask<'_>) -> Result<()> {
        match (&self.customer, customer_key(ask, OWN)?) {
            (None, None) => Ok(()),
            (Some(own), Some(shown)) if *own == shown => Ok(()),
            // In the service's words, also if the upload asked for none.
            (Some(_), None) | (None, Some(_)) => Err(Error::request(
                "The multipart upload initiate requested encryption. Subsequent part requests must include the \
                 appropriate encryption parameters.",
            )),
            (Some(_), Some(_)) => Err(Error::request(
                "The provided encryption parameters did not match the ones used originally.",
            )),
        }
    }

    /// Says it. What was written without a word about it is encrypted as the service does by itself.
    pub(crate) fn say(&self, headers: &mut HeaderMap) {
        if let Some(md5) = &self.customer {
            set(headers, "x-amz-server-side-encryption-customer-algorithm", "AES256");
            set(headers, "x-amz-server-side-encryption-customer-key-md5", md5);
            return;
        }
        set(headers, "x-amz-server-side-encryption", self.kind.as_deref().unwrap_or("AES256"));
        if let Some(id) = &self.key_id {
            set(headers, "x-amz-server-side-encryption-aws-kms-key-id", id);
        }
        if self.bucket_key {
            set(headers, "x-amz-server-side-encryption-bucket-key-enabled", "true");
        }
    }
}

/// The key that the service makes for an account when it names none.
fn default_key(ask: &Ask<'_>) -> String {
    let id = canonical_id(ask.store.account());
    let part = |from: usize, to: usize| id.get(from..to).unwrap_or_default();
    let id = format!("{}-{}-4{}-8{}-{}", part(0, 8), part(8, 12), part(13, 16), part(17, 20), part(20, 32));
    key_arn(&id, ask)
}

/// A key may be named by its id alone, or by an alias of it; in answers it has its ARN.
fn key_arn(id: &str, ask: &Ask<'_>) -> String {
    if id.starts_with("arn:") {
        return id.to_owned();
    }
    let kind = if id.starts_with("alias/") { "" } else { "key/" };
    format!("arn:aws:kms:{}:{}:{kind}{id}", ask.store.region(), ask.store.account())
}
