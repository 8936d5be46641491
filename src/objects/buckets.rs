//! Buckets: create, find, delete, list.

use crate::clock::Timestamp;
use crate::objects::bucket_record::BucketRecord;
use crate::objects::error::{Error, Result};
use crate::objects::limits::BUCKETS_MAX;
use crate::objects::multipart::drop_parts;
use crate::objects::names;
use crate::objects::state::{BucketState, State};
use crate::objects::{Bucket, Versioning};
use crate::store::catalog::ResourceKind;
use crate::store::pending::Pending;
use crate::store::{Batch, Store};
use std::sync::Arc;

/// The buckets of a store: [`Store::buckets`].
///
/// ```
/// use fourfold::{Store, objects::ListBuckets};
/// # fn main() -> fourfold::objects::Result<()> {
/// let buckets = Store::in_memory().buckets();
/// buckets.create("photos")?;
/// buckets.create("letters")?;
/// let names: Vec<_> = buckets.list(&ListBuckets::default())?.buckets.into_iter().map(|bucket| bucket.name).collect();
/// assert_eq!(names, ["letters", "photos"]);
/// buckets.delete("letters")?;
/// assert_eq!(buckets.bucket("letters").unwrap_err().code(), "NoSuchBucket");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Buckets {
    pub(super) store: Store,
    pub(super) state: Arc<State>,
}

/// What [`Buckets::create_bucket`] is asked for.
///
/// ```
/// use fourfold::{Store, objects::CreateBucket};
/// # fn main() -> fourfold::objects::Result<()> {
/// let buckets = Store::builder().region("eu-west-1").open_in_memory().buckets();
/// let bucket = buckets.create_bucket(&CreateBucket::new("photos").location("eu-west-1"))?;
/// assert_eq!(bucket.location()?, Some("eu-west-1".to_owned()));
/// let refused = buckets.create_bucket(&CreateBucket::new("letters")).unwrap_err();
/// assert_eq!(refused.code(), "IllegalLocationConstraintException");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CreateBucket {
    /// Its name: 3 to 63 of `a-z`, `0-9`, `-` and `.`.
    pub name: String,
    /// `LocationConstraint`: the region it is to be in. An endpoint takes its own, which must be given; that of us-east-1
    /// takes all others, and puts a bucket without one into us-east-1.
    pub location: Option<String>,
    /// The region whose endpoint is asked. Default, and for a name that no region has: the store's.
    pub endpoint: Option<String>,
}

impl CreateBucket {
    /// A bucket of this name, in the store's region if that is us-east-1.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), location: None, endpoint: None }
    }

    /// Where it is to be.
    #[must_use]
    pub fn location(mut self, location: impl Into<String>) -> Self {
        self.location = Some(location.into());
        self
    }

    /// Which region's endpoint is asked.
    #[must_use]
    pub fn endpoint(mut self, region: impl Into<String>) -> Self {
        self.endpoint = Some(region.into());
        self
    }

    /// The region that the bucket will be in.
    fn region(&self, of_store: &str) -> Result<&str> {
        let endpoint = self.endpoint.as_deref().filter(|name| is_region(name) && *name != "EU");
        let endpoint = endpoint.unwrap_or(of_store);
        let is_default = endpoint == DEFAULT_REGION;
        match self.location.as_deref() {
            None if is_default => Ok(DEFAULT_REGION),
            Some("EU") if is_default || endpoint == "eu-west-1" => Ok("eu-west-1"),
            // A store may be in a region that the service does not have.
            Some(given) if !is_default && given == endpoint => Ok(given),
            // Where no name is needed its own is none.
            Some(given) if is_default && given == DEFAULT_REGION || !is_region(given) => {
                Err(Error::InvalidLocationConstraint { given: given.to_owned() })
            }
            Some(given) if is_default => Ok(given),
            given => Err(Error::IllegalLocationConstraint { given: given.map(str::to_owned) }),
        }
    }
}

/// Which buckets [`Buckets::list`] shows.
///
/// ```
/// use fourfold::{Store, objects::ListBuckets};
/// # fn main() -> fourfold::objects::Result<()> {
/// let buckets = Store::in_memory().buckets();
/// for name in ["logs-1", "logs-2", "mail"] {
///     buckets.create(name)?;
/// }
/// let mut request = ListBuckets { prefix: Some("logs".to_owned()), max_buckets: Some(1), ..ListBuckets::default() };
/// let page = buckets.list(&request)?;
/// assert_eq!(page.buckets[0].name, "logs-1");
/// request.continuation_token = page.continuation_token;
/// assert_eq!(buckets.list(&request)?.buckets[0].name, "logs-2");
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListBuckets {
    /// Only names that start so.
    pub prefix: Option<String>,
    /// Only those in this region.
    pub region: Option<String>,
    /// Entries of a page, 1 to 10,000. Default: 10,000.
    pub max_buckets: Option<u32>,
    /// Where the page before ended.
    pub continuation_token: Option<String>,
}

/// A page of buckets, by name.
///
/// ```
/// use fourfold::objects::ListBuckets;
/// # fn main() -> fourfold::objects::Result<()> {
/// let buckets = fourfold::Store::in_memory().buckets();
/// buckets.create("films")?;
/// let page = buckets.list(&ListBuckets::default())?;
/// assert_eq!((page.buckets.len(), page.continuation_token), (1, None)); // there is no more
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPage {
    /// The buckets.
    pub buckets: Vec<BucketInfo>,
    /// Where the next page begins, if there is one.
    pub continuation_token: Option<String>,
}

/// A bucket in a list.
///
/// ```
/// use fourfold::{ManualClock, Store, objects::ListBuckets};
/// # fn main() -> fourfold::objects::Result<()> {
/// let store = Store::builder().clock(ManualClock::default()).open_in_memory();
/// store.buckets().create("films")?;
/// let films = store.buckets().list(&ListBuckets::default())?.buckets.remove(0);
/// assert_eq!((&*films.name, films.created, &*films.region), ("films", store.now(), "us-east-1"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketInfo {
    /// Its name.
    pub name: String,
    /// When it was created.
    pub created: Timestamp,
    /// Where it is.
    pub region: String,
}

impl Store {
    /// The buckets of this store.
    pub fn buckets(&self) -> Buckets {
        let state = self.engine(ResourceKind::Bucket, || State::new(self));
        Buckets { store: self.clone(), state }
    }
}

impl Buckets {
    /// Creates a bucket where the store is; in us-east-1, as the service does there, a bucket of this account that is there
    /// is returned as it is.
    ///
    /// # Errors
    /// As for [`create_bucket`](Self::create_bucket).
    pub fn create(&self, name: &str) -> Result<Bucket> {
        let region = self.store.region();
        let request = CreateBucket::new(name);
        self.create_bucket(&if region == DEFAULT_REGION { request } else { request.location(region) })
    }

    /// Creates a bucket.
    ///
    /// # Errors
    /// `InvalidBucketName`, `InvalidLocationConstraint`, `IllegalLocationConstraintException`, `TooManyBuckets`;
    /// `BucketAlreadyOwnedByYou` if it exists, unless it is in us-east-1 and asked for there.
    pub fn create_bucket(&self, request: &CreateBucket) -> Result<Bucket> {
        self.store.call("CreateBucket", &request.name, || Ok(self.stage_create(request)?.wait()?))
    }

    /// [`create_bucket`](Self::create_bucket) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn create_bucket_async(&self, request: &CreateBucket) -> Result<Bucket> {
        self.store
            .call_async("CreateBucket", &request.name, async {
                Ok(self.stage_create(request)?.done().await?)
            })
            .await
    }

    fn stage_create(&self, request: &CreateBucket) -> Result<Pending<Bucket>> {
        let name = &request.name;
        if !names::is_valid(name) {
            return Err(Error::InvalidBucketName { name: name.clone() });
        }
        let region = request.region(self.store.region())?;
        let _naming = self.state.naming.lock();
        if self.store.find_resource(ResourceKind::Bucket, name)?.is_some() {
            let bucket = self.state.known_or_opened(&self.store, name)?;
            let is_there = bucket.settings()?.record.region(self.store.region()) == DEFAULT_REGION;
            if region != DEFAULT_REGION || !is_there {
                return Err(Error::BucketAlreadyOwnedByYou { bucket: name.clone() });
            }
            return Ok(Pending::ready(&self.store, self.handle(bucket)));
        }
        if self.count() >= BUCKETS_MAX as usize {
            return Err(Error::TooManyBuckets { limit: BUCKETS_MAX });
        }
        let record = BucketRecord::new(self.store.now(), region, self.store.region());
        let mut batch = self.store.batch();
        let ids = [batch.create_space()?, batch.create_space()?, batch.create_space()?];
        batch.put_resource(ResourceKind::Bucket, name, &ids, &record.encode())?;
        let pending = self.store.commit(batch)?;
        let bucket = self.state.known_or_opened(&self.store, name)?;
        Ok(pending.map(|()| self.handle(bucket)))
    }

    fn count(&self) -> usize {
        // Few: names are counted, not remembered.
        self.store.list_resources(ResourceKind::Bucket, FIRST_NAME).take(BUCKETS_MAX as usize).count()
    }

    /// The bucket of this name.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn bucket(&self, name: &str) -> Result<Bucket> {
        Ok(self.handle(self.state.bucket(&self.store, name)?))
    }

    fn handle(&self, bucket: Arc<BucketState>) -> Bucket {
        Bucket { store: self.store.clone(), state: Arc::clone(&self.state), bucket }
    }

    /// Deletes a bucket without objects. Uploads that were never completed go with it.
    ///
    /// # Errors
    /// `NoSuchBucket`; `BucketNotEmpty` if there is an object, a version or a delete marker; `OperationAborted` if somebody
    /// else just began an upload.
    pub fn delete(&self, name: &str) -> Result<()> {
        self.store.call("DeleteBucket", name, || Ok(self.stage_delete(name)?.wait()?))
    }

    /// [`delete`](Self::delete) that holds no thread while it waits for the disk.
    ///
    /// # Errors
    /// The same.
    pub async fn delete_async(&self, name: &str) -> Result<()> {
        self.store
            .call_async("DeleteBucket", name, async { Ok(self.stage_delete(name)?.done().await?) })
            .await
    }

    fn stage_delete(&self, name: &str) -> Result<Pending<()>> {
        let bucket = self.state.bucket(&self.store, name)?;
        let is_empty = |record: &BucketRecord, _: &mut Batch| {
            if bucket.versions.range::<&[u8]>(&self.store, ..).advance()? {
                let versioned = record.versioning != Versioning::Off;
                return Err(Error::BucketNotEmpty { bucket: name.to_owned(), versioned });
            }
            Ok(())
        };
        is_empty(&bucket.settings()?.record, &mut self.store.batch())?;
        // Its uploads first, a bit at a time: what is left of them if this is interrupted are uploads.
        drop_parts(&self.handle(Arc::clone(&bucket)))?;
        let _naming = self.state.naming.lock();
        let pending = bucket.delete(&self.store, |record, batch| {
            is_empty(record, batch)?;
            if bucket.uploads.range::<&[u8]>(&self.store, ..).advance()? {
                return Err(Error::OperationAborted { bucket: name.to_owned() });
            }
            Ok(())
        })?;
        self.state.forget(name);
        Ok(pending)
    }

    /// The buckets of this store, by name, a page at a time.
    ///
    /// # Errors
    /// `InvalidArgument` for a page of another size than 1 to 10,000, a token that is none, or what is no region.
    pub fn list(&self, request: &ListBuckets) -> Result<BucketPage> {
        self.store.call("ListBuckets", "", || self.do_list(request))
    }

    fn do_list(&self, request: &ListBuckets) -> Result<BucketPage> {
        let prefix = request.prefix.as_deref().unwrap_or_default();
        let max = request.max_buckets.unwrap_or(BUCKETS_MAX);
        if !(1..=BUCKETS_MAX).contains(&max) {
            let rule = "Argument max-buckets must be an integer between 1 and 10000.";
            return Err(Error::argument("max-buckets", max.to_string(), rule));
        }
        let is_none = |region: &&str| !is_region(region) && *region != self.store.region();
        if let Some(region) = request.region.as_deref().filter(is_none) {
            let rule = format!("Argument value {region} is not a valid AWS Region");
            return Err(Error::argument("bucket-region", region, rule));
        }
        let after = match request.continuation_token.as_deref() {
            None => None,
            Some("") => {
                let rule = "The continuation token provided is incorrect";
                return Err(Error::argument("continuation-token", "", rule));
            }
            Some(token) => Some(token),
        };
        let from = after.unwrap_or(FIRST_NAME).max(prefix).max(FIRST_NAME);
        let mut page = BucketPage { buckets: Vec::new(), continuation_token: None };
        for resource in self.store.list_resources(ResourceKind::Bucket, from) {
            let (name, resource) = resource?;
            if !name.starts_with(prefix) {
                break;
            }
            if after == Some(&*name) {
                continue;
            }
            let record = BucketRecord::decode(&resource.record)?;
            let region = record.region(self.store.region());
            if request.region.as_ref().is_some_and(|wanted| wanted != region) {
                continue;
            }
            if page.buckets.len() == max as usize {
                page.continuation_token = page.buckets.last().map(|last| last.name.clone());
                break;
            }
            page.buckets.push(BucketInfo { name, created: record.created, region: region.to_owned() });
        }
        Ok(page)
    }
}

/// Is it the name of a region, such as `eu-west-1`, or one of old?
fn is_region(text: &str) -> bool {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    let Some((words, number)) = text.rsplit_once('-') else { return text == "EU" };
    words.contains('-')
        && words.split('-').all(is_word)
        && !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where a bucket needs no location.
pub(crate) const DEFAULT_REGION: &str = "us-east-1";
/// No bucket's name is before this; what is has another use.
pub(super) const FIRST_NAME: &str = "0";
