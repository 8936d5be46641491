//! The one source of chance: ids, jitter, sampling.
//!
//! A hash of a seed and a counter: any number of threads draw without a lock, and a store with a given seed draws the
//! same numbers in every run as long as its calls come in the same order.
//!
//! Not here: secrets. Whoever knows the seed, or sees enough numbers, knows the rest.

use std::{
    hash::{BuildHasher, Hasher, RandomState},
    sync::atomic::{AtomicU64, Ordering},
};
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A seeded source of random numbers that threads share.
#[derive(Debug)]
pub(crate) struct Random {
    seed: u64,
    /// Words drawn so far; the word at count `n` is `xxh3_64(n, seed)`.
    drawn: AtomicU64,
}

impl Random {
    /// The same seed gives the same numbers.
    pub(crate) const fn from_seed(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }

    /// A seed nobody has had before, from the operating system by way of std's hash keys.
    #[expect(clippy::disallowed_methods, reason = "this source is where randomness comes from")]
    pub(crate) fn from_entropy() -> Self {
        Self::from_seed(RandomState::new().build_hasher().finish())
    }

    pub(crate) fn next_u64(&self) -> u64 {
        self.word(self.claim(1))
    }

    pub(crate) fn next_u128(&self) -> u128 {
        let first = self.claim(2);
        u128::from(self.word(first)) << 64 | u128::from(self.word(first + 1))
    }

    /// A number in `0..n`, each as likely as any other.
    pub(crate) fn below(&self, n: u64) -> u64 {
        assert!(n > 0, "there is no number below zero");
        // The high half of a product maps words onto 0..n. Where 2^64 is no multiple of n, the lowest `excess` low
        // halves are one word too many for some numbers: those draws are thrown away (Lemire 2019).
        let excess = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            let (high, low) = ((product >> 64) as u64, product & u128::from(u64::MAX));
            if low >= u128::from(excess) {
                return high;
            }
        }
    }

    /// A random UUID (RFC 9562, version 4), as bytes.
    pub(crate) fn uuid(&self) -> [u8; 16] {
        let bits = self.next_u128();
        let version = bits & !(0xf << 76) | 4 << 76;
        (version & !(0b11 << 62) | 0b10 << 62).to_be_bytes()
    }

    /// Relaxed: each count goes to one caller, and nothing else depends on it.
    fn claim(&self, words: u64) -> u64 {
        self.drawn.fetch_add(words, Ordering::Relaxed)
    }

    fn word(&self, count: u64) -> u64 {
        xxh3_64_with_seed(&count.to_le_bytes(), self.seed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Ids that tests and golden files hold depend on these numbers.
    #[test]
    fn a_seed_gives_the_same_numbers_for_ever() {
        let random = Random::from_seed(42);
        assert_eq!(
            [random.next_u64(), random.next_u64()],
            [5_014_318_936_221_084_462, 16_405_722_695_416_140_795]
        );
    }

    #[test]
    fn below_is_even() {
        let random = Random::from_seed(1);
        for n in [1, 2, 3, 7, 10] {
            let mut hits = vec![0_u32; usize::try_from(n).unwrap()];
            for _ in 0..10_000 {
                hits[usize::try_from(random.below(n)).unwrap()] += 1;
            }
            let even = 10_000.0 / f64::from(u32::try_from(n).unwrap());
            for hit in hits {
                assert!((f64::from(hit) - even).abs() < 5.0 * even.sqrt(), "{hit} of {n}");
            }
        }
        let half = (1 << 63) + 1;
        assert!((0..100).all(|_| random.below(half) < half), "a bound that throws half of the draws away");
        assert!((0..100).any(|_| random.below(u64::MAX) > half));
    }

    #[test]
    fn a_uuid_says_that_it_is_random() {
        let random = Random::from_seed(5);
        for _ in 0..100 {
            let uuid = random.uuid();
            assert_eq!((uuid[6] >> 4, uuid[8] >> 6), (4, 0b10));
        }
        assert_ne!(random.uuid(), random.uuid());
    }

    #[test]
    fn bits_are_even() {
        let random = Random::from_seed(3);
        let mut ones = [0_u32; 64];
        for _ in 0..10_000 {
            let word = random.next_u64();
            for (bit, ones) in ones.iter_mut().enumerate() {
                *ones += u32::from(word >> bit & 1 == 1);
            }
        }
        assert!(ones.iter().all(|ones| ones.abs_diff(5000) < 300), "{ones:?}");
    }

    #[test]
    fn threads_draw_different_numbers() {
        let random = Random::from_entropy();
        let drawn: BTreeSet<u64> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..2).map(|_| scope.spawn(|| (0..1000).map(|_| random.next_u64()).collect())).collect();
            threads.into_iter().flat_map(|thread| -> Vec<u64> { thread.join().unwrap() }).collect()
        });
        assert_eq!(drawn.len(), 2000);
    }
}
