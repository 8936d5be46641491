//! Waiting for messages, and many threads at once.

use fourfold::clock::Clock;
use fourfold::queue::{BatchEntry, NewQueue, Queue, QueueAttributes, Receive, Receiving, SendMessage};
use fourfold::{ManualClock, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Counts how often it is woken.
#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A receive polled by hand.
struct Waiting {
    receiving: Pin<Box<Receiving>>,
    count: Arc<Count>,
}

impl Waiting {
    fn start(queue: &Queue, seconds: i32) -> Self {
        Self::with(queue, Receive::new().wait(seconds))
    }

    fn with(queue: &Queue, request: Receive) -> Self {
        let mut waiting = Self { receiving: Box::pin(queue.receive_async(request)), count: Arc::default() };
        assert_eq!(waiting.poll(), None);
        waiting
    }

    /// Bodies received, once there is an answer.
    fn poll(&mut self) -> Option<Vec<String>> {
        let waker = Waker::from(Arc::clone(&self.count));
        match self.receiving.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => None,
            Poll::Ready(messages) => {
                let messages = messages.unwrap();
                Some(messages.iter().map(|message| message.body().to_owned()).collect())
            }
        }
    }

    /// How often it was woken since the last time.
    fn woken(&self) -> usize {
        self.count.0.swap(0, Ordering::SeqCst)
    }
}

/// The answer of one message.
#[expect(clippy::unnecessary_wraps, reason = "it is compared with an answer that may not be there")]
fn one(body: &str) -> Option<Vec<String>> {
    Some(vec![body.to_owned()])
}

fn world(name: &str, attributes: QueueAttributes) -> (Store, ManualClock, Queue) {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).seed(1).open_in_memory();
    let queue = NewQueue::new(name).attributes(attributes);
    let queue = if name.contains('.') { queue.fifo() } else { queue };
    let queue = store.queues().create(queue).unwrap();
    (store, clock, queue)
}

#[test]
fn those_who_wait_are_served_in_order_and_woken_only_then() {
    let (_store, _clock, queue) = world("queue", QueueAttributes::new());
    let mut waiting: Vec<_> = (0..3).map(|_| Waiting::start(&queue, 20)).collect();
    assert_eq!(queue.stats().unwrap().waiting, 3);
    queue.send("a").unwrap();
    assert!(queue.receive(1).unwrap().is_empty(), "it is given to the first already");
    assert_eq!([0, 1, 2].map(|index: usize| waiting[index].woken()), [1, 0, 0]);
    queue.send_batch(["b", "c"].map(|body| BatchEntry::new(body, body.into())).into()).unwrap();
    let got: Vec<_> = waiting.iter_mut().map(Waiting::poll).collect();
    assert_eq!(got, [one("a"), one("b"), one("c")]);
}

#[test]
fn a_delay_or_a_lease_that_ends_wakes_the_first() {
    let (_store, clock, queue) = world("queue", QueueAttributes::new());
    queue.send(SendMessage::new("delayed").delay(5)).unwrap();
    let (mut first, mut second) = (Waiting::start(&queue, 20), Waiting::start(&queue, 20));
    clock.advance(Duration::from_secs(5));
    assert_eq!((first.woken(), second.woken()), (1, 0));
    assert_eq!(first.poll(), one("delayed"));
    // The second is the first now, and sees to what comes.
    queue.send(SendMessage::new("sooner").delay(3)).unwrap();
    second.poll();
    clock.advance(Duration::from_secs(3));
    assert_eq!(second.poll(), one("sooner"));
    let mut third = Waiting::start(&queue, 20);
    clock.advance(Duration::from_secs(20));
    assert_eq!(third.woken(), 1);
    assert_eq!(third.poll(), Some(vec![]), "twenty seconds, and nothing came back yet");
    let mut fourth = Waiting::start(&queue, 20);
    clock.advance(Duration::from_secs(7));
    assert_eq!(fourth.poll(), one("delayed"), "its visibility timeout is over");
}

#[test]
fn a_shorter_visibility_or_a_deletion_wakes_too() {
    let attributes = QueueAttributes::new().content_based_deduplication();
    let (_store, _clock, queue) = world("queue.fifo", attributes);
    for body in ["1", "2"] {
        queue.send(SendMessage::new(body).group("a")).unwrap();
    }
    let handle = queue.receive(1).unwrap()[0].receipt_handle().to_owned();
    let mut waiting = Waiting::start(&queue, 20);
    queue.change_visibility(&handle, 0).unwrap();
    assert_eq!(waiting.poll(), one("1"));
    let mut waiting = Waiting::start(&queue, 20);
    let handles: Vec<String> = queue.peek(10).unwrap().iter().map(|seen| seen.message.id()).collect();
    assert_eq!(handles.len(), 2);
    assert!(queue.delete_message(&handle).is_err(), "of an earlier delivery");
    queue.send(SendMessage::new("b1").group("b")).unwrap();
    assert_eq!(waiting.poll(), one("b1"));
}

#[test]
fn who_leaves_gives_back_what_he_had() {
    let (_store, _clock, queue) = world("queue", QueueAttributes::new());
    let (first, mut second) = (Waiting::start(&queue, 20), Waiting::start(&queue, 20));
    queue.send("a").unwrap();
    drop(first);
    assert_eq!(second.poll(), one("a"));
    let gone = Waiting::start(&queue, 20);
    drop(gone);
    queue.send("b").unwrap();
    assert_eq!(queue.receive(1).unwrap().len(), 1);
    assert_eq!(queue.stats().unwrap().waiting, 0);
}

#[test]
fn a_wait_is_of_the_request_or_of_the_queue() {
    let (_store, clock, queue) = world("queue", QueueAttributes::new().receive_wait(10));
    let mut waiting = Waiting::with(&queue, Receive::new());
    clock.advance(Duration::from_secs(9));
    assert_eq!(waiting.poll(), None);
    clock.advance(Duration::from_secs(1));
    assert_eq!(waiting.poll(), Some(vec![]));
    assert!(queue.receive(Receive::new().wait(0)).unwrap().is_empty(), "zero does not wait");
}

#[test]
fn a_deleted_queue_lets_nobody_wait() {
    let (store, _clock, queue) = world("queue", QueueAttributes::new());
    let mut waiting = Waiting::start(&queue, 20);
    store.queues().delete("queue").unwrap();
    assert_eq!(waiting.woken(), 1);
    let waker = Waker::noop();
    let Poll::Ready(Err(error)) = waiting.receiving.as_mut().poll(&mut Context::from_waker(waker)) else {
        panic!("it is gone")
    };
    assert_eq!(error.code(), "QueueDoesNotExist");
}

#[test]
fn a_dead_letter_reaches_who_waits_for_it() {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).open_in_memory();
    let failed = store.queues().create("failed").unwrap();
    let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 1);
    let queue = store.queues().create(NewQueue::new("queue").attributes(attributes)).unwrap();
    queue.send("x").unwrap();
    queue.receive(1).unwrap();
    let mut here = Waiting::start(&queue, 20);
    clock.advance(Duration::from_secs(15));
    let mut there = Waiting::start(&failed, 20);
    assert_eq!(here.poll(), None);
    clock.advance(Duration::from_secs(5));
    assert_eq!(here.poll(), Some(vec![]));
    let mut here = Waiting::start(&queue, 20);
    clock.advance(Duration::from_secs(10));
    assert_eq!(here.poll(), None, "received too often: it moves instead");
    assert_eq!(there.poll(), one("x"));
}

#[test]
fn a_blocked_thread_wakes() {
    let (_store, clock, queue) = world("queue", QueueAttributes::new());
    let other = queue.clone();
    let thread = std::thread::spawn(move || other.receive(Receive::new().wait(20)).unwrap());
    while queue.stats().unwrap().waiting == 0 {
        std::thread::yield_now();
    }
    queue.send("x").unwrap();
    assert_eq!(thread.join().unwrap()[0].body(), "x");
    let other = queue.clone();
    let thread = std::thread::spawn(move || other.receive(Receive::new().wait(20)).unwrap());
    while clock.next_deadline().is_none() {
        std::thread::yield_now();
    }
    clock.advance(Duration::from_secs(20));
    assert_eq!(thread.join().unwrap().len(), 0);
}

/// Everything sent is received and deleted once, by threads that share the work.
fn share_the_work(
    queue: &Queue,
    senders: u64,
    receivers: u64,
    each: u64,
    groups: u64,
) -> BTreeMap<u64, Vec<u64>> {
    let total = senders * each;
    let (got, done) = (Mutex::new(BTreeMap::<u64, Vec<u64>>::new()), AtomicU64::new(0));
    let (got, done) = (&got, &done);
    std::thread::scope(|scope| {
        for sender in 0..senders {
            scope.spawn(move || {
                for number in 0..each {
                    let body = (sender * each + number).to_string();
                    let message = SendMessage::new(body.clone());
                    let message = if queue.is_fifo() {
                        message.group(format!("{}", sender * groups + number % groups)).deduplication_id(body)
                    } else {
                        message
                    };
                    queue.send(message).unwrap();
                }
            });
        }
        for receiver in 0..receivers {
            scope.spawn(move || {
                let mut turn = receiver;
                while done.load(Ordering::SeqCst) < total {
                    let request = Receive::new().max_messages(3).wait(1);
                    for message in queue.receive(request).unwrap() {
                        let number: u64 = message.body().parse().unwrap();
                        turn += 1;
                        // Some are given back first.
                        if !queue.is_fifo() && turn % 7 == 0 {
                            queue.change_visibility(message.receipt_handle(), 0).unwrap();
                            continue;
                        }
                        let group = message.group().map_or(0, |group| group.parse().unwrap());
                        got.lock().unwrap().entry(group).or_default().push(number);
                        queue.delete_message(message.receipt_handle()).unwrap();
                        done.fetch_add(1, Ordering::SeqCst);
                    }
                }
            });
        }
    });
    let got = std::mem::take(&mut *got.lock().unwrap());
    let all: Vec<u64> = got.values().flatten().copied().collect();
    let distinct: BTreeSet<u64> = all.iter().copied().collect();
    assert_eq!((all.len() as u64, distinct.len() as u64), (total, total), "nothing lost, nothing twice");
    assert_eq!(queue.stats().unwrap().messages(), 0);
    got
}

#[test]
fn threads_share_a_standard_queue() {
    let store = Store::builder().segment_size(64 << 10).background_threads(1).open_in_memory();
    let attributes = QueueAttributes::new().visibility_timeout(3000);
    let queue = store.queues().create(NewQueue::new("queue").attributes(attributes)).unwrap();
    share_the_work(&queue, 3, 3, 2000, 1);
}

#[test]
fn threads_keep_groups_in_order() {
    let store = Store::builder().segment_size(64 << 10).background_threads(1).open_in_memory();
    let attributes = QueueAttributes::new().visibility_timeout(3000);
    let queue = store.queues().create(NewQueue::new("queue.fifo").fifo().attributes(attributes)).unwrap();
    let got = share_the_work(&queue, 3, 3, 2000, 5);
    assert_eq!(got.len(), 15);
    for (group, numbers) in got {
        assert!(numbers.is_sorted(), "group {group}: {numbers:?}");
    }
}

#[test]
fn threads_give_up_and_move_back_across_queues() {
    let store = Store::builder().segment_size(64 << 10).background_threads(1).open_in_memory();
    let queues = store.queues();
    let (a, b) = (queues.create("a").unwrap(), queues.create("b").unwrap());
    // Each is the other's dead-letter queue: locks are taken in both directions.
    let policy = |arn: &str| QueueAttributes::new().dead_letters_to(arn, 1).visibility_timeout(0);
    a.set_attributes(&policy(b.arn())).unwrap();
    b.set_attributes(&policy(a.arn())).unwrap();
    for number in 0..200 {
        a.send(number.to_string()).unwrap();
        b.send((200 + number).to_string()).unwrap();
    }
    std::thread::scope(|scope| {
        for queue in [&a, &b, &a, &b] {
            scope.spawn(move || {
                for _ in 0..300 {
                    queue.receive(Receive::new().max_messages(5)).unwrap();
                }
            });
        }
        scope.spawn(|| {
            for _ in 0..20 {
                // Refused while the last one runs.
                let _ = queues.start_move(a.arn(), None, None);
                store.maintain().unwrap();
            }
        });
    });
    store.maintain().unwrap();
    let count = |queue: &Queue| queue.stats().unwrap().messages();
    assert_eq!(count(&a) + count(&b), 400, "each is in one of them");
}

#[test]
fn time_is_the_stores() {
    let (store, clock, queue) = world("queue", QueueAttributes::new());
    queue.send("x").unwrap();
    assert_eq!(store.now(), clock.now());
    assert_eq!(queue.receive(1).unwrap()[0].sent(), clock.now());
}

/// Asks for what was locked when it is woken.
struct Asks(Queue, fourfold::objects::Bucket, Arc<Count>);

impl Wake for Asks {
    fn wake(self: Arc<Self>) {
        self.1.put("woken", "x").unwrap();
        assert_eq!(self.0.stats().unwrap().messages(), 2, "what arrived, and what this made arrive");
        Arc::clone(&self.2).wake();
    }
}

#[test]
fn nothing_is_locked_when_an_event_wakes_somebody() {
    use fourfold::objects::{EventType, NotificationConfiguration, NotificationRule};
    let (store, _, queue) = world("queue", QueueAttributes::new());
    let bucket = store.buckets().create("bucket").unwrap();
    let rule = NotificationRule::new(queue.arn(), [EventType::ObjectCreated]);
    bucket.set_notifications(NotificationConfiguration::new([rule])).unwrap();
    queue.purge().unwrap();
    let count = Arc::<Count>::default();
    let waker = Waker::from(Arc::new(Asks(queue.clone(), bucket.clone(), Arc::clone(&count))));
    let mut waiting = Box::pin(queue.receive_async(Receive::new().wait(20)));
    assert!(waiting.as_mut().poll(&mut Context::from_waker(&waker)).is_pending());
    bucket.put("key", "x").unwrap();
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    let Poll::Ready(Ok(got)) = waiting.as_mut().poll(&mut Context::from_waker(&waker)) else {
        panic!("it arrived")
    };
    assert!(got[0].body().contains("\"key\":\"key\""), "{}", got[0].body());
}
