//! Listing, in the terms of paths: a prefix is a folder, and what it names is what is in it.

use crate::objects::object_store::{BucketStore, convert};
use crate::objects::{Bucket, ListObjects, ObjectEntry, ObjectPage};
use ::object_store::list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore};
use ::object_store::path::{DELIMITER, Path};
use ::object_store::{ListResult, ObjectMeta, Result};
use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt, TryStreamExt};

/// Everything in a folder and below, a page at a time as it is asked for.
pub(super) fn all(
    bucket: &Bucket,
    prefix: Option<&Path>,
    offset: Option<&Path>,
) -> BoxStream<'static, Result<ObjectMeta>> {
    let mut request = in_folder(prefix);
    request.start_after = offset.map(|offset| offset.as_ref().to_owned());
    let bucket = bucket.clone();
    let pages = stream::try_unfold(Some(request), move |request| {
        let page = request.map(|request| next_page(&bucket, request)).transpose();
        async { page }
    });
    pages
        .map_ok(|page| stream::iter(page.objects.into_iter().map(|entry| meta(&entry))))
        .try_flatten()
        .boxed()
}

/// What is directly in a folder.
pub(super) fn folder(bucket: &Bucket, prefix: Option<&Path>) -> Result<ListResult> {
    let mut all = empty();
    let mut request = Some(in_folder(prefix).delimiter(DELIMITER));
    while let Some(asked) = request {
        let (page, next) = next_page(bucket, asked)?;
        add(&mut all, page)?;
        request = next;
    }
    Ok(all)
}

fn in_folder(prefix: Option<&Path>) -> ListObjects {
    match prefix.map(AsRef::as_ref) {
        None | Some("") => ListObjects::new(),
        Some(folder) => ListObjects::new().prefix(format!("{folder}{DELIMITER}")),
    }
}

/// A page, and how to ask for the next one, if there is one.
fn next_page(bucket: &Bucket, mut request: ListObjects) -> Result<(ObjectPage, Option<ListObjects>)> {
    let mut page = bucket.list(&request).map_err(convert::generic)?;
    let token = page.next_continuation_token.take();
    let next = token.map(|token| {
        request.continuation_token = Some(token);
        request
    });
    Ok((page, next))
}

fn empty() -> ListResult {
    let extensions = ::object_store::Extensions::default();
    ListResult { common_prefixes: Vec::new(), objects: Vec::new(), extensions }
}

fn add(to: &mut ListResult, page: ObjectPage) -> Result<()> {
    for prefix in page.common_prefixes {
        to.common_prefixes.push(convert::path(&prefix)?);
    }
    for entry in &page.objects {
        to.objects.push(meta(entry)?);
    }
    Ok(())
}

fn meta(entry: &ObjectEntry) -> Result<ObjectMeta> {
    Ok(ObjectMeta {
        location: convert::path(&entry.key)?,
        last_modified: convert::date(entry.last_modified),
        size: entry.size,
        e_tag: Some(entry.etag.to_string()),
        version: None,
    })
}

#[async_trait]
impl PaginatedListStore for BucketStore {
    async fn list_paginated(
        &self,
        prefix: Option<&str>,
        opts: PaginatedListOptions,
    ) -> Result<PaginatedListResult> {
        let mut request = ListObjects::new();
        request.prefix = prefix.map(str::to_owned);
        request.delimiter = opts.delimiter.map(std::borrow::Cow::into_owned);
        request.start_after = opts.offset;
        request.continuation_token = opts.page_token;
        request.max_keys = opts.max_keys.map(|count| u32::try_from(count).unwrap_or(u32::MAX));
        let mut page = self.bucket.list(&request).map_err(convert::generic)?;
        let page_token = page.next_continuation_token.take();
        let mut result = empty();
        add(&mut result, page)?;
        Ok(PaginatedListResult { result, page_token })
    }
}
