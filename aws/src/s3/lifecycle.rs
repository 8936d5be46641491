//! Lifecycle rules as documents.

use crate::body::Body;
use crate::s3::ask::Ask;
use crate::s3::document::{self, iso, parse_iso};
use crate::s3::error::{Error, Result};
use crate::s3::intake::Intake;
use crate::s3::object::check_document;
use crate::s3::reply::set;
use crate::s3::tree::Node;
use crate::xml::Xml;
use fourfold::objects::{
    Expiration, LifecycleAnd, LifecycleConfiguration, LifecycleFilter, LifecycleRule, LifecycleTag,
    NoncurrentExpiration, NoncurrentTransition, Transition,
};
use http::Response;

const MINIMUM: &str = "x-amz-transition-default-minimum-object-size";

pub(crate) fn get(ask: &Ask<'_>) -> Result<Response<Body>> {
    let found = ask.bucket()?.lifecycle()?;
    let mut answer = document::answer("LifecycleConfiguration", |xml| {
        for rule in &found.rules {
            xml.element("Rule", |xml| write_rule(xml, rule));
        }
    });
    set(answer.headers_mut(), MINIMUM, found.transition_minimum.name());
    Ok(answer)
}

pub(crate) async fn put(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let text = body.collect(crate::s3::DOCUMENT_LEN_MAX).await?;
    check_document(ask, body, &text)?;
    let root = Node::parse(&text, "LifecycleConfiguration")?;
    let rules = root.all("Rule").map(rule).collect::<Result<Vec<_>>>()?;
    let mut configuration = LifecycleConfiguration::new(rules);
    if let Some(minimum) = ask.header(MINIMUM) {
        configuration.transition_minimum = minimum.parse()?;
    }
    let minimum = configuration.transition_minimum;
    bucket.set_lifecycle_async(configuration).await?;
    let mut answer = document::empty(200);
    set(answer.headers_mut(), MINIMUM, minimum.name());
    Ok(answer)
}

pub(crate) async fn delete(ask: &Ask<'_>) -> Result<Response<Body>> {
    ask.bucket()?.delete_lifecycle_async().await?;
    Ok(document::empty(204))
}

fn owned(text: Option<&str>) -> Option<String> {
    text.map(str::to_owned)
}

fn date(node: &Node) -> Result<Option<fourfold::Timestamp>> {
    let parse = |text: &str| parse_iso(text.trim()).ok_or_else(Error::malformed_xml);
    node.text_of("Date").map(parse).transpose()
}

fn rule(node: &Node) -> Result<LifecycleRule> {
    let mut rule = LifecycleRule::default();
    rule.id = owned(node.text_of("ID")).filter(|id| !id.is_empty());
    rule.status = node.required("Status")?.parse()?;
    rule.prefix = owned(node.text_of("Prefix"));
    rule.filter = node.child("Filter").map(filter).transpose()?;
    // An action that says nothing is none.
    let empty = |name: &str| node.child(name).is_some_and(|action| action.children.is_empty());
    if ["Expiration", "NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"].into_iter().any(empty)
    {
        return Err(Error::malformed_xml());
    }
    if let Some(node) = node.child("Expiration") {
        rule.expiration = Expiration {
            days: node.number("Days")?,
            date: date(node)?,
            expired_object_delete_marker: node.flag("ExpiredObjectDeleteMarker")?,
        };
    }
    if let Some(node) = node.child("NoncurrentVersionExpiration") {
        rule.noncurrent_expiration = NoncurrentExpiration {
            days: node.number("NoncurrentDays")?,
            newer_versions: node.number("NewerNoncurrentVersions")?,
        };
    }
    if let Some(node) = node.child("AbortIncompleteMultipartUpload") {
        rule.abort_incomplete_upload_days = node.number("DaysAfterInitiation")?;
    }
    for node in node.all("Transition") {
        let class = node.required("StorageClass")?.parse()?;
        rule.transitions.push(Transition { days: node.number("Days")?, date: date(node)?, class });
    }
    for node in node.all("NoncurrentVersionTransition") {
        rule.noncurrent_transitions.push(NoncurrentTransition {
            days: node.number("NoncurrentDays")?,
            newer_versions: node.number("NewerNoncurrentVersions")?,
            class: node.required("StorageClass")?.parse()?,
        });
    }
    Ok(rule)
}

fn tag(node: &Node) -> Result<LifecycleTag> {
    Ok(LifecycleTag::new(node.required("Key")?, node.required("Value")?))
}

fn filter(node: &Node) -> Result<LifecycleFilter> {
    let and = |node: &Node| -> Result<LifecycleAnd> {
        Ok(LifecycleAnd {
            prefix: owned(node.text_of("Prefix")),
            tags: node.all("Tag").map(tag).collect::<Result<_>>()?,
            larger_than: node.number("ObjectSizeGreaterThan")?,
            smaller_than: node.number("ObjectSizeLessThan")?,
        })
    };
    Ok(LifecycleFilter {
        prefix: owned(node.text_of("Prefix")),
        tag: node.child("Tag").map(tag).transpose()?,
        larger_than: node.number("ObjectSizeGreaterThan")?,
        smaller_than: node.number("ObjectSizeLessThan")?,
        and: node.child("And").map(and).transpose()?,
    })
}

/// An element if there is something to say.
fn some(xml: &mut Xml, name: &str, value: Option<impl ToString>) {
    if let Some(value) = value {
        xml.text(name, &value.to_string());
    }
}

fn write_tag(xml: &mut Xml, tag: &LifecycleTag) {
    xml.element("Tag", |xml| {
        xml.text("Key", &tag.key);
        xml.text("Value", &tag.value);
    });
}

fn write_filter(xml: &mut Xml, filter: &LifecycleFilter) {
    some(xml, "Prefix", filter.prefix.as_ref());
    filter.tag.iter().for_each(|tag| write_tag(xml, tag));
    some(xml, "ObjectSizeGreaterThan", filter.larger_than);
    some(xml, "ObjectSizeLessThan", filter.smaller_than);
    if let Some(and) = &filter.and {
        xml.element("And", |xml| {
            some(xml, "Prefix", and.prefix.as_ref());
            and.tags.iter().for_each(|tag| write_tag(xml, tag));
            some(xml, "ObjectSizeGreaterThan", and.larger_than);
            some(xml, "ObjectSizeLessThan", and.smaller_than);
        });
    }
}

fn write_rule(xml: &mut Xml, rule: &LifecycleRule) {
    some(xml, "ID", rule.id.as_ref());
    if let Some(filter) = &rule.filter {
        xml.element("Filter", |xml| write_filter(xml, filter));
    }
    some(xml, "Prefix", rule.prefix.as_ref());
    xml.text("Status", rule.status.name());
    for transition in &rule.transitions {
        xml.element("Transition", |xml| {
            some(xml, "Days", transition.days);
            some(xml, "Date", transition.date.map(iso));
            xml.text("StorageClass", transition.class.name());
        });
    }
    let expiration = &rule.expiration;
    if *expiration != Expiration::default() {
        xml.element("Expiration", |xml| {
            some(xml, "Days", expiration.days);
            some(xml, "Date", expiration.date.map(iso));
            some(xml, "ExpiredObjectDeleteMarker", expiration.expired_object_delete_marker);
        });
    }
    for transition in &rule.noncurrent_transitions {
        xml.element("NoncurrentVersionTransition", |xml| {
            some(xml, "NoncurrentDays", transition.days);
            some(xml, "NewerNoncurrentVersions", transition.newer_versions);
            xml.text("StorageClass", transition.class.name());
        });
    }
    let noncurrent = &rule.noncurrent_expiration;
    if *noncurrent != NoncurrentExpiration::default() {
        xml.element("NoncurrentVersionExpiration", |xml| {
            some(xml, "NoncurrentDays", noncurrent.days);
            some(xml, "NewerNoncurrentVersions", noncurrent.newer_versions);
        });
    }
    if let Some(days) = rule.abort_incomplete_upload_days {
        xml.element("AbortIncompleteMultipartUpload", |xml| {
            xml.text("DaysAfterInitiation", &days.to_string());
        });
    }
}
