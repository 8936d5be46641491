//! Tokens of transactions: one that is sent again within ten minutes is not done again.
//!
//! A token is logged in the batch of its transaction, so both survive a crash or neither. Tokens lie in a keyspace of
//! their own, made with the first one, and in memory.

use crate::Batch;
use crate::clock::Timestamp;
use crate::codec::{Reader, Writer};
use crate::kv::error::{Error, Result};
use crate::kv::state::HIDDEN;
use crate::store::Store;
use crate::store::catalog::{ResourceKind, dangling};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::Duration;

/// How long a token is remembered.
pub const TOKEN_AGE: Duration = Duration::from_mins(10);

const VERSION: u8 = 1;

/// What is known of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Known {
    /// Its transaction is under way.
    Running,
    /// Its transaction was done, then; the digest is of the request.
    Done(u128, Timestamp),
}

#[derive(Debug, Default)]
struct Memory {
    space: Option<u32>,
    known: HashMap<String, Known>,
}

/// All tokens that are remembered.
#[derive(Debug, Default)]
pub(crate) struct Tokens(Mutex<Memory>);

/// The right to do the transaction of a token; taken back if it is dropped before the transaction was done.
pub(crate) struct Claimed<'a> {
    tokens: &'a Tokens,
    token: String,
    digest: u128,
    at: Timestamp,
    space: u32,
}

impl Tokens {
    fn resource() -> String {
        format!("{HIDDEN}tokens")
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().known.is_empty()
    }

    /// Reads what is on disk.
    pub(crate) fn load(&self, store: &Store) -> Result<()> {
        let Some(found) = store.find_resource(ResourceKind::Table, &Self::resource())? else { return Ok(()) };
        let [id] = found.ids[..] else { return Err(dangling(&Self::resource(), 0).into()) };
        let space = store.space(id).ok_or_else(|| dangling(&Self::resource(), id))?;
        let mut memory = self.0.lock();
        memory.space = Some(id);
        for entry in space.range::<&[u8]>(store, ..) {
            let (key, value) = entry?;
            let (digest, at) = decode(&value).map_err(|flaw| flaw.in_file(Self::resource().as_ref()))?;
            memory.known.insert(String::from_utf8_lossy(&key).into_owned(), Known::Done(digest, at));
            store.raise_clock(at);
        }
        Ok(())
    }

    /// The right to do a transaction; none if it was done already.
    pub(crate) fn claim(&self, store: &Store, token: &str, digest: u128) -> Result<Option<Claimed<'_>>> {
        let now = store.now();
        let mut memory = self.0.lock();
        match memory.known.get(token) {
            Some(Known::Running) => return Err(Error::TransactionInProgress),
            Some(Known::Done(_, at)) if now >= *at + TOKEN_AGE => {}
            Some(Known::Done(known, _)) if *known == digest => return Ok(None),
            Some(Known::Done(..)) => return Err(Error::IdempotentParameterMismatch),
            None => {}
        }
        let space = match memory.space {
            Some(space) => space,
            None => create(store)?,
        };
        memory.space = Some(space);
        memory.known.insert(token.to_owned(), Known::Running);
        Ok(Some(Claimed { tokens: self, token: token.to_owned(), digest, at: now, space }))
    }

    /// Forgets tokens that are too old.
    pub(crate) fn sweep(&self, store: &Store) -> Result<()> {
        let now = store.now();
        let mut memory = self.0.lock();
        let is_old = |known: &Known| matches!(known, Known::Done(_, at) if now >= *at + TOKEN_AGE);
        let Some(space) = memory.space else { return Ok(()) };
        let mut batch = store.batch();
        for (token, _) in memory.known.iter().filter(|(_, known)| is_old(known)) {
            batch.delete_in(space, token.as_bytes())?;
        }
        store.commit(batch)?.forget();
        memory.known.retain(|_, known| !is_old(known));
        Ok(())
    }
}

impl Claimed<'_> {
    /// Adds the token to the batch of its transaction.
    pub(crate) fn stage(&self, batch: &mut Batch) -> Result<()> {
        Ok(batch.put_in(self.space, self.token.as_bytes(), &encode(self.digest, self.at))?)
    }

    /// The transaction was logged.
    pub(crate) fn apply(mut self) {
        let mut memory = self.tokens.0.lock();
        memory.known.insert(std::mem::take(&mut self.token), Known::Done(self.digest, self.at));
    }
}

impl Drop for Claimed<'_> {
    fn drop(&mut self) {
        if !self.token.is_empty() {
            self.tokens.0.lock().known.remove(&self.token);
        }
    }
}

/// Makes the keyspace of tokens.
fn create(store: &Store) -> Result<u32> {
    let mut batch = store.batch();
    let space = batch.create_space()?;
    batch.put_resource(ResourceKind::Table, &Tokens::resource(), &[space], &[])?;
    store.commit(batch)?.forget();
    Ok(space)
}

fn encode(digest: u128, at: Timestamp) -> Vec<u8> {
    let mut to = Writer::new();
    to.u8(VERSION);
    to.u128(digest);
    to.u64(at.as_millis());
    to.into_vec()
}

fn decode(bytes: &[u8]) -> Result<(u128, Timestamp), crate::codec::Malformed> {
    let mut from = Reader::new(bytes);
    let before = from.clone();
    let version = from.u8("version of a token")?;
    if version != VERSION {
        return Err(before.malformed("version of a token", VERSION, version));
    }
    let found = (from.u128("digest of a transaction")?, Timestamp::from_millis(from.u64("time of a token")?));
    from.finish("token")?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_round_trips_and_is_checked() {
        let bytes = encode(7, Timestamp::from_secs(9));
        assert_eq!(decode(&bytes), Ok((7, Timestamp::from_secs(9))));
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len]).is_err());
        }
        assert!(decode(&[&[2], &bytes[1..]].concat()).is_err());
    }
}
