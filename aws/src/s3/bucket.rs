//! Buckets, and what is set of them.

use crate::body::Body;
use crate::s3::access::{Block, bucket_acl, check_acl};
use crate::s3::acl::Acl;
use crate::s3::ask::Ask;
use crate::s3::document::{self, NAMESPACE};
use crate::s3::error::{Error, Result};
use crate::s3::intake::Intake;
use crate::s3::object::{check_document, tagging, tags_of};
use crate::s3::policy::Policy;
use crate::s3::reply::set;
use crate::s3::tree::Node;
use crate::s3::{DOCUMENT_LEN_MAX, cors};
use fourfold::objects::{self, CreateBucket, Setting, Tags, Versioning};
use http::Response;

const BLOCKS: [&str; 4] =
    ["BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"];
const OWNERSHIPS: [&str; 3] = ["BucketOwnerEnforced", "BucketOwnerPreferred", "ObjectWriter"];

/// A document, and whether it is what its checksums say.
async fn document_of(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<bytes::Bytes> {
    let text = body.collect(DOCUMENT_LEN_MAX).await?;
    check_document(ask, body, &text)?;
    Ok(text)
}

pub(crate) async fn create(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let text = document_of(ask, body).await?;
    if ask.header("x-amz-bucket-object-lock-enabled").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        return Err(Error::header_not_implemented("x-amz-bucket-object-lock-enabled"));
    }
    let ownership = ask.header("x-amz-object-ownership");
    if let Some(other) = ownership.filter(|text| !OWNERSHIPS.contains(text)) {
        let rule = format!("Invalid x-amz-object-ownership header: {other}");
        return Err(Error::argument_named("x-amz-object-ownership", rule));
    }
    let mut request = CreateBucket::new(&*ask.target.bucket).endpoint(ask.region());
    let mut tags = Tags::default();
    if !text.is_empty() {
        let root = Node::parse(&text, "CreateBucketConfiguration")?;
        request.location =
            root.text_of("LocationConstraint").filter(|text| !text.is_empty()).map(str::to_owned);
        if let Some(set) = root.child("Tags") {
            for tag in set.all("Tag") {
                tags.0.push((tag.required("Key")?.to_owned(), tag.required("Value")?.to_owned()));
            }
        }
    }
    let acl = Acl::of_headers(ask)?;
    let account = ask.store.account();
    if let (Some("BucketOwnerEnforced"), Some(acl)) = (ownership, &acl)
        && *acl != Acl::private(account)
    {
        let message = "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
        return Err(Error::new("InvalidBucketAclWithObjectOwnership", 400, message));
    }
    let known = ask.buckets().bucket(&request.name).is_ok();
    let bucket = ask.buckets().create_bucket_async(&request).await?;
    if let Some(acl) = acl {
        bucket.set_async(Setting::Acl, &acl.document(account)).await?;
    } else if known {
        // As the service does where a bucket can be created again: its list is as if it were new.
        bucket.unset_async(Setting::Acl).await?;
    }
    if let Some(ownership) = ownership {
        bucket.set_async(Setting::Ownership, &ownership_document(ownership)).await?;
    }
    if !tags.is_empty() {
        bucket.set_bucket_tags_async(tags).await?;
    }
    let mut answer = document::empty(200);
    let headers = answer.headers_mut();
    // Outside the first region the service says how the bucket is reached.
    let location = match &request.location {
        Some(_) => format!("http://{}.s3.amazonaws.com/", request.name),
        None => format!("/{}", request.name),
    };
    set(headers, "location", location);
    set(headers, "x-amz-bucket-arn", format!("arn:aws:s3:::{}", request.name));
    Ok(answer)
}

pub(crate) async fn delete(ask: &Ask<'_>) -> Result<Response<Body>> {
    ask.bucket()?;
    ask.buckets().delete_async(&ask.target.bucket).await?;
    Ok(document::empty(204))
}

pub(crate) fn head(ask: &Ask<'_>) -> Result<Response<Body>> {
    let region = ask.bucket()?.region()?;
    let mut answer = document::empty(200);
    let headers = answer.headers_mut();
    set(headers, "content-type", document::CONTENT_TYPE);
    set(headers, "x-amz-bucket-region", region);
    set(headers, "x-amz-bucket-arn", format!("arn:aws:s3:::{}", ask.target.bucket));
    set(headers, "x-amz-access-point-alias", "false");
    Ok(answer)
}

pub(crate) fn location(ask: &Ask<'_>) -> Result<Response<Body>> {
    let location = ask.bucket()?.location()?;
    let mut xml = document::new();
    xml.element_with("LocationConstraint", &[("xmlns", NAMESPACE)], |xml| {
        xml.content(location.as_deref().unwrap_or_default());
    });
    Ok(document::of(xml.finish()))
}

pub(crate) fn versioning(ask: &Ask<'_>) -> Result<Response<Body>> {
    let versioning = ask.bucket()?.versioning()?;
    Ok(document::answer("VersioningConfiguration", |xml| {
        if let Some(status) = versioning.status() {
            xml.text("Status", status);
        }
    }))
}

pub(crate) async fn set_versioning(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let root = Node::parse(&document_of(ask, body).await?, "VersioningConfiguration")?;
    if root.text_of("MfaDelete") == Some("Enabled") || root.text_of("MFADelete") == Some("Enabled") {
        return Err(Error::header_not_implemented("x-amz-mfa"));
    }
    let versioning = match root.text_of("Status") {
        Some("Enabled") => Versioning::Enabled,
        Some("Suspended") => Versioning::Suspended,
        Some(_) => return Err(Error::malformed_xml()),
        None => {
            let message = "The Versioning element must be specified";
            return Err(Error::new("IllegalVersioningConfigurationException", 400, message));
        }
    };
    bucket.set_versioning_async(versioning).await?;
    Ok(document::empty(200))
}

pub(crate) fn tags(ask: &Ask<'_>) -> Result<Response<Body>> {
    Ok(tagging(&ask.bucket()?.bucket_tags()?))
}

pub(crate) async fn set_tags(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let tags = tags_of(&document_of(ask, body).await?)?;
    bucket.set_bucket_tags_async(tags).await?;
    Ok(document::empty(204))
}

pub(crate) async fn delete_tags(ask: &Ask<'_>) -> Result<Response<Body>> {
    ask.bucket()?.set_bucket_tags_async(Tags::default()).await?;
    Ok(document::empty(204))
}

/// A setting that is kept as it is shown.
pub(crate) fn get(ask: &Ask<'_>, setting: Setting) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let missing = || objects::Error::NoSuchSetting { bucket: bucket.name().to_owned(), setting };
    let text = match bucket.setting(setting) {
        Ok(text) if text.is_empty() => return Err(missing().into()),
        Err(objects::Error::NoSuchSetting { .. }) => by_default(setting).ok_or_else(missing)?,
        found => found?,
    };
    let mut answer = document::of(text);
    if setting == Setting::Policy {
        set(answer.headers_mut(), "content-type", "application/json");
    }
    Ok(answer)
}

/// What the service says of a setting that nobody made.
fn by_default(setting: Setting) -> Option<String> {
    match setting {
        Setting::Encryption => Some(encryption_text(Some("AES256"), None, false)),
        Setting::Ownership => Some(ownership_document(OWNERSHIPS[0])),
        Setting::PublicAccessBlock => Some(block_text([true; 4])),
        _ => None,
    }
}

/// Forgets a setting. Encryption is then as by default; of other settings with a default it is kept, by an empty text, that
/// there is none now.
pub(crate) async fn unset(ask: &Ask<'_>, setting: Setting) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    match setting {
        Setting::Ownership | Setting::PublicAccessBlock => bucket.set_async(setting, "").await?,
        _ => bucket.unset_async(setting).await?,
    }
    Ok(document::empty(204))
}

pub(crate) async fn put(ask: &Ask<'_>, setting: Setting, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let text = document_of(ask, body).await?;
    let (kept, status) = match setting {
        Setting::Cors => (cors::Cors::parse(&text)?.document(), 200),
        Setting::Policy => {
            let policy = Policy::parse(&text, bucket.name())?;
            if policy.is_public() && Block::of(&bucket)?.refuses_policies {
                return Err(Error::denied());
            }
            (String::from_utf8_lossy(&text).into_owned(), 204)
        }
        Setting::Encryption => (encryption_document(&text)?, 200),
        Setting::Ownership => {
            let root = Node::parse(&text, "OwnershipControls")?;
            let mut rules = root.all("Rule");
            let rule = rules.next().ok_or_else(Error::malformed_xml)?;
            let ownership = rule.required("ObjectOwnership")?;
            if !OWNERSHIPS.contains(&ownership) || rules.next().is_some() {
                return Err(Error::malformed_xml());
            }
            let account = ask.store.account();
            if ownership == OWNERSHIPS[0] && bucket_acl(&bucket, account)? != Acl::private(account) {
                let message =
                    "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting";
                return Err(Error::new("InvalidBucketAclWithObjectOwnership", 400, message));
            }
            (ownership_document(ownership), 200)
        }
        Setting::PublicAccessBlock => (block_document(&text)?, 200),
        _ => (String::from_utf8_lossy(&text).into_owned(), 200),
    };
    bucket.set_async(setting, &kept).await?;
    Ok(document::empty(status))
}

fn ownership_document(ownership: &str) -> String {
    let mut xml = document::new();
    xml.element_with("OwnershipControls", &[("xmlns", NAMESPACE)], |xml| {
        xml.element("Rule", |xml| xml.text("ObjectOwnership", ownership));
    });
    xml.finish()
}

fn encryption_document(text: &[u8]) -> Result<String> {
    let root = Node::parse(text, "ServerSideEncryptionConfiguration")?;
    let mut rules = root.all("Rule");
    let rule = rules.next().filter(|_| root.all("Rule").count() == 1).ok_or_else(Error::malformed_xml)?;
    let default = rule.child("ApplyServerSideEncryptionByDefault");
    let kind = default.map(|default| default.required("SSEAlgorithm")).transpose()?;
    let key = default.and_then(|default| default.text_of("KMSMasterKeyID"));
    match (kind, key) {
        (Some("AES256"), Some(_)) => {
            let rule = "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
            return Err(Error::argument_named("ApplyServerSideEncryptionByDefault", rule));
        }
        (None | Some("AES256" | "aws:kms" | "aws:kms:dsse"), _) => {}
        _ => return Err(Error::malformed_xml()),
    }
    Ok(encryption_text(kind, key, rule.flag("BucketKeyEnabled")?.unwrap_or(false)))
}

fn encryption_text(kind: Option<&str>, key: Option<&str>, bucket_key: bool) -> String {
    let mut xml = document::new();
    xml.element_with("ServerSideEncryptionConfiguration", &[("xmlns", NAMESPACE)], |xml| {
        xml.element("Rule", |xml| {
            if let Some(kind) = kind {
                xml.element("ApplyServerSideEncryptionByDefault", |xml| {
                    xml.text("SSEAlgorithm", kind);
                    if let Some(key) = key {
                        xml.text("KMSMasterKeyID", key);
                    }
                });
            }
            xml.text("BucketKeyEnabled", if bucket_key { "true" } else { "false" });
        });
    });
    xml.finish()
}

fn block_document(text: &[u8]) -> Result<String> {
    let root = Node::parse(text, "PublicAccessBlockConfiguration")?;
    let mut flags = [false; 4];
    for (name, flag) in BLOCKS.into_iter().zip(&mut flags) {
        *flag = root.flag(name)?.unwrap_or(false);
    }
    Ok(block_text(flags))
}

fn block_text(flags: [bool; 4]) -> String {
    let mut xml = document::new();
    xml.element_with("PublicAccessBlockConfiguration", &[("xmlns", NAMESPACE)], |xml| {
        for (name, flag) in BLOCKS.into_iter().zip(flags) {
            xml.text(name, if flag { "true" } else { "false" });
        }
    });
    xml.finish()
}

pub(crate) fn policy_status(ask: &Ask<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    bucket.setting(Setting::Policy)?;
    let is_public = Policy::of(&bucket)?.is_some_and(|policy| policy.is_public());
    Ok(document::answer("PolicyStatus", |xml| {
        xml.text("IsPublic", if is_public { "true" } else { "false" });
    }))
}

pub(crate) fn acl(ask: &Ask<'_>) -> Result<Response<Body>> {
    let account = ask.store.account();
    Ok(document::of(bucket_acl(&ask.bucket()?, account)?.document(account)))
}

/// The list that a request sets: of its headers, or of its document.
pub(crate) fn acl_of(ask: &Ask<'_>, text: &[u8]) -> Result<Acl> {
    match (Acl::of_headers(ask)?, text.is_empty()) {
        (Some(_), false) => {
            Err(Error::new("UnexpectedContent", 400, "This request does not support content"))
        }
        (Some(acl), true) => Ok(acl),
        (None, true) => {
            Err(Error::new("MissingSecurityHeader", 400, "Your request was missing a required header")
                .with("MissingHeaderName", "x-amz-acl"))
        }
        (None, false) => Acl::parse(text, ask.store.account()),
    }
}

pub(crate) async fn set_acl(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let account = ask.store.account();
    let text = document_of(ask, body).await?;
    let acl = acl_of(ask, &text)?;
    check_acl(&bucket, &acl, account)?;
    bucket.set_async(Setting::Acl, &acl.document(account)).await?;
    Ok(document::empty(200))
}

/// What the service says of a bucket of which something was never set, and cannot be here.
pub(crate) fn never_set(ask: &Ask<'_>, what: &str) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let missing = |code: &'static str, message: &str| {
        Err(Error::new(code, 404, message).with("BucketName", bucket.name()))
    };
    match what {
        "website" => missing(
            "NoSuchWebsiteConfiguration",
            "The specified bucket does not have a website configuration",
        ),
        "replication" => {
            missing("ReplicationConfigurationNotFoundError", "The replication configuration was not found")
        }
        "object-lock" => missing(
            "ObjectLockConfigurationNotFoundError",
            "Object Lock configuration does not exist for this bucket",
        ),
        "abac" => Ok(document::answer("AbacStatus", |xml| xml.text("Status", "Disabled"))),
        "logging" => Ok(document::answer("BucketLoggingStatus", |_| {})),
        "accelerate" => Ok(document::answer("AccelerateConfiguration", |_| {})),
        "requestPayment" => {
            Ok(document::answer("RequestPaymentConfiguration", |xml| xml.text("Payer", "BucketOwner")))
        }
        "analytics" | "inventory" | "metrics" | "intelligent-tiering" if ask.param("id").is_some() => {
            missing("NoSuchConfiguration", "The specified configuration does not exist.")
        }
        "analytics" => Ok(list_of_none("ListBucketAnalyticsConfigurationsResult")),
        "inventory" => Ok(list_of_none("ListInventoryConfigurationsResult")),
        "metrics" => Ok(list_of_none("ListMetricsConfigurationsResult")),
        "intelligent-tiering" => Ok(list_of_none("ListBucketIntelligentTieringConfigurationsResult")),
        _ => Err(Error::header_not_implemented(what)),
    }
}

/// A lock of objects, which no bucket here can have: refused as the service does what it would not take, and as not being
/// here where it would.
pub(crate) async fn put_lock(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let root = Node::parse(&document_of(ask, body).await?, "ObjectLockConfiguration")?;
    if root.text_of("ObjectLockEnabled") != Some("Enabled") {
        return Err(Error::malformed_xml());
    }
    if let Some(rule) = root.child("Rule") {
        let retention = rule.child("DefaultRetention").ok_or_else(Error::malformed_xml)?;
        let (days, years) = (retention.number::<i64>("Days")?, retention.number::<i64>("Years")?);
        let mode = retention.required("Mode")?;
        if !["GOVERNANCE", "COMPLIANCE"].contains(&mode) || days.is_some() == years.is_some() {
            return Err(Error::malformed_xml());
        }
        for (name, len, max) in [("Days", days, 36_500), ("Years", years, 100)] {
            let rule = match len {
                Some(..=0) => "Default retention period must be a positive integer value.",
                Some(len) if len > max => "Default retention period too large.",
                _ => continue,
            };
            return Err(Error::argument(name, len.unwrap_or_default().to_string(), rule));
        }
    }
    if bucket.versioning()? != Versioning::Enabled {
        let message = "Versioning must be 'Enabled' on the bucket to apply a Object Lock configuration";
        return Err(Error::new("InvalidBucketState", 409, message));
    }
    Err(Error::header_not_implemented("object-lock"))
}

/// Removes what was never set: the service does not mind, unless one of several is named.
pub(crate) fn unset_never_set(ask: &Ask<'_>, what: &str) -> Result<Response<Body>> {
    match what {
        "website" | "replication" => {
            ask.bucket()?;
            Ok(document::empty(204))
        }
        "analytics" | "inventory" | "metrics" | "intelligent-tiering" if ask.param("id").is_some() => {
            never_set(ask, what)
        }
        _ => Err(Error::header_not_implemented(what)),
    }
}

fn list_of_none(name: &str) -> Response<Body> {
    document::answer(name, |xml| xml.text("IsTruncated", "false"))
}
