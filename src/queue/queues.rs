//! All queues of a store: creating, finding, listing and deleting them.

use crate::queue::Queue;
use crate::queue::attributes::{NewQueue, QueueAttributes};
use crate::queue::core::{Core, SPACES, Spaces, State};
use crate::queue::dials::Dials;
use crate::queue::engine::QueueEngine;
use crate::queue::error::{Error, Result};
use crate::queue::limits::{PAGE_MAX, TAGS_MAX};
use crate::queue::record::{Live, QueueRecord};
use crate::queue::rules::{self, FIFO_SUFFIX};
use crate::queue::settings::Settings;
use crate::store::catalog::{Resource, ResourceKind};
use crate::store::pending::Pending;
use crate::{Store, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The queues of a [`Store`]. Cheap to clone.
///
/// ```
/// use fourfold::{Store, queue::NewQueue};
/// let queues = Store::in_memory().queues();
/// queues.create("jobs")?;
/// queues.create(NewQueue::new("orders.fifo").fifo())?;
/// let page = queues.list("", None, None)?;
/// assert_eq!(page.queues.iter().map(|queue| queue.name()).collect::<Vec<_>>(), ["jobs", "orders.fifo"]);
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Queues {
    pub(super) store: Store,
    pub(super) engine: Arc<QueueEngine>,
}

/// A page of a listing of queues.
///
/// ```
/// let queues = fourfold::Store::in_memory().queues();
/// for name in ["a", "b", "c"] {
///     queues.create(name)?;
/// }
/// let first = queues.list("", Some(2), None)?;
/// let second = queues.list("", Some(2), first.next_token.as_deref())?;
/// assert_eq!((first.queues.len(), second.queues[0].name(), second.next_token), (2, "c", None));
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QueuePage {
    /// In the order of their names.
    pub queues: Vec<Queue>,
    /// Where the next page begins, if there is one and a length of pages was asked for.
    pub next_token: Option<String>,
}

impl Store {
    /// The queues of this store.
    pub fn queues(&self) -> Queues {
        Queues { store: self.clone(), engine: QueueEngine::of(self) }
    }
}

impl Queues {
    /// Creates a queue, or finds that it is there as asked for.
    ///
    /// # Errors
    /// [`QueueNameExists`](Error::QueueNameExists) if it is there and an attribute given here has another value (tags are
    /// not compared); [`QueueDeletedRecently`](Error::QueueDeletedRecently) within 60 seconds of deleting it;
    /// [`InvalidParameterValue`](Error::InvalidParameterValue) for the name or a policy,
    /// [`InvalidAttributeName`](Error::InvalidAttributeName), [`InvalidAttributeValue`](Error::InvalidAttributeValue).
    pub fn create(&self, queue: impl Into<NewQueue>) -> Result<Queue> {
        let queue = queue.into();
        let name = self.store.call_name(&queue.name);
        self.store.call("CreateQueue", &name, || Ok(self.stage_create(queue)?.wait()?))
    }

    /// [`create`](Self::create) that holds no thread while it waits for the disk.
    pub async fn create_async(&self, queue: impl Into<NewQueue>) -> Result<Queue> {
        let queue = queue.into();
        let name = self.store.call_name(&queue.name);
        self.store
            .call_async("CreateQueue", &name, async { Ok(self.stage_create(queue)?.done().await?) })
            .await
    }

    fn stage_create(&self, queue: NewQueue) -> Result<Pending<Queue>> {
        let NewQueue { name, attributes, tags } = queue;
        let is_fifo = attributes.get("FifoQueue").is_some_and(|value| value.eq_ignore_ascii_case("true"));
        rules::queue_name(&name, is_fifo)?;
        let settings = Settings::new(&attributes, is_fifo)?;
        tags.iter().try_for_each(rules::tag)?;
        if tags.len() > TAGS_MAX {
            return Err(too_many_tags(&name));
        }
        self.check_redrive(&self.store.arn("sqs", &name), &attributes, &settings)?;
        let now = self.store.now();
        let mut pending = None;
        let make = || {
            let (core, made) = self.make(&name, settings.clone(), tags, now)?;
            pending = Some(made);
            Ok(Arc::new(core))
        };
        let (core, _) = self.engine.add(&self.store, &name, now, make)?;
        let queue = self.handle(core);
        if let Some(pending) = pending {
            return Ok(pending.map(|()| queue));
        }
        let state = queue.core.lock_as_it_is();
        if state.is_deleted {
            return Err(Error::QueueDeletedRecently);
        }
        let wanted = state.live.settings.changed(&attributes)?;
        let differing = state.live.settings.differing(&wanted, &attributes);
        drop(state);
        match differing {
            Some(attribute) => Err(Error::QueueNameExists { attribute }),
            None => Ok(Pending::ready(&self.store, queue)),
        }
    }

    fn make(
        &self,
        name: &str,
        settings: Settings,
        tags: BTreeMap<String, String>,
        now: Timestamp,
    ) -> Result<(Core, Pending<()>)> {
        let mut batch = self.store.batch();
        let ids: [u32; SPACES] = Spaces::create(&mut batch)?;
        let live = Live {
            number: ids[0],
            salt: self.store.random().next_u64(),
            created: now,
            modified: now,
            purged: None,
            is_moving: false,
            settings,
            tags,
        };
        let record = QueueRecord::Live(Box::new(live.clone())).encode();
        batch.put_resource(ResourceKind::Queue, name, &ids, &record)?;
        let pending = self.store.commit(batch)?;
        let resource = Resource { ids: ids.to_vec(), record: record.into() };
        Ok((Core::new(&self.store, name, &resource, live)?, pending))
    }

    /// May dead letters of the queue with this ARN go where its settings send them?
    pub(super) fn check_redrive(
        &self,
        arn: &str,
        given: &QueueAttributes,
        settings: &Settings,
    ) -> Result<()> {
        let (Some(text), Some(policy)) = (given.get("RedrivePolicy"), &settings.redrive) else {
            return Ok(());
        };
        let refuse = |reason: &str| Err(Error::parameter(text, "RedrivePolicy", reason));
        // An ARN's fifth part is the account.
        if policy.target_arn.split(':').nth(4) != Some(self.store.account()) {
            return refuse("Dead letter target owner should be same as the source.");
        }
        if policy.target_arn.ends_with(FIFO_SUFFIX) != settings.is_fifo {
            return refuse("Dead-letter queue must be same type of queue as the source..");
        }
        let Some(target) = self.engine.by_arn(&self.store, &policy.target_arn)? else {
            return refuse("Dead letter target does not exist.");
        };
        if target.identity.arn == arn {
            return refuse("Dead letter target should be another queue than the source.");
        }
        let target = target.lock_as_it_is();
        if target.live.settings.allow.as_ref().is_some_and(|allow| !allow.allows(arn)) {
            return refuse("Dead-letter queue does not allow this queue as its source (RedriveAllowPolicy).");
        }
        Ok(())
    }

    /// The queue with this name.
    ///
    /// # Errors
    /// [`QueueDoesNotExist`](Error::QueueDoesNotExist).
    pub fn get(&self, name: &str) -> Result<Queue> {
        self.engine.get(&self.store, name).map(|core| self.handle(core))
    }

    /// Queues whose names begin with `prefix`, in the order of names: up to `max_results` (1 to 1000) of them, from where
    /// an earlier page said that the next begins. Without `max_results` up to 1000, and no next page.
    ///
    /// # Errors
    /// [`InvalidParameterValue`](Error::InvalidParameterValue).
    pub fn list(
        &self,
        prefix: &str,
        max_results: Option<i32>,
        next_token: Option<&str>,
    ) -> Result<QueuePage> {
        self.store.call("ListQueues", "", || self.do_list(prefix, max_results, next_token))
    }

    fn do_list(&self, prefix: &str, max_results: Option<i32>, next_token: Option<&str>) -> Result<QueuePage> {
        let max_results = rules::page_len(max_results, PAGE_MAX)?;
        let from = next_token.map(decode_token).transpose()?.unwrap_or_default();
        let found = self.engine.list(&self.store, prefix, &from)?;
        Ok(self.page(found, max_results))
    }

    /// A page of the queues found.
    pub(super) fn page(&self, found: Vec<Arc<Core>>, max_results: Option<i32>) -> QueuePage {
        let max = usize::try_from(max_results.unwrap_or(PAGE_MAX)).unwrap_or_default();
        let next = found.get(max).filter(|_| max_results.is_some());
        let next_token = next.map(|core| encode_token(&core.identity.name));
        QueuePage { queues: found.into_iter().take(max).map(|core| self.handle(core)).collect(), next_token }
    }

    /// Deletes the queue and its messages. Its name is taken for another 60 seconds.
    ///
    /// # Errors
    /// [`QueueDoesNotExist`](Error::QueueDoesNotExist).
    pub fn delete(&self, name: &str) -> Result<()> {
        self.store.call("DeleteQueue", name, || Ok(self.stage_delete(name)?.wait()?))
    }

    /// [`delete`](Self::delete) that holds no thread while it waits for the disk.
    pub async fn delete_async(&self, name: &str) -> Result<()> {
        self.store.call_async("DeleteQueue", name, async { Ok(self.stage_delete(name)?.done().await?) }).await
    }

    fn stage_delete(&self, name: &str) -> Result<Pending<()>> {
        let core = self.engine.get(&self.store, name)?;
        let mut state = core.lock_as_it_is();
        if state.is_deleted {
            return Err(Error::QueueDoesNotExist);
        }
        let now = self.store.now();
        let mut batch = self.store.batch();
        for id in state.spaces.ids() {
            batch.drop_space(id)?;
        }
        batch.put_resource(ResourceKind::Queue, name, &[], &QueueRecord::Gone(now).encode())?;
        state.forget_setting(&self.store, &mut batch)?;
        let pending = self.store.commit(batch)?;
        self.engine.note_orphans(&self.store);
        state.is_deleted = true;
        self.engine.set_gone(name, now);
        let wakers = state.waiters.take_wakers();
        drop(state);
        wakers.into_iter().for_each(std::task::Waker::wake);
        self.store.wake_sweeper();
        Ok(pending)
    }

    /// How awkward queues are to their consumers, for tests. Kept in memory only.
    pub fn set_dials(&self, dials: Dials) {
        self.engine.set_dials(dials);
    }

    pub(super) fn handle(&self, core: Arc<Core>) -> Queue {
        Queue { store: self.store.clone(), engine: Arc::clone(&self.engine), core }
    }
}

impl State {
    /// Waits for its turn in a listing by what it is set to: does it send its dead letters to `arn`?
    pub(super) fn is_source_of(&self, arn: &str) -> bool {
        self.live.settings.redrive.as_ref().is_some_and(|policy| policy.target_arn == arn)
    }
}

pub(super) fn too_many_tags(name: &str) -> Error {
    Error::invalid(format!("Too many tags added for queue {name}."))
}

/// A page begins with a name, which a caller has no business with.
fn encode_token(name: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(name)
}

pub(super) fn decode_token(token: &str) -> Result<String> {
    use base64::Engine;
    let bytes = base64::engine::general_purpose::STANDARD.decode(token).ok();
    let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let is_name = |name: &String| {
        let stem = name.strip_suffix(FIFO_SUFFIX);
        rules::queue_name(name, stem.is_some()).is_ok()
    };
    name.filter(is_name).ok_or_else(|| Error::invalid("Invalid or expired next token."))
}
