//! Buckets against a model that is obviously right: random verbs, versions and uploads included, and every listing.

use fourfold::clock::ManualClock;
use fourfold::objects::{
    Bucket, Buckets, CompleteUpload, CopyObject, CopySource, CreateUpload, DeleteObject, Dials, ETag, Error,
    GetObject, ListObjects, ListObjectsV1, ListParts, ListUploads, ListVersions, Metadata, PutObject, Tags,
    UploadPart, UploadPartCopy, Versioning,
};
use fourfold::{Durability, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64_with_seed;

struct Random(u64, u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.1 += 1;
        xxh3_64_with_seed(&self.1.to_le_bytes(), self.0)
    }

    fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap()
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())].clone()
    }
}

/// Keys with every sort of neighbour: prefixes of each other, the delimiters, the escaped byte, several bytes a letter.
const KEYS: [&str; 26] = [
    "a",
    "a/",
    "a/b",
    "a/b/c",
    "a/b/d",
    "a/bb",
    "a//",
    "a//b",
    "a\0",
    "a\0b",
    "a\u{1}",
    "a0",
    "ab",
    "b",
    "b/a",
    "b/b",
    "b\u{e9}",
    "\u{e9}",
    "\u{e9}/a",
    "\u{e9}/b",
    "/",
    "//",
    "c/1",
    "c/2",
    "c/3",
    "\u{10ffff}",
];
const DELIMITERS: [&str; 8] = ["/", "/", "a", "b/", "\0", "\u{e9}", "//", ""];
const PREFIXES: [&str; 9] = ["", "", "a", "a/", "a\0", "b", "\u{e9}", "c/", "zz"];
const NAMES: [&str; 2] = ["one", "two"];

#[derive(Clone, Debug, PartialEq)]
struct Data {
    bytes: Arc<Vec<u8>>,
    etag: ETag,
    tags: Tags,
    metadata: Metadata,
}

#[derive(Clone, Debug)]
struct Version {
    id: String,
    data: Option<Data>,
}

#[derive(Clone, Debug)]
struct Upload {
    key: String,
    id: String,
    metadata: Metadata,
    parts: BTreeMap<u32, (Arc<Vec<u8>>, ETag)>,
}

#[derive(Clone, Debug, Default)]
struct Model {
    versioning: Versioning,
    /// Newest first.
    keys: BTreeMap<String, Vec<Version>>,
    /// In the order in which they were begun.
    uploads: Vec<Upload>,
}

impl Model {
    fn add(&mut self, key: &str, id: Option<String>, data: Option<Data>) {
        let versions = self.keys.entry(key.to_owned()).or_default();
        if self.versioning != Versioning::Enabled {
            versions.retain(|version| version.id != "null");
        }
        let id = if self.versioning == Versioning::Off { "null".to_owned() } else { id.unwrap() };
        versions.insert(0, Version { id, data });
    }

    fn current(&self, key: &str) -> Option<&Data> {
        self.keys.get(key)?.first()?.data.as_ref()
    }

    fn remove(&mut self, key: &str, id: &str) -> Option<Version> {
        let versions = self.keys.get_mut(key)?;
        let at = versions.iter().position(|version| version.id == id)?;
        let removed = versions.remove(at);
        if versions.is_empty() {
            self.keys.remove(key);
        }
        Some(removed)
    }
}

/// A key, or what it is folded into.
fn item(key: &str, prefix: &str, delimiter: &str) -> Option<String> {
    let rest = key.strip_prefix(prefix)?;
    if delimiter.is_empty() {
        return Some(key.to_owned());
    }
    let end = rest.find(delimiter).map_or(rest.len(), |at| at + delimiter.len());
    Some(key[..prefix.len() + end].to_owned())
}

struct World {
    clock: ManualClock,
    store: Store,
    buckets: Buckets,
    random: Random,
    models: BTreeMap<&'static str, Model>,
    number: u64,
    /// Ids of versions and uploads that are gone.
    gone: Vec<String>,
    done: BTreeMap<&'static str, u64>,
}

impl World {
    fn new(seed: u64, versioning: Versioning) -> Self {
        let clock = ManualClock::default();
        let store = Store::builder()
            .clock(clock.clone())
            .seed(seed)
            .segment_size(64 << 10)
            .durability(Durability::Buffered)
            .open_in_memory();
        let buckets = store.buckets();
        let mut dials = Dials::default();
        dials.part_len_min = 1000;
        buckets.set_dials(dials);
        let mut models = BTreeMap::new();
        for name in NAMES {
            let bucket = buckets.create(name).unwrap();
            if versioning != Versioning::Off {
                bucket.set_versioning(versioning).unwrap();
            }
            models.insert(name, Model { versioning, ..Model::default() });
        }
        let random = Random(seed, 0);
        Self { clock, store, buckets, random, models, number: 0, gone: Vec::new(), done: BTreeMap::new() }
    }

    fn bytes(&mut self) -> Arc<Vec<u8>> {
        // Inline, one chunk, several chunks; chunks are about 16 KiB in so small segments.
        let len = match self.random.below(8) {
            0 => 0,
            1..=4 => self.random.below(200),
            5 => 16_000 + self.random.below(1000),
            6 => self.random.below(40_000),
            _ => 4 << self.random.below(13),
        };
        self.number += 1;
        let seed = xxh3_64_with_seed(&self.number.to_le_bytes(), 1);
        Arc::new(
            (0..len as u64)
                .map(|at| seed.rotate_left((at % 64) as u32).to_le_bytes()[0] ^ at.to_le_bytes()[0])
                .collect(),
        )
    }

    fn metadata(&mut self) -> Metadata {
        let mut metadata = Metadata::default();
        metadata.insert("number", self.number.to_string());
        metadata
    }

    fn id_of(&mut self, name: &str, key: &str) -> String {
        let known: Vec<String> = self.models[name]
            .keys
            .get(key)
            .map(|versions| versions.iter().map(|version| version.id.clone()).collect())
            .unwrap_or_default();
        match self.random.below(4) {
            0 => "null".to_owned(),
            1 if !self.gone.is_empty() => {
                let gone = self.gone.clone();
                self.random.pick(&gone)
            }
            _ if !known.is_empty() => self.random.pick(&known),
            _ => "null".to_owned(),
        }
    }

    fn step(&mut self) {
        let name = self.random.pick(&NAMES);
        let key = self.random.pick(&KEYS);
        let bucket = self.buckets.bucket(name).unwrap();
        let verb = self.random.below(100);
        let what = match verb {
            0..=24 => self.put(&bucket, name, key),
            25..=34 => self.delete(&bucket, name, key),
            35..=44 => self.delete_version(&bucket, name, key),
            45..=52 => self.copy(&bucket, name, key),
            53..=54 => self.tag(&bucket, name, key),
            55..=56 => self.set_versioning(&bucket, name),
            57..=61 => self.begin_upload(&bucket, name, key),
            62..=72 => self.upload_part(&bucket, name),
            73..=78 => self.end_upload(&bucket, name),
            79..=84 => self.read(&bucket, name, key),
            85..=89 => self.list(&bucket, name),
            90..=94 => self.list_versions(&bucket, name),
            95..=97 => self.list_uploads(&bucket, name),
            98 => {
                self.clock.advance(Duration::from_millis(self.random.next() % 3));
                "wait"
            }
            _ => {
                self.store.maintain().unwrap();
                "maintain"
            }
        };
        *self.done.entry(what).or_default() += 1;
    }

    fn put(&mut self, bucket: &Bucket, name: &'static str, key: &str) -> &'static str {
        let (bytes, metadata) = (self.bytes(), self.metadata());
        let mut request = PutObject::new(key);
        request.metadata = metadata.clone();
        let current = self.models[name].current(key).map(|data| data.etag);
        let refused = match self.random.below(6) {
            0 => {
                request = request.if_none_match();
                current.is_some().then_some("PreconditionFailed")
            }
            1 => {
                let tag = current.filter(|_| self.random.one_in(2));
                let tag = tag.map_or_else(|| "0".repeat(32), |etag| etag.to_string());
                request = request.if_match(&tag);
                match current {
                    None => Some("NoSuchKey"),
                    Some(etag) => (!etag.matches(&tag)).then_some("PreconditionFailed"),
                }
            }
            _ => None,
        };
        let mut writer = bucket.writer(request).unwrap();
        let piece = 1 + self.random.below(20_000);
        for piece in bytes.chunks(piece) {
            writer.write(piece.to_vec()).unwrap();
        }
        if self.random.one_in(20) {
            return "put that is dropped";
        }
        match (writer.finish(), refused) {
            (Ok(put), None) => {
                let data = Data { etag: put.etag, bytes, tags: Tags::default(), metadata };
                let id = put.version_id.map(|id| id.to_string());
                self.models.get_mut(name).unwrap().add(key, id, Some(data));
                "put"
            }
            (Err(error), Some(code)) => {
                assert_eq!(error.code(), code);
                "put that is refused"
            }
            (put, refused) => panic!("{put:?} instead of {refused:?}"),
        }
    }

    fn delete(&mut self, bucket: &Bucket, name: &'static str, key: &str) -> &'static str {
        let done = bucket.delete(key).unwrap();
        let model = self.models.get_mut(name).unwrap();
        if model.versioning == Versioning::Off {
            assert_eq!((done.delete_marker, done.version_id), (false, None));
            model.remove(key, "null");
            return "delete";
        }
        assert!(done.delete_marker);
        model.add(key, done.version_id.map(|id| id.to_string()), None);
        "delete by a marker"
    }

    fn delete_version(&mut self, bucket: &Bucket, name: &'static str, key: &str) -> &'static str {
        let id = self.id_of(name, key);
        let done = bucket.delete_object(&DeleteObject::new(key).version(&id)).unwrap();
        let removed = self.models.get_mut(name).unwrap().remove(key, &id);
        assert_eq!(done.version_id.map(|id| id.to_string()), Some(id.clone()));
        assert_eq!(done.delete_marker, removed.as_ref().is_some_and(|version| version.data.is_none()));
        if id != "null" && removed.is_some() {
            self.gone.push(id);
        }
        "delete a version"
    }

    /// The source of a copy: where, which, and what it is.
    fn source(&mut self) -> (CopySource, Result<Data, &'static str>) {
        let (name, key) = (self.random.pick(&NAMES), self.random.pick(&KEYS));
        let source = CopySource::new(name, key);
        if self.random.one_in(3) {
            let id = self.id_of(name, key);
            let versions = self.models[name].keys.get(key).map_or(&[][..], |versions| versions);
            let found = match versions.iter().find(|version| version.id == id) {
                None => Err("NoSuchVersion"),
                Some(version) => version.data.clone().ok_or("InvalidRequest"),
            };
            return (source.version(id), found);
        }
        (source, self.models[name].current(key).cloned().ok_or("NoSuchKey"))
    }

    fn copy(&mut self, bucket: &Bucket, name: &'static str, key: &str) -> &'static str {
        let (source, found) = self.source();
        let is_itself = source.bucket == name && source.key == key && source.version_id.is_none();
        let mut request = CopyObject::new(key, source);
        let other = self.metadata();
        let replaces = self.random.one_in(2);
        if replaces {
            request = request.metadata(other.clone());
        }
        let found = if is_itself && !replaces { found.and(Err("InvalidRequest")) } else { found };
        match (bucket.copy(request), found) {
            (Ok(copied), Ok(mut data)) => {
                assert_eq!(copied.etag.parts(), None, "a copy has one part");
                data.etag = copied.etag;
                if replaces {
                    data.metadata = other;
                }
                let id = copied.version_id.map(|id| id.to_string());
                self.models.get_mut(name).unwrap().add(key, id, Some(data));
                "copy"
            }
            (Err(error), Err(code)) => {
                assert_eq!(error.code(), code, "{error}");
                "copy that is refused"
            }
            (copied, found) => panic!("{copied:?} instead of {:?}", found.err()),
        }
    }

    fn tag(&mut self, bucket: &Bucket, name: &'static str, key: &str) -> &'static str {
        self.number += 1;
        let tags = Tags::from([("number", self.number.to_string())]);
        let tagged = bucket.set_tagging(key, None, tags.clone());
        let version =
            self.models.get_mut(name).unwrap().keys.get_mut(key).and_then(|versions| versions.first_mut());
        match (tagged, version) {
            (Err(Error::NoSuchKey { .. }), None) => {}
            (Err(Error::MethodNotAllowed { method: "PUT", .. }), Some(Version { data: None, .. })) => {}
            (Ok(_), Some(Version { data: Some(data), .. })) => data.tags = tags,
            (tagged, version) => panic!("{tagged:?} of {version:?}"),
        }
        "tag"
    }

    fn set_versioning(&mut self, bucket: &Bucket, name: &'static str) -> &'static str {
        let model = self.models.get_mut(name).unwrap();
        // Most of the time the first of the three is the interesting one to stay in.
        if model.versioning == Versioning::Off && !self.random.one_in(20) {
            return "leave unversioned";
        }
        model.versioning = self.random.pick(&[Versioning::Enabled, Versioning::Suspended]);
        bucket.set_versioning(model.versioning).unwrap();
        "set versioning"
    }

    fn begin_upload(&mut self, bucket: &Bucket, name: &'static str, key: &str) -> &'static str {
        let mut request = CreateUpload::new(key);
        self.number += 1;
        request.metadata = self.metadata();
        let metadata = request.metadata.clone();
        let id = bucket.create_upload(request).unwrap().upload_id.to_string();
        let upload = Upload { key: key.to_owned(), id, metadata, parts: BTreeMap::new() };
        self.models.get_mut(name).unwrap().uploads.push(upload);
        "begin an upload"
    }

    fn upload_part(&mut self, bucket: &Bucket, name: &'static str) -> &'static str {
        let count = self.models[name].uploads.len();
        if count == 0 {
            return "no upload";
        }
        let at = self.random.below(count);
        let (key, id) = (self.models[name].uploads[at].key.clone(), self.models[name].uploads[at].id.clone());
        let part_number = 1 + u32::try_from(self.random.below(4)).unwrap();
        let (bytes, etag) = if self.random.one_in(3) {
            let (source, found) = self.source();
            let mut request = UploadPartCopy::new(&*key, &id, part_number, source);
            let mut found = found.map(|data| data.bytes);
            if let Ok(bytes) = &mut found
                && bytes.len() > 1
                && self.random.one_in(2)
            {
                let first = self.random.below(bytes.len());
                let last = first + self.random.below(bytes.len() - first);
                request.range = Some(format!("bytes={first}-{last}"));
                *bytes = Arc::new(bytes[first..=last].to_vec());
            }
            match (bucket.upload_part_copy(&request), found) {
                (Ok(copied), Ok(bytes)) => (bytes, copied.part.etag),
                (Err(error), Err(code)) => {
                    assert_eq!(error.code(), code);
                    return "copy of a part that is refused";
                }
                (copied, found) => panic!("{copied:?} instead of {:?}", found.err()),
            }
        } else {
            let bytes = self.bytes();
            let part = bucket.upload_part(UploadPart::new(&*key, &id, part_number), bytes.to_vec()).unwrap();
            (bytes, part.etag)
        };
        self.models.get_mut(name).unwrap().uploads[at].parts.insert(part_number, (bytes, etag));
        "upload a part"
    }

    fn end_upload(&mut self, bucket: &Bucket, name: &'static str) -> &'static str {
        let count = self.models[name].uploads.len();
        if count == 0 {
            return "no upload";
        }
        let at = self.random.below(count);
        let upload = self.models[name].uploads[at].clone();
        if self.random.one_in(3) {
            bucket.abort_upload(&upload.key, &upload.id).unwrap();
            self.models.get_mut(name).unwrap().uploads.remove(at);
            self.gone.push(upload.id);
            return "abort";
        }
        let mut request = CompleteUpload::new(&*upload.key, &upload.id);
        let mut bytes = Vec::new();
        let mut named = Vec::new();
        for (number, (part, etag)) in &upload.parts {
            if !self.random.one_in(4) {
                request = request.part(*number, etag);
                bytes.extend_from_slice(part);
                named.push(part.len());
            }
        }
        let refused = match named.split_last() {
            None => Some("InvalidRequest"),
            Some((_, others)) => others.iter().any(|len| *len < 1000).then_some("EntityTooSmall"),
        };
        match (bucket.complete_upload(&request), refused) {
            (Ok(done), None) => {
                assert_eq!(done.etag.parts(), Some(u32::try_from(named.len()).unwrap()));
                assert_eq!(bucket.complete_upload(&request).unwrap(), done, "once more");
                let model = self.models.get_mut(name).unwrap();
                model.uploads.remove(at);
                let (etag, tags, metadata) = (done.etag, Tags::default(), upload.metadata);
                let data = Data { bytes: Arc::new(bytes), etag, tags, metadata };
                model.add(&upload.key, done.version_id.map(|id| id.to_string()), Some(data));
                "complete"
            }
            (Err(error), Some(code)) => {
                assert_eq!(error.code(), code);
                "completion that is refused"
            }
            (done, refused) => panic!("{done:?} instead of {refused:?}"),
        }
    }

    fn read(&mut self, bucket: &Bucket, name: &'static str, key: &str) -> &'static str {
        let current = self.models[name].keys.get(key).and_then(|versions| versions.first());
        let current = current.cloned();
        let found = bucket.get(key);
        match (found, current) {
            (Ok(found), Some(Version { id, data: Some(data) })) => {
                let shown = found.info.version_id.map(|id| id.to_string());
                assert_eq!(shown, (self.models[name].versioning != Versioning::Off).then_some(id));
                Self::same(found, &data);
                self.read_range(bucket, key, &data);
            }
            (Err(Error::NoSuchKey { marker, .. }), Some(Version { id, data: None })) => {
                assert_eq!(marker.map(|id| id.to_string()), Some(id));
            }
            (Err(Error::NoSuchKey { marker: None, .. }), None) => {}
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
        let id = self.id_of(name, key);
        let versions = self.models[name].keys.get(key).map_or(&[][..], |versions| versions);
        let expected = versions.iter().find(|version| version.id == id).cloned();
        match (bucket.get_object(GetObject::new(key).version(&id)), expected) {
            (Ok(found), Some(Version { data: Some(data), .. })) => Self::same(found, &data),
            (Err(Error::MethodNotAllowed { .. }), Some(Version { data: None, .. }))
            | (Err(Error::NoSuchVersion { .. }), None) => {}
            (found, expected) => panic!("{found:?} instead of {expected:?}"),
        }
        "read"
    }

    fn same(found: fourfold::objects::GetOutput, data: &Data) {
        assert_eq!((found.info.etag, found.info.size), (data.etag, data.bytes.len() as u64));
        assert_eq!((&found.info.metadata, found.info.tag_count), (&data.metadata, data.tags.len()));
        assert!(found.body.bytes().unwrap() == data.bytes[..], "other bytes");
    }

    fn read_range(&mut self, bucket: &Bucket, key: &str, data: &Data) {
        let len = data.bytes.len();
        let (first, last) = (self.random.below(len + 2), self.random.below(len + 2));
        let found = bucket.get_object(GetObject::new(key).range(format!("bytes={first}-{last}")));
        match found {
            Ok(found) if first <= last => {
                assert!(found.body.bytes().unwrap() == data.bytes[first..len.min(last + 1)]);
            }
            Ok(found) => assert!(found.body.bytes().unwrap() == data.bytes[..], "no range"),
            Err(Error::InvalidRange { .. }) => assert!(first >= len && first <= last),
            Err(error) => panic!("{error}"),
        }
    }

    /// Prefix, delimiter, a page's length, and a marker or none.
    fn question(&mut self) -> (String, String, u32, String) {
        let (prefix, delimiter) = (self.random.pick(&PREFIXES), self.random.pick(&DELIMITERS));
        let max = self.random.pick(&[0, 1, 1, 2, 3, 1000]);
        let mut marker =
            if self.random.one_in(2) { String::new() } else { self.random.pick(&KEYS).to_owned() };
        if self.random.one_in(4) {
            marker.push('/');
        }
        (prefix.to_owned(), delimiter.to_owned(), max, marker)
    }

    fn list(&mut self, bucket: &Bucket, name: &'static str) -> &'static str {
        let (prefix, delimiter, max, after) = self.question();
        let model = &self.models[name];
        let current =
            model.keys.iter().filter(|(_, versions)| versions[0].data.is_some()).map(|(key, _)| key);
        let items: BTreeSet<String> = current.filter_map(|key| item(key, &prefix, &delimiter)).collect();
        let mut expected: Vec<&String> = items.iter().filter(|item| **item > after).collect();
        let mut request = ListObjects::new().prefix(&*prefix).delimiter(&*delimiter).start_after(&*after);
        request.max_keys = Some(max);
        let mut first = ListObjectsV1::default();
        (first.prefix, first.delimiter) = (Some(prefix.clone()), Some(delimiter.clone()));
        (first.marker, first.max_keys) = (Some(after), Some(max));
        loop {
            let page = bucket.list(&request).unwrap();
            let same = bucket.list_v1(&first).unwrap();
            assert_eq!((&page.objects, &page.common_prefixes), (&same.objects, &same.common_prefixes));
            for object in &page.objects {
                let data = model.current(&object.key).unwrap();
                assert_eq!((object.size, object.etag), (data.bytes.len() as u64, data.etag));
            }
            let mut found: Vec<String> = page.objects.into_iter().map(|object| object.key).collect();
            assert!(found.is_sorted() && page.common_prefixes.is_sorted());
            assert!(
                page.common_prefixes
                    .iter()
                    .all(|common| !delimiter.is_empty() && common.ends_with(&delimiter))
            );
            found.extend(page.common_prefixes);
            found.sort();
            let count = expected.len().min(max as usize);
            let rest = expected.split_off(count);
            assert!(found.iter().eq(expected), "{request:?}: {found:?}");
            expected = rest;
            let is_truncated = !expected.is_empty() && max > 0;
            assert_eq!((page.is_truncated, same.is_truncated), (is_truncated, is_truncated), "{request:?}");
            assert_eq!(same.next_marker.is_some(), is_truncated && !delimiter.is_empty());
            if !is_truncated {
                return "list objects";
            }
            first.marker = Some(same.next_marker.unwrap_or_else(|| found[found.len() - 1].clone()));
            request.continuation_token = page.next_continuation_token;
        }
    }

    fn list_versions(&mut self, bucket: &Bucket, name: &'static str) -> &'static str {
        let (prefix, delimiter, max, after) = self.question();
        // Item, and the version if it is no common prefix.
        let mut expected: Vec<(String, Option<(String, bool)>)> = Vec::new();
        for (key, versions) in &self.models[name].keys {
            let Some(item) = item(key, &prefix, &delimiter).filter(|item| *item > after) else { continue };
            if item != *key || (!delimiter.is_empty() && key[prefix.len()..].contains(&delimiter)) {
                if expected.last().is_none_or(|(last, _)| *last != item) {
                    expected.push((item, None));
                }
                continue;
            }
            for (at, version) in versions.iter().enumerate() {
                expected.push((item.clone(), Some((version.id.clone(), at == 0))));
            }
        }
        let mut request = ListVersions::default();
        (request.prefix, request.delimiter) = (Some(prefix), Some(delimiter));
        (request.key_marker, request.max_keys) = (Some(after), Some(max));
        loop {
            let page = bucket.list_versions(&request).unwrap();
            let mut found: Vec<_> = page
                .versions
                .iter()
                .map(|entry| (entry.key.clone(), Some((entry.version_id.to_string(), entry.is_latest))))
                .collect();
            found.extend(page.common_prefixes.iter().map(|common| (common.clone(), None)));
            found.sort_by(|one, other| one.0.cmp(&other.0));
            let rest = expected.split_off(expected.len().min(max as usize));
            assert_eq!(found, expected, "{request:?}");
            expected = rest;
            assert_eq!(page.is_truncated, !expected.is_empty() && max > 0, "{request:?}");
            if !page.is_truncated {
                return "list versions";
            }
            request.key_marker = page.next_key_marker;
            request.version_id_marker = page.next_version_id_marker.map(|id| id.to_string());
        }
    }

    fn list_uploads(&mut self, bucket: &Bucket, name: &'static str) -> &'static str {
        let (prefix, delimiter, max, after) = self.question();
        let mut uploads: Vec<&Upload> = self.models[name].uploads.iter().collect();
        uploads.sort_by(|one, other| one.key.cmp(&other.key));
        if let Some(upload) = uploads.first() {
            let page = bucket.list_parts(&ListParts::new(&*upload.key, &upload.id)).unwrap();
            let found: Vec<_> = page.parts.iter().map(|part| (part.part_number, part.etag)).collect();
            let expected: Vec<_> = upload.parts.iter().map(|(number, (_, etag))| (*number, *etag)).collect();
            assert_eq!(found, expected);
        }
        let mut expected: Vec<(String, Option<String>)> = Vec::new();
        for upload in uploads {
            let key = &upload.key;
            let Some(item) = item(key, &prefix, &delimiter).filter(|item| *item > after) else { continue };
            if item != *key || (!delimiter.is_empty() && key[prefix.len()..].contains(&delimiter)) {
                if expected.last().is_none_or(|(last, _)| *last != item) {
                    expected.push((item, None));
                }
            } else {
                expected.push((item, Some(upload.id.clone())));
            }
        }
        let mut request = ListUploads::default();
        (request.prefix, request.delimiter) = (Some(prefix), Some(delimiter));
        (request.key_marker, request.max_uploads) = (Some(after), Some(max));
        loop {
            let page = bucket.list_uploads(&request).unwrap();
            let mut found: Vec<_> = page
                .uploads
                .iter()
                .map(|entry| (entry.key.clone(), Some(entry.upload_id.to_string())))
                .collect();
            found.extend(page.common_prefixes.iter().map(|common| (common.clone(), None)));
            found.sort_by(|one, other| one.0.cmp(&other.0));
            let rest = expected.split_off(expected.len().min(max as usize));
            assert_eq!(found, expected, "{request:?}");
            expected = rest;
            assert_eq!(page.is_truncated, !expected.is_empty() && max > 0);
            if !page.is_truncated {
                return "list uploads";
            }
            request.key_marker = page.next_key_marker;
            request.upload_id_marker = page.next_upload_id_marker.map(|id| id.to_string());
        }
    }

    /// Everything is there, counted right, and goes when it is deleted.
    fn end(mut self) -> BTreeMap<&'static str, u64> {
        for name in NAMES {
            let bucket = self.buckets.bucket(name).unwrap();
            for key in KEYS {
                self.read(&bucket, name, key);
            }
        }
        let audit = self.buckets.audit().unwrap();
        let versions: usize = self.models.values().flat_map(|model| model.keys.values()).map(Vec::len).sum();
        let parts: usize =
            self.models.values().flat_map(|model| &model.uploads).map(|upload| upload.parts.len()).sum();
        assert_eq!((audit.versions, audit.parts), (versions as u64, parts as u64));
        for name in NAMES {
            let bucket = self.buckets.bucket(name).unwrap();
            assert_eq!(self.buckets.delete(name).is_err(), !self.models[name].keys.is_empty());
            loop {
                let Ok(page) = bucket.list_versions(&ListVersions::default()) else { break };
                if page.versions.is_empty() {
                    self.buckets.delete(name).unwrap();
                    break;
                }
                let all: Vec<_> = page
                    .versions
                    .into_iter()
                    .map(|entry| DeleteObject::new(entry.key).version(entry.version_id))
                    .collect();
                assert!(bucket.delete_many(&all).unwrap().iter().all(Result::is_ok));
            }
        }
        self.store.maintain().unwrap();
        let audit = self.buckets.audit().unwrap();
        assert_eq!((audit.versions, audit.parts, audit.extents, audit.freed), (0, 0, 0, 0));
        self.done
    }
}

#[test]
fn buckets_are_as_the_model() {
    let mut done = BTreeMap::<&str, u64>::new();
    for seed in 0..24 {
        let versioning =
            [Versioning::Off, Versioning::Off, Versioning::Enabled][usize::try_from(seed % 3).unwrap()];
        let mut world = World::new(seed, versioning);
        for _ in 0..6000 {
            world.step();
        }
        for (what, count) in world.end() {
            *done.entry(what).or_default() += count;
        }
    }
    assert!(
        done.len() >= 20 && done.values().all(|count| *count > 50),
        "everything was done often: {done:?}"
    );
}
