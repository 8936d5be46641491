//! One clock for everything: what falls due happens while a manual clock moves, each thing at its moment, before it returns.

use fourfold::kv::{ChangeKind, CreateTable, ScalarType, StreamViewType, item};
use fourfold::objects::{CreateUpload, DeleteObject, LifecycleConfiguration, LifecycleRule, ListUploads};
use fourfold::queue::{NewQueue, QueueAttributes, Receive, SendMessage};
use fourfold::stream::CreateStream;
use fourfold::{ManualClock, Store, Timestamp};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

/// Counts how often it is woken.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn world() -> (ManualClock, Store) {
    let clock = ManualClock::default();
    let store = Store::builder().clock(clock.clone()).seed(3).open_in_memory();
    (clock, store)
}

#[test]
fn an_item_expires_at_its_moment_and_who_waits_for_that_is_woken() {
    let (clock, store) = world();
    let tables = store.tables();
    let table = CreateTable::new("sessions").hash("id", ScalarType::S).stream(StreamViewType::KeysOnly);
    tables.create_table(table).unwrap();
    tables.update_time_to_live("sessions", "expires", true).unwrap();
    let start = store.now();
    for (id, seconds) in [("ann", 50), ("bob", 100)] {
        let expires = (start + Duration::from_secs(seconds)).as_secs();
        tables.table("sessions").put(item! { "id" => id, "expires" => expires }).unwrap();
    }
    let mut changes = tables.subscribe("sessions").unwrap();
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    let mut context = Context::from_waker(&waker);
    {
        let mut next = pin!(changes.next_async());
        assert!(next.as_mut().poll(&mut context).is_pending());
        assert!(store.next_deadline().is_some_and(|at| at <= start + Duration::from_secs(51)));
        clock.advance(Duration::from_hours(1));
        assert!(bell.0.load(Ordering::Relaxed) > 0, "woken before the clock returned");
        let Poll::Ready(change) = next.as_mut().poll(&mut context) else { panic!("it has expired") };
        let change = change.unwrap().unwrap();
        assert_eq!((change.kind, change.by_service), (ChangeKind::Remove, true));
        assert!(
            change.created - start <= Duration::from_secs(51),
            "at its moment, not at the end of the move"
        );
    }
    assert_eq!(tables.describe_table("sessions").unwrap().item_count, 0);
}

#[test]
fn delays_leases_and_polls_end_in_order() {
    let (clock, store) = world();
    let attributes = QueueAttributes::new().visibility_timeout(30);
    let jobs = store.queues().create(NewQueue::new("jobs").attributes(attributes)).unwrap();
    jobs.send("first").unwrap();
    let first = jobs.receive(1).unwrap();
    jobs.send(SendMessage::new("second").delay(10)).unwrap();
    let start = store.now();
    let bells: Vec<_> = (0..3).map(|_| Arc::new(Bell::default())).collect();
    let wakers: Vec<_> = bells.iter().map(|bell| Waker::from(Arc::clone(bell))).collect();
    let mut polls: Vec<_> = (0..3).map(|_| Box::pin(jobs.receive_async(Receive::new().wait(20)))).collect();
    for (poll, waker) in polls.iter_mut().zip(&wakers) {
        assert!(poll.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    clock.advance(Duration::from_secs(10));
    let Poll::Ready(got) = polls[0].as_mut().poll(&mut Context::from_waker(&wakers[0])) else {
        panic!("its delay is over")
    };
    assert_eq!(got.unwrap()[0].body(), "second");
    for (poll, waker) in polls.iter_mut().zip(&wakers).skip(1) {
        assert!(poll.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
    }
    clock.advance(Duration::from_secs(10));
    for (number, (poll, waker)) in polls.iter_mut().zip(&wakers).enumerate().skip(1) {
        assert!(bells[number].0.load(Ordering::Relaxed) > 0);
        let Poll::Ready(got) = poll.as_mut().poll(&mut Context::from_waker(waker)) else {
            panic!("twenty seconds are over")
        };
        assert!(got.unwrap().is_empty());
    }
    clock.advance(Duration::from_secs(10));
    let again = jobs.receive(1).unwrap();
    assert_eq!((again[0].body(), again[0].id()), ("first", first[0].id()));
    assert_eq!(store.now() - start, Duration::from_secs(30));
}

#[test]
fn a_move_task_moves_as_time_goes_by() {
    let (clock, store) = world();
    let queues = store.queues();
    let dead = queues.create("dead").unwrap();
    let attributes = QueueAttributes::new().dead_letters_to(dead.arn(), 1);
    let jobs = queues.create(NewQueue::new("jobs").attributes(attributes)).unwrap();
    for n in 0..20 {
        dead.send(n.to_string()).unwrap();
    }
    queues.start_move(dead.arn(), Some(jobs.arn()), Some(2)).unwrap();
    clock.advance(Duration::from_mins(1));
    // Nobody has looked at either queue meanwhile, and nobody called for maintenance.
    assert_eq!((dead.stats().unwrap().messages(), jobs.stats().unwrap().messages()), (0, 20));
}

#[test]
fn a_store_that_is_gone_is_not_asked() {
    let (clock, store) = world();
    let jobs = store.queues().create("jobs").unwrap();
    jobs.send("x").unwrap();
    assert!(store.next_deadline().is_some());
    drop((jobs, store));
    clock.advance(Duration::from_hours(30 * 24));
}

/// A table whose items expire by `until`.
fn expiring(store: &Store) {
    let tables = store.tables();
    tables.create_table(CreateTable::new("sessions").hash("id", ScalarType::N)).unwrap();
    tables.update_time_to_live("sessions", "until", true).unwrap();
}

/// A bucket whose objects and uploads are gone after a day.
fn passing(store: &Store) -> fourfold::objects::Bucket {
    let bucket = store.buckets().create("passing").unwrap();
    let mut rule = LifecycleRule::default();
    rule.expiration.days = Some(1);
    rule.abort_incomplete_upload_days = Some(1);
    bucket.set_lifecycle(LifecycleConfiguration::new([rule])).unwrap();
    bucket
}

#[test]
fn what_fell_due_is_done_when_the_clock_returns_whoever_does_it() {
    let clock = ManualClock::default();
    let builder = Store::builder().clock(clock.clone()).seed(3).background_threads(1);
    // Small segments make small chunks, so that a large object leaves some to be deleted later.
    let store = builder.segment_size(256 << 10).open_in_memory();
    expiring(&store);
    let bucket = passing(&store);
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        // Besides the store's own thread another one does what is due, at the same moments.
        threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                store.maintain().unwrap();
            }
        });
        for round in 0..20 {
            let until = store.now().as_secs() + 3600;
            for id in 0..300 {
                store.tables().table("sessions").put(item! { "id" => id, "until" => until }).unwrap();
            }
            bucket.put("small", "body").unwrap();
            bucket.put("large", vec![7; 5 << 20]).unwrap();
            bucket.create_upload(CreateUpload::new("film")).unwrap();
            clock.advance(Duration::from_hours(49));
            let items = store.tables().describe_table("sessions").unwrap().item_count;
            let objects = bucket.stats().unwrap().versions;
            let uploads = bucket.list_uploads(&ListUploads::default()).unwrap().uploads.len();
            let freed = store.buckets().audit().unwrap().freed;
            assert_eq!((items, objects, uploads, freed), (0, 0, 0, 0), "in round {round}");
            bucket.put("large", vec![7; 5 << 20]).unwrap();
            bucket.delete_object(&DeleteObject::new("large")).unwrap();
            clock.advance(Duration::from_millis(1));
            assert_eq!(store.buckets().audit().unwrap().freed, 0, "in round {round}");
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn copies_know_when_something_is_due() {
    let (clock, store) = world();
    assert_eq!(store.next_deadline(), None);
    expiring(&store);
    assert_eq!(store.next_deadline(), None, "a table without items");
    let until = store.now().as_secs() + 100;
    for (id, until) in [(1, until + 7), (2, until), (3, 5)] {
        // The last one is so long ago that it is no time.
        store.tables().table("sessions").put(item! { "id" => id, "until" => until }).unwrap();
    }
    let due = Some(Timestamp::from_secs(until));
    assert_eq!(store.next_deadline(), due);
    store.buckets().create("kept").unwrap().put("a", "body").unwrap();
    assert_eq!(store.next_deadline(), due, "a bucket without rules");
    let stream = store.streams().create("clicks", CreateStream::default().shard_count(1)).unwrap();
    stream.put("k", "v").unwrap();
    let mut file = Vec::new();
    store.export(&mut file).unwrap();
    let import = Store::builder().clock(clock.clone()).import_in_memory(&file[..]).unwrap();
    let copies = [store.fork().unwrap(), import, store];
    for copy in &copies {
        assert_eq!(copy.next_deadline(), due);
    }
    clock.advance(Duration::from_secs(100));
    for copy in &copies {
        assert_eq!(copy.next_deadline(), Some(Timestamp::from_secs(until + 7)));
        assert_eq!(copy.tables().describe_table("sessions").unwrap().item_count, 2);
    }
    clock.advance(Duration::from_secs(7));
    let expires = copies[0].next_deadline().unwrap();
    let age = expires - Timestamp::from_secs(until - 100);
    assert!(age >= Duration::from_hours(24) && age < Duration::from_hours(25), "the record's retention");
    assert!(copies.iter().all(|copy| copy.next_deadline() == Some(expires)));
}

#[test]
fn rules_of_a_copy_are_carried_out() {
    let (clock, store) = world();
    let bucket = passing(&store);
    bucket.put("a", "body").unwrap();
    bucket.create_upload(CreateUpload::new("film")).unwrap();
    clock.advance(Duration::from_secs(1));
    let midnight = Timestamp::from_secs(1_735_689_600 + 24 * 60 * 60);
    assert_eq!(store.next_deadline(), Some(midnight));
    let fork = store.fork().unwrap();
    assert!(fork.next_deadline().is_some());
    fork.maintain().unwrap();
    assert_eq!(fork.next_deadline(), Some(midnight));
    clock.advance(Duration::from_hours(48));
    for store in [store, fork] {
        let stats = store.buckets().bucket("passing").unwrap().stats().unwrap();
        assert_eq!((stats.versions, stats.uploads), (0, 0));
    }
}
