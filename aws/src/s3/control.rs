//! S3 Control, as far as it concerns buckets: their tags, which Terraform asks for here and not of the bucket.
//!
//! Its requests name the account in a header, and in the first label of the host, which is then no bucket.

use crate::body::Body;
use crate::call::Call;
use crate::form;
use crate::s3::access::{Caller, Need};
use crate::s3::ask::{Ask, Query, Target};
use crate::s3::auth::Gate;
use crate::s3::document;
use crate::s3::error::{Error, Result};
use crate::s3::intake::Intake;
use crate::s3::tree::Node;
use crate::s3::{DOCUMENT_LEN_MAX, Face};
use fourfold::objects::{self, Bucket, Tags};
use http::Response;
use http::request::Parts;

const PATH: &str = "/v20180820/";
const NAMESPACE: &str = "http://awss3control.amazonaws.com/doc/2018-08-20/";
const ACCOUNT: &str = "x-amz-account-id";

/// Is a request for S3 Control, and not about an object that is called like its path?
pub(crate) fn is_for(head: &Parts) -> bool {
    head.uri.path().starts_with(PATH) && head.headers.contains_key(ACCOUNT)
}

pub(crate) async fn answer(call: &Call<'_>, face: &Face, body: &mut Body) -> Result<Response<Body>> {
    let head = call.head;
    let (target, query) = (Target::default(), Query::of(head));
    let (account, now) = (call.store.account(), call.store.now());
    let gate = Gate { keys: &face.keys, accounts: &face.accounts, account, now };
    let admitted = gate.admit(head, call.scope.as_ref(), &target, &query)?;
    let (caller, seal) = (admitted.caller, admitted.seal);
    let scope_region = call.scope.as_ref().map(|scope| &*scope.region);
    let mut ask = Ask { store: call.store, head, target, query, caller, scope_region, seal, form: None };
    let mut body = Intake::new(&ask, body)?;
    if ask.caller != Caller::Owner || ask.header(ACCOUNT) != Some(account) {
        return Err(Error::denied());
    }
    let path = head.uri.path().strip_prefix(PATH).unwrap_or_default();
    let Some(arn) = path.strip_prefix("tags/").and_then(form::decode_url) else {
        let what = path.split('/').next().unwrap_or_default();
        return Err(Error::header_not_implemented(what));
    };
    let bucket = bucket_of(&ask, &arn)?;
    bucket.name().clone_into(&mut ask.target.bucket);
    match head.method.as_str() {
        "GET" => {
            ask.allow("s3:ListTagsForResource", Need::Owner)?;
            body.collect(DOCUMENT_LEN_MAX).await?;
            Ok(shown(&tags_of(&bucket)?))
        }
        "POST" => {
            ask.allow("s3:TagResource", Need::Owner)?;
            let root = Node::parse(&body.collect(DOCUMENT_LEN_MAX).await?, "TagResourceRequest")?;
            let set = root.child("Tags").ok_or_else(Error::malformed_xml)?;
            let pair = |tag: &Node| Ok((tag.required("Key")?.to_owned(), tag.required("Value")?.to_owned()));
            let new = set.all("Tag").map(pair).collect::<Result<Vec<_>>>()?;
            let add = |tags: &mut Tags| {
                for (key, value) in new {
                    tags.0.retain(|(known, _)| *known != key);
                    tags.0.push((key, value));
                }
            };
            bucket.edit_bucket_tags_async(add).await?;
            Ok(document::empty(204))
        }
        "DELETE" => {
            ask.allow("s3:UntagResource", Need::Owner)?;
            body.collect(DOCUMENT_LEN_MAX).await?;
            let remove = |tags: &mut Tags| {
                for (name, key) in form::pairs(head.uri.query().unwrap_or_default()) {
                    tags.0.retain(|(known, _)| name != "tagKeys" || *known != key);
                }
            };
            bucket.edit_bucket_tags_async(remove).await?;
            Ok(document::empty(204))
        }
        method => Err(Error::method_not_allowed(method, "TAGS", "GET, POST, DELETE")),
    }
}

/// The bucket of an ARN: `arn:aws:s3:::name`.
fn bucket_of(ask: &Ask<'_>, arn: &str) -> Result<Bucket> {
    let missing = || Error::new("NoSuchResource", 404, "The specified resource doesn't exist.");
    let resource = arn.splitn(6, ':').nth(5).filter(|_| arn.starts_with("arn:")).ok_or_else(missing)?;
    let name = resource.strip_prefix("bucket/").unwrap_or(resource);
    ask.buckets().bucket(name).map_err(|error| match error {
        objects::Error::NoSuchBucket { .. } => missing(),
        other => other.into(),
    })
}

fn tags_of(bucket: &Bucket) -> Result<Tags> {
    match bucket.bucket_tags() {
        Err(objects::Error::NoSuchTagSet { .. }) => Ok(Tags::default()),
        found => Ok(found?),
    }
}

fn shown(tags: &Tags) -> Response<Body> {
    let mut xml = document::new();
    xml.element_with("ListTagsForResourceResult", &[("xmlns", NAMESPACE)], |xml| {
        xml.element("Tags", |xml| {
            for (key, value) in tags.iter() {
                xml.element("Tag", |xml| {
                    xml.text("Key", key);
                    xml.text("Value", value);
                });
            }
        });
    });
    document::of(xml.finish())
}
