//! Waiting for messages: a receive as a future, bound to no runtime, and the same driven by a thread.
//!
//! W1. Waiting receives are served in the order in which they came, by whoever makes a message ready: a send, a deletion,
//!     a change of visibility. Nobody is served past those who wait.
//! W2. When the clock makes a message ready, the first in line wakes up and serves the line; it has an alarm for it.
//! W3. What was given to a receive that nobody waits for any more is made visible again.

use crate::call::Call;
use crate::clock::{Alarm, Clock, Parker, Timestamp};
use crate::queue::Queue;
use crate::queue::core::State;
use crate::queue::dead_letter::Grave;
use crate::queue::error::{Error, Result};
use crate::queue::index::Lease;
use crate::queue::message::Message;
use crate::queue::receive::{Answer, Receive, Setting};
use crate::queue::throttle::Action;
use crate::queue::waiters::Waiter;
use std::borrow::Borrow;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// A receive that is under way: a future of [`Queue::receive_async`].
///
/// It does nothing until it is polled. Dropping it gives up the place in the line; what had been given to it meanwhile is
/// visible to others at once.
///
/// ```
/// use std::{pin::pin, task::{Context, Poll, Waker}};
/// let jobs = fourfold::Store::in_memory().queues().create("jobs")?;
/// let receive = fourfold::queue::Receive::new().wait(20);
/// let mut receiving = pin!(jobs.receive_async(receive));
/// let mut context = Context::from_waker(Waker::noop());
/// assert!(receiving.as_mut().poll(&mut context).is_pending());
/// jobs.send("hello")?;
/// let Poll::Ready(received) = receiving.as_mut().poll(&mut context) else { panic!("it was sent") };
/// assert_eq!(received?[0].body(), "hello");
/// # Ok::<(), fourfold::queue::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a future does nothing until it is polled"]
pub struct Receiving(Attempt<Queue>);

/// A receive with its queue; that of a thread that blocks borrows it.
#[derive(Debug)]
struct Attempt<Q: Borrow<Queue>> {
    queue: Q,
    asking: Asking,
    alarm: Option<Alarm>,
    /// If somebody wants to know of it.
    call: Option<Box<Call>>,
}

/// What is asked of the queue, and how far that has got.
#[derive(Debug)]
struct Asking {
    request: Receive,
    /// Its place in the line, and until when it stays there.
    place: Option<(u64, Timestamp)>,
    has_started: bool,
}

/// What a look at the queue came to.
enum Step {
    Ready(Result<Vec<Message>>),
    /// Look again at this moment.
    Pending(Timestamp),
    NeedsGrave,
}

impl Receiving {
    pub(super) fn new(queue: Queue, request: Receive) -> Self {
        Self(Attempt::new(queue, request))
    }
}

/// Receives, and blocks until there is an answer.
pub(super) fn receive(queue: &Queue, request: Receive) -> Result<Vec<Message>> {
    Attempt::new(queue, request).wait()
}

impl<Q: Borrow<Queue>> Attempt<Q> {
    fn new(queue: Q, request: Receive) -> Self {
        let call = {
            let queue = queue.borrow();
            queue.store.watch_call::<Error>("ReceiveMessage", queue.name())
        };
        let asking = Asking { request, place: None, has_started: false };
        Self { queue, asking, alarm: None, call }
    }

    fn wait(mut self) -> Result<Vec<Message>> {
        // Most receives need not wait, and so no place to do it.
        if let Poll::Ready(answer) = self.look(Waker::noop()) {
            return answer;
        }
        let mut parker = Parker::new();
        loop {
            if let Poll::Ready(answer) = self.look(&parker.waker()) {
                return answer;
            }
            parker.wait();
        }
    }

    fn look(&mut self, waker: &Waker) -> Poll<Result<Vec<Message>>> {
        let Some(mut call) = self.call.take() else { return self.look_inside(waker) };
        let store = self.queue.borrow().store.clone();
        let answer = match call.poll_enter(&store, waker) {
            Poll::Ready(Ok(())) => call.inside(|| self.look_inside(waker)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        };
        if answer.is_pending() {
            self.call = Some(call);
            return Poll::Pending;
        }
        answer.map(|answer| call.end(&store, answer))
    }

    fn look_inside(&mut self, waker: &Waker) -> Poll<Result<Vec<Message>>> {
        self.alarm = None;
        let mut wakers = Vec::new();
        let step = self.try_step(waker, &mut wakers).unwrap_or_else(|error| Step::Ready(Err(error)));
        wakers.into_iter().for_each(Waker::wake);
        match step {
            Step::Ready(mut answer) => {
                self.leave();
                if let Ok(messages) = &mut answer {
                    self.queue.borrow().resolve(messages, |message| message)?;
                }
                Poll::Ready(answer)
            }
            // The grave was at hand in the second try.
            Step::NeedsGrave => {
                self.leave();
                Poll::Ready(Ok(Vec::new()))
            }
            Step::Pending(at) => {
                self.alarm = Some(self.queue.borrow().store.clock().wake_at(at, waker.clone()));
                Poll::Pending
            }
        }
    }

    fn try_step(&mut self, waker: &Waker, wakers: &mut Vec<Waker>) -> Result<Step> {
        let (queue, asking) = (self.queue.borrow(), &mut self.asking);
        let (core, store) = (&*queue.core, &queue.store);
        if !asking.has_started {
            asking.request.check(core.identity.is_fifo)?;
        }
        queue.engine.move_due(store)?;
        let dials = queue.engine.dials();
        let now = store.now();
        let setting = Setting { core, store, dials: &dials, now };
        let mut state = core.lock(store, now)?;
        if !asking.has_started {
            state.throttle(core, &dials, Action::Receive, now)?;
            asking.has_started = true;
        }
        let step = asking.step(setting, &mut state, None, waker, wakers)?;
        if !matches!(step, Step::NeedsGrave) {
            return Ok(step);
        }
        let target = queue.engine.dead_letter_queue(store, &state)?;
        drop(state);
        let now = store.now();
        let setting = Setting { now, ..setting };
        if let Some(target) = target {
            let (mut state, grave) = core.lock_both(&target, store, now)?;
            let mut grave = grave.ok();
            let mut open = Grave(grave.as_deref_mut());
            let step = asking.step(setting, &mut state, Some(&mut open), waker, wakers)?;
            drop(state);
            // Somebody may wait for dead letters.
            if let Some(grave) = &mut grave {
                let core = &*target;
                grave.settle(Setting { core, ..setting }, wakers);
            }
            return Ok(step);
        }
        let mut state = core.lock(store, now)?;
        asking.step(setting, &mut state, Some(&mut Grave(None)), waker, wakers)
    }

    /// Gives up its place in the line, if it has one still (W3).
    fn leave(&mut self) {
        let Some((ticket, _)) = self.asking.place.take() else { return };
        let queue = self.queue.borrow();
        let (now, mut wakers) = (queue.store.now(), Vec::new());
        if let Ok(mut state) = queue.core.lock(&queue.store, now) {
            state.waiters.leave(ticket);
            let dials = queue.engine.dials();
            let setting = Setting { core: &queue.core, store: &queue.store, dials: &dials, now };
            if let Some(Ok(messages)) = state.waiters.pick_up(ticket) {
                // If this cannot be written, the lease ends by itself.
                let _ = state.release(setting, &messages);
            }
            state.settle(setting, &mut wakers);
        }
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl<Q: Borrow<Queue>> Drop for Attempt<Q> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl Asking {
    fn step(
        &mut self,
        setting: Setting<'_>,
        state: &mut State,
        mut grave: Option<&mut Grave<'_>>,
        waker: &Waker,
        wakers: &mut Vec<Waker>,
    ) -> Result<Step> {
        let mut needs_grave = state.serve(setting, grave.as_deref_mut(), wakers);
        match self.place {
            Some((ticket, _)) => {
                if let Some(answer) = state.waiters.pick_up(ticket) {
                    self.place = None;
                    state.poke(wakers);
                    return Ok(Step::Ready(answer));
                }
            }
            None if state.waiters.is_empty() => {
                match state.receive(setting, &self.request.wanted(), grave)? {
                    Answer::Messages(messages) if messages.is_empty() => {}
                    Answer::Messages(messages) => return Ok(Step::Ready(Ok(messages))),
                    Answer::NeedsGrave => needs_grave = true,
                }
            }
            None => {}
        }
        if needs_grave {
            return Ok(Step::NeedsGrave);
        }
        Ok(self.line_up(setting, state, waker, wakers))
    }

    /// Waits, or waits on, or has waited long enough.
    fn line_up(
        &mut self,
        setting: Setting<'_>,
        state: &mut State,
        waker: &Waker,
        wakers: &mut Vec<Waker>,
    ) -> Step {
        let now = setting.now;
        let (ticket, deadline) = if let Some(place) = self.place {
            place
        } else {
            let deadline = now + self.request.wait_of(state);
            if deadline <= now {
                return Step::Ready(Ok(Vec::new()));
            }
            let wanted = self.request.wanted();
            let ticket = state.waiters.join(Waiter { wanted, waker: waker.clone(), alarm: deadline });
            (ticket, deadline)
        };
        if deadline <= now {
            state.waiters.leave(ticket);
            self.place = None;
            state.poke(wakers);
            return Step::Ready(Ok(Vec::new()));
        }
        self.place = Some((ticket, deadline));
        let is_first = state.waiters.first().is_some_and(|(first, _)| first == ticket);
        let due = state.index.next_due().filter(|_| is_first);
        let alarm = due.map_or(deadline, |due| due.min(deadline));
        state.waiters.renew(ticket, waker, alarm);
        Step::Pending(alarm)
    }
}

impl Future for Receiving {
    type Output = Result<Vec<Message>>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.get_mut().0.look(context.waker())
    }
}

impl State {
    /// Gives those who wait what there is, in their order (W1). Says whether that takes a grave that is not at hand.
    fn serve(
        &mut self,
        setting: Setting<'_>,
        mut grave: Option<&mut Grave<'_>>,
        wakers: &mut Vec<Waker>,
    ) -> bool {
        let mut has_served = false;
        while let Some((ticket, waiter)) = self.waiters.first() {
            let wanted = waiter.wanted.clone();
            let answer = match self.receive(setting, &wanted, grave.as_deref_mut()) {
                Ok(Answer::NeedsGrave) => return true,
                Ok(Answer::Messages(messages)) if messages.is_empty() => break,
                Ok(Answer::Messages(messages)) => Ok(messages),
                Err(error) => Err(error),
            };
            wakers.extend(self.waiters.serve(ticket, answer));
            has_served = true;
        }
        if has_served {
            self.poke(wakers);
        }
        false
    }

    /// Whoever is first in line wakes up for what the clock will bring (W2).
    fn poke(&self, wakers: &mut Vec<Waker>) {
        let Some((_, first)) = self.waiters.first() else { return };
        if self.index.next_due().is_some_and(|due| due < first.alarm) {
            wakers.push(first.waker.clone());
        }
    }

    /// After a change: those who wait get what there is. Where that takes another queue's lock, the first of them does it.
    pub(super) fn settle(&mut self, setting: Setting<'_>, wakers: &mut Vec<Waker>) {
        if self.waiters.is_empty() {
            return;
        }
        self.index.advance(setting.now);
        if self.serve(setting, None, wakers) {
            wakers.extend(self.waiters.first().map(|(_, first)| first.waker.clone()));
        } else {
            self.poke(wakers);
        }
    }

    /// Ends the leases of messages that their receiver never got (W3).
    fn release(&mut self, setting: Setting<'_>, messages: &[Message]) -> Result<()> {
        let mut batch = setting.store.batch();
        for message in messages {
            let seq = message.stored.seq;
            if let Some(lease) = self.index.leases.get(&seq) {
                let lease = Lease { until: setting.now, ..lease.clone() };
                self.put_lease(&mut batch, seq, &lease)?;
            }
        }
        setting.store.commit(batch)?.forget();
        for message in messages {
            self.index.extend(message.stored.seq, setting.now, setting.now);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use crate::queue::{NewQueue, QueueAttributes};
    use std::pin::pin;

    #[test]
    fn who_waited_and_failed_waits_no_more() {
        let store = Store::in_memory();
        let queues = store.queues();
        let [failed, elsewhere] = ["failed", "elsewhere"].map(|name| queues.create(name).unwrap());
        let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 5);
        let jobs = queues.create(NewQueue::new("jobs").attributes(attributes)).unwrap();
        let mut receiving = pin!(jobs.receive_async(Receive::new().wait(20)));
        let context = &mut Context::from_waker(Waker::noop());
        assert!(receiving.as_mut().poll(context).is_pending());
        // A move task that cannot read what it is to move fails whoever looks.
        failed.send("x").unwrap();
        assert_eq!(failed.receive(Receive::new().visibility_timeout(0)).unwrap().len(), 1);
        let whole = failed.core.overwrite_first(&store, b"");
        queues.start_move(failed.arn(), Some(elsewhere.arn()), None).unwrap();
        assert!(matches!(receiving.as_mut().poll(context), Poll::Ready(Err(_))));
        failed.core.overwrite_first(&store, &whole);
        jobs.send("hello").unwrap();
        assert_eq!(jobs.receive(1).unwrap().len(), 1);
    }
}
