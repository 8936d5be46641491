//! The tests that the `object_store` crate has for every implementation of its trait, and what they leave out.

use fourfold::Store;
use fourfold::objects::object_store::BucketStore;
use fourfold::objects::{GetObject, ListUploads, Versioning};
use object_store::path::Path;
use object_store::{
    Attribute, Attributes, Error, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode, PutOptions,
    TagSet, UpdateVersion, integration,
};

/// With a bucket of each kind.
fn run<F: Future<Output = ()>>(test: impl Fn(BucketStore) -> F) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for versioning in [None, Some(Versioning::Enabled), Some(Versioning::Suspended)] {
        let store = BucketStore::new(Store::in_memory().buckets().create("bucket").unwrap());
        if let Some(versioning) = versioning {
            store.bucket().set_versioning(versioning).unwrap();
        }
        runtime.block_on(test(store));
    }
}

#[test]
fn put_get_delete_list() {
    run(async |store| integration::put_get_delete_list(&store).await);
}

#[test]
fn listing() {
    run(async |store| {
        integration::list_uses_directories_correctly(&store).await;
        integration::list_with_delimiter(&store).await;
        integration::list_with_offset_exclusivity(&store).await;
        integration::list_paginated(&store, &store).await;
    });
}

#[test]
fn conditions() {
    run(async |store| {
        integration::get_opts(&store).await;
        integration::put_opts(&store, true).await;
    });
}

#[test]
fn attributes() {
    run(async |store| integration::put_get_attributes(&store).await);
}

#[test]
fn copies() {
    run(async |store| {
        integration::rename_and_copy(&store).await;
        integration::copy_if_not_exists(&store).await;
        integration::copy_rename_nonexistent_object(&store).await;
        integration::get_nonexistent_object(&store, None).await.unwrap_err();
    });
}

#[test]
fn multipart() {
    run(async |store| {
        integration::stream_get(&store).await;
        integration::multipart(&store, &store).await;
        integration::multipart_with_opts(&store, &store).await;
        integration::multipart_put_part_out_of_order(&store, &store).await;
        integration::multipart_out_of_order(&store).await;
        integration::multipart_race_condition(&store, true).await;
        let open = store.bucket().list_uploads(&ListUploads::default()).unwrap().uploads;
        assert!(open.len() <= 2, "what was not completed was aborted: {open:?}");
    });
}

#[test]
fn ranges() {
    run(async |store| {
        let path = Path::from("numbers");
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| n.to_le_bytes()[0]).collect();
        store.put(&path, bytes.clone().into()).await.unwrap();
        let got = store.get_ranges(&path, &[0..10, 2_000_000..2_000_100, 5..6]).await.unwrap();
        assert_eq!(got, [&bytes[0..10], &bytes[2_000_000..2_000_100], &bytes[5..6]]);
        let read = async |range| {
            let options = GetOptions::new().with_range(Some(range));
            let got = store.get_opts(&path, options).await?;
            let range = got.range.clone();
            Ok::<_, Error>((range, got.bytes().await?))
        };
        let (range, tail) = read(GetRange::Suffix(7)).await.unwrap();
        assert_eq!((range, &tail[..]), (2_999_993..3_000_000, &bytes[2_999_993..]));
        let (range, rest) = read(GetRange::Offset(2_999_999)).await.unwrap();
        assert_eq!((range, rest.len()), (2_999_999..3_000_000, 1));
        let behind = read(GetRange::Offset(3_000_000)).await.unwrap_err();
        assert!(matches!(behind, Error::Generic { .. }), "{behind}");
        assert!(read(GetRange::Bounded(7..7)).await.is_err(), "no bytes");
    });
}

#[test]
fn what_the_bucket_has_of_it() {
    run(async |store| {
        let path = Path::from("tagged");
        let mut tags = TagSet::default();
        tags.push("team", "a b");
        let attributes = Attributes::from_iter([
            (Attribute::StorageClass, "GLACIER_IR"),
            (Attribute::Metadata("Author".into()), "Ann"),
        ]);
        let options = PutOptions { tags, attributes, ..PutOptions::default() };
        let put = store.put_opts(&path, "text".into(), options).await.unwrap();
        let head = store.bucket().head_object(&GetObject::new("tagged")).unwrap();
        assert_eq!(head.info.storage_class.name(), "GLACIER_IR");
        assert_eq!(head.info.metadata.get("author"), Some("Ann"));
        assert_eq!(put.e_tag, Some(head.info.etag.to_string()));
        let version = head.info.version_id.filter(|version| !version.is_null());
        assert_eq!(put.version, version.map(|version| version.to_string()), "`null` does not stay");
        assert_eq!(store.bucket().tagging("tagged", None).unwrap().tags.get("team"), Some("a b"));
    });
}

#[test]
fn refusals() {
    run(async |store| {
        let path = Path::from("a");
        let without_tag = PutMode::Update(UpdateVersion { e_tag: None, version: None });
        let error = store.put_opts(&path, "x".into(), without_tag.into()).await.unwrap_err();
        assert!(matches!(error, Error::Generic { .. }), "{error}");
        store.bucket().put("not//a/path", "x").unwrap();
        let listed = store.list_with_delimiter(Some(&Path::from("not"))).await;
        assert!(matches!(listed, Err(Error::InvalidPath { .. })), "{listed:?}");
        let attributes = Attributes::from_iter([(Attribute::StorageClass, "COLD")]);
        let options = PutOptions { attributes, ..PutOptions::default() };
        assert!(store.put_opts(&path, "x".into(), options).await.is_err());
        let upload = store.put_multipart(&Path::from("empty")).await;
        let done = upload.unwrap().complete().await.unwrap();
        assert!(done.e_tag.is_some());
        assert_eq!(store.head(&Path::from("empty")).await.unwrap().size, 0);
    });
}
