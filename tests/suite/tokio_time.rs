//! A store whose clock is that of a paused runtime: both agree, and time flies when everybody waits.

use fourfold::clock::{Alarm, Clock, Timestamp};
use fourfold::queue::{Receive, SendMessage};
use fourfold::stream::CreateStream;
use fourfold::{Store, faults};
use std::task::Waker;
use std::time::Duration;
use tokio::time::{Instant, sleep, sleep_until};

/// The clock of the runtime that it is used in.
#[derive(Clone, Debug)]
struct RuntimeClock {
    start: Instant,
}

impl Clock for RuntimeClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_secs(1_800_000_000) + (Instant::now() - self.start)
    }

    fn wake_at(&self, deadline: Timestamp, waker: Waker) -> Alarm {
        let left = deadline - self.now();
        let until = Instant::now() + left;
        let sleeper = tokio::spawn(async move {
            sleep_until(until).await;
            waker.wake();
        });
        Alarm::new(move || sleeper.abort())
    }
}

fn in_paused_time<F: Future>(test: impl FnOnce(Store, RuntimeClock) -> F) -> F::Output {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock = RuntimeClock { start: Instant::now() };
        let store = Store::builder().clock(clock.clone()).open_in_memory();
        test(store, clock).await
    })
}

#[test]
fn a_long_poll_takes_as_long_as_the_runtime_says() {
    in_paused_time(|store, clock| async move {
        let jobs = store.queues().create("jobs").unwrap();
        assert!(jobs.receive_async(Receive::new().wait(20)).await.unwrap().is_empty());
        assert_eq!(Instant::now() - clock.start, Duration::from_secs(20));
        jobs.send_async(SendMessage::new("later").delay(5)).await.unwrap();
        let received = jobs.receive_async(Receive::new().wait(20)).await.unwrap();
        assert_eq!(received[0].body(), "later");
        assert_eq!(Instant::now() - clock.start, Duration::from_secs(25));
    });
}

#[test]
fn who_sleeps_and_who_waits_for_a_record_meet() {
    in_paused_time(|store, clock| async move {
        let clicks = store.streams().create("clicks", CreateStream::default().shard_count(1)).unwrap();
        let mut cursor = clicks.cursor("shardId-000000000000", fourfold::stream::Start::TrimHorizon).unwrap();
        let writer = tokio::spawn(async move {
            sleep(Duration::from_secs(3600)).await;
            clicks.put_async("k", "after an hour").await.unwrap();
        });
        let record = cursor.next_async().await.unwrap().unwrap();
        assert_eq!(record.arrival() - Timestamp::from_secs(1_800_000_000), Duration::from_secs(3600));
        assert_eq!(store.now(), clock.now());
        writer.await.unwrap();
    });
}

#[test]
fn a_slow_call_is_slow_in_the_runtime() {
    in_paused_time(|store, clock| async move {
        let jobs = store.queues().create("jobs").unwrap();
        store.faults().on("SendMessage").nth(1).delay(Duration::from_secs(7));
        store.faults().on("SendMessage").nth(2).fail(faults::Failure::Unavailable);
        jobs.send_async("slow").await.unwrap();
        assert_eq!(Instant::now() - clock.start, Duration::from_secs(7));
        assert!(jobs.send_async("not at all").await.is_err());
    });
}
