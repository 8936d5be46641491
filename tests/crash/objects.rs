//! Buckets over power cuts: after each call of a life with objects, versions, copies and uploads, each state that a cut
//! leaves is one that the buckets went through, with all that was acknowledged, each byte of it, and no byte without an
//! owner.

use crate::random::Random;
use crate::report::{Budget, Counts};
use fourfold::objects::{
    Bucket, CompleteUpload, CopyObject, CopySource, CreateUpload, DeleteObject, Dials, Error, GetObject,
    ListParts, ListUploads, ListVersions, PutObject, Tags, UploadPart, Versioning,
};
use fourfold::sim::{CrashLimits, Faults, SimDisk};
use fourfold::{Store, clock::ManualClock};
use std::fmt::Debug;
use xxhash_rust::xxh3::Xxh3;

const DIR: &str = "store";
/// The smallest there are: a chunk is then about 3 KiB.
const SEGMENT: u64 = 16 << 10;
const KEYS: [&str; 4] = ["a", "a/b", "b", "c"];

#[derive(Clone, Copy, Debug)]
enum Step {
    Put(usize, usize),
    PutDropped(usize, usize),
    Delete(usize),
    DeleteOldest(usize),
    Copy(usize, usize),
    Tag(usize),
    Begin(usize),
    Part(u32, usize),
    Complete,
    Abort,
    Versioning(bool),
    Maintain,
    Compact,
}

fn step(random: &mut Random) -> Step {
    let len = [0, 100, 3_000, 5_000, 11_000, 30_000][random.below(6)] + random.below(50);
    let (key, other) = (random.below(KEYS.len()), random.below(KEYS.len()));
    match random.below(24) {
        0..=5 => Step::Put(key, len),
        6 => Step::PutDropped(key, len),
        7 | 8 => Step::Delete(key),
        9 | 10 => Step::DeleteOldest(key),
        11..=13 => Step::Copy(key, other),
        14 => Step::Tag(key),
        15 | 16 => Step::Begin(key),
        17 | 18 => Step::Part(1 + u32::try_from(random.below(3)).unwrap(), len),
        19 => Step::Complete,
        20 => Step::Abort,
        21 => Step::Versioning(random.one_in(2)),
        22 => Step::Maintain,
        _ => Step::Compact,
    }
}

fn data(seed: u64, len: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..len).map(|_| random.next().to_le_bytes()[0]).collect()
}

fn open(disk: &SimDisk) -> fourfold::Result<Store> {
    let store = Store::builder().segment_size(SEGMENT).seed(7).clock(ManualClock::default());
    let store = store.open_simulated(disk, DIR)?;
    let mut dials = Dials::default();
    dials.part_len_min = 0;
    store.buckets().set_dials(dials);
    Ok(store)
}

/// An upload that goes on.
#[derive(Clone, Debug)]
struct Upload {
    key: &'static str,
    id: String,
}

/// Does a step. Refusals are answers as well.
fn act(
    bucket: &Bucket,
    store: &Store,
    step: Step,
    number: u64,
    uploads: &mut Vec<Upload>,
) -> Result<(), Error> {
    match step {
        Step::Put(key, len) => bucket.put(KEYS[key], data(number, len)).map(drop),
        Step::PutDropped(key, len) => {
            let mut writer = bucket.writer(PutObject::new(KEYS[key]))?;
            writer.write(data(number, len))
        }
        Step::Delete(key) => bucket.delete(KEYS[key]).map(drop),
        Step::DeleteOldest(key) => {
            let request = ListVersions { prefix: Some(KEYS[key].to_owned()), ..ListVersions::default() };
            let versions = bucket.list_versions(&request)?.versions;
            let oldest = versions.iter().rev().find(|version| version.key == KEYS[key]);
            let Some(oldest) = oldest else { return Ok(()) };
            bucket.delete_object(&DeleteObject::new(KEYS[key]).version(oldest.version_id)).map(drop)
        }
        Step::Copy(from, to) => {
            let request = CopyObject::new(KEYS[to], CopySource::new("bucket", KEYS[from]));
            bucket.copy(request).map(drop)
        }
        Step::Tag(key) => {
            bucket.set_tagging(KEYS[key], None, Tags::from([("n", number.to_string())])).map(drop)
        }
        Step::Begin(key) => {
            let id = bucket.create_upload(CreateUpload::new(KEYS[key]))?.upload_id.to_string();
            uploads.push(Upload { key: KEYS[key], id });
            Ok(())
        }
        Step::Part(part, len) => {
            let Some(upload) = uploads.last() else { return Ok(()) };
            bucket.upload_part(UploadPart::new(upload.key, &upload.id, part), data(number, len)).map(drop)
        }
        Step::Complete => {
            let Some(upload) = uploads.pop() else { return Ok(()) };
            let parts = bucket.list_parts(&ListParts::new(upload.key, &upload.id))?.parts;
            let request = CompleteUpload::new(upload.key, &upload.id);
            // The last part is left out if there are several, and gives its space back.
            let named = parts.len().max(2) - 1;
            let request = parts
                .iter()
                .take(named)
                .fold(request, |request, part| request.part(part.part_number, part.etag));
            bucket.complete_upload(&request).map(drop)
        }
        Step::Abort => {
            let Some(upload) = uploads.pop() else { return Ok(()) };
            bucket.abort_upload(upload.key, &upload.id)
        }
        Step::Versioning(enabled) => {
            bucket.set_versioning(if enabled { Versioning::Enabled } else { Versioning::Suspended })
        }
        Step::Maintain => Ok(store.maintain()?),
        Step::Compact => Ok(store.compact()?),
    }
}

/// Everything that callers see.
fn digest(store: &Store) -> Result<u64, Error> {
    let mut digest = Xxh3::new();
    let mut add = |item: &dyn Debug| digest.update(format!("{item:?};").as_bytes());
    let bucket = match store.buckets().bucket("bucket") {
        Ok(bucket) => bucket,
        Err(Error::NoSuchBucket { .. }) => return Ok(0),
        Err(error) => return Err(error),
    };
    add(&bucket.versioning()?);
    for version in bucket.list_versions(&ListVersions::default())?.versions {
        add(&version);
        if version.object.is_some() {
            let request = GetObject::new(&*version.key).version(version.version_id);
            let found = bucket.get_object(request)?;
            add(&found.info);
            let body = found.body.bytes()?;
            add(&xxhash_rust::xxh3::xxh3_64(&body));
            add(&bucket.tagging(&version.key, Some(&version.version_id.to_string()))?);
        }
    }
    for upload in bucket.list_uploads(&ListUploads::default())?.uploads {
        add(&bucket.list_parts(&ListParts::new(&*upload.key, upload.upload_id))?);
        add(&upload);
    }
    Ok(digest.digest())
}

/// The states of a life, and the calls of the disk between which each came about.
#[derive(Default)]
struct History {
    digests: Vec<u64>,
    asked: Vec<u64>,
    told: Vec<u64>,
}

impl History {
    fn add(&mut self, asked: u64, told: u64, digest: u64) {
        self.digests.push(digest);
        self.asked.push(asked);
        self.told.push(told);
    }

    /// States that a power cut after so many calls may leave.
    fn possible(&self, calls: u64) -> (usize, usize) {
        let first = self.told.iter().rposition(|told| *told <= calls).unwrap_or(0);
        let last = self.asked.iter().rposition(|asked| *asked < calls).unwrap_or(0);
        (first, last.max(first))
    }
}

fn live(disk: &SimDisk, steps: &[Step]) -> Result<History, Error> {
    let mut history = History::default();
    history.add(0, 0, 0);
    let store = open(disk)?;
    let asked = disk.calls();
    let bucket = store.buckets().create("bucket")?;
    history.add(asked, disk.calls(), digest(&store)?);
    let mut uploads = Vec::new();
    for (number, step) in (1..).zip(steps) {
        let asked = disk.calls();
        match act(&bucket, &store, *step, number, &mut uploads) {
            Err(error @ Error::Storage(_)) => return Err(error),
            Ok(()) | Err(_) => history.add(asked, disk.calls(), digest(&store)?),
        }
    }
    Ok(history)
}

/// What is left on `disk` is one of the possible states, and whole.
fn look_at(disk: &SimDisk, history: &History, calls: u64, audits: bool) -> Result<(), String> {
    let told = |what: &str| {
        let what = what.to_owned();
        move |error: &dyn Debug| format!("{what}: {error:?}")
    };
    let store = open(disk).map_err(|error| told("opening")(&error))?;
    let found = digest(&store).map_err(|error| told("reading")(&error))?;
    let (first, last) = history.possible(calls);
    if !history.digests[first..=last].contains(&found) {
        let elsewhere = history.digests.iter().position(|digest| *digest == found);
        return Err(format!("states {first} to {last} were possible, found {elsewhere:?}"));
    }
    store.buckets().audit().map_err(|error| told("audit")(&error))?;
    if audits {
        store.maintain().map_err(|error| told("maintaining")(&error))?;
        let audit = store.buckets().audit().map_err(|error| told("audit after the sweep")(&error))?;
        if audit.freed != 0 {
            return Err(format!("{audit:?} after the sweep"));
        }
        let problems = store.verify().map_err(|error| told("verifying")(&error))?;
        if !problems.is_empty() {
            return Err(format!("verify finds {problems:?}"));
        }
        if digest(&store).ok() != Some(found) {
            return Err("the sweep changed what is there".to_owned());
        }
    }
    // How it closes is not looked at.
    disk.set_faults(Faults::new(0).stop_at(0));
    Ok(())
}

fn explore_seed(seed: u64, counts: &Counts, budget: &Budget) -> Result<(), String> {
    let mut random = Random::new(seed);
    let count = 6 + random.below(14);
    let steps: Vec<Step> = (0..count).map(|_| step(&mut random)).collect();
    let disk = SimDisk::new();
    let start = disk.calls();
    disk.record();
    let context = |error: String| format!("FOURFOLD_CRASH_SEED={seed}\n{steps:?}\n{error}");
    let history = live(&disk, &steps).map_err(|error| context(error.to_string()))?;
    let images = disk.images();
    counts.images(images.len());
    for (number, image) in images.iter().enumerate() {
        let calls = start + number as u64;
        let limits = CrashLimits {
            exhaustive_items: 2,
            exhaustive_states: 8,
            random: 3,
            torn: 1,
            cut: 512,
            seed: random.next(),
        };
        for survival in image.crash_states(limits) {
            counts.state();
            let audits = random.one_in(4);
            look_at(&image.crash(&survival), &history, calls, audits).map_err(|error| {
                context(format!("after call {calls}, left\n{}{error}", image.explain(&survival)))
            })?;
        }
        counts.state();
        look_at(&image.kill(), &history, calls, random.one_in(4))
            .map_err(|error| context(format!("killed after call {calls}: {error}")))?;
        if budget.is_spent() {
            break;
        }
    }
    Ok(())
}

#[test]
fn objects_survive_every_power_cut() {
    crate::report::run_seeds("objects", 6, explore_seed);
}

/// A bit of an object's bytes that turned on the disk is an error that says so, and never data.
#[test]
fn a_flipped_bit_in_an_object_is_found() {
    let disk = SimDisk::new();
    let body = data(1, 9_000);
    {
        let store = open(&disk).unwrap();
        let bucket = store.buckets().create("bucket").unwrap();
        bucket.put("key", body.clone()).unwrap();
    }
    let mut found = 0;
    let is_blob = |path: &std::path::Path| path.extension().is_some_and(|extension| extension == "blob");
    for (path, len) in disk.files().into_iter().filter(|(path, _)| is_blob(path)) {
        for at in (0..len).step_by(97) {
            let copy = disk.kill();
            copy.flip_bit(&path, at * 8).unwrap();
            let Ok(store) = open(&copy) else {
                found += 1;
                continue;
            };
            let read = store.buckets().bucket("bucket").and_then(|bucket| bucket.get("key")?.body.bytes());
            match read {
                Ok(bytes) => assert!(bytes == body, "byte {at} of {} is data", path.display()),
                Err(Error::Storage(fourfold::Error::Corrupt(_))) => found += 1,
                Err(error) => panic!("{error}"),
            }
        }
    }
    assert!(found > 50, "{found} of the flipped bits were in the object");
}
