//! A table on a bucket, by the `ObjectStore` trait alone: what table formats such as Delta and Iceberg do, in small.
//!
//! Data files are immutable. A commit is a file of the log with the next number, created only if it is not there: of
//! two writers that want the same number one wins, and the other reads what was committed and tries again. A reader
//! folds the log, then reads of each data file its index, which lies at the end, and only the rows it wants.
//!
//! `cargo run --example table --features object_store [directory]`
#![expect(clippy::print_stdout, reason = "an example that is read by running it")]

use fourfold::Store;
use fourfold::objects::object_store::BucketStore;
use futures_util::TryStreamExt;
use object_store::path::Path;
use object_store::{Error, GetRange, ObjectStore, ObjectStoreExt, PutMode};
use std::sync::Arc;

type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// Rows of a data file: the values, then where each begins, then how many there are.
fn encode(rows: &[String]) -> Vec<u8> {
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    for row in rows {
        starts.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
        bytes.extend_from_slice(row.as_bytes());
    }
    starts.extend_from_slice(&(bytes.len() as u64).to_le_bytes());
    starts.extend_from_slice(&(rows.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&starts);
    bytes
}

fn number(bytes: &[u8]) -> Result<u64> {
    Ok(u64::from_le_bytes(bytes.try_into()?))
}

async fn tail(store: &dyn ObjectStore, path: &Path, len: u64) -> Result<bytes::Bytes> {
    let options = object_store::GetOptions::new().with_range(Some(GetRange::Suffix(len)));
    Ok(store.get_opts(path, options).await?.bytes().await?)
}

/// One row of a data file: three small reads, whatever the file's size.
async fn row(store: &dyn ObjectStore, path: &Path, index: u64) -> Result<String> {
    let count = number(&tail(store, path, 8).await?)?;
    let starts = tail(store, path, 8 * (count + 2)).await?;
    let start = |index: u64| {
        let at = usize::try_from(index * 8)?;
        number(starts.get(at..at + 8).ok_or("there is no such row")?)
    };
    let bytes = store.get_range(path, start(index)?..start(index + 1)?).await?;
    Ok(String::from_utf8(bytes.to_vec())?)
}

fn commit_path(number: u64) -> Path {
    Path::from(format!("log/{number:010}"))
}

/// Adds a data file to the table. Returns the number of the commit and how often another writer was faster.
async fn append(store: &dyn ObjectStore, name: &str, rows: &[String]) -> Result<(u64, u32)> {
    let data = Path::from(format!("data/{name}"));
    store.put(&data, encode(rows).into()).await?;
    let mut next = log(store).await?.len() as u64;
    let mut lost = 0;
    loop {
        let commit =
            store.put_opts(&commit_path(next), data.to_string().into(), PutMode::Create.into()).await;
        match commit {
            Ok(_) => return Ok((next, lost)),
            Err(Error::AlreadyExists { .. }) => (next, lost) = (next + 1, lost + 1),
            Err(error) => return Err(error.into()),
        }
    }
}

/// The data files of the table, in the order in which they were committed.
async fn log(store: &dyn ObjectStore) -> Result<Vec<Path>> {
    let mut commits: Vec<_> = store.list(Some(&Path::from("log"))).try_collect().await?;
    commits.sort_by(|a, b| a.location.cmp(&b.location));
    let mut files = Vec::new();
    for commit in commits {
        let name = store.get(&commit.location).await?.bytes().await?;
        files.push(Path::parse(std::str::from_utf8(&name)?)?);
    }
    Ok(files)
}

async fn work(store: Arc<dyn ObjectStore>) -> Result<()> {
    let writers = (0..4).map(|writer| {
        let store = Arc::clone(&store);
        async move {
            let mut lost = 0;
            for batch in 0..5 {
                let rows: Vec<String> =
                    (0..1000).map(|row| format!("writer {writer}, batch {batch}, row {row}")).collect();
                lost += append(&*store, &format!("{writer}-{batch}"), &rows).await?.1;
            }
            Ok::<_, Box<dyn std::error::Error + Send + Sync>>(lost)
        }
    });
    let lost: u32 = futures_util::future::try_join_all(writers).await?.into_iter().sum();
    let files = log(&*store).await?;
    println!("{} commits by 4 writers; {lost} times another was faster", files.len());
    let newest = files.last().ok_or("an empty table")?;
    println!("row 999 of {newest}: {}", row(&*store, newest, 999).await?);
    Ok(())
}

fn main() -> Result<()> {
    let store = match std::env::args().nth(1) {
        Some(directory) => Store::open(directory)?,
        None => Store::in_memory(),
    };
    let bucket = BucketStore::new(store.buckets().create("table")?);
    tokio::runtime::Builder::new_current_thread().build()?.block_on(work(Arc::new(bucket)))
}
