//! Setting who is told what, and telling them.

use crate::objects::error::Result;
use crate::objects::extents::References;
use crate::objects::notify::{Deliveries, Event, EventType, NotificationConfiguration, Scene, check_targets};
use crate::objects::record::Version;
use crate::objects::staged::Pending;
use crate::objects::state::Settings;
use crate::objects::{Bucket, Buckets};
use crate::store::Batch;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;

/// The number of the configuration among the settings of a bucket.
pub(crate) const NOTIFICATION: u8 = 101;

/// What happened to a version, as a verb reports it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'a> {
    pub(crate) kind: EventType,
    pub(crate) key: &'a str,
    /// The version that came, went, or changed.
    pub(crate) version: &'a Version,
}

impl Change<'_> {
    fn event(&self, settings: &Settings) -> Event<'_> {
        let object = self.version.object.as_ref();
        Event {
            kind: self.kind,
            key: self.key,
            size: object.map(|object| object.len),
            etag: object.map(|object| object.etag.unquoted()),
            version_id: settings.shown(self.version.id()).map(|id| id.to_string()),
            class: object.map(|object| object.class.name()),
        }
    }
}

impl Bucket {
    /// Commits what a verb decided, with the references that it makes and drops, and tells of `changes` whom the bucket's
    /// settings name.
    pub(crate) fn commit_and_tell(
        &self,
        settings: &Settings,
        mut batch: Batch,
        references: &References,
        changes: &[Change<'_>],
    ) -> Result<Pending<()>> {
        let Some(configuration) = settings.notification.as_deref().filter(|_| !changes.is_empty()) else {
            return self.commit(batch, references);
        };
        let counted = self.state.extents.count(&self.store, references, &mut batch)?;
        let deliveries = self.deliveries(settings, configuration, changes);
        let (pending, calls) = deliveries.commit(&self.store, &self.state.functions, batch)?;
        if counted.is_left_to_sweep {
            self.state.extents.freed(&self.store);
        }
        Ok(Pending::new(pending, calls))
    }

    /// What is to be told of changes of one key.
    pub(crate) fn deliveries(
        &self,
        settings: &Settings,
        configuration: &NotificationConfiguration,
        changes: &[Change<'_>],
    ) -> Deliveries {
        let events: Vec<_> = changes.iter().map(|change| change.event(settings)).collect();
        let region = settings.record.region(self.store.region());
        Deliveries::of(configuration, &self.scene(region), &events)
    }

    fn scene<'a>(&'a self, region: &'a str) -> Scene<'a> {
        Scene {
            region,
            account: self.store.account(),
            bucket: self.name(),
            now: self.store.now(),
            // Where the log ends now is behind all that happened to the key before (N4).
            sequence: self.store.frontier().get(),
            request: self.store.random().next_u128(),
        }
    }

    /// Who is told what happens here; nobody unless it was set.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn notifications(&self) -> Result<NotificationConfiguration> {
        self.call("GetBucketNotificationConfiguration", || self.do_notifications())
    }

    fn do_notifications(&self) -> Result<NotificationConfiguration> {
        let settings = self.bucket.settings()?;
        Ok(settings.notification.as_deref().cloned().unwrap_or_default())
    }

    /// Sets who is told what happens here, in place of everybody before. Rules without an ID get one. Each queue and
    /// stream is told with the change itself; each gets a test event now.
    ///
    /// ```
    /// # fn main() -> fourfold::objects::Result<()> {
    /// use fourfold::{Store, objects::{EventType, NotificationConfiguration, NotificationRule}};
    /// use std::sync::mpsc;
    ///
    /// let buckets = Store::in_memory().buckets();
    /// let bucket = buckets.create("photos")?;
    /// let (tell, told) = mpsc::channel();
    /// buckets.set_function("thumbnails", move |event| tell.send(event).unwrap());
    ///
    /// let arn = buckets.function_arn("thumbnails");
    /// let rule = NotificationRule::new(arn, [EventType::ObjectCreated]);
    /// bucket.set_notifications(NotificationConfiguration::new([rule]))?;
    /// bucket.put("lake.jpg", "...")?;
    /// let event = told.recv().expect("an event");
    /// assert!(event.starts_with(br#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3""#));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// `InvalidArgument` for rules that overlap, names that are none, targets that are not there; `MalformedXML`,
    /// `NotImplemented` for an event bus; `NoSuchBucket`.
    pub fn set_notifications(&self, configuration: NotificationConfiguration) -> Result<()> {
        self.call("PutBucketNotificationConfiguration", || {
            Ok(self.stage_notifications(configuration, true)?.wait()?)
        })
    }

    /// [`set_notifications`](Self::set_notifications), async.
    ///
    /// # Errors
    /// The same.
    pub async fn set_notifications_async(&self, configuration: NotificationConfiguration) -> Result<()> {
        self.call_async("PutBucketNotificationConfiguration", async {
            Ok(self.stage_notifications(configuration, true)?.done().await?)
        })
        .await
    }

    /// [`set_notifications`](Self::set_notifications) without looking for the targets (`SkipDestinationValidation`), and
    /// without test events. One that is not there when something happens is not told.
    ///
    /// # Errors
    /// The same, but for targets that are not there.
    pub fn set_notifications_unvalidated(&self, configuration: NotificationConfiguration) -> Result<()> {
        Ok(self.stage_notifications(configuration, false)?.wait()?)
    }

    fn stage_notifications(
        &self,
        mut configuration: NotificationConfiguration,
        validates: bool,
    ) -> Result<Pending<()>> {
        configuration.validate()?;
        configuration.name_rules(|| random_id(&self.store));
        let mut tests = Deliveries::default();
        if validates {
            check_targets(&self.store, &self.state.functions, &configuration)??;
            tests = Deliveries::of_tests(&configuration, &self.scene(&self.region()?));
        }
        let stored = (!configuration.rules.is_empty()).then(|| Bytes::from(configuration.encode()));
        self.bucket.change_and(
            &self.store,
            |record| {
                match stored {
                    Some(stored) => record.settings.insert(NOTIFICATION, stored),
                    None => record.settings.remove(&NOTIFICATION),
                };
                Ok(())
            },
            |batch| tests.commit(&self.store, &self.state.functions, batch),
        )
    }
}

/// An ID as the service makes them for rules without one.
pub(crate) fn random_id(store: &crate::store::Store) -> String {
    let hex = format!("{:032x}", u128::from_be_bytes(store.random().uuid()));
    let parts = [0..8, 8..12, 12..16, 16..20, 20..32].map(|part| hex.get(part).unwrap_or_default());
    STANDARD.encode(parts.join("-"))
}

impl Buckets {
    /// Calls `function` with the message of each event that a bucket's notifications send to
    /// [its ARN](Self::function_arn), once the change is durable, in the thread that made it. It may use the store. Where
    /// that thread does what time brings about (lifecycle rules do), others wait for it to be done in
    /// [`ManualClock::advance`](crate::ManualClock::advance), [`Store::maintain`](crate::Store::maintain) and
    /// [`Store::next_deadline`](crate::Store::next_deadline), so a function must not wait for a thread that is in one of
    /// these.
    ///
    /// Functions last as long as the store is open. An event is not told again: who must not miss one, even if the process
    /// dies, has it sent to a queue or a stream.
    pub fn set_function(&self, name: &str, function: impl Fn(Bytes) + Send + Sync + 'static) {
        self.state.functions.set(name, function);
    }

    /// Forgets a function: events that go to it are not told any more.
    pub fn remove_function(&self, name: &str) {
        self.state.functions.remove(name);
    }

    /// What a notification rule calls a function by.
    pub fn function_arn(&self, name: &str) -> String {
        self.store.arn("lambda", &format!("function:{name}"))
    }
}
