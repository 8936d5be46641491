//! One clock for everything: what falls due happens while a manual clock moves, each thing at its moment, before it returns.

use fourfold::kv::{ChangeKind, CreateTable, ScalarType, StreamViewType, item};
use fourfold::queue::{NewQueue, QueueAttributes, Receive, SendMessage};
use fourfold::{ManualClock, Store};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
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
        clock.advance(Duration::from_secs(3600));
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
    clock.advance(Duration::from_secs(60));
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
    clock.advance(Duration::from_secs(30 * 24 * 3600));
}
