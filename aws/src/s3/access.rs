//! Who may do what. The account that the store is may do everything that no policy forbids; others, and those who did not
//! sign, what an access control list or a policy allows them.

use crate::s3::acl::{Acl, Permission};
use crate::s3::ask::Ask;
use crate::s3::error::{Error, Result};
use crate::s3::policy::{Policy, Verdict};
use crate::s3::tree::Node;
use fourfold::objects::{Bucket, GetObject, Setting};

/// Who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// The account that the store is.
    Owner,
    /// Another account.
    Other(String),
    /// Somebody who did not sign.
    Anonymous,
}

/// What an access control list must grant for an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// A permission on the bucket.
    Bucket(Permission),
    /// A permission on the object, or on the bucket if there is no object: so nobody learns which keys there are.
    Object(Permission),
    /// Only the owner.
    Owner,
}

/// Name of the attribute of an object that is its access control list.
pub(crate) const ACL: &str = "acl";

impl Ask<'_> {
    /// May the caller do this to the bucket and key that the request is about?
    pub(crate) fn allow(&self, action: &str, need: Need) -> Result<()> {
        if self.target.bucket.is_empty() {
            return if self.caller == Caller::Owner { Ok(()) } else { Err(Error::denied()) };
        }
        let bucket = self.buckets().bucket(&self.target.bucket)?;
        self.allow_on(&bucket, self.key(), self.param("versionId"), action, need)
    }

    /// Who writes an object with grants or tags must be allowed these too.
    pub(crate) fn allow_what_comes_along(&self) -> Result<()> {
        const GRANTS: [&str; 6] = [
            "x-amz-acl",
            "x-amz-grant-full-control",
            "x-amz-grant-read",
            "x-amz-grant-read-acp",
            "x-amz-grant-write",
            "x-amz-grant-write-acp",
        ];
        let need = Need::Bucket(Permission::Write);
        if GRANTS.iter().any(|name| self.asked(name).is_some()) {
            self.allow("s3:PutObjectAcl", need)?;
        }
        if self.asked("x-amz-tagging").is_some() {
            self.allow("s3:PutObjectTagging", need)?;
        }
        Ok(())
    }

    /// The same of another bucket and key, such as the source of a copy.
    pub(crate) fn allow_on(
        &self,
        bucket: &Bucket,
        key: &str,
        version: Option<&str>,
        action: &str,
        need: Need,
    ) -> Result<()> {
        let policy = Policy::of(bucket)?;
        let verdict = policy
            .as_ref()
            .map_or(Verdict::Silent, |policy| policy.judge(self, bucket, key, version, action));
        // The owner can always put a wrong policy right.
        let mends = action.ends_with("BucketPolicy");
        match (verdict, &self.caller) {
            (Verdict::Denied, Caller::Owner) if mends => Ok(()),
            (Verdict::Denied, _) => Err(Error::denied()),
            (Verdict::Allowed, _) | (_, Caller::Owner) => Ok(()),
            (Verdict::Silent, caller) => {
                let blocked = Block::of(bucket)?.ignores_acls;
                let acl = |need: Need| match need {
                    Need::Bucket(_) => bucket_acl(bucket, self.store.account()),
                    _ => object_acl(bucket, key, version, self.store.account()),
                };
                let (acl, permission) = match need {
                    Need::Owner => return Err(Error::denied()),
                    Need::Bucket(permission) | Need::Object(permission) => (acl(need), permission),
                };
                let acl = match acl {
                    // Who may list the bucket may know that there is no such key.
                    Err(missing) if missing.status == 404 && missing.code != "NoSuchBucket" => {
                        let listable = bucket_acl(bucket, self.store.account())?;
                        let may_know = !blocked && listable.allows(caller, Permission::Read);
                        return if may_know { Ok(()) } else { Err(Error::denied()) };
                    }
                    other => other?,
                };
                if !blocked && acl.allows(caller, permission) { Ok(()) } else { Err(Error::denied()) }
            }
        }
    }
}

/// The access control list of a bucket.
pub(crate) fn bucket_acl(bucket: &Bucket, account: &str) -> Result<Acl> {
    match bucket.setting(Setting::Acl) {
        Ok(text) => Acl::parse(text.as_bytes(), account),
        Err(error) if error.code() == "NoSuchAccessControlList" => Ok(Acl::private(account)),
        Err(error) => Err(error.into()),
    }
}

/// The access control list of an object.
pub(crate) fn object_acl(bucket: &Bucket, key: &str, version: Option<&str>, account: &str) -> Result<Acl> {
    let mut request = GetObject::new(key);
    request.version_id = version.map(str::to_owned);
    let head = bucket.head_object(&request)?;
    match head.info.metadata.attribute(ACL) {
        Some(text) => Acl::parse(text.as_bytes(), account),
        None => Ok(Acl::private(account)),
    }
}

/// What of a public access block matters here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) refuses_acls: bool,
    pub(crate) ignores_acls: bool,
    pub(crate) refuses_policies: bool,
}

impl Block {
    pub(crate) fn of(bucket: &Bucket) -> Result<Self> {
        let text = match bucket.setting(Setting::PublicAccessBlock) {
            Ok(text) => text,
            Err(error) if error.status() == 404 && error.code() != "NoSuchBucket" => {
                return Ok(Self::default());
            }
            Err(error) => return Err(error.into()),
        };
        let node = Node::read(text.as_bytes()).unwrap_or_default();
        let flag = |name: &str| node.text_of(name).is_some_and(|text| text.trim() == "true");
        Ok(Self {
            refuses_acls: flag("BlockPublicAcls"),
            ignores_acls: flag("IgnorePublicAcls"),
            refuses_policies: flag("BlockPublicPolicy"),
        })
    }
}

/// May a list be given at all? Not if the bucket's owner owns everything in it; not a public one if that is blocked.
pub(crate) fn check_acl(bucket: &Bucket, acl: &Acl, account: &str) -> Result<()> {
    let ownership = bucket.setting(Setting::Ownership).unwrap_or_default();
    if ownership.contains("BucketOwnerEnforced") && *acl != Acl::private(account) {
        let message = "The bucket does not allow ACLs";
        return Err(Error::new("AccessControlListNotSupported", 400, message));
    }
    if acl.is_public() && Block::of(bucket)?.refuses_acls {
        return Err(Error::denied());
    }
    Ok(())
}
