//! The MD5 of a body. It costs more than all else that is done with the bytes, so that of a long body is computed on a
//! thread of its own while they are written. The thread ends with the body.

use crate::objects::checksum::{ChecksumAlgorithm, ChecksumHasher};
use bytes::Bytes;
use std::fmt;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{Builder, JoinHandle};

/// Chunks that wait to be hashed: they bound the memory that this takes.
const WAITING_MAX: usize = 3;

/// An MD5 that is being computed.
pub(crate) enum Md5 {
    Here(ChecksumHasher),
    Aside { chunks: SyncSender<Bytes>, thread: JoinHandle<ChecksumHasher> },
}

impl Md5 {
    pub(crate) fn new() -> Self {
        Self::Here(ChecksumHasher::new(ChecksumAlgorithm::Md5))
    }

    /// From here on the calling thread has other things to do; unless no thread can be had.
    pub(crate) fn step_aside(&mut self) {
        let Self::Here(hasher) = self else { return };
        let (chunks, waiting) = sync_channel(WAITING_MAX);
        let mut hasher = hasher.clone();
        let hash = move |waiting: Receiver<Bytes>| {
            for chunk in waiting {
                hasher.update(&chunk);
            }
            hasher
        };
        if let Ok(thread) = Builder::new().name("fourfold-md5".to_owned()).spawn(|| hash(waiting)) {
            *self = Self::Aside { chunks, thread };
        }
    }

    /// Takes the next bytes.
    pub(crate) fn update(&mut self, chunk: &Bytes) {
        match self {
            Self::Here(hasher) => hasher.update(chunk),
            // Fails only if the thread panicked, which is passed on in the end.
            Self::Aside { chunks, .. } => drop(chunks.send(chunk.clone())),
        }
    }

    pub(crate) fn finish(self) -> [u8; 16] {
        let hasher = match self {
            Self::Here(hasher) => hasher,
            Self::Aside { chunks, thread } => {
                drop(chunks);
                thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            }
        };
        let mut digest = [0; 16];
        digest.iter_mut().zip(hasher.finish().bytes()).for_each(|(to, from)| *to = *from);
        digest
    }
}

impl fmt::Debug for Md5 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Self::Here(_)) { "Here" } else { "Aside" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aside_or_not_it_is_the_same() {
        let chunks: Vec<Bytes> = (0..20_u8).map(|byte| vec![byte; 1000].into()).collect();
        let expected = ChecksumHasher::digest(ChecksumAlgorithm::Md5, &chunks.concat());
        for aside_at in [0, 7, 100] {
            let mut md5 = Md5::new();
            for (number, chunk) in chunks.iter().enumerate() {
                if number == aside_at {
                    md5.step_aside();
                }
                md5.update(chunk);
            }
            assert_eq!(md5.finish()[..], *expected.bytes());
        }
    }
}
