//! Large bodies of messages: in objects that come and go with them.

use fourfold::kv::{CreateTable, PutItem, ScalarType, item};
use fourfold::objects::{Bucket, ListVersions, Versioning};
use fourfold::queue::{
    BatchEntry, LargeBodies, Message, NewQueue, Queue, QueueAttributes, Queues, Receive, Receiving,
    SendMessage,
};
use fourfold::transaction::Error;
use fourfold::{ManualClock, Store};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc;
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

struct World {
    store: Store,
    clock: ManualClock,
    queues: Queues,
    queue: Queue,
    bucket: Bucket,
}

fn world() -> World {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).open_in_memory();
    let (queues, bucket) = (store.queues(), store.buckets().create("bodies").unwrap());
    let queue = queues.create("queue").unwrap();
    queue.set_large_bodies(Some(LargeBodies::new("bodies").prefix("q/").from(100))).unwrap();
    World { store, clock, queues, queue, bucket }
}

/// All objects there are, delete markers included.
fn objects(bucket: &Bucket) -> usize {
    let page = bucket.list_versions(&ListVersions::default()).unwrap();
    page.versions.len()
}

fn large(text: &str) -> String {
    text.repeat(100)
}

fn take(queue: &Queue) -> Vec<Message> {
    queue.receive(Receive::new().max_messages(10).visibility_timeout(0)).unwrap()
}

#[test]
fn bodies_come_and_go_with_their_messages() {
    let World { queue, bucket, .. } = &world();
    let sent = queue.send(large("a")).unwrap();
    queue.send("small").unwrap();
    assert_eq!(objects(bucket), 1);
    let key = bucket.list_versions(&ListVersions::default()).unwrap().versions.remove(0).key;
    assert!(key.starts_with("q/"), "{key}");
    assert_eq!(bucket.get(&key).unwrap().body.bytes().unwrap(), large("a"));
    let received = take(queue);
    assert_eq!(received[0].body(), large("a"));
    assert_eq!(received[0].md5_of_body(), sent.md5_of_body());
    assert_eq!(received[0].md5_of_body(), "36a92cc94a9e0fa21f625f8bfb007adf");
    assert_eq!(queue.peek(10).unwrap()[0].message.body(), large("a"));
    assert_eq!(queue.find(&sent.id()).unwrap().unwrap().message.body(), large("a"));
    queue.delete_message(received[1].receipt_handle()).unwrap();
    assert_eq!(objects(bucket), 1);
    queue.delete_message(received[0].receipt_handle()).unwrap();
    assert_eq!((objects(bucket), queue.stats().unwrap().messages()), (0, 0));
    queue.delete_message(received[0].receipt_handle()).unwrap();
}

#[test]
fn a_body_may_be_longer_than_any_message() {
    let World { queue, bucket, .. } = &world();
    let long = "\u{e9}".repeat(3 << 20);
    queue.send(long.clone()).unwrap();
    let received = take(queue).remove(0);
    assert_eq!(received.body(), long);
    queue.delete_message(received.receipt_handle()).unwrap();
    assert_eq!(objects(bucket), 0);
    queue.set_large_bodies(None).unwrap();
    assert_eq!(queue.send(long).unwrap_err().code(), "InvalidParameterValue");
    assert_eq!(queue.large_bodies().unwrap(), None);
}

#[test]
fn batches_have_large_bodies_too() {
    let World { queue, bucket, .. } = &world();
    let bodies = [large("a"), "small".to_owned(), large("b"), large("\u{1}")];
    let entries =
        bodies.iter().zip(0..).map(|(body, n)| BatchEntry::new(format!("{n}"), body.as_str().into()));
    let sent = queue.send_batch(entries.collect()).unwrap();
    assert_eq!((sent.successful.len(), sent.failed.len()), (3, 1));
    assert_eq!(objects(bucket), 2, "what is refused has no body anywhere");
    let received = take(queue);
    assert_eq!(received.iter().map(Message::body).collect::<Vec<_>>(), bodies[..3]);
    let handles = received.iter().map(|message| message.receipt_handle().to_owned());
    let entries = handles.zip(0..).map(|(handle, n)| BatchEntry::new(format!("{n}"), handle)).collect();
    assert_eq!(queue.delete_batch(entries).unwrap().successful.len(), 3);
    assert_eq!((objects(bucket), queue.stats().unwrap().messages()), (0, 0));
}

#[test]
fn what_goes_without_a_look_takes_its_bodies_along() {
    let World { store, clock, queues, queue, bucket } = &world();
    for round in 0..3 {
        for n in 0..250 {
            queue.send(large(&format!("{n}"))).unwrap();
        }
        queue.receive(10).unwrap();
        assert_eq!(objects(bucket), 250);
        match round {
            0 => queue.purge().unwrap(),
            1 => clock.advance(Duration::from_hours(24 * 5)),
            _ => queues.delete("queue").unwrap(),
        }
        store.maintain().unwrap();
        assert_eq!(objects(bucket), 0, "round {round}");
        clock.advance(Duration::from_secs(61));
    }
    let again = queues.create("queue").unwrap();
    assert_eq!(again.large_bodies().unwrap(), None, "it is another queue");
}

#[test]
fn dead_letters_keep_their_bodies_on_every_way() {
    let World { store, queues, queue, bucket, .. } = &world();
    let failed = queues.create("failed").unwrap();
    let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 1);
    queue.set_attributes(&attributes).unwrap();
    queue.send(large("a")).unwrap();
    assert_eq!(take(queue).len(), 1);
    assert!(take(queue).is_empty(), "it was received too often");
    let letter = take(&failed).remove(0);
    assert_eq!((letter.body(), objects(bucket)), (&*large("a"), 1));
    store.maintain().unwrap();
    assert_eq!(objects(bucket), 1);
    queues.start_move(failed.arn(), None, None).unwrap();
    store.maintain().unwrap();
    assert_eq!(failed.stats().unwrap().messages(), 0);
    queue.purge().unwrap();
    store.maintain().unwrap();
    assert_eq!(objects(bucket), 0, "it was purged where it was last");
}

#[test]
fn a_dead_letter_that_is_deleted_takes_its_body_along() {
    let World { queues, queue, bucket, .. } = &world();
    let failed = queues.create("failed").unwrap();
    queue.set_attributes(&QueueAttributes::new().dead_letters_to(failed.arn(), 1)).unwrap();
    queue.send(large("a")).unwrap();
    let first = take(queue).remove(0);
    take(queue);
    queue.delete_message(first.receipt_handle()).unwrap();
    assert_eq!(objects(bucket), 1, "it is not there any more, but in the other queue");
    failed.delete_message(take(&failed)[0].receipt_handle()).unwrap();
    assert_eq!((objects(bucket), failed.stats().unwrap().messages()), (0, 0));
}

#[test]
fn a_versioned_bucket_keeps_no_version() {
    let World { queue, bucket, .. } = &world();
    queue.send(large("a")).unwrap();
    bucket.set_versioning(Versioning::Enabled).unwrap();
    queue.send(large("b")).unwrap();
    for message in take(queue) {
        queue.delete_message(message.receipt_handle()).unwrap();
    }
    assert_eq!(objects(bucket), 0);
}

#[test]
fn duplicates_leave_no_body_behind() {
    let World { store, queues, bucket, .. } = &world();
    let new =
        NewQueue::new("queue.fifo").fifo().attributes(QueueAttributes::new().content_based_deduplication());
    let fifo = queues.create(new).unwrap();
    fifo.set_large_bodies(Some(LargeBodies::new("bodies").from(100))).unwrap();
    let message = |text: &str| SendMessage::new(large(text)).group("g");
    let first = fifo.send(message("a")).unwrap();
    let again = fifo.send(message("a")).unwrap();
    assert_eq!((first.id(), first.md5_of_body()), (again.id(), again.md5_of_body()));
    assert_ne!(
        fifo.send(message("b")).unwrap().id(),
        first.id(),
        "it is bodies that tell, not where they are"
    );
    assert_eq!(objects(bucket), 2);
    let entries =
        ["a", "c", "c"].iter().zip(0..).map(|(text, n)| BatchEntry::new(format!("{n}"), message(text)));
    assert_eq!(fifo.send_batch(entries.collect()).unwrap().successful.len(), 3);
    store.maintain().unwrap();
    assert_eq!((objects(bucket), fifo.stats().unwrap().messages()), (3, 3));
}

#[test]
fn who_takes_the_object_takes_the_body() {
    let World { store, queue, bucket, .. } = &world();
    queue.send(large("a")).unwrap();
    let key = bucket.list_versions(&ListVersions::default()).unwrap().versions.remove(0).key;
    bucket.delete(&key).unwrap();
    let message = take(queue).remove(0);
    assert!(message.body().contains("PayloadS3Pointer") && message.body().contains(&*key));
    queue.delete_message(message.receipt_handle()).unwrap();
    queue.send(large("b")).unwrap();
    bucket.delete(&bucket.list_versions(&ListVersions::default()).unwrap().versions[0].key).unwrap();
    store.buckets().delete("bodies").unwrap();
    queue.delete_message(take(queue)[0].receipt_handle()).unwrap();
    assert_eq!(queue.stats().unwrap().messages(), 0);
    assert!(queue.send(large("c")).unwrap_err().to_string().contains("bucket"), "there is no place for it");
    assert_eq!(queue.send("small").unwrap().id().len(), 36);
}

#[test]
fn places_that_cannot_be_are_refused() {
    let World { queue, .. } = &world();
    let before = queue.large_bodies().unwrap();
    for setting in [LargeBodies::new("gone"), LargeBodies::new("bodies").prefix("x".repeat(901))] {
        assert_eq!(queue.set_large_bodies(Some(setting)).unwrap_err().code(), "InvalidParameterValue");
    }
    assert_eq!(queue.large_bodies().unwrap(), before);
}

#[test]
fn bodies_come_and_go_in_transactions() {
    let World { store, queue, bucket, .. } = &world();
    store.tables().create_table(CreateTable::new("done").hash("id", ScalarType::S)).unwrap();
    queue.send(large("a")).unwrap();
    let message = queue.receive(1).unwrap().remove(0);
    store
        .transaction()
        .run(|tx| {
            tx.acknowledge(queue, message.receipt_handle())?;
            tx.put_item(PutItem::new("done", item! { "id" => message.id() }))?;
            tx.send(queue, large("b"))?;
            tx.send(queue, large("c"))
        })
        .unwrap();
    assert_eq!(objects(bucket), 2, "one is gone, two have come");
    let [b, c] = [large("b"), large("c")];
    assert_eq!(take(queue).iter().map(Message::body).collect::<Vec<_>>(), [&*b, &*c]);
    let first_handle = take(queue)[0].receipt_handle().to_owned();
    let given_up = store.transaction().run(|tx| {
        tx.send(queue, large("d"))?;
        tx.delete_message(queue, take(queue)[0].receipt_handle())?;
        Err::<(), _>(Error::abort("it is given up"))
    });
    assert!(given_up.is_err());
    assert_eq!((objects(bucket), queue.stats().unwrap().messages()), (2, 2));
    // Its body is moved on meanwhile: it stays where its message is.
    let failed = store.queues().create("failed").unwrap();
    queue.set_attributes(&QueueAttributes::new().dead_letters_to(failed.arn(), 1)).unwrap();
    let first = first_handle;
    let moved = store.transaction().retries(1).run(|tx| {
        if failed.stats().unwrap().messages() == 0 {
            tx.delete_message(queue, &first)?;
            assert!(take(queue).is_empty());
            return Ok(());
        }
        tx.delete_message(queue, &first)
    });
    assert_eq!(moved.unwrap().attempts, 2);
    assert_eq!((objects(bucket), failed.stats().unwrap().messages()), (2, 2));
    assert_eq!(failed.receive(1).unwrap()[0].body(), b);
}

#[test]
fn bodies_are_there_after_opening_and_in_forks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    {
        let store = Store::open(&path).unwrap();
        store.buckets().create("bodies").unwrap();
        let queue = store.queues().create("queue").unwrap();
        queue.set_large_bodies(Some(LargeBodies::new("bodies").from(100))).unwrap();
        queue.send(large("a")).unwrap();
    }
    let store = Store::open(&path).unwrap();
    let queue = store.queues().get("queue").unwrap();
    queue.send(large("b")).unwrap();
    let bodies: Vec<_> = take(&queue).iter().map(|message| message.body().to_owned()).collect();
    assert_eq!(bodies, [large("a"), large("b")]);
    assert_eq!(store.queues().list("", None, None).unwrap().queues.len(), 1, "only queues are listed");
    let world = world();
    world.queue.send(large("a")).unwrap();
    let fork = world.store.fork().unwrap();
    let forked = fork.queues().get("queue").unwrap();
    forked.delete_message(take(&forked)[0].receipt_handle()).unwrap();
    assert_eq!(objects(&fork.buckets().bucket("bodies").unwrap()), 0);
    assert_eq!((take(&world.queue)[0].body(), objects(&world.bucket)), (&*large("a"), 1));
}

/// After many steps by chance, over two queues that give their dead letters to a third: every message has the body it was
/// sent with, and once it is swept there are as many objects as large messages.
#[test]
fn objects_are_those_of_the_messages_that_are_there() {
    let World { store, clock, queues, bucket, .. } = &world();
    let failed = queues.create("failed").unwrap();
    let attributes = QueueAttributes::new().dead_letters_to(failed.arn(), 2).visibility_timeout(0);
    let all: Vec<Queue> = ["one", "two"]
        .iter()
        .map(|name| {
            let queue = queues.create(NewQueue::new(*name).attributes(attributes.clone())).unwrap();
            queue.set_large_bodies(Some(LargeBodies::new("bodies").from(100))).unwrap();
            queue
        })
        .chain([failed.clone()])
        .collect();
    let mut sent = BTreeMap::new();
    let mut state = 5_u64;
    let mut below = |bound: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % bound
    };
    for step in 0..6_000_u64 {
        let queue = &all[usize::try_from(below(3)).unwrap()];
        match below(24) {
            0..=9 => {
                let body = if below(3) == 0 { format!("{step}") } else { large(&format!("{step} ")) };
                if queue.name() != "failed" {
                    sent.insert(queue.send(body.clone()).unwrap().id(), body);
                }
            }
            10..=19 => {
                for message in queue.receive(Receive::new().max_messages(3)).unwrap() {
                    if let Some(body) = sent.get(&message.id()) {
                        assert_eq!(message.body(), body, "step {step}");
                    }
                    if below(2) == 0 {
                        queue.delete_message(message.receipt_handle()).unwrap();
                    }
                }
            }
            20 => drop(queues.start_move(failed.arn(), None, None)),
            21 => drop(queue.purge()),
            22 => clock.advance(Duration::from_hours(below(30))),
            _ => clock.advance(Duration::from_secs(1)),
        }
        if step % 40 == 0 {
            store.maintain().unwrap();
            let seen = all.iter().flat_map(|queue| queue.peek(10_000).unwrap());
            let large = seen.filter(|seen| seen.message.body().len() >= 100).count();
            store.maintain().unwrap();
            assert_eq!(objects(bucket), large, "step {step}");
        }
    }
    store.buckets().audit().unwrap();
}

#[test]
fn many_threads_leave_nothing_behind() {
    let World { store, queue, bucket, .. } = &world();
    let attributes = QueueAttributes::new().visibility_timeout(0);
    queue.set_attributes(&attributes).unwrap();
    std::thread::scope(|scope| {
        for worker in 0..4 {
            scope.spawn(move || {
                for n in 0..100 {
                    queue.send(large(&format!("{worker} {n} "))).unwrap();
                    for message in queue.receive(2).unwrap() {
                        queue.delete_message(message.receipt_handle()).unwrap();
                    }
                }
            });
        }
    });
    while queue.stats().unwrap().messages() > 0 {
        for message in queue.receive(10).unwrap() {
            queue.delete_message(message.receipt_handle()).unwrap();
        }
    }
    store.maintain().unwrap();
    assert_eq!(objects(bucket), 0);
    store.buckets().audit().unwrap();
}

/// Works off what it waits for in the call that wakes it.
struct Inline {
    queue: Queue,
    receiving: Mutex<Option<Pin<Box<Receiving>>>>,
    seen: Mutex<Vec<String>>,
}

impl Inline {
    fn new(queue: &Queue) -> Arc<Self> {
        let inline = Self { queue: queue.clone(), receiving: Mutex::default(), seen: Mutex::default() };
        let inline = Arc::new(inline);
        inline.line_up();
        inline
    }

    fn line_up(self: &Arc<Self>) {
        *self.receiving.lock() = Some(Box::pin(self.queue.receive_async(Receive::new().wait(20))));
        self.poll();
    }

    fn poll(self: &Arc<Self>) {
        let Some(mut receiving) = self.receiving.lock().take() else { return };
        let waker = Waker::from(Arc::clone(self));
        let Poll::Ready(received) = receiving.as_mut().poll(&mut Context::from_waker(&waker)) else {
            *self.receiving.lock() = Some(receiving);
            return;
        };
        for message in received.unwrap() {
            self.seen.lock().push(message.body().to_owned());
            self.queue.delete_message(message.receipt_handle()).unwrap();
        }
    }
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        self.poll();
    }
}

/// What blocks for ever fails instead.
fn within_a_minute(work: impl FnOnce() + Send + 'static) {
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    is_done.recv_timeout(Duration::from_mins(1)).expect("it ends");
}

#[test]
fn who_is_woken_may_delete_at_once() {
    within_a_minute(|| {
        let World { queues, queue, bucket, .. } = &world();
        let waiting = Inline::new(queue);
        queue.send(large("a")).unwrap();
        waiting.line_up();
        queue.send_batch(vec![BatchEntry::new("0", large("b").as_str().into())]).unwrap();
        assert_eq!(*waiting.seen.lock(), [large("a"), large("b")]);
        assert_eq!((objects(bucket), queue.stats().unwrap().messages()), (0, 0));
        // A deletion makes the next message of its group ready.
        let attributes = QueueAttributes::new().content_based_deduplication();
        let fifo = queues.create(NewQueue::new("queue.fifo").fifo().attributes(attributes)).unwrap();
        fifo.set_large_bodies(Some(LargeBodies::new("bodies").from(100))).unwrap();
        for text in ["a", "b"] {
            fifo.send(SendMessage::new(large(text)).group("g")).unwrap();
        }
        let first = fifo.receive(1).unwrap().remove(0);
        let waiting = Inline::new(&fifo);
        fifo.delete_message(first.receipt_handle()).unwrap();
        assert_eq!(*waiting.seen.lock(), [large("b")]);
        assert_eq!((objects(bucket), fifo.stats().unwrap().messages()), (0, 0));
    });
}

#[test]
fn a_duplicate_in_a_transaction_leaves_no_body_behind() {
    let World { store, queues, bucket, .. } = &world();
    let attributes = QueueAttributes::new().content_based_deduplication();
    let fifo = queues.create(NewQueue::new("queue.fifo").fifo().attributes(attributes)).unwrap();
    fifo.set_large_bodies(Some(LargeBodies::new("bodies").from(100))).unwrap();
    let message = || SendMessage::new(large("a")).group("g");
    fifo.send(message()).unwrap();
    store.transaction().run(|tx| tx.send(&fifo, message())).unwrap();
    store.maintain().unwrap();
    assert_eq!((objects(bucket), fifo.stats().unwrap().messages()), (1, 1));
    assert_eq!(fifo.receive(1).unwrap()[0].body(), large("a"));
}

#[test]
fn what_has_expired_may_be_deleted_in_a_transaction() {
    let World { store, clock, queue, bucket, .. } = &world();
    queue.set_attributes(&QueueAttributes::new().retention(1600)).unwrap();
    queue.send(large("a")).unwrap();
    let message = take(queue).remove(0);
    // Expired, and not swept yet.
    clock.advance(Duration::from_secs(1601));
    assert_eq!(objects(bucket), 1);
    let done = store.transaction().retries(1).run(|tx| tx.delete_message(queue, message.receipt_handle()));
    assert_eq!(done.unwrap().attempts, 1);
    let batch = vec![BatchEntry::new("0", message.receipt_handle().to_owned())];
    assert_eq!(queue.delete_batch(batch).unwrap().successful.len(), 1);
    clock.advance(Duration::from_secs(200));
    store.maintain().unwrap();
    assert_eq!((objects(bucket), queue.stats().unwrap().messages()), (0, 0));
}

#[test]
fn bodies_go_however_small_the_segments_are() {
    let store = Store::builder().clock(ManualClock::default()).segment_size(64 << 10).open_in_memory();
    let bucket = store.buckets().create("bodies").unwrap();
    let queue = store.queues().create("queue").unwrap();
    let setting = LargeBodies::new("bodies").prefix("x".repeat(900)).from(100);
    queue.set_large_bodies(Some(setting)).unwrap();
    for n in 0..150 {
        queue.send(large(&format!("{n}"))).unwrap();
    }
    queue.purge().unwrap();
    assert_eq!(objects(&bucket), 150);
    store.maintain().unwrap();
    assert_eq!(objects(&bucket), 0);
}

#[test]
fn a_sweep_passes_many_that_are_there() {
    let World { store, queues, queue, .. } = &world();
    let last = queues.create("zero").unwrap();
    last.set_large_bodies(Some(LargeBodies::new("bodies").from(100))).unwrap();
    for n in 0..1500 {
        queue.send(large(&format!("{n}"))).unwrap();
    }
    for n in 0..250 {
        last.send(large(&format!("{n}"))).unwrap();
    }
    last.purge().unwrap();
    store.maintain().unwrap();
    assert_eq!(store.buckets().audit().unwrap().versions, 1500);
    assert_eq!((queue.stats().unwrap().messages(), last.stats().unwrap().messages()), (1500, 0));
    let first = queue.receive(1).unwrap().remove(0);
    assert_eq!(first.body(), large("0"));
}
