//! `TagResource`, `UntagResource`, `ListTagsOfResource`.

use crate::kv::Tables;
use crate::kv::error::{Error, Result};
use crate::kv::schema::Tag;
use crate::kv::state::Table;
use crate::store::pending::Pending;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Tags of a table, at most.
pub const TAGS_MAX: usize = 50;
/// Characters of the key of a tag, at most.
pub const TAG_KEY_LEN_MAX: usize = 128;
/// Characters of the value of a tag, at most.
pub const TAG_VALUE_LEN_MAX: usize = 256;

const TOO_MANY: &str = "Number of Tags exceed the current limit for the provided ResourceArn";

impl Tables {
    /// Hangs tags on a table, named by its ARN or its name; a tag of the same key is replaced.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is none, `ValidationException` for a key or value that no tag can have or
    /// more than 50 tags.
    pub fn tag_resource(&self, arn: &str, tags: Vec<Tag>) -> Result<()> {
        self.store.call("TagResource", arn, || Ok(self.stage_tag(arn, tags)?.wait()?))
    }

    /// [`tag_resource`](Self::tag_resource) that holds no thread while it waits.
    pub async fn tag_resource_async(&self, arn: &str, tags: Vec<Tag>) -> Result<()> {
        self.store
            .call_async("TagResource", arn, async { Ok(self.stage_tag(arn, tags)?.done().await?) })
            .await
    }

    /// Takes the tags with these keys from a table; a key that it does not have is passed over.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is none, `ValidationException` for no keys at all.
    pub fn untag_resource(&self, arn: &str, keys: &[String]) -> Result<()> {
        self.store.call("UntagResource", arn, || Ok(self.stage_untag(arn, keys)?.wait()?))
    }

    /// [`untag_resource`](Self::untag_resource) that holds no thread while it waits.
    pub async fn untag_resource_async(&self, arn: &str, keys: &[String]) -> Result<()> {
        self.store
            .call_async("UntagResource", arn, async { Ok(self.stage_untag(arn, keys)?.done().await?) })
            .await
    }

    /// The tags of a table, all in one page.
    ///
    /// # Errors
    /// `ResourceNotFoundException` if there is no such table.
    pub fn list_tags_of_resource(&self, arn: &str) -> Result<Vec<Tag>> {
        self.store.call("ListTagsOfResource", arn, || self.do_list_tags_of_resource(arn))
    }

    fn do_list_tags_of_resource(&self, arn: &str) -> Result<Vec<Tag>> {
        Ok(self.tagged(arn)?.shape.read().definition.tags.clone())
    }

    fn stage_tag(&self, arn: &str, tags: Vec<Tag>) -> Result<Pending<()>> {
        if tags.is_empty() {
            return Err(Error::validation("Atleast one Tag needs to be provided as Input."));
        }
        check_tags(&tags)?;
        self.stage_tags(arn, |kept| {
            kept.retain(|old| tags.iter().all(|tag| tag.key != old.key));
            kept.extend(tags);
        })
    }

    fn stage_untag(&self, arn: &str, keys: &[String]) -> Result<Pending<()>> {
        if keys.is_empty() {
            return Err(Error::validation("Atleast one Tag Key needs to be provided as Input."));
        }
        keys.iter().try_for_each(|key| check_tag(key, "Key", 1, TAG_KEY_LEN_MAX))?;
        self.stage_tags(arn, |kept| kept.retain(|tag| !keys.contains(&tag.key)))
    }

    fn stage_tags(&self, arn: &str, change: impl FnOnce(&mut Vec<Tag>)) -> Result<Pending<()>> {
        let table = self.tagged(arn)?;
        let _control = self.state.control.lock();
        let mut shape = table.shape.write();
        if shape.is_dropped {
            return Err(not_found(arn));
        }
        let mut definition = (*shape.definition).clone();
        change(&mut definition.tags);
        if definition.tags.len() > TAGS_MAX {
            return Err(Error::validation(TOO_MANY));
        }
        let pending =
            self.state.commit_definition(&self.store, &table, &mut shape, definition, self.store.batch())?;
        Ok(pending)
    }

    fn tagged(&self, arn: &str) -> Result<Arc<Table>> {
        if arn.is_empty() {
            return Err(Error::validation(
                "1 validation error detected: Value '' at 'resourceArn' failed to satisfy constraint: Member must \
                 have length greater than or equal to 1",
            ));
        }
        let name = match arn.strip_prefix("arn:") {
            Some(_) => arn.split_once(":table/").map(|(_, name)| name).ok_or_else(|| bad_arn(arn))?,
            None => arn,
        };
        if name.contains("/stream/") {
            return Err(not_found(arn));
        }
        if name.contains('/') {
            return Err(bad_arn(arn));
        }
        self.state.find(&self.store, name)?.ok_or_else(|| not_found(arn))
    }
}

fn bad_arn(arn: &str) -> Error {
    Error::validation(format!("Invalid TableArn: Invalid ResourceArn provided as input {arn}"))
}

fn not_found(arn: &str) -> Error {
    Error::ResourceNotFound {
        message: format!("Requested resource not found: ResourceArn: {arn} not found").into(),
    }
}

/// Can a table have these?
pub(crate) fn check_tags(tags: &[Tag]) -> Result<()> {
    if tags.len() > TAGS_MAX {
        return Err(Error::validation(TOO_MANY));
    }
    let mut keys = BTreeSet::new();
    for tag in tags {
        if !keys.insert(&tag.key) {
            let key = &tag.key;
            return Err(Error::validation(format!(
                "Duplicate Tag Keys provided as input: Duplicate Tag Key found {key}"
            )));
        }
        if tag.key.starts_with("aws:") {
            let key = &tag.key;
            return Err(Error::validation(format!("Tag Key cannot be prefixed with aws:, Key: {key}")));
        }
        check_tag(&tag.key, "Key", 1, TAG_KEY_LEN_MAX)?;
        check_tag(&tag.value, "Value", 0, TAG_VALUE_LEN_MAX)?;
    }
    Ok(())
}

fn check_tag(text: &str, what: &str, min: usize, max: usize) -> Result<()> {
    let is_allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || "+-=._:/".contains(c);
    if (min..=max).contains(&text.chars().count()) && text.chars().all(is_allowed) {
        return Ok(());
    }
    Err(Error::validation(format!("The Tag {what} provided is invalid, {what}: {text}")))
}
