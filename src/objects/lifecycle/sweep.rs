//! Doing what rules say, a piece at a time.
//!
//! S1. A run looks at every bucket that has rules: at each version once, in the order of keys, then at each upload. Runs
//!     begin at midnights, when something can become due, and when rules are set.
//! S2. The walk only finds keys at which something is due. What is done is decided anew under the lock of the key, so it
//!     is right whatever happened since; and until nothing is due at the key any more.
//! S3. Where a run stands is in memory only. After a restart it begins anew; what was done is not due any more.

use crate::clock::Timestamp;
use crate::objects::bucket_record::BucketRecord;
use crate::objects::buckets::FIRST_NAME;
use crate::objects::error::{Error, Result};
use crate::objects::extents::References;
use crate::objects::keys;
use crate::objects::lifecycle::verbs::{LIFECYCLE, facts};
use crate::objects::lifecycle::{Action, Day, LifecycleConfiguration, Subject, TransitionClass, What};
use crate::objects::notify::Change;
use crate::objects::record::{Object, Version};
use crate::objects::staged::Pending;
use crate::objects::state::Settings;
use crate::objects::{Bucket, EventType, ListUploads, StorageClass, Versioning};
use crate::store::Store;
use crate::store::catalog::ResourceKind;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// Versions looked at in one piece.
const VERSIONS_AT_ONCE: usize = 4096;
/// Changes of a key in one batch.
const CHANGES_AT_ONCE: usize = 256;
/// Uploads looked at in one piece.
const UPLOADS_AT_ONCE: u32 = 256;

/// Where the run stands, and when the next one begins.
#[derive(Debug)]
pub(crate) struct Sweeper(Mutex<Course>);

#[derive(Debug)]
struct Course {
    /// None if no bucket has rules.
    next: Option<Timestamp>,
    run: Option<Run>,
}

#[derive(Debug)]
struct Run {
    /// Names of buckets to come; the first is at work.
    buckets: VecDeque<String>,
    at: Place,
}

/// How far a bucket is done.
#[derive(Debug)]
enum Place {
    /// Versions from this key of the keyspace on.
    Versions(Vec<u8>),
    /// Uploads behind this key and id.
    Uploads(Option<(String, String)>),
}

impl Default for Sweeper {
    /// Whether a bucket has rules is found out by a first run.
    fn default() -> Self {
        Self(Mutex::new(Course { next: Some(Timestamp::UNIX_EPOCH), run: None }))
    }
}

impl Sweeper {
    pub(crate) fn next_deadline(&self) -> Option<Timestamp> {
        let course = self.0.lock();
        if course.run.is_some() { Some(Timestamp::UNIX_EPOCH) } else { course.next }
    }

    /// Without rules there is nothing to look for.
    pub(crate) fn find_deadline(&self, store: &Store) -> Result<()> {
        let mut course = self.0.lock();
        let is_first = course.run.is_none() && course.next == Some(Timestamp::UNIX_EPOCH);
        if is_first && with_rules(store)?.is_empty() {
            course.next = None;
        }
        Ok(())
    }

    /// Rules were set, or days became shorter: everything is looked at anew.
    pub(crate) fn begin(&self, store: &Store) {
        let mut course = self.0.lock();
        *course = Course { next: Some(store.now()), run: None };
        drop(course);
        store.wake_sweeper();
    }

    /// A piece of the run that is due. Is there more?
    pub(crate) fn sweep(&self, store: &Store, day: Day) -> Result<bool> {
        // One thread at a time sweeps (E4 in `store::engine`).
        let mut course = self.0.lock();
        let now = store.now();
        if course.run.is_none() {
            if course.next.is_none_or(|next| next > now) {
                return Ok(false);
            }
            let buckets = with_rules(store)?;
            course.next = (!buckets.is_empty()).then(|| day.midnight_after(now, 0));
            course.run = Some(Run { buckets, at: Place::Versions(Vec::new()) });
        }
        let Some(mut run) = course.run.take() else { return Ok(false) };
        // The lock is not held while buckets are changed: setting rules needs it with a bucket's settings held.
        drop(course);
        let more = run.step(store, now, day);
        let mut course = self.0.lock();
        // After a failure of the storage it goes on from there.
        if course.run.is_none() && matches!(more, Ok(true) | Err(Error::Storage(_))) {
            course.run = Some(run);
        }
        more
    }
}

/// The buckets that have rules.
fn with_rules(store: &Store) -> Result<VecDeque<String>> {
    let mut names = VecDeque::new();
    for resource in store.list_resources(ResourceKind::Bucket, FIRST_NAME) {
        let (name, resource) = resource?;
        if BucketRecord::decode(&resource.record)?.settings.contains_key(&LIFECYCLE) {
            names.push_back(name);
        }
    }
    Ok(names)
}

impl Run {
    fn step(&mut self, store: &Store, now: Timestamp, day: Day) -> Result<bool> {
        let Some(name) = self.buckets.front() else { return Ok(false) };
        let found = store.buckets().bucket(name).and_then(|bucket| {
            let lifecycle = bucket.bucket.settings()?.lifecycle.clone();
            Ok(lifecycle.map(|lifecycle| Sweep { bucket, lifecycle, now, day }))
        });
        let done = match found {
            Ok(Some(sweep)) => sweep.piece(&mut self.at),
            // No rules any more.
            Ok(None) => Ok(true),
            Err(error) => Err(error),
        };
        match done {
            Ok(false) => return Ok(true),
            // A bucket that was deleted meanwhile is done.
            Ok(true) | Err(Error::NoSuchBucket { .. }) => {}
            Err(error) => return Err(error),
        }
        self.buckets.pop_front();
        self.at = Place::Versions(Vec::new());
        Ok(!self.buckets.is_empty())
    }
}

/// One bucket at one moment.
struct Sweep {
    bucket: Bucket,
    lifecycle: Arc<LifecycleConfiguration>,
    now: Timestamp,
    day: Day,
}

impl Sweep {
    /// Goes on from a place. Is the bucket done?
    fn piece(&self, at: &mut Place) -> Result<bool> {
        match at {
            Place::Versions(from) => {
                match self.versions(from)? {
                    Some(next) => *from = next,
                    None => *at = Place::Uploads(None),
                }
                Ok(false)
            }
            Place::Uploads(marker) => {
                *marker = self.uploads(marker.clone())?;
                Ok(marker.is_none())
            }
        }
    }

    /// Looks at versions from a key of the keyspace on, and returns where to go on.
    fn versions(&self, from: &[u8]) -> Result<Option<Vec<u8>>> {
        let store = &self.bucket.store;
        let mut range = self.bucket.bucket.versions.range(store, from..);
        let mut due = Vec::new();
        let mut key = String::new();
        let mut seen = Seen::default();
        let mut next = None;
        for count in 0.. {
            if !range.advance()? {
                break;
            }
            let Some((escaped, place)) = keys::split_version(range.key()) else { continue };
            let is_of_another = seen.count == 0 || keys::unescape(escaped) != key;
            if is_of_another {
                due.extend(self.ends(&mut key, &mut seen));
                if count >= VERSIONS_AT_ONCE {
                    next = Some(range.key().to_vec());
                    break;
                }
                key = keys::unescape(escaped);
            }
            if seen.is_due {
                continue;
            }
            let version = Version::decode(place, &range.value()?)?;
            seen.is_due = self.see(&key, &mut seen, &version).is_some();
        }
        due.extend(self.ends(&mut key, &mut seen));
        let mut last = None::<Pending<()>>;
        for key in due {
            while let Some(pending) = self.apply(&key)? {
                last = Some(match last {
                    Some(earlier) => pending.after(earlier),
                    None => pending,
                });
            }
        }
        // One wait for all of them.
        last.map_or(Ok(()), Pending::wait)?;
        Ok(next)
    }

    /// All versions of a key were seen: is something due at it?
    fn ends(&self, key: &mut String, seen: &mut Seen) -> Option<String> {
        let seen = std::mem::take(seen);
        let key = std::mem::take(key);
        (seen.is_due || self.lone_marker(&key, &seen).is_some()).then_some(key)
    }

    /// What is due for the next older version of a key.
    fn see(&self, key: &str, seen: &mut Seen, version: &Version) -> Option<Action> {
        let object = version.object.as_ref().map(facts);
        let what = match (seen.newer, object) {
            (None, Some(object)) => Some(What::Current(object, version.modified)),
            // Whether it is alone is known when there is no other.
            (None, None) => None,
            (Some(since), object) => Some(What::Noncurrent { object, since, newer: seen.count - 1 }),
        };
        if seen.count == 0 && version.object.is_none() {
            seen.marker = Some(version.modified);
        }
        seen.count += 1;
        seen.newer = Some(version.modified);
        what.and_then(|what| self.due(key, what))
    }

    /// What is due for a delete marker that is all there is.
    fn lone_marker(&self, key: &str, seen: &Seen) -> Option<Action> {
        let created = seen.marker.filter(|_| seen.count == 1)?;
        self.due(key, What::Marker { created, alone: true })
    }

    fn due(&self, key: &str, what: What<'_>) -> Option<Action> {
        self.lifecycle.due(&Subject { key, what }, self.now, self.day).map(|due| due.action)
    }

    /// Does what is due at a key, as much as fits into a batch; none if there is nothing.
    fn apply(&self, key: &str) -> Result<Option<Pending<()>>> {
        let Bucket { store, state, bucket } = &self.bucket;
        let settings = bucket.settings()?;
        let _key = state.lock(bucket, key);
        let mut due = Vec::new();
        let mut seen = Seen::default();
        let mut first = None;
        let mut range = bucket.versions.prefix(store, &keys::versions_of(key));
        while due.len() < CHANGES_AT_ONCE && range.advance()? {
            let Some((_, place)) = keys::split_version(range.key()) else { continue };
            let version = Version::decode(place, &range.value()?)?;
            let action = self.see(key, &mut seen, &version);
            if seen.count == 1 {
                first = Some(version.clone());
            }
            due.extend(action.map(|action| (version, action)));
        }
        if let (Some(version), Some(action)) = (first, self.lone_marker(key, &seen)) {
            due.push((version, action));
        }
        if due.is_empty() {
            return Ok(None);
        }
        if due.first().is_some_and(|(_, action)| *action == Action::Expire) {
            // The delete marker may replace a version that is due as well: what is left is looked at again.
            due.truncate(1);
        }
        self.change(&settings, key, due).map(Some)
    }

    fn change(&self, settings: &Settings, key: &str, due: Vec<(Version, Action)>) -> Result<Pending<()>> {
        let bucket = &self.bucket;
        let versions = bucket.versions(settings, key);
        let (mut batch, mut references) = (bucket.store.batch(), References::default());
        let mut done = Vec::with_capacity(due.len());
        for (version, action) in due {
            done.push(match action {
                Action::Expire if settings.record.versioning != Versioning::Off => {
                    let marker =
                        versions.add(&bucket.store, Some(&version), None, &mut batch, &mut references)?;
                    (EventType::LifecycleExpirationDeleteMarkerCreated, marker)
                }
                Action::Transition(class) => {
                    let moved = moved(version, class);
                    versions.put(&moved, &mut batch)?;
                    (EventType::LifecycleTransition, moved)
                }
                Action::Expire | Action::Delete | Action::RemoveMarker | Action::Abort => {
                    versions.remove(&version, &mut batch, &mut references)?;
                    (EventType::LifecycleExpirationDelete, version)
                }
            });
        }
        let changes: Vec<_> =
            done.iter().map(|(kind, version)| Change { kind: *kind, key, version }).collect();
        bucket.commit_and_tell(settings, batch, &references, &changes)
    }

    /// Aborts what is due of the uploads behind a marker, and returns where to go on.
    fn uploads(&self, marker: Option<(String, String)>) -> Result<Option<(String, String)>> {
        let (key_marker, upload_id_marker) = marker.unzip();
        let request = ListUploads {
            key_marker,
            upload_id_marker,
            max_uploads: Some(UPLOADS_AT_ONCE),
            ..ListUploads::default()
        };
        // Without what surrounds calls: faults are planned for callers, not for this.
        let page = self.bucket.do_list_uploads(&request)?;
        for upload in page.uploads {
            if self.due(&upload.key, What::Upload(upload.initiated)).is_none() {
                continue;
            }
            match self.bucket.stage_abort(&upload.key, &upload.upload_id.to_string()) {
                Ok(pending) => pending.wait()?,
                // Somebody completed or aborted it meanwhile.
                Err(Error::NoSuchUpload { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(page.next_key_marker.zip(page.next_upload_id_marker.map(|id| id.to_string())))
    }
}

/// The versions of a key that were seen, newest first.
#[derive(Default)]
struct Seen {
    count: u32,
    /// When the last of them was written: since then the next is not current.
    newer: Option<Timestamp>,
    /// When the first of them was written, if it is a delete marker.
    marker: Option<Timestamp>,
    is_due: bool,
}

fn moved(version: Version, class: TransitionClass) -> Version {
    let class = class.name().parse::<StorageClass>().unwrap_or_default();
    let object = version.object.map(|object| Object { class, ..object });
    Version { object, ..version }
}

#[cfg(test)]
mod tests {
    use crate::Store;
    use crate::clock::ManualClock;
    use crate::faults::Failure;
    use crate::objects::{CreateUpload, LifecycleConfiguration, LifecycleRule, ListUploads};
    use std::time::Duration;

    #[test]
    fn faults_that_are_planned_for_callers_do_not_hit_the_sweep() {
        let clock = ManualClock::default();
        let store = Store::builder().clock(clock.clone()).open_in_memory();
        let bucket = store.buckets().create("bucket").unwrap();
        let rule = LifecycleRule { abort_incomplete_upload_days: Some(1), ..LifecycleRule::default() };
        bucket.set_lifecycle(LifecycleConfiguration::new([rule])).unwrap();
        bucket.create_upload(CreateUpload::new("old")).unwrap();
        store.faults().on("ListMultipartUploads").fail(Failure::Internal);
        store.faults().on("AbortMultipartUpload").delay(Duration::from_hours(1));
        clock.advance(Duration::from_hours(72));
        assert!(store.faults().log().is_empty());
        store.faults().clear();
        assert_eq!(bucket.list_uploads(&ListUploads::default()).unwrap().uploads.len(), 0);
    }
}
