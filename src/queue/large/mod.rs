//! Large bodies: in an object, which comes and goes with its message.
//!
//! A queue that is [set](crate::queue::Queue::set_large_bodies) so puts bodies from some length on into a bucket. What it
//! keeps itself is where the body is.
//!
//! H1. A large body comes in the batch of its message, and goes in the batch of its deletion.
//! H2. Beside each message with a large body there is an entry that says where the body is, changed in the batches of the
//!     message. Where messages go without being looked at (they expire, the queue is purged or deleted) the entry stays,
//!     and says that the body is to go: the sweep takes both, in one batch. So no body outlives its message for good,
//!     whenever a crash comes.
//! H3. The key of an entry has that of the object, which is of one message alone: an entry whose message is not there any
//!     more is never again one of a message.
//! H4. The keeper's locks come before those of queues (P2 in `store::keep`). Nobody is woken while they are held.
//!
//! | key | value |
//! | --- | --- |
//! | `S`, number of the queue | what it is set to |
//! | `B`, number of the queue, number of the message, key of the object | group, and where the body is |

mod record;
mod sweep;

pub(crate) use record::LargeBody;
#[cfg(any(fuzzing, all(test, not(fourfold_loom))))]
pub(super) use record::fuzz;

use crate::error::Result as StoreResult;
use crate::queue::Queue;
use crate::queue::core::{Core, State};
use crate::queue::delete::Deletions;
use crate::queue::digest::sha256_hex;
use crate::queue::error::{Error, Result};
use crate::queue::handle::{Staged, waking};
use crate::queue::limits::MESSAGE_LEN_MAX;
use crate::queue::message::{Message, SendMessage, Text};
use crate::queue::receive::Setting;
use crate::queue::send::check;
use crate::queue::stored::{Shared, Stored};
use crate::queue::{delete, rules, send};
use crate::store::catalog::ResourceKind;
use crate::store::keep::{Coming, Kept};
use crate::store::pending::Pending;
use crate::store::space::Space;
use crate::{Batch, Store};
use md5::{Digest, Md5};
use record::Entry;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Waker;

/// Bytes that a large body has at most: received, it is whole in memory.
pub const LARGE_BODY_LEN_MAX: usize = 256 << 20;
/// The name of the entries in the catalog, behind all queues.
pub(in crate::queue) const BODIES: &str = "~bodies";
const SETTING: u8 = b'S';

/// Where a queue keeps large bodies.
///
/// ```
/// use fourfold::{Store, queue::LargeBodies};
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = Store::in_memory();
/// let bodies = store.buckets().create("bodies")?;
/// let films = store.queues().create("films")?;
/// films.set_large_bodies(Some(LargeBodies::new("bodies").prefix("films/").from(1000)))?;
///
/// films.send("x".repeat(5 << 20))?; // the message and the object, or nothing
/// let message = films.receive(1)?.remove(0);
/// assert_eq!(message.body().len(), 5 << 20);
/// assert_eq!(bodies.list(&Default::default())?.objects.len(), 1);
/// films.delete_message(message.receipt_handle())?; // neither is there any more
/// assert!(bodies.list(&Default::default())?.objects.is_empty());
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LargeBodies {
    /// The name of the bucket.
    pub bucket: String,
    /// Keys begin with it. Default: nothing.
    pub prefix: String,
    /// Bytes from which on a body is large. Default: 262,144.
    pub from: usize,
}

impl LargeBodies {
    /// In this bucket.
    pub fn new(bucket: impl Into<String>) -> Self {
        Self { bucket: bucket.into(), prefix: String::new(), from: 256 << 10 }
    }

    /// Keys begin with `prefix`, of at most 900 bytes.
    #[must_use]
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// Bodies of `len` bytes and more are large.
    #[must_use]
    pub fn from(mut self, len: usize) -> Self {
        self.from = len;
        self
    }
}

/// Sends messages, and adds to a batch that has their bodies already.
type SendBy<'a, T> = dyn FnMut(Vec<SendMessage>, Batch, &mut Vec<Waker>) -> Result<T> + 'a;

fn setting_key(queue: u32) -> Vec<u8> {
    [&[SETTING], &queue.to_be_bytes()[..]].concat()
}

/// The keyspace of the entries of all queues, if there is one.
pub(in crate::queue) fn space_of(store: &Store) -> StoreResult<Option<Space>> {
    let found = store.find_resource(ResourceKind::Queue, BODIES)?;
    Ok(found.and_then(|found| store.space(*found.ids.first()?)))
}

/// What a queue is set to, with the keyspace of the entries.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    pub(in crate::queue) space: u32,
    pub(in crate::queue) setting: LargeBodies,
}

/// What a queue is set to.
pub(in crate::queue) fn load(store: &Store, queue: u32) -> StoreResult<Option<Arc<Active>>> {
    let Some(space) = space_of(store)? else { return Ok(None) };
    let Some(setting) = space.get(store, &setting_key(queue))? else { return Ok(None) };
    let setting = LargeBodies::decode(&setting).map_err(|flaw| flaw.in_file(BODIES.as_ref()))?;
    Ok(Some(Arc::new(Active { space: space.id(), setting })))
}

impl State {
    /// The entry of a message comes with it.
    pub(in crate::queue) fn note_large(&self, batch: &mut Batch, message: &Stored) -> StoreResult<()> {
        let Some(body) = &message.large else { return Ok(()) };
        let key = Entry::key(self.live.number, message.seq, &body.kept.key);
        batch.put_in(body.space, &key, &Entry::encode(message.group.as_deref().unwrap_or_default(), body))
    }

    /// The entry of a message goes, because the message goes elsewhere or its body goes with it.
    pub(in crate::queue) fn forget_large(&self, batch: &mut Batch, message: &Stored) -> StoreResult<()> {
        let Some(body) = &message.large else { return Ok(()) };
        batch.delete_in(body.space, &Entry::key(self.live.number, message.seq, &body.kept.key))
    }

    /// The queue goes, and what it is set to with it.
    pub(in crate::queue) fn forget_setting(&self, store: &Store, batch: &mut Batch) -> StoreResult<()> {
        // A queue that was not loaded since the store was opened does not know of it.
        let Some(space) = space_of(store)? else { return Ok(()) };
        batch.delete_in(space.id(), &setting_key(self.live.number))
    }
}

impl Queue {
    /// Where large bodies are kept; none unless it was set.
    ///
    /// # Errors
    /// [`QueueDoesNotExist`](Error::QueueDoesNotExist).
    pub fn large_bodies(&self) -> Result<Option<LargeBodies>> {
        self.change(|state, _, _| Ok(state.large.as_ref().map(|active| active.setting.clone())))
    }

    /// Sets where large bodies are kept; with none, they are sent as others, and those that are kept stay what they are.
    ///
    /// A body that is large may have up to [`LARGE_BODY_LEN_MAX`] bytes, whatever the queue's `MaximumMessageSize`, which is
    /// for the attributes then. It is written to an object in the commit of its message. Receiving gives the body itself.
    /// The object goes in the commit that deletes the message, goes on with it to a dead-letter queue and back; where
    /// messages expire, or all are purged or gone with their queue, objects go right behind them, a hundred in each commit.
    /// Nobody is told of these objects. Who deletes one takes the message its body: it comes with a text that says where
    /// the body was.
    ///
    /// # Errors
    /// [`InvalidParameterValue`](Error::InvalidParameterValue) for a bucket that is not there, or a prefix of more than 900
    /// bytes; [`QueueDoesNotExist`](Error::QueueDoesNotExist).
    pub fn set_large_bodies(&self, setting: Option<LargeBodies>) -> Result<()> {
        Ok(self.stage_large_bodies(setting)?.wait()?)
    }

    /// [`set_large_bodies`](Self::set_large_bodies) that holds no thread while it waits.
    ///
    /// # Errors
    /// The same.
    pub async fn set_large_bodies_async(&self, setting: Option<LargeBodies>) -> Result<()> {
        Ok(self.stage_large_bodies(setting)?.done().await?)
    }

    fn stage_large_bodies(&self, setting: Option<LargeBodies>) -> Staged<()> {
        let store = &self.store;
        if let Some(LargeBodies { bucket, prefix, .. }) = &setting {
            if let Some(refusal) = crate::targets::keeper().refusal(store, bucket)? {
                return Err(Error::parameter(bucket, "LargeBodies", refusal));
            }
            if prefix.len() > 900 {
                return Err(Error::parameter(prefix, "LargeBodies", "A prefix has 900 bytes at most."));
            }
        }
        let _naming = self.engine.bodies.lock();
        let known = space_of(store)?;
        self.change(move |state, _, _| {
            let mut batch = store.batch();
            let space = match (&known, &setting) {
                (Some(space), _) => space.id(),
                (None, None) => return Ok(Pending::ready(store, ())),
                (None, Some(_)) => {
                    let space = batch.create_space()?;
                    batch.put_resource(ResourceKind::Queue, BODIES, &[space], &[])?;
                    space
                }
            };
            let key = setting_key(state.live.number);
            match &setting {
                Some(setting) => batch.put_in(space, &key, &setting.encode())?,
                None => batch.delete_in(space, &key)?,
            }
            let pending = store.commit(batch)?;
            self.engine.has_bodies.store(true, Ordering::Release);
            state.large = setting.map(|setting| Arc::new(Active { space, setting }));
            self.core.set_large_from(state.large.as_deref());
            Ok(pending)
        })
    }

    /// What keeps the body of a message that is to be sent, if that is large here.
    pub(crate) fn active_for(&self, len: usize) -> Result<Option<Arc<Active>>> {
        if self.core.large_from() > len {
            return Ok(None);
        }
        // Not known yet, or large indeed.
        let active = self.change(|state, _, _| Ok(state.large.clone()))?;
        Ok(active.filter(|active| len >= active.setting.from))
    }

    pub(crate) fn check_group(&self, message: &SendMessage) -> Result<()> {
        send::check_group(message, self.is_fifo())
    }

    /// What is to be kept of a message that is to be sent, if its body is large here. What is refused anyway has no body
    /// anywhere.
    pub(crate) fn coming_of(&self, active: &Active, message: &SendMessage) -> Result<Option<Coming>> {
        let len = message.body.as_bytes().len();
        let is_large = len >= active.setting.from
            && check(message, self.is_fifo()).is_ok()
            && rules::message_len(message) - len <= MESSAGE_LEN_MAX;
        if !is_large {
            return Ok(None);
        }
        if len > LARGE_BODY_LEN_MAX {
            return Err(Error::invalid(format!(
                "One or more parameters are invalid. Reason: Message must be shorter than {LARGE_BODY_LEN_MAX} bytes."
            )));
        }
        let key = format!("{}{:032x}", active.setting.prefix, self.store.random().next_u128());
        Ok(Some(Coming { place: active.setting.bucket.clone(), key, body: message.body.to_bytes() }))
    }

    /// The message says where its body is from now on.
    pub(crate) fn put_elsewhere(&self, active: &Active, message: &mut SendMessage, kept: Kept) {
        let bytes = message.body.as_bytes();
        if self.is_fifo() && message.deduplication_id.is_none() {
            message.content = Some(sha256_hex(bytes));
        }
        let (len, md5) = (bytes.len() as u64, Md5::digest(bytes).into());
        let body = LargeBody { space: active.space, kept, len, md5 };
        message.body = pointer(&body);
        message.large = Some(Box::new(body));
    }

    /// Puts the bodies of messages that are large here where they are kept, and sends all of them by `send`, which is given
    /// the batch to add to. It may drop it.
    pub(in crate::queue) fn send_large<T>(
        &self,
        active: &Active,
        mut messages: Vec<SendMessage>,
        send: &mut SendBy<'_, T>,
    ) -> Result<T> {
        let (mut coming, mut places) = (Vec::new(), Vec::new());
        for (place, message) in messages.iter().enumerate() {
            // One that is too long for any bucket is refused by its queue.
            if let Ok(Some(body)) = self.coming_of(active, message) {
                coming.push(body);
                places.push(place);
            }
        }
        let mut outcome = None;
        let refused = waking(|wakers| {
            crate::targets::keeper().within(&self.store, &coming, &[], &mut |batch, kept| {
                let mut ready = std::mem::take(&mut messages);
                for (place, kept) in places.iter().zip(kept) {
                    self.put_elsewhere(active, &mut ready[*place], kept.clone());
                }
                outcome = Some(send(ready, batch, wakers));
                Ok(())
            })
        })?;
        match (refused, outcome) {
            (_, Some(outcome)) => outcome,
            (refused, None) => Err(no_place(active, refused.err().unwrap_or_default())),
        }
    }

    /// The large bodies of the messages of these receipt handles: they are to go with them.
    pub(crate) fn large_of<'a>(&self, handles: impl Iterator<Item = &'a str>) -> Result<Vec<LargeBody>> {
        // Acquire: pairs with the Release of who set it; the catalog has them.
        if !self.engine.has_bodies.load(Ordering::Acquire) {
            return Ok(Vec::new());
        }
        let receipts: Vec<_> = handles.filter_map(|handle| delete::parse(&self.core, handle).ok()).collect();
        self.change(|state, setting, _| {
            let mut found = Vec::new();
            // What has expired is not deleted: the sweep takes it with its body.
            let cutoff = state.cutoff(setting.now);
            for receipt in receipts.into_iter().filter(|receipt| receipt.seq >= cutoff) {
                let group = (!receipt.group.is_empty()).then(|| Arc::from(receipt.group));
                let message = state.read(setting.core, setting.store, receipt.seq, group.as_ref())?;
                found.extend(message.and_then(|message| message.large.as_deref().cloned()));
            }
            Ok(found)
        })
    }

    /// Deletes messages together with their large bodies; `decide` says which messages.
    pub(in crate::queue) fn delete_large(
        &self,
        bodies: &[LargeBody],
        decide: &mut dyn FnMut(&mut State, Setting<'_>) -> Result<Deletions>,
    ) -> Staged<()> {
        let going: Vec<Kept> = bodies.iter().map(|body| body.kept.clone()).collect();
        let mut outcome = None;
        let within = waking(|wakers| {
            crate::targets::keeper().within(&self.store, &[], &going, &mut |mut batch, _| {
                outcome = Some(self.change_with(wakers, |state, setting, wakers| {
                    let deletions = decide(state, setting)?;
                    // Who was faster took the bodies too, or moved them on with their messages: then they stay.
                    let mut entries = state.large_entries(setting.core, setting.store, &deletions)?;
                    entries.sort_unstable_by(|one, other| one.large_key().cmp(other.large_key()));
                    let mut keys: Vec<_> = bodies.iter().map(|body| &*body.kept.key).collect();
                    keys.sort_unstable();
                    keys.dedup();
                    if entries.iter().map(|message| message.large_key()).ne(keys) {
                        return self.delete_without(state, setting, deletions, wakers);
                    }
                    for message in &entries {
                        state.forget_large(&mut batch, message)?;
                    }
                    stage_deletions(state, setting, deletions, batch, wakers)
                }));
                Ok(())
            })
        })?;
        drop(within);
        // Nobody was called if the keeper refused.
        outcome.unwrap_or_else(|| {
            self.change(|state, setting, wakers| {
                let deletions = decide(state, setting)?;
                self.delete_without(state, setting, deletions, wakers)
            })
        })
    }

    /// Deletes messages alone: the sweep looks after what is there of their bodies.
    fn delete_without(
        &self,
        state: &mut State,
        setting: Setting<'_>,
        deletions: Deletions,
        wakers: &mut Vec<Waker>,
    ) -> Staged<()> {
        let pending = stage_deletions(state, setting, deletions, setting.store.batch(), wakers)?;
        self.engine.note_orphans(setting.store);
        Ok(pending)
    }

    /// Puts their bodies into messages that have large ones. Those that were deleted meanwhile are left out.
    pub(in crate::queue) fn resolve<T>(
        &self,
        found: &mut Vec<T>,
        message: impl Fn(&mut T) -> &mut Message,
    ) -> Result<()> {
        let mut outcome = Ok(());
        found.retain_mut(|found| {
            // After a fault nothing is answered.
            if outcome.is_err() {
                return true;
            }
            match self.put_body(message(found)) {
                Ok(is_there) => is_there,
                Err(error) => {
                    outcome = Err(error);
                    true
                }
            }
        });
        outcome
    }

    /// Puts its body into a message that has a large one; false if it was deleted meanwhile.
    fn put_body(&self, message: &mut Message) -> Result<bool> {
        let Some(large) = &message.stored.large else { return Ok(true) };
        let Some(body) = crate::targets::keeper().read(&self.store, &large.kept)? else {
            return self.is_there(&message.stored);
        };
        let Some(body) = Text::from_utf8(body) else { return Ok(true) };
        let stored = &*message.stored;
        message.stored = Shared::from(Stored {
            seq: stored.seq,
            ordinal: stored.ordinal,
            group: stored.group.clone(),
            deduplication_id: stored.deduplication_id.clone(),
            trace: stored.trace.clone(),
            attributes: stored.attributes.clone(),
            body,
            large: stored.large.clone(),
            origin: stored.origin.clone(),
        });
        Ok(true)
    }

    fn is_there(&self, message: &Stored) -> Result<bool> {
        let read = self.change(|state, setting, _| {
            Ok(state.read(setting.core, setting.store, message.seq, message.group.as_ref())?)
        });
        match read {
            Ok(found) => Ok(found.is_some()),
            Err(Error::QueueDoesNotExist) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// The bucket takes nothing.
pub(crate) fn no_place(active: &Active, reason: impl std::fmt::Display) -> Error {
    Error::parameter(&active.setting.bucket, "LargeBodies", reason)
}

/// Logs and applies deletions, in a batch that may have more.
pub(in crate::queue) fn stage_deletions(
    state: &mut State,
    setting: Setting<'_>,
    deletions: Deletions,
    mut batch: Batch,
    wakers: &mut Vec<Waker>,
) -> Staged<()> {
    if deletions.is_empty() {
        return Ok(Pending::ready(setting.store, ()));
    }
    state.put_deletions(&mut batch, &deletions)?;
    let pending = setting.store.commit(batch)?;
    state.apply_deletions(deletions);
    state.settle(setting, wakers);
    Ok(pending)
}

impl State {
    /// Those of the messages that are to be deleted that have large bodies.
    pub(in crate::queue) fn large_entries(
        &self,
        core: &Core,
        store: &Store,
        deletions: &Deletions,
    ) -> StoreResult<Vec<Shared>> {
        let mut found = Vec::new();
        for (seq, group) in deletions.messages() {
            let group = (!group.is_empty()).then(|| Arc::from(group));
            let message = self.read(core, store, seq, group.as_ref())?;
            found.extend(message.filter(|message| message.large.is_some()));
        }
        Ok(found)
    }
}

impl Stored {
    pub(in crate::queue) fn large_key(&self) -> &str {
        self.large.as_ref().map_or("", |large| &large.kept.key)
    }
}

/// What stands for a body that is elsewhere, in the form that others know.
fn pointer(body: &LargeBody) -> Text {
    let Kept { place, key, .. } = &body.kept;
    let place = serde_json::json!({ "s3BucketName": place, "s3Key": key });
    serde_json::json!(["software.amazon.payloadoffloading.PayloadS3Pointer", place]).to_string().into()
}

#[cfg(all(test, not(fourfold_loom)))]
mod tests {
    use super::*;

    #[test]
    fn who_reads_a_body_too_late_gets_no_message() {
        let store = Store::in_memory();
        let bucket = store.buckets().create("bodies").unwrap();
        let queue = store.queues().create("queue").unwrap();
        queue.set_large_bodies(Some(LargeBodies::new("bodies").from(10))).unwrap();
        queue.send("long enough").unwrap();
        queue.send("it stays there").unwrap();
        let mut received = queue.receive(2).unwrap();
        let [gone, there] = &received[..] else { panic!("both are there") };
        let there = there.id();
        queue.delete_message(gone.receipt_handle()).unwrap();
        bucket.delete(&bucket.list(&crate::objects::ListObjects::default()).unwrap().objects[0].key).unwrap();
        queue.resolve(&mut received, |message| message).unwrap();
        let left: Vec<_> = received.iter().map(Message::id).collect();
        assert_eq!(left, [there], "who takes an object leaves the message");
    }

    #[test]
    fn a_queue_that_is_gone_leaves_no_setting() {
        let store = Store::in_memory();
        store.buckets().create("bodies").unwrap();
        let queue = store.queues().create("queue").unwrap();
        queue.set_large_bodies(Some(LargeBodies::new("bodies"))).unwrap();
        // In a fork nothing is loaded yet.
        let fork = store.fork().unwrap();
        let key = setting_key(queue.core.identity.number);
        let setting = |store| space_of(store).unwrap().unwrap().get(store, &key).unwrap();
        assert!(setting(&fork).is_some());
        fork.queues().delete("queue").unwrap();
        assert!(setting(&fork).is_none() && setting(&store).is_some());
    }
}
