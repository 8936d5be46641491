//! Tags of streams and consumers.

use crate::store::pending::Pending;
use crate::stream::change::store_record;
use crate::stream::check;
use crate::stream::consumer::{Consumer, consumer_not_found, parse_arn};
use crate::stream::error::Result;
use crate::stream::keys;
use crate::stream::limits::TAGS_MAX;
use crate::stream::meta::{StreamRecord, Tags};
use crate::stream::{Stream, Streams};
use std::ops::Bound;
use std::sync::Arc;

/// A page of tags.
///
/// ```
/// # fn main() -> fourfold::stream::Result<()> {
/// use fourfold::{Store, stream::Tags};
/// let store = Store::in_memory();
/// let stream = store.streams().create("clicks", Default::default())?;
/// stream.add_tags(&Tags::from([("team".into(), "search".into()), ("tier".into(), "1".into())]))?;
/// let page = stream.list_tags(None, Some(1))?;
/// assert_eq!((page.tags, page.has_more_tags), (vec![("team".into(), "search".into())], true));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct TagList {
    /// Keys and values, in the order of keys.
    pub tags: Vec<(String, String)>,
    /// There are more behind the last.
    pub has_more_tags: bool,
}

impl Stream {
    /// Adds tags, or gives them new values: 50 at most, keys of 1 to 128 characters, values of up to 256.
    ///
    /// # Errors
    /// [`StreamNotFound`](super::Error::StreamNotFound); [`InvalidArgument`](super::Error::InvalidArgument) for too many tags or
    /// characters that none may have; [`Validation`](super::Error::Validation).
    pub fn add_tags(&self, tags: &Tags) -> Result<()> {
        self.store.call("AddTagsToStream", self.name(), || {
            Ok(self.stage_retag(|known| self.added(known, tags))?.wait()?)
        })
    }

    /// [`add_tags`](Self::add_tags) that holds no thread while it waits for the disk.
    pub async fn add_tags_async(&self, tags: &Tags) -> Result<()> {
        self.store
            .call_async("AddTagsToStream", self.name(), async {
                Ok(self.stage_retag(|known| self.added(known, tags))?.done().await?)
            })
            .await
    }

    /// Removes tags; ones that are not there are none the less removed.
    ///
    /// # Errors
    /// As for [`add_tags`](Self::add_tags).
    pub fn remove_tags(&self, keys: &[&str]) -> Result<()> {
        self.store.call("RemoveTagsFromStream", self.name(), || {
            Ok(self.stage_retag(|known| self.left(known, keys))?.wait()?)
        })
    }

    /// [`remove_tags`](Self::remove_tags) that holds no thread while it waits for the disk.
    pub async fn remove_tags_async(&self, keys: &[&str]) -> Result<()> {
        self.store
            .call_async("RemoveTagsFromStream", self.name(), async {
                Ok(self.stage_retag(|known| self.left(known, keys))?.done().await?)
            })
            .await
    }

    /// Up to `limit` (1 to 50, and that by default) of the tags behind a key.
    ///
    /// # Errors
    /// [`StreamNotFound`](super::Error::StreamNotFound); [`Validation`](super::Error::Validation) for a limit out of bounds.
    pub fn list_tags(&self, exclusive_start_tag_key: Option<&str>, limit: Option<u32>) -> Result<TagList> {
        self.store
            .call("ListTagsForStream", self.name(), || self.do_list_tags(exclusive_start_tag_key, limit))
    }

    fn do_list_tags(&self, exclusive_start_tag_key: Option<&str>, limit: Option<u32>) -> Result<TagList> {
        let max = u32::try_from(TAGS_MAX).unwrap_or(u32::MAX);
        let limit = check::within(limit.unwrap_or(max), &(1..=max), "limit")?;
        let inner = self.present()?;
        let from = exclusive_start_tag_key.map_or(Bound::Unbounded, Bound::Excluded);
        let mut behind = inner.record.tags.range::<str, _>((from, Bound::Unbounded));
        let tag = |(key, value): (&String, &String)| (key.clone(), value.clone());
        let tags = behind.by_ref().take(limit as usize).map(tag).collect();
        Ok(TagList { tags, has_more_tags: behind.next().is_some() })
    }

    fn added(&self, mut known: Tags, tags: &Tags) -> Result<Tags> {
        check::tags(tags, &known, &self.state.name, self.store.account())?;
        known.extend(tags.clone());
        Ok(known)
    }

    fn left(&self, mut known: Tags, keys: &[&str]) -> Result<Tags> {
        check::tag_keys(keys.iter().copied(), &self.state.name, self.store.account())?;
        known.retain(|key, _| !keys.contains(&&**key));
        Ok(known)
    }

    fn stage_retag(&self, change: impl FnOnce(Tags) -> Result<Tags>) -> Result<Pending<()>> {
        let mut inner = self.present_mut()?;
        let tags = change(inner.record.tags.clone())?;
        let record = StreamRecord { tags, ..inner.record.clone() };
        store_record(&self.store, &self.state, &mut inner, record)
    }

    fn stage_retag_consumer(
        &self,
        consumer: &Arc<Consumer>,
        change: impl FnOnce(Tags) -> Result<Tags>,
    ) -> Result<Pending<()>> {
        let inner = self.present_mut()?;
        let is_there = inner.consumers.get(consumer.name()).is_some_and(|known| Arc::ptr_eq(known, consumer));
        if !is_there {
            return Err(consumer_not_found(&self.store, consumer.name()));
        }
        let record = consumer.record_with(change(consumer.tags())?);
        let mut batch = self.store.batch();
        batch.put_in(inner.meta, &keys::consumer(consumer.name()), &record.encode())?;
        let pending = self.store.commit(batch)?;
        consumer.set_tags(record.tags);
        Ok(pending)
    }
}

impl Streams {
    /// [`Stream::add_tags`] for a stream or a consumer, by its ARN.
    ///
    /// # Errors
    /// Those of [`Stream::add_tags`]; [`ConsumerNotFound`](super::Error::ConsumerNotFound).
    pub fn tag_resource(&self, arn: &str, tags: &Tags) -> Result<()> {
        self.store.call("TagResource", arn, || Ok(self.stage_tag(arn, tags)?.wait()?))
    }

    /// [`tag_resource`](Self::tag_resource) that holds no thread while it waits for the disk.
    pub async fn tag_resource_async(&self, arn: &str, tags: &Tags) -> Result<()> {
        self.store
            .call_async("TagResource", arn, async { Ok(self.stage_tag(arn, tags)?.done().await?) })
            .await
    }

    fn stage_tag(&self, arn: &str, tags: &Tags) -> Result<Pending<()>> {
        self.stage_retag(arn, |stream, known| stream.added(known, tags))
    }

    /// [`Stream::remove_tags`] for a stream or a consumer, by its ARN.
    ///
    /// # Errors
    /// As for [`tag_resource`](Self::tag_resource).
    pub fn untag_resource(&self, arn: &str, keys: &[&str]) -> Result<()> {
        self.store.call("UntagResource", arn, || Ok(self.stage_untag(arn, keys)?.wait()?))
    }

    /// [`untag_resource`](Self::untag_resource) that holds no thread while it waits for the disk.
    pub async fn untag_resource_async(&self, arn: &str, keys: &[&str]) -> Result<()> {
        self.store
            .call_async("UntagResource", arn, async { Ok(self.stage_untag(arn, keys)?.done().await?) })
            .await
    }

    fn stage_untag(&self, arn: &str, keys: &[&str]) -> Result<Pending<()>> {
        self.stage_retag(arn, |stream, known| stream.left(known, keys))
    }

    /// The tags of a stream or a consumer, by its ARN.
    ///
    /// # Errors
    /// As for [`tag_resource`](Self::tag_resource).
    pub fn list_tags_for_resource(&self, arn: &str) -> Result<Tags> {
        self.store.call("ListTagsForResource", arn, || self.do_list_tags_for_resource(arn))
    }

    fn do_list_tags_for_resource(&self, arn: &str) -> Result<Tags> {
        if parse_arn(&self.store, arn).is_some() {
            let (_, consumer) = self.find_consumer(arn)?;
            return Ok(consumer.tags());
        }
        Ok(self.stream_by_arn(arn)?.present()?.record.tags.clone())
    }

    fn stage_retag(
        &self,
        arn: &str,
        change: impl FnOnce(&Stream, Tags) -> Result<Tags>,
    ) -> Result<Pending<()>> {
        if parse_arn(&self.store, arn).is_none() {
            let stream = self.stream_by_arn(arn)?;
            return stream.stage_retag(|known| change(&stream, known));
        }
        let (stream, consumer) = self.find_consumer(arn)?;
        stream.stage_retag_consumer(&consumer, |known| change(&stream, known))
    }
}
