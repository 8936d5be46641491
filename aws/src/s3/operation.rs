//! Which operation a request is: method, bucket, key, and the first sub-resource of its query that counts.

use crate::body::Body;
use crate::form::latin;
use crate::s3::access::Need;
use crate::s3::acl::Permission;
use crate::s3::ask::{Ask, Query, Target};
use crate::s3::error::{Error, Result};
use crate::s3::intake::Intake;
use crate::s3::{bucket, lifecycle, list, multipart, notification, object};
use fourfold::objects::Setting;
use http::Response;
use http::request::Parts;

/// An operation, as the service names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    ListBuckets,
    CreateBucket,
    DeleteBucket,
    HeadBucket,
    Location,
    GetVersioning,
    PutVersioning,
    GetBucketTags,
    PutBucketTags,
    DeleteBucketTags,
    GetSetting(Setting),
    PutSetting(Setting),
    DeleteSetting(Setting),
    PolicyStatus,
    GetBucketAcl,
    PutBucketAcl,
    GetLifecycle,
    PutLifecycle,
    DeleteLifecycle,
    GetNotification,
    PutNotification,
    PutLock,
    /// What is known of a bucket that never had any.
    NeverSet(&'static str),
    /// Removing that, which changes nothing.
    UnsetNeverSet(&'static str),
    ListObjectsV1,
    ListObjectsV2,
    ListVersions,
    ListUploads,
    DeleteObjects,
    PostForm,
    PutObject,
    CopyObject,
    GetObject,
    HeadObject,
    DeleteObject,
    Attributes,
    GetTags,
    PutTags,
    DeleteTags,
    GetAcl,
    PutAcl,
    /// What concerns the lock of an object, which no bucket here has.
    Lock,
    Restore,
    CreateUpload,
    UploadPart,
    CopyPart,
    CompleteUpload,
    AbortUpload,
    ListParts,
}

use Operation as Op;

/// Sub-resources of buckets that nothing can be set of here.
const NEVER_SET: [&str; 11] = [
    "abac",
    "website",
    "replication",
    "object-lock",
    "logging",
    "accelerate",
    "requestPayment",
    "analytics",
    "inventory",
    "metrics",
    "intelligent-tiering",
];
/// Others, which are not here at all.
const NOT_HERE: [&str; 8] = [
    "session",
    "metadataTable",
    "metadataAnnotationTable",
    "metadataConfiguration",
    "metadataInventoryTable",
    "metadataJournalTable",
    "torrent",
    "renameObject",
];
const SETTINGS: [(&str, Setting); 5] = [
    ("cors", Setting::Cors),
    ("policy", Setting::Policy),
    ("encryption", Setting::Encryption),
    ("ownershipControls", Setting::Ownership),
    ("publicAccessBlock", Setting::PublicAccessBlock),
];

impl Operation {
    pub(crate) fn of(head: &Parts, target: &Target, query: &Query) -> Result<Self> {
        let method = head.method.as_str();
        if let Some(name) = NOT_HERE.into_iter().find(|name| query.has(name)) {
            return Err(Error::header_not_implemented(name));
        }
        // Of a bucket, a form or a list of keys may come with it.
        let copies = method == "PUT" || method == "POST" && target.key.is_empty();
        if let Some(source) = head.headers.get("x-amz-copy-source").filter(|_| !copies) {
            let rule = "You can only specify a copy source header for copy requests.";
            return Err(Error::argument("x-amz-copy-source", latin(source.as_bytes()), rule));
        }
        match (target.bucket.is_empty(), target.key.is_empty()) {
            (true, _) => match method {
                "GET" => Ok(Op::ListBuckets),
                _ => Err(Error::method_not_allowed(method, "SERVICE", "GET")),
            },
            (false, true) => Self::of_bucket(method, head, query),
            (false, false) => Self::of_object(method, head, query),
        }
    }

    fn of_bucket(method: &str, head: &Parts, query: &Query) -> Result<Self> {
        let not_allowed = |kind: &str, allowed: &str| Err(Error::method_not_allowed(method, kind, allowed));
        if let Some((_, setting)) = SETTINGS.into_iter().find(|(name, _)| query.has(name)) {
            return match method {
                "GET" => Ok(Op::GetSetting(setting)),
                "PUT" => Ok(Op::PutSetting(setting)),
                "DELETE" => Ok(Op::DeleteSetting(setting)),
                _ => not_allowed("BUCKET", "GET, PUT, DELETE"),
            };
        }
        let named = |name: &str, get: Self, put: Self, delete: Option<Self>| {
            query.has(name).then(|| match (method, delete) {
                ("GET", _) => Ok(get),
                ("PUT", _) => Ok(put),
                ("DELETE", Some(delete)) => Ok(delete),
                _ => not_allowed("BUCKET", "GET, PUT"),
            })
        };
        let found = named("versioning", Op::GetVersioning, Op::PutVersioning, None)
            .or_else(|| named("tagging", Op::GetBucketTags, Op::PutBucketTags, Some(Op::DeleteBucketTags)))
            .or_else(|| named("acl", Op::GetBucketAcl, Op::PutBucketAcl, None))
            .or_else(|| named("lifecycle", Op::GetLifecycle, Op::PutLifecycle, Some(Op::DeleteLifecycle)))
            .or_else(|| named("notification", Op::GetNotification, Op::PutNotification, None));
        if let Some(found) = found {
            return found;
        }
        if let Some(name) = NEVER_SET.into_iter().find(|name| query.has(name)) {
            return match method {
                "GET" => Ok(Op::NeverSet(name)),
                "DELETE" => Ok(Op::UnsetNeverSet(name)),
                "PUT" if name == "object-lock" => Ok(Op::PutLock),
                _ => Err(Error::header_not_implemented(name)),
            };
        }
        match method {
            "GET" if query.has("location") => Ok(Op::Location),
            "GET" if query.has("policyStatus") => Ok(Op::PolicyStatus),
            "GET" if query.has("uploads") => Ok(Op::ListUploads),
            "GET" if query.has("versions") => Ok(Op::ListVersions),
            "GET" if query.get("list-type") == Some("2") => Ok(Op::ListObjectsV2),
            "GET" => match query.get("list-type") {
                None | Some("" | "1") => Ok(Op::ListObjectsV1),
                Some(other) => {
                    Err(Error::argument("list-type", other, "Invalid List Type specified in Request"))
                }
            },
            "HEAD" => Ok(Op::HeadBucket),
            "PUT" => Ok(Op::CreateBucket),
            "DELETE" => Ok(Op::DeleteBucket),
            "POST" if query.has("delete") => Ok(Op::DeleteObjects),
            "POST" if is_form(head) => Ok(Op::PostForm),
            "POST" => {
                let message = "At least one of the pre-conditions you specified did not hold";
                let condition = "Bucket POST must be of the enclosure-type multipart/form-data";
                Err(Error::new("PreconditionFailed", 412, message).with("Condition", condition))
            }
            _ => not_allowed("BUCKET", "GET, HEAD, PUT, POST, DELETE"),
        }
    }

    fn of_object(method: &str, head: &Parts, query: &Query) -> Result<Self> {
        let is_copy = head.headers.contains_key("x-amz-copy-source");
        let not_allowed = |allowed: &str| Err(Error::method_not_allowed(method, "OBJECT", allowed));
        for (name, get, put, delete) in [
            ("tagging", Op::GetTags, Op::PutTags, Some(Op::DeleteTags)),
            ("acl", Op::GetAcl, Op::PutAcl, None),
        ] {
            if query.has(name) {
                return match (method, delete) {
                    ("GET", _) => Ok(get),
                    ("PUT", _) => Ok(put),
                    ("DELETE", Some(delete)) => Ok(delete),
                    _ => not_allowed("GET, PUT"),
                };
            }
        }
        if ["retention", "legal-hold"].into_iter().any(|name| query.has(name)) {
            return Ok(Op::Lock);
        }
        if let Some(name) =
            ["annotation", "annotations", "select", "encryption"].into_iter().find(|name| query.has(name))
        {
            return Err(Self::refused(method, name));
        }
        if let (true, Some(number)) = (method == "PUT" && !query.has("uploadId"), query.get("partNumber")) {
            let rule = "This operation does not accept partNumber without uploadId";
            return Err(Error::argument("partNumber", number, rule));
        }
        match method {
            "GET" if query.has("attributes") => Ok(Op::Attributes),
            "GET" if query.has("uploads") => {
                Err(Error::request("Key is not expected for the GET method ?uploads subresource"))
            }
            "GET" if query.has("versions") => {
                Err(Error::request("There is no such thing as the ?versions sub-resource for a key"))
            }
            "GET" if query.has("uploadId") => Ok(Op::ListParts),
            "GET" => Ok(Op::GetObject),
            "HEAD" => Ok(Op::HeadObject),
            "PUT" if query.has("uploadId") && !query.has("partNumber") => {
                not_allowed("GET, HEAD, POST, DELETE")
            }
            "PUT" if query.has("uploadId") && is_copy => Ok(Op::CopyPart),
            "PUT" if query.has("uploadId") => Ok(Op::UploadPart),
            "PUT" if is_copy => Ok(Op::CopyObject),
            "PUT" => Ok(Op::PutObject),
            "DELETE" if query.has("uploadId") => Ok(Op::AbortUpload),
            "DELETE" => Ok(Op::DeleteObject),
            "POST" if query.has("restore") => Ok(Op::Restore),
            "POST" if query.has("uploads") => Ok(Op::CreateUpload),
            "POST" if query.has("uploadId") => Ok(Op::CompleteUpload),
            _ => not_allowed("GET, HEAD, PUT, DELETE"),
        }
    }

    /// What the service has and this does not: nothing is SQL.
    fn refused(method: &str, name: &str) -> Error {
        match (method, name) {
            ("POST", "select") => Error::method_not_allowed(method, "OBJECT", "GET, HEAD, PUT, DELETE"),
            _ => Error::header_not_implemented(name),
        }
    }

    /// What only somebody who signed may do, whatever is allowed everybody.
    pub(crate) fn of_somebody(self) -> Option<&'static str> {
        match self {
            Op::CreateUpload => Some("initiate multipart uploads"),
            Op::CopyObject => Some("copy objects"),
            _ => None,
        }
    }

    /// The action's name in policies, and what an access control list must grant.
    pub(crate) fn asks(self, ask: &Ask<'_>) -> (&'static str, Need) {
        use Permission::{Read, ReadAcp, Write, WriteAcp};
        let versioned = ask.query.has("versionId");
        let either = |plain, of_version| if versioned { of_version } else { plain };
        let owner = |action| (action, Need::Owner);
        match self {
            Op::ListBuckets => owner("s3:ListAllMyBuckets"),
            Op::CreateBucket => owner("s3:CreateBucket"),
            Op::DeleteBucket => owner("s3:DeleteBucket"),
            Op::HeadBucket | Op::ListObjectsV1 | Op::ListObjectsV2 => ("s3:ListBucket", Need::Bucket(Read)),
            Op::ListVersions => ("s3:ListBucketVersions", Need::Bucket(Read)),
            Op::ListUploads => ("s3:ListBucketMultipartUploads", Need::Bucket(Read)),
            Op::Location => owner("s3:GetBucketLocation"),
            Op::GetVersioning => owner("s3:GetBucketVersioning"),
            Op::PutVersioning => owner("s3:PutBucketVersioning"),
            Op::GetBucketTags => owner("s3:GetBucketTagging"),
            Op::PutBucketTags | Op::DeleteBucketTags => owner("s3:PutBucketTagging"),
            Op::GetSetting(setting) => owner(actions_of(setting)[0]),
            Op::PutSetting(setting) => owner(actions_of(setting)[1]),
            Op::DeleteSetting(setting) => owner(actions_of(setting)[2]),
            Op::PolicyStatus => owner("s3:GetBucketPolicyStatus"),
            Op::GetBucketAcl => ("s3:GetBucketAcl", Need::Bucket(ReadAcp)),
            Op::PutBucketAcl => ("s3:PutBucketAcl", Need::Bucket(WriteAcp)),
            Op::GetLifecycle => owner("s3:GetLifecycleConfiguration"),
            Op::PutLifecycle | Op::DeleteLifecycle => owner("s3:PutLifecycleConfiguration"),
            Op::GetNotification => owner("s3:GetBucketNotification"),
            Op::PutNotification => owner("s3:PutBucketNotification"),
            Op::PutLock => owner("s3:PutBucketObjectLockConfiguration"),
            Op::NeverSet(_) => owner("s3:GetBucketWebsite"),
            Op::UnsetNeverSet(_) => owner("s3:DeleteBucketWebsite"),
            Op::GetObject | Op::HeadObject => {
                (either("s3:GetObject", "s3:GetObjectVersion"), Need::Object(Read))
            }
            Op::Attributes => {
                (either("s3:GetObjectAttributes", "s3:GetObjectVersionAttributes"), Need::Object(Read))
            }
            Op::DeleteObjects => ("s3:DeleteObjects", Need::Bucket(Write)),
            Op::DeleteObject => (either("s3:DeleteObject", "s3:DeleteObjectVersion"), Need::Bucket(Write)),
            Op::GetTags => owner(either("s3:GetObjectTagging", "s3:GetObjectVersionTagging")),
            Op::PutTags => owner(either("s3:PutObjectTagging", "s3:PutObjectVersionTagging")),
            Op::DeleteTags => owner(either("s3:DeleteObjectTagging", "s3:DeleteObjectVersionTagging")),
            Op::GetAcl => (either("s3:GetObjectAcl", "s3:GetObjectVersionAcl"), Need::Object(ReadAcp)),
            Op::PutAcl => (either("s3:PutObjectAcl", "s3:PutObjectVersionAcl"), Need::Object(WriteAcp)),
            Op::Lock => owner("s3:GetObjectRetention"),
            Op::Restore => owner("s3:RestoreObject"),
            Op::AbortUpload => ("s3:AbortMultipartUpload", Need::Bucket(Write)),
            Op::ListParts => ("s3:ListMultipartUploadParts", Need::Bucket(Read)),
            Op::PostForm
            | Op::PutObject
            | Op::CopyObject
            | Op::CreateUpload
            | Op::UploadPart
            | Op::CopyPart
            | Op::CompleteUpload => ("s3:PutObject", Need::Bucket(Write)),
        }
    }

    pub(crate) async fn answer(self, ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
        match self {
            Op::ListBuckets => list::buckets(ask),
            Op::CreateBucket => bucket::create(ask, body).await,
            Op::DeleteBucket => bucket::delete(ask).await,
            Op::HeadBucket => bucket::head(ask),
            Op::Location => bucket::location(ask),
            Op::GetVersioning => bucket::versioning(ask),
            Op::PutVersioning => bucket::set_versioning(ask, body).await,
            Op::GetBucketTags => bucket::tags(ask),
            Op::PutBucketTags => bucket::set_tags(ask, body).await,
            Op::DeleteBucketTags => bucket::delete_tags(ask).await,
            Op::GetSetting(setting) => bucket::get(ask, setting),
            Op::PutSetting(setting) => bucket::put(ask, setting, body).await,
            Op::DeleteSetting(setting) => bucket::unset(ask, setting).await,
            Op::PolicyStatus => bucket::policy_status(ask),
            Op::GetBucketAcl => bucket::acl(ask),
            Op::PutBucketAcl => bucket::set_acl(ask, body).await,
            Op::GetLifecycle => lifecycle::get(ask),
            Op::PutLifecycle => lifecycle::put(ask, body).await,
            Op::DeleteLifecycle => lifecycle::delete(ask).await,
            Op::GetNotification => notification::get(ask),
            Op::PutNotification => notification::put(ask, body).await,
            Op::PutLock => bucket::put_lock(ask, body).await,
            Op::NeverSet(what) => bucket::never_set(ask, what),
            Op::UnsetNeverSet(what) => bucket::unset_never_set(ask, what),
            Op::ListObjectsV1 => list::objects_v1(ask),
            Op::ListObjectsV2 => list::objects_v2(ask),
            Op::ListVersions => list::versions(ask),
            Op::ListUploads => list::uploads(ask),
            Op::DeleteObjects => object::delete_many(ask, body).await,
            Op::PutObject => object::put(ask, body).await,
            Op::CopyObject => object::copy(ask).await,
            Op::GetObject => object::get(ask),
            Op::HeadObject => object::head(ask),
            Op::DeleteObject => object::delete(ask).await,
            Op::Attributes => object::attributes_of(ask),
            Op::GetTags => object::get_tags(ask),
            Op::PutTags => object::set_tags(ask, body).await,
            Op::DeleteTags => object::delete_tags(ask).await,
            Op::GetAcl => object::get_acl(ask),
            Op::PutAcl => object::set_acl(ask, body).await,
            Op::Lock => {
                ask.bucket()?;
                Err(Error::request("Bucket is missing Object Lock Configuration"))
            }
            Op::Restore => object::restore(ask),
            Op::CreateUpload => multipart::create(ask).await,
            Op::UploadPart => multipart::put_part(ask, body).await,
            Op::CopyPart => multipart::copy_part(ask).await,
            Op::CompleteUpload => multipart::complete(ask, body).await,
            Op::AbortUpload => multipart::abort(ask).await,
            Op::ListParts => list::parts(ask),
            // It is let in by its fields, before anything is asked.
            Op::PostForm => Err(Error::denied()),
        }
    }
}

/// The actions that get, put and delete a setting.
fn actions_of(setting: Setting) -> [&'static str; 3] {
    match setting {
        Setting::Cors => ["s3:GetBucketCORS", "s3:PutBucketCORS", "s3:PutBucketCORS"],
        Setting::Policy => ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"],
        Setting::Encryption => [
            "s3:GetEncryptionConfiguration",
            "s3:PutEncryptionConfiguration",
            "s3:PutEncryptionConfiguration",
        ],
        Setting::Ownership => [
            "s3:GetBucketOwnershipControls",
            "s3:PutBucketOwnershipControls",
            "s3:PutBucketOwnershipControls",
        ],
        _ => [
            "s3:GetBucketPublicAccessBlock",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketPublicAccessBlock",
        ],
    }
}

fn is_form(head: &Parts) -> bool {
    let content_type = head.headers.get("content-type").and_then(|value| value.to_str().ok());
    content_type.is_some_and(|text| text.to_ascii_lowercase().starts_with("multipart/form-data"))
}
