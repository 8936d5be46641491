//! The data of every workload, prepared before a clock starts: generating a key takes as long as a fast engine needs
//! to store it.
//!
//! A key is 24 bytes: the hash of a partition (16 bytes, 100 items each) and the item's number (8 bytes, big endian).
//! Values are random bytes, so that nothing compresses. All of it follows from fixed seeds.

pub const KEY: usize = 24;
pub const PER_PARTITION: u64 = 100;
const POOL: usize = 16 << 20;
/// YCSB's skew.
const THETA: f64 = 0.99;

pub type Key = [u8; KEY];

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(n)) >> 64) as u64
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

pub fn key(item: u64) -> Key {
    let partition = item / PER_PARTITION;
    let mut key = [0; KEY];
    key[..8].copy_from_slice(&mix(partition ^ 0x5851_f42d_4c95_7f2d).to_be_bytes());
    key[8..16].copy_from_slice(&mix(!partition).to_be_bytes());
    key[16..].copy_from_slice(&(item % PER_PARTITION).to_be_bytes());
    key
}

/// The bounds of the partition `item` belongs to.
pub fn partition(item: u64) -> (Key, Key) {
    let (mut from, mut to) = (key(item), key(item));
    from[16..].fill(0);
    to[16..].fill(0xff);
    (from, to)
}

/// All items once, in random order.
pub fn shuffled(items: u64, seed: u64) -> Vec<u64> {
    let mut random = Random(seed);
    let mut order: Vec<u64> = (0..items).collect();
    for i in (1..order.len()).rev() {
        order.swap(i, random.below(i as u64 + 1) as usize);
    }
    order
}

/// `n` items, each as likely as any other.
pub fn uniform(items: u64, n: usize, seed: u64) -> impl Iterator<Item = u64> {
    let mut random = Random(seed);
    (0..n).map(move |_| random.below(items))
}

/// `n` items, a few of them most of the time; the popular ones are spread over the key space.
pub fn zipf(items: u64, n: usize, seed: u64) -> impl Iterator<Item = u64> {
    // Gray et al., "Quickly generating billion-record synthetic databases".
    let zeta = |n: u64| (1..=n).map(|i| (i as f64).powf(-THETA)).sum::<f64>();
    let total = zeta(items);
    let alpha = 1.0 / (1.0 - THETA);
    let eta = (1.0 - (2.0 / items as f64).powf(1.0 - THETA)) / (1.0 - zeta(2) / total);
    let place = shuffled(items, seed ^ 1);
    let mut random = Random(seed);
    (0..n).map(move |_| {
        let u = random.unit();
        let rank = if u * total < 1.0 {
            0
        } else if u * total < 1.0 + 0.5f64.powf(THETA) {
            1
        } else {
            (items as f64 * (eta * u - eta + 1.0).powf(alpha)) as usize
        };
        place[rank.min(place.len() - 1)]
    })
}

/// Values of one length: slices of a pool of random bytes, small enough to stay in the cache.
pub struct Values {
    pool: Vec<u8>,
    len: usize,
}

impl Values {
    pub fn new(len: usize, seed: u64) -> Self {
        let mut random = Random(seed);
        let pool = (0..POOL / 8).flat_map(|_| random.next().to_le_bytes()).collect();
        Self { pool, len }
    }

    /// The same of 64 different letters, for engines that take texts.
    pub fn text(len: usize, seed: u64) -> Self {
        let mut text = Self::new(len, seed);
        text.pool.iter_mut().for_each(|byte| *byte = b'0' + (*byte & 63));
        text
    }

    pub fn get(&self, i: u64) -> &[u8] {
        let at = i.wrapping_mul(4_294_967_291) as usize % (self.pool.len() - self.len);
        &self.pool[at..at + self.len]
    }
}
