//! A bucket behind the `ObjectStore` trait of the `object_store` crate (feature `object_store`).
//!
//! - Reads see the newest version, or one that is asked for. A conditional put is decided under the lock of its key, so it
//!   is exact: it can carry a commit protocol.
//! - Reading blocks the thread for as long as the disk takes; waiting for a write to become durable does not.
//! - `examples/slatedb` of the repository runs `SlateDB`, log, tables and manifest, in a bucket.
//! - Keys that are no paths, such as ones with two slashes in a row, cannot be reached through the trait, and listing
//!   them is an error.
//!
//! ```
//! use fourfold::{Store, objects::object_store::BucketStore};
//! use object_store::{ObjectStore, ObjectStoreExt, path::Path};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let runtime = tokio::runtime::Builder::new_current_thread().build()?;
//! # runtime.block_on(async {
//! let store = BucketStore::new(Store::in_memory().buckets().create("lake")?);
//! let path = Path::from("table/part-0.parquet");
//! store.put(&path, "columns".into()).await?;
//! assert_eq!(store.get_range(&path, 0..3).await?, "col");
//! assert_eq!(store.list_with_delimiter(None).await?.common_prefixes, [Path::from("table")]);
//! # Ok(()) })
//! # }
//! ```

mod convert;
mod list;
mod multipart;
mod upload;

use crate::objects::{Bucket, CopyObject, CopySource, DeleteObject, Error, GetObject, PutObject};
use ::object_store::path::Path;
use ::object_store::{
    CopyMode, CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload, PutResult, Result,
};
use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use std::fmt;

/// How many deletes wait for the disk together.
const DELETES_AT_ONCE: usize = 1000;

/// A bucket as an `ObjectStore`. See the [module](self).
///
/// ```
/// use fourfold::{Store, objects::object_store::BucketStore};
/// # fn main() -> fourfold::objects::Result<()> {
/// let store = BucketStore::from(Store::in_memory().buckets().create("lake")?);
/// assert_eq!(store.to_string(), "fourfold bucket lake");
/// assert_eq!(store.bucket().name(), "lake");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct BucketStore {
    bucket: Bucket,
}

impl BucketStore {
    /// This bucket.
    pub fn new(bucket: Bucket) -> Self {
        Self { bucket }
    }

    /// The bucket.
    pub fn bucket(&self) -> &Bucket {
        &self.bucket
    }
}

impl From<Bucket> for BucketStore {
    fn from(bucket: Bucket) -> Self {
        Self::new(bucket)
    }
}

impl fmt::Display for BucketStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fourfold bucket {}", self.bucket.name())
    }
}

#[async_trait]
impl ObjectStore for BucketStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        let (metadata, storage_class) = convert::metadata(&opts.attributes)?;
        let mut request = PutObject::new(location.as_ref()).storage_class(storage_class);
        request.metadata = metadata;
        request.tags = convert::tags(&opts.tags);
        let mut wrong: fn(&Path, Error) -> ::object_store::Error = convert::error;
        match opts.mode {
            PutMode::Overwrite => {}
            PutMode::Create => {
                request = request.if_none_match();
                wrong = convert::create_error;
            }
            PutMode::Update(version) => {
                let etag =
                    version.e_tag.ok_or_else(|| convert::generic("an update needs the ETag to update"))?;
                request = request.if_match(etag);
                wrong = convert::update_error;
            }
        }
        let wrong = |error| wrong(location, error);
        let mut writer = self.bucket.writer(request).map_err(wrong)?;
        for bytes in payload {
            writer.write(bytes).map_err(wrong)?;
        }
        let put = writer.finish_async().await.map_err(wrong)?;
        Ok(convert::put_result(put.etag, put.version_id))
    }

    async fn put_multipart_opts(
        &self,
        location: &Path,
        opts: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Ok(Box::new(upload::Upload::begin(&self.bucket, location, opts).await?))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let wrong = |error| convert::error(location, error);
        let mut request = GetObject::new(location.as_ref());
        request.conditions = convert::conditions(&options);
        request.range = options.range.as_ref().map(convert::range_header).transpose()?;
        request.version_id.clone_from(&options.version);
        if options.head {
            let head = self.bucket.head_object(&request).map_err(wrong)?;
            return Ok(GetResult {
                range: head.content_range.map_or(0..head.info.size, |range| range.start..range.end),
                payload: GetResultPayload::Stream(stream::empty().boxed()),
                meta: convert::object_meta(location.clone(), &head.info),
                attributes: convert::attributes(&head.info),
                extensions: ::object_store::Extensions::default(),
            });
        }
        let read = self.bucket.get_object(request).map_err(wrong)?;
        let path = location.clone();
        let body =
            stream::iter(read.body).map(move |bytes| bytes.map_err(|error| convert::error(&path, error)));
        Ok(GetResult {
            range: read.content_range.map_or(0..read.info.size, |range| range.start..range.end),
            payload: GetResultPayload::Stream(body.boxed()),
            meta: convert::object_meta(location.clone(), &read.info),
            attributes: convert::attributes(&read.info),
            extensions: ::object_store::Extensions::default(),
        })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let bucket = self.bucket.clone();
        let groups = locations.ready_chunks(DELETES_AT_ONCE);
        groups.then(move |group| delete_all(bucket.clone(), group)).flat_map(stream::iter).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        list::all(&self.bucket, prefix, None)
    }

    fn list_with_offset(
        &self,
        prefix: Option<&Path>,
        offset: &Path,
    ) -> BoxStream<'static, Result<ObjectMeta>> {
        list::all(&self.bucket, prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        list::folder(&self.bucket, prefix)
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        let source = CopySource::new(self.bucket.name(), from.as_ref());
        let mut request = CopyObject::new(to.as_ref(), source);
        let wrong = |error| match (options.mode, error) {
            (CopyMode::Create, error @ Error::PreconditionFailed { .. }) => convert::create_error(to, error),
            (_, error) => convert::error(from, error),
        };
        if options.mode == CopyMode::Create {
            request.if_none_match = Some("*".to_owned());
        }
        self.bucket.copy_async(request).await.map_err(wrong)?;
        Ok(())
    }
}

/// Deletes what is named, with one wait for the disk, and says what became of each.
async fn delete_all(bucket: Bucket, group: Vec<Result<Path>>) -> Vec<Result<Path>> {
    let named = group.iter().flatten();
    let requests: Vec<_> = named.map(|path| DeleteObject::new(path.as_ref())).collect();
    if requests.is_empty() {
        return group;
    }
    let outputs = match bucket.delete_many_async(&requests).await {
        Ok(outputs) => outputs,
        Err(error) => return vec![Err(convert::generic(error))],
    };
    let mut outputs = outputs.into_iter();
    let mut outcome = |path: Path| match outputs.next() {
        Some(Err(error)) => Err(convert::error(&path, error)),
        _ => Ok(path),
    };
    group.into_iter().map(|path| path.and_then(&mut outcome)).collect()
}
