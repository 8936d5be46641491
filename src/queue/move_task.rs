//! Move tasks: dead letters go back to where they came from, or elsewhere, at a rate.
//!
//! V1. A message moves in one batch with the task's count of it: after a crash it is in one queue, and counted or not as
//!     it is there.
//! V2. A task moves what was in its queue when it began and can be received; so it ends.
//!
//! A task goes on whenever the engine is maintained, and a step whenever somebody receives or looks; so a store without
//! background threads moves messages too.

use crate::clock::Timestamp;
use crate::queue::core::{Core, State};
use crate::queue::engine::QueueEngine;
use crate::queue::error::{Error, Result};
use crate::queue::limits::{MOVE_RATE_MAX, MOVE_TASKS_MAX};
use crate::queue::message::uuid;
use crate::queue::queues::Queues;
use crate::queue::receive::Setting;
use crate::queue::rules;
use crate::queue::stored::{Shared, Stored};
use crate::queue::take::Cursor;
use crate::queue::task::{Task, TaskStatus};
use crate::queue::{identify, keys, redrive};
use crate::store::pending::Pending;
use crate::{Batch, Store};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Messages moved in one step.
const STEP: u64 = 100;

/// A move task, as it stands.
///
/// ```
/// use fourfold::{Store, queue::{NewQueue, QueueAttributes, TaskStatus}};
/// let store = Store::in_memory();
/// let queues = store.queues();
/// let failed = queues.create("failed")?;
/// let to_failed = QueueAttributes::new().dead_letters_to(failed.arn(), 1).visibility_timeout(0);
/// let jobs = queues.create(NewQueue::new("jobs").attributes(to_failed))?;
/// jobs.send("too hard")?;
/// jobs.receive(1)?;
/// jobs.receive(1)?;
/// assert_eq!(failed.stats()?.visible, 1);
///
/// queues.start_move(failed.arn(), None, None)?;
/// store.maintain()?;
/// let task = &queues.list_moves(failed.arn(), None)?[0];
/// assert_eq!((task.status, task.moved), (TaskStatus::Completed, 1));
/// assert_eq!(jobs.stats()?.visible, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct MoveTask {
    /// By which it can be cancelled, while it runs.
    pub handle: Option<String>,
    /// What became of it.
    pub status: TaskStatus,
    /// The queue it moves messages from.
    pub source_arn: String,
    /// The queue it moves them to; without, each goes where it came from.
    pub destination_arn: Option<String>,
    /// Messages in a second, if it was started so.
    pub rate: Option<i32>,
    /// Messages moved so far.
    pub moved: u64,
    /// Messages that were there when it started.
    pub to_move: u64,
    /// Why it failed, by the service's code.
    pub failure: Option<String>,
    /// When it started.
    pub started: Timestamp,
}

impl Queues {
    /// Starts to move the messages of a dead-letter queue: to `destination_arn`, or each to the queue that it came from;
    /// at most `rate` (1 to 500) in a second, or as fast as can be. Moved messages have new ids and count from zero. Gives
    /// the handle of the task.
    ///
    /// # Errors
    /// [`ResourceNotFound`](Error::ResourceNotFound) for a queue that is not there,
    /// [`InvalidParameterValue`](Error::InvalidParameterValue) if no queue sends its dead letters to the source, while
    /// another task of the source runs, for queues of different kinds, or for the rate.
    pub fn start_move(
        &self,
        source_arn: &str,
        destination_arn: Option<&str>,
        rate: Option<i32>,
    ) -> Result<String> {
        self.store.call("StartMessageMoveTask", source_arn, || {
            Ok(self.stage_move(source_arn, destination_arn, rate)?.wait()?)
        })
    }

    /// [`start_move`](Self::start_move) that holds no thread while it waits for the disk.
    pub async fn start_move_async(
        &self,
        source_arn: &str,
        destination_arn: Option<&str>,
        rate: Option<i32>,
    ) -> Result<String> {
        self.store
            .call_async("StartMessageMoveTask", source_arn, async {
                Ok(self.stage_move(source_arn, destination_arn, rate)?.done().await?)
            })
            .await
    }

    fn stage_move(
        &self,
        source_arn: &str,
        destination_arn: Option<&str>,
        rate: Option<i32>,
    ) -> Result<Pending<String>> {
        if rate.is_some_and(|rate| !(1..=MOVE_RATE_MAX).contains(&rate)) {
            return Err(Error::invalid(format!(
                "Value for parameter MaxNumberOfMessagesPerSecond is invalid. Reason: You must enter a number that's \
                 between 1 and {MOVE_RATE_MAX}."
            )));
        }
        let source = self.named(source_arn, "SourceArn")?;
        // One that is being cancelled is in nobody's way.
        self.engine.move_due(&self.store)?;
        let destination = destination_arn.map(|arn| self.named(arn, "DestinationArn")).transpose()?;
        let everybody = self.engine.list(&self.store, "", "")?;
        if !everybody.iter().any(|queue| queue.lock_as_it_is().is_source_of(source_arn)) {
            return Err(Error::invalid("Source queue must be configured as a Dead Letter Queue."));
        }
        if destination.as_ref().is_some_and(|queue| queue.identity.is_fifo != source.identity.is_fifo) {
            return Err(Error::invalid(
                "The source queue and destination queue must be of the same queue type.",
            ));
        }
        let destination = destination.map(|queue| queue.identity.name.to_string());
        if destination.as_deref() == Some(&source.identity.name) {
            return Err(Error::invalid("Source queue arn and destination queue arn cannot be the same."));
        }
        self.handle(source).change(|state, setting, _| {
            if state.tasks.values().any(|task| task.status.is_active()) {
                return Err(Error::invalid(
                    "There is already a task running. Only one active task is allowed for a source queue arn at a \
                     given time.",
                ));
            }
            let task = Task {
                id: setting.store.random().uuid(),
                status: TaskStatus::Running,
                started: setting.now,
                rate: rate.map(i32::cast_unsigned),
                moved: 0,
                to_move: state.index.len(),
                last: state.index.counts.last,
                destination,
                failure: None,
            };
            let handle = encode_handle(&task, source_arn);
            let pending = state.start(setting, task)?;
            self.engine.set_moving(&setting.core.identity.name, true);
            setting.store.wake_sweeper();
            Ok(pending.map(|()| handle))
        })
    }

    fn named(&self, arn: &str, parameter: &str) -> Result<Arc<Core>> {
        let missing = || Error::ResourceNotFound {
            message: format!("The resource that you specified for the {parameter} parameter doesn't exist."),
        };
        if redrive::service_of(arn).is_none() {
            return Err(Error::invalid(format!(
                "You must use this format to specify the {parameter}: \
                 arn:<partition>:<service>:<region>:<account-id>:<resource-id>"
            )));
        }
        self.engine.by_arn(&self.store, arn)?.ok_or_else(missing)
    }

    /// Stops a task, and says how many messages it has moved. It moves no more from now on;
    /// [`Cancelling`](TaskStatus::Cancelling) becomes [`Cancelled`](TaskStatus::Cancelled) with its next step.
    ///
    /// # Errors
    /// [`InvalidParameterValue`](Error::InvalidParameterValue) for what is no handle,
    /// [`ResourceNotFound`](Error::ResourceNotFound) if there is no such task or it runs no more.
    pub fn cancel_move(&self, handle: &str) -> Result<u64> {
        self.store.call("CancelMessageMoveTask", "", || Ok(self.stage_cancel_move(handle)?.wait()?))
    }

    /// [`cancel_move`](Self::cancel_move) that holds no thread while it waits for the disk.
    pub async fn cancel_move_async(&self, handle: &str) -> Result<u64> {
        self.store
            .call_async("CancelMessageMoveTask", "", async {
                Ok(self.stage_cancel_move(handle)?.done().await?)
            })
            .await
    }

    fn stage_cancel_move(&self, handle: &str) -> Result<Pending<u64>> {
        let (id, source_arn) = decode_handle(handle)?;
        let source = self.named(&source_arn, "SourceArn")?;
        self.handle(source).change(|state, setting, _| {
            let running = state.tasks.iter().find(|(_, task)| task.status == TaskStatus::Running);
            let Some((number, task)) = running.filter(|(_, task)| uuid(task.id) == id) else {
                return Err(Error::ResourceNotFound { message: "Task does not exist.".to_owned() });
            };
            let (number, task) = (*number, Task { status: TaskStatus::Cancelling, ..task.clone() });
            let moved = task.moved;
            let mut batch = setting.store.batch();
            let live = state.put_task(&mut batch, setting, number, &task)?;
            let pending = setting.store.commit(batch)?;
            state.tasks.insert(number, task);
            state.live = live;
            setting.store.wake_sweeper();
            Ok(pending.map(|()| moved))
        })
    }

    /// The last tasks of a source queue, newest first: `max` (1 to 10) of them, by default one.
    ///
    /// # Errors
    /// [`ResourceNotFound`](Error::ResourceNotFound) if there is no such queue,
    /// [`InvalidParameterValue`](Error::InvalidParameterValue).
    pub fn list_moves(&self, source_arn: &str, max: Option<i32>) -> Result<Vec<MoveTask>> {
        self.store.call("ListMessageMoveTasks", source_arn, || self.do_list_moves(source_arn, max))
    }

    fn do_list_moves(&self, source_arn: &str, max: Option<i32>) -> Result<Vec<MoveTask>> {
        let max = rules::page_len(max, MOVE_TASKS_MAX)?;
        let source = self.named(source_arn, "SourceArn")?;
        // What is being cancelled is seen so, once at least.
        let is_cancelling =
            source.lock_as_it_is().tasks.values().any(|task| task.status == TaskStatus::Cancelling);
        if !is_cancelling {
            self.engine.move_due(&self.store)?;
        }
        let listed = self.listed(&source, source_arn, max)?;
        if is_cancelling {
            self.engine.move_due(&self.store)?;
        }
        Ok(listed)
    }

    fn listed(&self, source: &Core, source_arn: &str, max: Option<i32>) -> Result<Vec<MoveTask>> {
        let state = source.lock(&self.store, self.store.now())?;
        let max = usize::try_from(max.unwrap_or(1)).unwrap_or(1);
        let arns = &source.identity.arns;
        let tasks = state.tasks.values().rev().take(max).map(|task| MoveTask {
            handle: (task.status == TaskStatus::Running).then(|| encode_handle(task, source_arn)),
            status: task.status,
            source_arn: source_arn.to_owned(),
            destination_arn: task.destination.as_ref().map(|name| format!("{arns}{name}")),
            rate: task.rate.map(u32::cast_signed),
            moved: task.moved,
            to_move: task.to_move,
            failure: task.failure.clone(),
            started: task.started,
        });
        Ok(tasks.collect())
    }
}

impl Task {
    /// How many messages it may have moved by now.
    fn allowance(&self, now: Timestamp) -> u64 {
        let Some(rate) = self.rate else { return u64::MAX };
        let millis = u64::try_from((now - self.started).as_millis()).unwrap_or(u64::MAX);
        millis.saturating_mul(u64::from(rate)) / 1000
    }

    /// When it may move the next.
    fn next(&self) -> Timestamp {
        let Some(rate) = self.rate else { return self.started };
        self.started + Duration::from_millis((self.moved + 1).saturating_mul(1000).div_ceil(u64::from(rate)))
    }
}

impl State {
    fn start(&mut self, setting: Setting<'_>, task: Task) -> Result<Pending<()>> {
        let number = self.tasks.last_key_value().map_or(0, |(last, _)| last + 1);
        let mut batch = setting.store.batch();
        let oldest = self.tasks.keys().next().copied();
        let oldest = oldest.filter(|_| self.tasks.len() >= MOVE_TASKS_MAX.unsigned_abs() as usize);
        if let Some(oldest) = oldest {
            batch.delete_in(self.spaces.facts.id(), &keys::task(oldest))?;
        }
        let live = self.put_task(&mut batch, setting, number, &task)?;
        let pending = setting.store.commit(batch)?;
        oldest.map(|oldest| self.tasks.remove(&oldest));
        self.tasks.insert(number, task);
        self.live = live;
        Ok(pending)
    }

    /// Adds a task to a batch, and the queue's record if it says otherwise whether one runs.
    fn put_task(
        &self,
        batch: &mut Batch,
        setting: Setting<'_>,
        number: u64,
        task: &Task,
    ) -> crate::Result<crate::queue::record::Live> {
        let mut live = self.live.clone();
        live.is_moving = task.status.is_active();
        if live.is_moving != self.live.is_moving {
            self.put_record(batch, &setting.core.identity.name, &live)?;
        }
        batch.put_in(self.spaces.facts.id(), &keys::task(number), &task.encode())?;
        Ok(live)
    }

    /// The task that runs or is to stop, if there is one.
    fn running(&self) -> Option<(u64, &Task)> {
        let running = self.tasks.iter().find(|(_, task)| task.status.is_active());
        running.map(|(number, task)| (*number, task))
    }
}

/// Where the next messages of a task go.
enum Next {
    /// It has to wait.
    Later,
    /// It has come to its end.
    Finished,
    /// Somebody stopped it.
    Cancelled,
    /// It cannot go on, for this reason.
    Stuck(&'static str),
    To(Arc<Core>),
}

impl QueueEngine {
    /// A queue has a running task, or none.
    fn set_moving(&self, name: &str, is_moving: bool) {
        let mut moving = self.moving.lock();
        if is_moving {
            moving.insert(name.to_owned());
        } else {
            moving.remove(name);
        }
        // Relaxed would do: who sees it late moves late.
        self.has_moving.store(!moving.is_empty(), Ordering::Release);
    }

    /// A step of the tasks that are due, for whoever is about to look at what they change.
    pub(super) fn move_due(&self, store: &Store) -> Result<()> {
        if self.has_moving.load(Ordering::Acquire) {
            self.move_step(store)?;
        }
        Ok(())
    }

    /// Moves some messages of each running task, and says whether more may be moved at once.
    pub(super) fn move_step(&self, store: &Store) -> Result<bool> {
        self.find(store, "")?;
        let moving: Vec<String> = self.moving.lock().iter().cloned().collect();
        let mut more = false;
        for name in moving {
            match self.get(store, &name).and_then(|core| self.advance_task(store, &core)) {
                Ok(has_more) => more |= has_more,
                // Deleted with its task.
                Err(Error::QueueDoesNotExist) => self.set_moving(&name, false),
                Err(error) => return Err(error),
            }
        }
        Ok(more)
    }

    /// When the next message may be moved.
    pub(super) fn next_move(&self) -> Option<Timestamp> {
        let moving: Vec<String> = self.moving.lock().iter().cloned().collect();
        let deadlines =
            moving.iter().filter_map(|name| {
                let core = self.named_core(name)?;
                let state = core.lock_as_it_is();
                state.running().map(|(_, task)| {
                    if task.status == TaskStatus::Running { task.next() } else { task.started }
                })
            });
        deadlines.min()
    }

    fn advance_task(&self, store: &Store, source: &Core) -> Result<bool> {
        let now = store.now();
        let next = {
            let mut state = source.lock(store, now)?;
            let next = self.next_of(store, &mut state, source, now)?;
            match next {
                Next::Later => return Ok(false),
                Next::Finished => {
                    return self.end(store, source, &mut state, TaskStatus::Completed, None);
                }
                Next::Cancelled => {
                    return self.end(store, source, &mut state, TaskStatus::Cancelled, None);
                }
                Next::Stuck(reason) => {
                    return self.end(store, source, &mut state, TaskStatus::Failed, Some(reason));
                }
                Next::To(target) => target,
            }
        };
        let (mut wakers, dials) = (Vec::new(), self.dials());
        let now = store.now();
        let setting = Setting { core: source, store, dials: &dials, now };
        let (mut state, target) = source.lock_both(&next, store, now)?;
        let moved = match target {
            Ok(mut target) => state.move_to(setting, &mut target, &next, &mut wakers),
            Err(Error::QueueDoesNotExist) => Ok(()),
            Err(error) => Err(error),
        };
        drop(state);
        wakers.into_iter().for_each(std::task::Waker::wake);
        moved.map(|()| true)
    }

    /// Looks at the next message of a source's task.
    fn next_of(&self, store: &Store, state: &mut State, source: &Core, now: Timestamp) -> Result<Next> {
        let Some((_, task)) = state.running() else {
            self.set_moving(&source.identity.name, false);
            return Ok(Next::Later);
        };
        if task.status == TaskStatus::Cancelling {
            return Ok(Next::Cancelled);
        }
        let missing = "AWS.SimpleQueueService.NonExistentQueue";
        let unknown = "CouldNotDetermineMessageSource";
        let (task, last) = (task.clone(), task.last);
        let destination = match &task.destination {
            Some(name) => match self.get(store, name) {
                Ok(core) => Some(core),
                Err(Error::QueueDoesNotExist) => return Ok(Next::Stuck(missing)),
                Err(error) => return Err(error),
            },
            None => None,
        };
        let first = state.take(&source.identity, store, now, &mut Cursor::up_to(last))?;
        let Some(first) = first else { return Ok(Next::Finished) };
        let origin = first.message.origin.as_ref().map(|origin| origin.queue.clone());
        state.put_back(vec![first]);
        if task.moved >= task.allowance(now) {
            return Ok(Next::Later);
        }
        match (destination, origin) {
            (Some(core), _) => Ok(Next::To(core)),
            (None, None) => Ok(Next::Stuck(unknown)),
            (None, Some(name)) => match self.get(store, &name) {
                Ok(core) if core.identity.number == source.identity.number => Ok(Next::Stuck(unknown)),
                Ok(core) => Ok(Next::To(core)),
                Err(Error::QueueDoesNotExist) => Ok(Next::Stuck(missing)),
                Err(error) => Err(error),
            },
        }
    }

    fn end(
        &self,
        store: &Store,
        source: &Core,
        state: &mut State,
        status: TaskStatus,
        failure: Option<&str>,
    ) -> Result<bool> {
        let Some((number, task)) = state.running() else { return Ok(false) };
        let task = Task { status, failure: failure.map(str::to_owned), ..task.clone() };
        let dials = self.dials();
        let setting = Setting { core: source, store, dials: &dials, now: store.now() };
        let mut batch = store.batch();
        let live = state.put_task(&mut batch, setting, number, &task)?;
        store.commit(batch)?.forget();
        state.tasks.insert(number, task);
        state.live = live;
        self.set_moving(&source.identity.name, false);
        Ok(false)
    }
}

impl State {
    /// Moves messages in one batch (V1), as many as may be and go to the same queue.
    fn move_to(
        &mut self,
        setting: Setting<'_>,
        target: &mut State,
        core: &Core,
        wakers: &mut Vec<std::task::Waker>,
    ) -> Result<()> {
        let Setting { core: source, store, now, .. } = setting;
        let Some((number, task)) = self.running() else { return Ok(()) };
        if task.status != TaskStatus::Running {
            return Ok(());
        }
        let mut task = task.clone();
        let room = task.allowance(now).saturating_sub(task.moved).min(STEP);
        let (mut taken, mut cursor) = (Vec::new(), Cursor::up_to(task.last));
        while (taken.len() as u64) < room {
            let next = match self.take(&source.identity, store, now, &mut cursor) {
                Ok(Some(next)) => next,
                Ok(None) => break,
                Err(error) => {
                    self.put_back(taken);
                    return Err(error.into());
                }
            };
            let origin = next.message.origin.as_ref().map(|origin| origin.queue.as_str());
            if task.destination.is_none() && origin != Some(&*core.identity.name) {
                self.put_back(vec![next]);
                break;
            }
            taken.push(next);
        }
        if taken.is_empty() {
            return Ok(());
        }
        let mut batch = store.batch();
        let mut moved: Vec<Shared> = Vec::new();
        task.moved += taken.len() as u64;
        let logged = (|| {
            for next in &taken {
                let earlier = moved.last().map_or(0, |last| last.seq + 1);
                let message = resent(&next.message, target, earlier, moved.len() as u64, now);
                target.put_message(&mut batch, &message)?;
                self.forget_large(&mut batch, &next.message)?;
                self.delete_message(&mut batch, next.message.seq, next.message.group.as_deref())?;
                moved.push(message.into());
            }
            self.put_counts(&mut batch, taken.len() as u64)?;
            let live = self.put_task(&mut batch, setting, number, &task)?;
            store.commit(batch).map(|pending| (pending, live))
        })();
        match logged {
            Ok((pending, live)) => {
                pending.forget();
                self.live = live;
            }
            Err(error) => {
                self.put_back(taken);
                return Err(error.into());
            }
        }
        self.tasks.insert(number, task);
        for next in taken {
            self.index.remove(next.message.seq, next.message.group.as_deref());
        }
        for message in &moved {
            target.index.insert(message, None);
        }
        target.settle(Setting { core, ..setting }, wakers);
        Ok(())
    }
}

/// A message as it is sent again: with another id, at another time.
fn resent(message: &Stored, target: &State, earlier: u64, before: u64, now: Timestamp) -> Stored {
    Stored {
        seq: target.index.next_number(now).max(earlier),
        ordinal: target.index.counts.taken + before + 1,
        group: message.group.clone(),
        deduplication_id: message.deduplication_id.clone(),
        trace: message.trace.clone(),
        attributes: message.attributes.clone(),
        body: message.body.clone(),
        large: message.large.clone(),
        origin: None,
    }
}

/// A handle is what the service's is: JSON in Base64.
fn encode_handle(task: &Task, source_arn: &str) -> String {
    let json = serde_json::json!({"taskId": uuid(task.id), "sourceArn": source_arn});
    STANDARD.encode(json.to_string())
}

fn decode_handle(handle: &str) -> Result<(String, String)> {
    let invalid = || Error::invalid("Value for parameter TaskHandle is invalid.");
    let bytes = STANDARD.decode(handle).map_err(|_| invalid())?;
    let mut fields: BTreeMap<String, String> = serde_json::from_slice(&bytes).map_err(|_| invalid())?;
    let (id, arn) = (fields.remove("taskId"), fields.remove("sourceArn"));
    let id = id.filter(|id| identify::parse(id).is_some());
    id.zip(arn).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::{NewQueue, QueueAttributes, Receive};

    #[test]
    fn what_could_not_be_moved_stays_where_it_was() {
        let store = Store::in_memory();
        let queues = store.queues();
        let [failed, elsewhere] = ["failed", "elsewhere"].map(|name| queues.create(name).unwrap());
        let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 5);
        queues.create(NewQueue::new("jobs").attributes(attributes)).unwrap();
        for body in ["one", "two", "three"] {
            failed.send(body).unwrap();
        }
        // The first is read ahead; the one behind it came back, and is not to be read.
        let received = failed.receive(Receive::new().max_messages(3)).unwrap();
        failed.change_visibility(received[1].receipt_handle(), 0).unwrap();
        failed.change_visibility(received[0].receipt_handle(), 0).unwrap();
        failed.change_visibility(received[2].receipt_handle(), 0).unwrap();
        let second = received[1].stored.seq;
        let whole = failed.core.overwrite(&store, second, b"");
        queues.start_move(failed.arn(), Some(elsewhere.arn()), None).unwrap();
        assert!(store.maintain().is_err());
        let task = || {
            let state = failed.core.lock_as_it_is();
            state.tasks.values().map(|task| (task.status, task.moved)).collect::<Vec<_>>()
        };
        assert_eq!(task(), [(TaskStatus::Running, 0)]);
        assert_eq!((failed.stats_of(&store), elsewhere.stats_of(&store)), (3, 0));
        failed.core.overwrite(&store, second, &whole);
        store.maintain().unwrap();
        assert_eq!(task(), [(TaskStatus::Completed, 3)]);
        assert_eq!((failed.stats_of(&store), elsewhere.stats_of(&store)), (0, 3));
        let bodies: Vec<_> =
            elsewhere.receive(10).unwrap().iter().map(|message| message.body().to_owned()).collect();
        assert_eq!(bodies, ["one", "two", "three"]);
    }

    impl crate::queue::Queue {
        /// Its messages, without the step of a task that looking at them takes.
        fn stats_of(&self, store: &Store) -> u64 {
            self.core.lock(store, store.now()).unwrap().index.len()
        }
    }
}
