//! A queue as its users hold it.

use crate::queue::batch::{BatchEntry, BatchResult};
use crate::queue::core::{Core, State};
use crate::queue::delete::{Changes, Deletions};
use crate::queue::engine::QueueEngine;
use crate::queue::error::{Error, Result};
use crate::queue::large::stage_deletions;
use crate::queue::limits::{BATCH_LEN_MAX, PAGE_MAX, VISIBILITY_SECONDS_MAX};
use crate::queue::message::{Message, SendMessage, Sent, Text};
use crate::queue::queues::{QueuePage, Queues, decode_token};
use crate::queue::receive::{Receive, Setting};
use crate::queue::receiving::{self, Receiving};
use crate::queue::rules;
use crate::queue::send::{self, Sends};
use crate::queue::throttle::Action;
use crate::store::pending::Pending;
use crate::{Batch, Store, Timestamp};
use std::fmt;
use std::sync::Arc;
use std::task::Waker;

/// A queue. Cheap to clone; all clones are the same queue, and may be used from any thread.
///
/// A handle is of one queue, not of a name: when the queue is deleted every verb says
/// [`QueueDoesNotExist`](Error::QueueDoesNotExist), even if there is another one of that name.
///
/// Verbs that change something come twice: one blocks until the change is as durable as the store was opened for, the
/// other, `…_async`, is a future that holds no thread meanwhile and needs no runtime.
///
/// ```
/// use fourfold::Store;
/// let store = Store::in_memory();
/// let jobs = store.queues().create("jobs")?;
/// jobs.send("resize image 17")?;
/// for message in jobs.receive(10)? {
///     println!("{}", message.body());
///     jobs.delete_message(message.receipt_handle())?;
/// }
/// assert_eq!(jobs.stats()?.messages(), 0);
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Clone)]
pub struct Queue {
    pub(super) store: Store,
    pub(super) engine: Arc<QueueEngine>,
    pub(super) core: Arc<Core>,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue").field("name", &self.name()).finish_non_exhaustive()
    }
}

/// A change that was logged: its answer, and who is to be woken for it.
pub(super) type Staged<T> = Result<Pending<T>>;

impl Queue {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.core.identity.name
    }

    /// Its name in the form of AWS: `arn:aws:sqs:<region>:<account>:<name>`.
    pub fn arn(&self) -> &str {
        &self.core.identity.arn
    }

    /// Is it a FIFO queue?
    pub fn is_fifo(&self) -> bool {
        self.core.identity.is_fifo
    }

    /// Sends a message.
    ///
    /// # Errors
    /// [`InvalidMessageContents`](Error::InvalidMessageContents),
    /// [`InvalidParameterValue`](Error::InvalidParameterValue) and [`MissingParameter`](Error::MissingParameter) for a
    /// message that this queue does not take; [`Storage`](Error::Storage).
    pub fn send(&self, message: impl Into<SendMessage>) -> Result<Sent> {
        self.store.call("SendMessage", self.name(), || Ok(self.stage_send(message.into())?.wait()?))
    }

    /// [`send`](Self::send) that holds no thread while it waits for the disk.
    pub async fn send_async(&self, message: impl Into<SendMessage>) -> Result<Sent> {
        self.store
            .call_async("SendMessage", self.name(), async {
                Ok(self.stage_send(message.into())?.done().await?)
            })
            .await
    }

    fn stage_send(&self, message: SendMessage) -> Staged<Sent> {
        send::check(&message, self.is_fifo())?;
        send::check_group(&message, self.is_fifo())?;
        let sent = match self.active_for(message.body.as_bytes().len())? {
            None => waking(|wakers| self.stage_sent(message, self.store.batch(), wakers))?,
            Some(active) => self.send_large(&active, vec![message], &mut |mut messages, batch, wakers| {
                self.stage_sent(messages.remove(0), batch, wakers)
            })?,
        };
        Ok(sent.map(|mut sent| sent.remove(0)))
    }

    fn stage_sent(&self, message: SendMessage, batch: Batch, wakers: &mut Vec<Waker>) -> Staged<Vec<Sent>> {
        let mut sends = Sends::with_capacity(1);
        self.change_with(wakers, |state, setting, wakers| {
            state.check_len(&message)?;
            state.check_deduplication(&message)?;
            state.throttle_send(setting, message.group.as_deref())?;
            state.decide_send(setting, &mut sends, message);
            stage_sends(state, setting, sends, batch, wakers)
        })
    }

    /// Sends up to ten messages in one go; in a FIFO queue in the order of the entries.
    ///
    /// # Errors
    /// For the request as a whole: [`EmptyBatchRequest`](Error::EmptyBatchRequest),
    /// [`TooManyEntriesInBatchRequest`](Error::TooManyEntriesInBatchRequest),
    /// [`BatchEntryIdsNotDistinct`](Error::BatchEntryIdsNotDistinct),
    /// [`InvalidBatchEntryId`](Error::InvalidBatchEntryId), [`BatchRequestTooLong`](Error::BatchRequestTooLong), and in a
    /// FIFO queue [`InvalidParameterValue`](Error::InvalidParameterValue) if a group or deduplication id is missing. An
    /// entry that is refused for itself is in [`failed`](BatchResult::failed).
    pub fn send_batch(&self, entries: Vec<BatchEntry<SendMessage>>) -> Result<BatchResult<Sent>> {
        self.store.call("SendMessageBatch", self.name(), || Ok(self.stage_send_batch(entries)?.wait()?))
    }

    /// [`send_batch`](Self::send_batch) that holds no thread while it waits for the disk.
    pub async fn send_batch_async(&self, entries: Vec<BatchEntry<SendMessage>>) -> Result<BatchResult<Sent>> {
        self.store
            .call_async("SendMessageBatch", self.name(), async {
                Ok(self.stage_send_batch(entries)?.done().await?)
            })
            .await
    }

    fn stage_send_batch(&self, entries: Vec<BatchEntry<SendMessage>>) -> Staged<BatchResult<Sent>> {
        rules::batch_ids(entries.iter().map(|entry| entry.id.as_str()), "SendMessageBatchRequestEntry")?;
        let longest = entries.iter().map(|entry| entry.value.body.as_bytes().len()).max();
        let active = self.active_for(longest.unwrap_or(0))?;
        let is_large = |len: usize| active.as_ref().is_some_and(|active| len >= active.setting.from);
        let small = entries.iter().filter(|entry| !is_large(entry.value.body.as_bytes().len()));
        let len = small.map(|entry| rules::message_len(&entry.value)).sum();
        if len > BATCH_LEN_MAX {
            return Err(Error::BatchRequestTooLong { len });
        }
        if entries.iter().any(|entry| send::check_group(&entry.value, self.is_fifo()).is_err()) {
            return Err(Error::invalid("The request must contain the parameter MessageGroupId."));
        }
        let Some(active) = active else {
            return waking(|wakers| self.stage_batch_sent(entries, self.store.batch(), wakers));
        };
        let (mut ids, mut messages) = (Vec::new(), Vec::new());
        for entry in entries {
            ids.push(entry.id);
            messages.push(entry.value);
        }
        self.send_large(&active, messages, &mut |messages, batch, wakers| {
            let entries = ids.drain(..).zip(messages).map(|(id, value)| BatchEntry { id, value });
            self.stage_batch_sent(entries.collect(), batch, wakers)
        })
    }

    fn stage_batch_sent(
        &self,
        mut entries: Vec<BatchEntry<SendMessage>>,
        batch: Batch,
        wakers: &mut Vec<Waker>,
    ) -> Staged<BatchResult<Sent>> {
        let mut bodies: Vec<_> = entries.iter_mut().map(|entry| &mut entry.value.body).collect();
        Text::join(&mut bodies);
        let (mut sends, mut ids) = (Sends::with_capacity(entries.len()), Vec::with_capacity(entries.len()));
        let mut result = BatchResult::default();
        let sent = self.change_with(wakers, |state, setting, wakers| {
            entries.iter().try_for_each(|entry| state.check_deduplication(&entry.value))?;
            state.throttle_send(setting, None)?;
            for (BatchEntry { id, value }, number) in entries.into_iter().zip(1..) {
                let checked = send::check_entry(&value, self.is_fifo(), number);
                match checked.and_then(|()| state.check_len(&value)) {
                    Ok(()) => {
                        state.decide_send(setting, &mut sends, value);
                        ids.push(id);
                    }
                    Err(error) => result.push(id, Err(error)),
                }
            }
            let sent = stage_sends(state, setting, sends, batch, wakers)?;
            Ok(sent.map(|sent| ids.into_iter().zip(sent).collect::<Vec<_>>()))
        })?;
        Ok(sent.map(|sent| {
            result.successful = sent;
            result
        }))
    }

    /// Receives messages: they are invisible to others until their visibility timeout is over, unless they are deleted
    /// before. A number asks for up to so many.
    ///
    /// If there is none and the request or the queue says to wait, the thread sleeps until one is sent, or a delay or
    /// visibility timeout ends.
    ///
    /// # Errors
    /// [`InvalidParameterValue`](Error::InvalidParameterValue); [`OverLimit`](Error::OverLimit) while 120,000 messages of
    /// a standard queue are in flight.
    pub fn receive(&self, request: impl Into<Receive>) -> Result<Vec<Message>> {
        receiving::receive(self, request.into())
    }

    /// [`receive`](Self::receive) as a future: one that waits costs no thread.
    pub fn receive_async(&self, request: impl Into<Receive>) -> Receiving {
        Receiving::new(self.clone(), request.into())
    }

    /// Deletes the message of a receipt handle; one that is gone already is fine. In a standard queue any handle of the
    /// message does it, however old.
    ///
    /// # Errors
    /// [`ReceiptHandleIsInvalid`](Error::ReceiptHandleIsInvalid);
    /// [`InvalidParameterValue`](Error::InvalidParameterValue) in a FIFO queue if the delivery has ended.
    pub fn delete_message(&self, receipt_handle: &str) -> Result<()> {
        self.store.call("DeleteMessage", self.name(), || Ok(self.stage_delete(receipt_handle)?.wait()?))
    }

    /// [`delete_message`](Self::delete_message) that holds no thread while it waits for the disk.
    pub async fn delete_message_async(&self, receipt_handle: &str) -> Result<()> {
        self.store
            .call_async("DeleteMessage", self.name(), async {
                Ok(self.stage_delete(receipt_handle)?.done().await?)
            })
            .await
    }

    fn stage_delete(&self, handle: &str) -> Staged<()> {
        let mut decide = |state: &mut State, setting: Setting<'_>| {
            state.throttle(setting.core, setting.dials, Action::Delete, setting.now)?;
            let mut deletions = Deletions::default();
            state.decide_delete(setting.core, setting.store, &mut deletions, (handle, setting.now))?;
            Ok(deletions)
        };
        self.delete_by(std::iter::once(handle), &mut decide)
    }

    /// Deletes what `decide` says, with the large bodies of these receipt handles.
    fn delete_by<'a>(
        &self,
        handles: impl Iterator<Item = &'a str>,
        decide: &mut dyn FnMut(&mut State, Setting<'_>) -> Result<Deletions>,
    ) -> Staged<()> {
        let bodies = self.large_of(handles)?;
        if !bodies.is_empty() {
            return self.delete_large(&bodies, decide);
        }
        self.change(|state, setting, wakers| {
            let deletions = decide(state, setting)?;
            stage_deletions(state, setting, deletions, setting.store.batch(), wakers)
        })
    }

    /// Deletes up to ten messages by their receipt handles.
    ///
    /// # Errors
    /// For the request as a whole as [`send_batch`](Self::send_batch); entries as
    /// [`delete_message`](Self::delete_message).
    #[expect(clippy::needless_pass_by_value, reason = "all batches take their entries alike")]
    pub fn delete_batch(&self, entries: Vec<BatchEntry<String>>) -> Result<BatchResult<()>> {
        self.store
            .call("DeleteMessageBatch", self.name(), || Ok(self.stage_delete_batch(&entries)?.wait()?))
    }

    /// [`delete_batch`](Self::delete_batch) that holds no thread while it waits for the disk.
    pub async fn delete_batch_async(&self, entries: Vec<BatchEntry<String>>) -> Result<BatchResult<()>> {
        self.store
            .call_async("DeleteMessageBatch", self.name(), async {
                Ok(self.stage_delete_batch(&entries)?.done().await?)
            })
            .await
    }

    fn stage_delete_batch(&self, entries: &[BatchEntry<String>]) -> Staged<BatchResult<()>> {
        rules::batch_ids(entries.iter().map(|entry| entry.id.as_str()), "DeleteMessageBatchRequestEntry")?;
        let mut result = BatchResult::default();
        let mut decide = |state: &mut State, setting: Setting<'_>| {
            state.throttle(setting.core, setting.dials, Action::Delete, setting.now)?;
            let mut deletions = Deletions::default();
            result = BatchResult::default();
            for BatchEntry { id, value } in entries {
                let wanted = (value.as_str(), setting.now);
                let decided = state.decide_delete(setting.core, setting.store, &mut deletions, wanted);
                result.push(id.clone(), decided);
            }
            Ok(deletions)
        };
        let pending = self.delete_by(entries.iter().map(|entry| entry.value.as_str()), &mut decide)?;
        Ok(pending.map(|()| result))
    }

    /// Changes how long a received message stays invisible: so many seconds (0 to 43,200) from now on, in all at most
    /// twelve hours since it was received. With 0 it is visible at once. The next delivery is not affected. In a standard
    /// queue nothing happens to a message whose time has ended already.
    ///
    /// # Errors
    /// [`ReceiptHandleIsInvalid`](Error::ReceiptHandleIsInvalid); [`MessageNotInflight`](Error::MessageNotInflight) for a
    /// message that was made visible before its time;
    /// [`InvalidParameterValue`](Error::InvalidParameterValue) for a time out of range, a message that is gone, and in a
    /// FIFO queue a delivery that has ended.
    pub fn change_visibility(&self, receipt_handle: &str, seconds: i32) -> Result<()> {
        self.store.call("ChangeMessageVisibility", self.name(), || {
            Ok(self.stage_visibility(receipt_handle, seconds)?.wait()?)
        })
    }

    /// [`change_visibility`](Self::change_visibility) that holds no thread while it waits for the disk.
    pub async fn change_visibility_async(&self, receipt_handle: &str, seconds: i32) -> Result<()> {
        self.store
            .call_async("ChangeMessageVisibility", self.name(), async {
                Ok(self.stage_visibility(receipt_handle, seconds)?.done().await?)
            })
            .await
    }

    fn stage_visibility(&self, handle: &str, seconds: i32) -> Staged<()> {
        if !(0..=VISIBILITY_SECONDS_MAX).contains(&seconds) {
            let reason = format_args!("Must be between 0 and {VISIBILITY_SECONDS_MAX}.");
            return Err(Error::parameter(seconds, "VisibilityTimeout", reason));
        }
        self.change(|state, setting, wakers| {
            let mut changes = Changes::default();
            let wanted = (handle, seconds);
            state.decide_visibility(setting.core, setting.store, &mut changes, wanted, setting.now)?;
            stage_changes(state, setting, &changes, wakers)
        })
    }

    /// Changes how long up to ten messages stay invisible, each given as receipt handle and seconds.
    ///
    /// # Errors
    /// For the request as a whole as [`send_batch`](Self::send_batch); entries as
    /// [`change_visibility`](Self::change_visibility).
    pub fn change_visibility_batch(
        &self,
        entries: Vec<BatchEntry<(String, i32)>>,
    ) -> Result<BatchResult<()>> {
        self.store.call("ChangeMessageVisibilityBatch", self.name(), || {
            Ok(self.stage_visibility_batch(entries)?.wait()?)
        })
    }

    /// [`change_visibility_batch`](Self::change_visibility_batch) that holds no thread while it waits for the disk.
    pub async fn change_visibility_batch_async(
        &self,
        entries: Vec<BatchEntry<(String, i32)>>,
    ) -> Result<BatchResult<()>> {
        self.store
            .call_async("ChangeMessageVisibilityBatch", self.name(), async {
                Ok(self.stage_visibility_batch(entries)?.done().await?)
            })
            .await
    }

    fn stage_visibility_batch(&self, entries: Vec<BatchEntry<(String, i32)>>) -> Staged<BatchResult<()>> {
        let ids = entries.iter().map(|entry| entry.id.as_str());
        rules::batch_ids(ids, "ChangeMessageVisibilityBatchRequestEntry")?;
        let mut result = BatchResult::default();
        let pending = self.change(|state, setting, wakers| {
            let mut changes = Changes::default();
            for BatchEntry { id, value: (handle, seconds) } in entries {
                let wanted = (handle.as_str(), seconds);
                let decided =
                    state.decide_visibility(setting.core, setting.store, &mut changes, wanted, setting.now);
                result.push(id, decided);
            }
            stage_changes(state, setting, &changes, wakers)
        })?;
        Ok(pending.map(|()| result))
    }

    /// Deletes all messages, also those in flight or delayed, and forgets the deduplication ids. It costs the same however
    /// many there are.
    ///
    /// # Errors
    /// [`PurgeQueueInProgress`](Error::PurgeQueueInProgress) within 60 seconds of the last one.
    pub fn purge(&self) -> Result<()> {
        self.store.call("PurgeQueue", self.name(), || Ok(self.stage_purge()?.wait()?))
    }

    /// [`purge`](Self::purge) that holds no thread while it waits for the disk.
    pub async fn purge_async(&self) -> Result<()> {
        self.store
            .call_async("PurgeQueue", self.name(), async { Ok(self.stage_purge()?.done().await?) })
            .await
    }

    fn stage_purge(&self) -> Staged<()> {
        self.change(|state, setting, _| state.purge(setting))
    }

    /// Queues that send their dead letters here, by pages as [`Queues::list`].
    ///
    /// # Errors
    /// As for [`Queues::list`].
    pub fn dead_letter_sources(
        &self,
        max_results: Option<i32>,
        next_token: Option<&str>,
    ) -> Result<QueuePage> {
        self.store.call("ListDeadLetterSourceQueues", self.name(), || {
            self.do_dead_letter_sources(max_results, next_token)
        })
    }

    fn do_dead_letter_sources(
        &self,
        max_results: Option<i32>,
        next_token: Option<&str>,
    ) -> Result<QueuePage> {
        let max_results = rules::page_len(max_results, PAGE_MAX)?;
        let from = next_token.map(decode_token).transpose()?.unwrap_or_default();
        self.check_exists()?;
        let mut sources = self.engine.list(&self.store, "", &from)?;
        sources.retain(|source| source.lock_as_it_is().is_source_of(self.arn()));
        Ok(self.queues().page(sources, max_results))
    }

    pub(super) fn queues(&self) -> Queues {
        Queues { store: self.store.clone(), engine: Arc::clone(&self.engine) }
    }

    pub(super) fn check_exists(&self) -> Result<()> {
        if self.core.lock_as_it_is().is_deleted { Err(Error::QueueDoesNotExist) } else { Ok(()) }
    }

    /// Decides, logs and applies under the queue's lock, then wakes those whom it gave something.
    pub(super) fn change<T>(
        &self,
        verb: impl FnOnce(&mut State, Setting<'_>, &mut Vec<Waker>) -> Result<T>,
    ) -> Result<T> {
        waking(|wakers| self.change_with(wakers, verb))
    }

    /// The same for a caller that holds other locks: it wakes them once it let go of those.
    pub(super) fn change_with<T>(
        &self,
        wakers: &mut Vec<Waker>,
        verb: impl FnOnce(&mut State, Setting<'_>, &mut Vec<Waker>) -> Result<T>,
    ) -> Result<T> {
        let dials = self.engine.dials();
        let now: Timestamp = self.store.now();
        let setting = Setting { core: &self.core, store: &self.store, dials: &dials, now };
        let mut state = self.core.lock(&self.store, now)?;
        verb(&mut state, setting, wakers)
    }
}

/// Wakes those who were given something when `verb` is done, and holds no lock any more: whoever is woken may use the
/// queue at once.
pub(super) fn waking<T>(verb: impl FnOnce(&mut Vec<Waker>) -> T) -> T {
    let mut wakers = Vec::new();
    let outcome = verb(&mut wakers);
    wakers.into_iter().for_each(Waker::wake);
    outcome
}

fn stage_sends(
    state: &mut State,
    setting: Setting<'_>,
    sends: Sends,
    mut batch: Batch,
    wakers: &mut Vec<Waker>,
) -> Staged<Vec<Sent>> {
    if sends.is_empty() {
        return Ok(Pending::ready(setting.store, state.apply_sends(setting, sends, wakers)));
    }
    state.put_sends(&mut batch, &sends, setting.now)?;
    let pending = setting.store.commit(batch)?;
    if sends.has_orphan() {
        QueueEngine::of(setting.store).note_orphans(setting.store);
    }
    let sent = state.apply_sends(setting, sends, wakers);
    Ok(pending.map(|()| sent))
}

fn stage_changes(
    state: &mut State,
    setting: Setting<'_>,
    changes: &Changes,
    wakers: &mut Vec<Waker>,
) -> Staged<()> {
    if changes.is_empty() {
        return Ok(Pending::ready(setting.store, ()));
    }
    let mut batch = setting.store.batch();
    state.put_changes(&mut batch, changes)?;
    let pending = setting.store.commit(batch)?;
    state.apply_changes(changes, setting.now);
    state.settle(setting, wakers);
    Ok(pending)
}
