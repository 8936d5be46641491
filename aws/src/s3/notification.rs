//! Rules of who is told of what, as documents.

use crate::body::Body;
use crate::s3::ask::Ask;
use crate::s3::document;
use crate::s3::error::{Error, Result};
use crate::s3::intake::Intake;
use crate::s3::object::check_document;
use crate::s3::tree::Node;
use fourfold::objects::{self, KeyFilter, NotificationConfiguration, NotificationError, NotificationRule};
use http::Response;

/// Elements of rules by the service that they tell, and the element with its name.
const KINDS: [(&str, &str, &str); 3] = [
    ("TopicConfiguration", "Topic", "sns"),
    ("QueueConfiguration", "Queue", "sqs"),
    ("CloudFunctionConfiguration", "CloudFunction", "lambda"),
];

pub(crate) fn get(ask: &Ask<'_>) -> Result<Response<Body>> {
    let found = ask.bucket()?.notifications()?;
    Ok(document::answer("NotificationConfiguration", |xml| {
        for rule in &found.rules {
            let service = rule.arn.split(':').nth(2).unwrap_or_default();
            let kind = KINDS.into_iter().find(|(.., known)| *known == service).unwrap_or(KINDS[1]);
            xml.element(kind.0, |xml| {
                if let Some(id) = &rule.id {
                    xml.text("Id", id);
                }
                xml.text(kind.1, &rule.arn);
                for event in &rule.events {
                    xml.text("Event", event.name());
                }
                write_filter(xml, &rule.filter);
            });
        }
        if found.event_bridge {
            xml.empty("EventBridgeConfiguration");
        }
    }))
}

fn write_filter(xml: &mut crate::xml::Xml, filter: &KeyFilter) {
    if filter.prefix.is_none() && filter.suffix.is_none() {
        return;
    }
    xml.element("Filter", |xml| {
        xml.element("S3Key", |xml| {
            for (name, value) in [("Prefix", &filter.prefix), ("Suffix", &filter.suffix)] {
                let Some(value) = value else { continue };
                xml.element("FilterRule", |xml| {
                    xml.text("Name", name);
                    xml.text("Value", value);
                });
            }
        });
    });
}

pub(crate) async fn put(ask: &Ask<'_>, body: &mut Intake<'_>) -> Result<Response<Body>> {
    let bucket = ask.bucket()?;
    let text = body.collect(crate::s3::DOCUMENT_LEN_MAX).await?;
    check_document(ask, body, &text)?;
    let root = Node::parse(&text, "NotificationConfiguration")?;
    let mut rules = Vec::new();
    let mut targets = Vec::new();
    for (element, target, _) in KINDS {
        for node in root.all(element) {
            rules.push(rule(node, target)?);
            targets.push(target);
        }
    }
    let of_target: Vec<(&str, String)> =
        targets.into_iter().zip(rules.iter().map(|rule| rule.arn.clone())).collect();
    let mut configuration = NotificationConfiguration::new(rules);
    configuration.event_bridge = root.child("EventBridgeConfiguration").is_some();
    if ask.header("x-amz-skip-destination-validation").is_some_and(|text| text.eq_ignore_ascii_case("true")) {
        bucket.set_notifications_unvalidated(configuration)
    } else {
        bucket.set_notifications_async(configuration).await
    }
    .map_err(|error| named(error, &of_target))?;
    Ok(document::empty(200))
}

/// An ARN that is none is called after the element that it stood in.
fn named(error: objects::Error, targets: &[(&str, String)]) -> Error {
    let element = match &error {
        objects::Error::Notification(NotificationError::BadArn { given }) => {
            targets.iter().find(|(_, arn)| arn == given).map(|(element, _)| (*element).to_owned())
        }
        _ => None,
    };
    let mut error = Error::from(error);
    if let (Some(element), Some((_, name))) = (element, error.details.first_mut()) {
        *name = element;
    }
    error
}

fn rule(node: &Node, target: &str) -> Result<NotificationRule> {
    let events = node.all("Event").map(|event| event.text.trim().parse()).collect::<Result<Vec<_>, _>>()?;
    if events.is_empty() {
        return Err(Error::malformed_xml());
    }
    let mut rule = NotificationRule::new(node.required(target)?.trim(), events);
    rule.id = node.text_of("Id").filter(|id| !id.is_empty()).map(str::to_owned);
    if let Some(key) = node.child("Filter").and_then(|filter| filter.child("S3Key")) {
        let mut rules = Vec::new();
        for node in key.all("FilterRule") {
            rules.push((node.required("Name")?, node.required("Value")?));
        }
        rule.filter = KeyFilter::from_rules(rules)?;
    }
    Ok(rule)
}
