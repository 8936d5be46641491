//! Attributes and tags of a queue that exists.

use crate::queue::Queue;
use crate::queue::attributes::QueueAttributes;
use crate::queue::error::{Error, Result};
use crate::queue::handle::Staged;
use crate::queue::limits::TAGS_MAX;
use crate::queue::queues::too_many_tags;
use crate::queue::receive::Setting;
use crate::queue::rules;
use std::collections::BTreeMap;

/// Attributes that only FIFO queues have, and those that have no value until it is set: known, and not always there.
const KNOWN: [&str; 21] = [
    "Policy",
    "VisibilityTimeout",
    "MaximumMessageSize",
    "MessageRetentionPeriod",
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
    "CreatedTimestamp",
    "LastModifiedTimestamp",
    "QueueArn",
    "DelaySeconds",
    "ReceiveMessageWaitTimeSeconds",
    "RedrivePolicy",
    "RedriveAllowPolicy",
    "FifoQueue",
    "ContentBasedDeduplication",
    "DeduplicationScope",
    "FifoThroughputLimit",
    "KmsMasterKeyId",
    "KmsDataKeyReusePeriodSeconds",
    "SqsManagedSseEnabled",
];

impl Queue {
    /// Sets attributes; either all of them or, if one cannot be, none.
    ///
    /// A new `DelaySeconds` is for new messages of a standard queue, and for all messages of a FIFO queue. A shorter
    /// `MessageRetentionPeriod` expires messages at once. The others are for what comes.
    ///
    /// # Errors
    /// [`InvalidAttributeName`](Error::InvalidAttributeName), [`InvalidAttributeValue`](Error::InvalidAttributeValue),
    /// [`InvalidParameterValue`](Error::InvalidParameterValue) for a `RedrivePolicy` that cannot be.
    pub fn set_attributes(&self, attributes: &QueueAttributes) -> Result<()> {
        self.store
            .call("SetQueueAttributes", self.name(), || Ok(self.stage_attributes(attributes)?.wait()?))
    }

    /// [`set_attributes`](Self::set_attributes) that holds no thread while it waits for the disk.
    pub async fn set_attributes_async(&self, attributes: &QueueAttributes) -> Result<()> {
        self.store
            .call_async("SetQueueAttributes", self.name(), async {
                Ok(self.stage_attributes(attributes)?.done().await?)
            })
            .await
    }

    fn stage_attributes(&self, attributes: &QueueAttributes) -> Staged<()> {
        // The target of dead letters is looked at without this queue's lock.
        let wanted = self.core.lock_as_it_is().live.settings.changed(attributes)?;
        self.queues().check_redrive(self.arn(), attributes, &wanted)?;
        self.change(|state, setting, wakers| {
            let Setting { core, store, now, .. } = setting;
            // What has expired is gone, whatever the next retention period is.
            state.expire_all(core, store, now)?;
            let mut live = state.live.clone();
            live.settings = live.settings.changed(attributes)?;
            live.modified = now;
            let mut batch = store.batch();
            state.put_record(&mut batch, &core.identity.name, &live)?;
            let pending = store.commit(batch)?;
            state.live = live;
            state.index.stop_waiting();
            state.settle(setting, wakers);
            store.wake_sweeper();
            Ok(pending)
        })
    }

    /// Gives the queue another policy, made from the one that it has, with nothing in between; "" for none.
    ///
    /// # Errors
    /// What `edit` says, [`QueueDoesNotExist`](Error::QueueDoesNotExist).
    pub fn edit_policy(&self, edit: impl FnOnce(Option<&str>) -> Result<String>) -> Result<()> {
        Ok(self.stage_policy(edit)?.wait()?)
    }

    /// [`edit_policy`](Self::edit_policy) that holds no thread while it waits for the disk.
    pub async fn edit_policy_async(&self, edit: impl FnOnce(Option<&str>) -> Result<String>) -> Result<()> {
        Ok(self.stage_policy(edit)?.done().await?)
    }

    fn stage_policy(&self, edit: impl FnOnce(Option<&str>) -> Result<String>) -> Staged<()> {
        self.change(|state, setting, _| {
            let mut live = state.live.clone();
            let policy = live.settings.render().remove("Policy");
            let edited = QueueAttributes::from_iter([("Policy", edit(policy.as_deref())?)]);
            live.settings = live.settings.changed(&edited)?;
            live.modified = setting.now;
            let mut batch = setting.store.batch();
            state.put_record(&mut batch, self.name(), &live)?;
            let pending = setting.store.commit(batch)?;
            state.live = live;
            Ok(pending)
        })
    }

    /// The attributes of these names, or with `All` all that have a value, as the service spells them. Counts of messages
    /// are exact.
    ///
    /// # Errors
    /// [`InvalidAttributeName`](Error::InvalidAttributeName) for a name that no queue has.
    pub fn attributes(&self, names: &[impl AsRef<str>]) -> Result<BTreeMap<&'static str, String>> {
        self.store.call("GetQueueAttributes", self.name(), || self.do_attributes(names))
    }

    fn do_attributes(&self, names: &[impl AsRef<str>]) -> Result<BTreeMap<&'static str, String>> {
        let is_known = |name: &str| name == "All" || KNOWN.contains(&name);
        if let Some(unknown) = names.iter().find(|name| !is_known(name.as_ref())) {
            return Err(Error::unknown_attribute(unknown.as_ref()));
        }
        let asks = |name: &str| names.iter().any(|asked| asked.as_ref() == "All" || asked.as_ref() == name);
        let mut all = if names.iter().any(|name| asks_to_count(name.as_ref())) {
            let stats = self.stats()?;
            BTreeMap::from([
                ("ApproximateNumberOfMessages", stats.visible.to_string()),
                ("ApproximateNumberOfMessagesNotVisible", stats.in_flight.to_string()),
                ("ApproximateNumberOfMessagesDelayed", stats.delayed.to_string()),
            ])
        } else {
            BTreeMap::new()
        };
        self.check_exists()?;
        let state = self.core.lock_as_it_is();
        all.extend(state.live.settings.render());
        all.insert("QueueArn", self.arn().to_owned());
        all.insert("CreatedTimestamp", state.live.created.as_secs().to_string());
        all.insert("LastModifiedTimestamp", state.live.modified.as_secs().to_string());
        all.retain(|name, _| asks(name));
        Ok(all)
    }

    /// Its tags.
    ///
    /// # Errors
    /// [`QueueDoesNotExist`](Error::QueueDoesNotExist).
    pub fn tags(&self) -> Result<BTreeMap<String, String>> {
        self.store.call("ListQueueTags", self.name(), || self.do_tags())
    }

    fn do_tags(&self) -> Result<BTreeMap<String, String>> {
        self.check_exists()?;
        Ok(self.core.lock_as_it_is().live.tags.clone())
    }

    /// Adds tags, or gives them other values; at most fifty in all.
    ///
    /// # Errors
    /// [`MissingParameter`](Error::MissingParameter) for none,
    /// [`InvalidParameterValue`](Error::InvalidParameterValue) for too many, for keys that are not of 1 to 128 characters or
    /// begin with `aws:`, and for values of more than 256 characters.
    pub fn tag<K: Into<String>, V: Into<String>>(
        &self,
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        self.store.call("TagQueue", self.name(), || Ok(self.stage_tag(tags)?.wait()?))
    }

    /// [`tag`](Self::tag) that holds no thread while it waits for the disk.
    pub async fn tag_async<K: Into<String>, V: Into<String>>(
        &self,
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Result<()> {
        self.store
            .call_async("TagQueue", self.name(), async { Ok(self.stage_tag(tags)?.done().await?) })
            .await
    }

    fn stage_tag<K: Into<String>, V: Into<String>>(
        &self,
        tags: impl IntoIterator<Item = (K, V)>,
    ) -> Staged<()> {
        let tags: BTreeMap<String, String> =
            tags.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        if tags.is_empty() {
            return Err(Error::missing("Tags"));
        }
        tags.iter().try_for_each(rules::tag)?;
        self.stage_tags(|all| all.extend(tags))
    }

    /// Removes tags; those that are not there are none.
    ///
    /// # Errors
    /// [`MissingParameter`](Error::MissingParameter) for no keys.
    pub fn untag(&self, keys: &[impl AsRef<str>]) -> Result<()> {
        self.store.call("UntagQueue", self.name(), || Ok(self.stage_untag(keys)?.wait()?))
    }

    /// [`untag`](Self::untag) that holds no thread while it waits for the disk.
    pub async fn untag_async(&self, keys: &[impl AsRef<str>]) -> Result<()> {
        self.store
            .call_async("UntagQueue", self.name(), async { Ok(self.stage_untag(keys)?.done().await?) })
            .await
    }

    fn stage_untag(&self, keys: &[impl AsRef<str>]) -> Staged<()> {
        if keys.is_empty() {
            return Err(Error::missing("TagKeys"));
        }
        self.stage_tags(|all| all.retain(|key, _| keys.iter().all(|gone| gone.as_ref() != key)))
    }

    fn stage_tags(&self, edit: impl FnOnce(&mut BTreeMap<String, String>)) -> Staged<()> {
        self.change(|state, setting, _| {
            let mut live = state.live.clone();
            edit(&mut live.tags);
            if live.tags.len() > TAGS_MAX {
                return Err(too_many_tags(self.name()));
            }
            let mut batch = setting.store.batch();
            state.put_record(&mut batch, self.name(), &live)?;
            let pending = setting.store.commit(batch)?;
            state.live = live;
            Ok(pending)
        })
    }
}

fn asks_to_count(name: &str) -> bool {
    name == "All" || name.starts_with("ApproximateNumberOf")
}
