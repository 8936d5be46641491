//! The index of a run that is searched often, as a tree in memory.
//!
//! A search by the heads of the [`index`](super::index) is one cache miss after the other: to halve the heads, and then to
//! compare whole keys where heads are equal, as they are within a long partition. The guide knows keys by eight bytes
//! at a time, and skips what tells none apart.
//!
//! D1. A *layer* is about neighbouring blocks whose first keys share `skip` bytes. The eight bytes behind these are a
//!     key's *word*; words are in the order of keys. Each word that occurs is there once, for the *group* of the blocks
//!     that have it.
//! D2. A group of several blocks has a layer of its own if words can tell them apart: behind the first word, behind
//!     whatever else they share. A layer keeps the bytes that it skips beyond those known from above, so that a key
//!     which has others is found before or behind all of the group.
//! D3. Where words say nothing more, whole separators are compared.
//! D4. It is derived from an index that verified, and takes 8 to 30 bytes for each block. So a run has one only once
//!     enough searches went through it to have paid for making it ([`PAYS_AFTER`]).

use super::{
    format::{Flaw, shared_prefix},
    index::Index,
};
use crate::position::Position;
use std::ops::Range;

/// Of so many blocks one must have been searched for. Making the guide costs some ten nanoseconds for each block, and a
/// search without it up to a microsecond more.
pub(super) const PAYS_AFTER: usize = 64;
/// Words that are looked at side by side: no load waits for the one before, so their cache lines come at once.
const FAN: usize = 32;
const WORD_LEN: usize = size_of::<u64>();
/// Layers below each other. Longer keys that only differ behind so many words are rare.
const DEPTH_MAX: usize = 8;
/// Longest shared bytes that a layer below the first skips.
const SKIPPED_MAX: usize = 256;
/// Blocks of the largest run that gets a guide: it counts bytes, words and layers by `u32`.
const BLOCKS_MAX: usize = 1 << 23;

/// Neighbouring blocks (D1), or those of one word of the layer above (D2).
#[derive(Clone, Copy, Debug)]
struct Layer {
    first: u32,
    blocks: u32,
    /// Where its words begin, and how many there are: none if words cannot tell its blocks apart. Every `FAN`th follows
    /// again behind them, and so on, until there are no more than `FAN`.
    words: u32,
    count: u32,
    /// Where its groups, as layers, begin; [`NONE`] if each is one block.
    groups: u32,
    /// Where what it skips begins (D2), and how much of it there is.
    skipped: u32,
    skipped_len: u16,
    skip: u16,
    /// If not zero, every first key is so long, ends within its word, and begins with its newest version: who has the
    /// length and the word has the key.
    key_len: u16,
}

const _: () = assert!(size_of::<Layer>() == 32);
const NONE: u32 = u32::MAX;

/// The tree, the layer of all blocks first. It belongs to one index.
#[derive(Debug, Default)]
pub(super) struct Guide {
    layers: Vec<Layer>,
    words: Vec<u64>,
    skipped: Vec<u8>,
}

impl Layer {
    fn of(blocks: &Range<usize>) -> Self {
        Self {
            first: short(blocks.start),
            blocks: short(blocks.len()),
            words: 0,
            count: 0,
            groups: NONE,
            skipped: 0,
            skipped_len: 0,
            skip: 0,
            key_len: 0,
        }
    }

    fn all(&self) -> Range<usize> {
        self.first as usize..(self.first + self.blocks) as usize
    }
}

impl Guide {
    /// The guide to `index`, unless that is too long.
    pub(super) fn new(index: &Index<'_>) -> Result<Option<Self>, Flaw> {
        let blocks = 0..index.blocks();
        if blocks.is_empty() || blocks.len() > BLOCKS_MAX {
            return Ok(None);
        }
        let mut guide = Self::default();
        guide.layers.push(Layer::of(&blocks));
        guide.split(index, 0, 0, 0)?;
        guide.layers.shrink_to_fit();
        guide.words.shrink_to_fit();
        guide.skipped.shrink_to_fit();
        Ok(Some(guide))
    }

    /// Gives the layer `number`, whose first keys share `known` bytes, its words, if these tell its blocks apart, and
    /// then its groups theirs.
    fn split(&mut self, index: &Index<'_>, number: usize, known: usize, depth: usize) -> Result<(), Flaw> {
        let blocks = self.layers[number].all();
        let (low, high) = (index.first_key(blocks.start)?, index.first_key(blocks.end - 1)?);
        let skip = shared_prefix(low, high);
        let (Some(skipped), Ok(short_skip)) = (low.get(known..skip), u16::try_from(skip)) else {
            return Ok(());
        };
        let differ = word(low, skip) != word(high, skip);
        if depth == DEPTH_MAX || depth > 0 && (!differ || skipped.len() > SKIPPED_MAX) {
            return Ok(());
        }
        let mut words: Vec<u64> = Vec::new();
        let mut groups = Vec::new();
        let mut is_plain = low.len() <= skip + WORD_LEN;
        for block in blocks.clone() {
            let key = index.first_key(block)?;
            is_plain &= key.len() == low.len() && index.begins_with_newest(block);
            let word = word(key, skip);
            if words.last() != Some(&word) {
                words.push(word);
                groups.push(block..block);
            }
            if let Some(group) = groups.last_mut() {
                group.end = block + 1;
            }
        }
        self.layers[number] = Layer {
            words: short(self.words.len()),
            count: short(words.len()),
            skipped: short(self.skipped.len()),
            skipped_len: u16::try_from(skipped.len()).unwrap_or(short_skip),
            skip: short_skip,
            key_len: if is_plain { u16::try_from(low.len()).unwrap_or(0) } else { 0 },
            ..self.layers[number]
        };
        self.skipped.extend_from_slice(skipped);
        loop {
            self.words.extend_from_slice(&words);
            if words.len() <= FAN {
                break;
            }
            words = words.iter().copied().step_by(FAN).collect();
        }
        if groups.len() < blocks.len() {
            let from = self.layers.len();
            self.layers[number].groups = short(from);
            self.layers.extend(groups.iter().map(Layer::of));
            for (place, _) in groups.iter().enumerate().filter(|(_, group)| group.len() > 1) {
                self.split(index, from + place, skip + WORD_LEN, depth + 1)?;
            }
        }
        Ok(())
    }

    /// The same as [`Index::find`] of the index that it was made from.
    pub(super) fn find(
        &self,
        index: &Index<'_>,
        key: &[u8],
        version: Position,
    ) -> Result<Option<usize>, Flaw> {
        let mut layer = &self.layers[0];
        while layer.count > 0 {
            let blocks = layer.all();
            let skip = usize::from(layer.skip);
            let skipped = &self.skipped[layer.skipped as usize..][..usize::from(layer.skipped_len)];
            let mine = key.get(skip - skipped.len()..).unwrap_or_default();
            let mine = mine.get(..skipped.len()).unwrap_or(mine);
            if mine != skipped {
                return Ok(if mine < skipped { blocks.start } else { blocks.end }.checked_sub(1));
            }
            let wanted = word(key, skip);
            let words = &self.words[layer.words as usize..];
            let Some(place) = up_to(wanted, words, layer.count as usize).checked_sub(1) else {
                return Ok(blocks.start.checked_sub(1));
            };
            let is_same = words[place] == wanted;
            if layer.groups == NONE {
                let block = blocks.start + place;
                if !is_same || layer.key_len != 0 && usize::from(layer.key_len) == key.len() {
                    return Ok(Some(block));
                }
                return compare(index, block..block + 1, key, version);
            }
            layer = &self.layers[layer.groups as usize + place];
            if !is_same {
                return Ok(layer.all().end.checked_sub(1));
            }
        }
        compare(index, layer.all(), key, version)
    }
}

/// The last of `blocks` whose separator is not after `version` of `key`, or the block before all of them (D3).
fn compare(
    index: &Index<'_>,
    blocks: Range<usize>,
    key: &[u8],
    version: Position,
) -> Result<Option<usize>, Flaw> {
    let Range { mut start, mut end } = blocks;
    while start < end {
        let middle = start.midpoint(end);
        if index.is_after(middle, key, version)? {
            end = middle;
        } else {
            start = middle + 1;
        }
    }
    Ok(start.checked_sub(1))
}

/// How many of the first `count` words, which are in order, are not above `wanted`. Samples of them follow.
#[inline]
fn up_to(wanted: u64, words: &[u64], count: usize) -> usize {
    let mut from = 0;
    if count > FAN {
        let Some(sample) = up_to_deep(wanted, words, count).checked_sub(1) else { return 0 };
        from = sample * FAN;
    }
    let words = &words[from..count.min(from + FAN)];
    let (chunks, rest) = words.as_chunks::<8>();
    let not_above = |words: &[u64]| words.iter().map(|word| usize::from(*word <= wanted)).sum::<usize>();
    from + chunks.iter().map(|chunk| not_above(chunk)).sum::<usize>() + not_above(rest)
}

#[inline(never)]
fn up_to_deep(wanted: u64, words: &[u64], count: usize) -> usize {
    up_to(wanted, &words[count..], count.div_ceil(FAN))
}

/// Numbers in a guide count blocks, or bytes and words of which no block has more than a few.
fn short(number: usize) -> u32 {
    u32::try_from(number).expect("BLOCKS_MAX bounds it")
}

/// The eight bytes of `key` behind `skip`, zeros behind a shorter one, as a number in the order of keys.
#[inline]
#[expect(clippy::big_endian_bytes, reason = "big endian is the order of keys")]
fn word(key: &[u8], skip: usize) -> u64 {
    let rest = key.get(skip..).unwrap_or_default();
    if let Some(first) = rest.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    let mut padded = [0; WORD_LEN];
    padded[..rest.len()].copy_from_slice(rest);
    u64::from_be_bytes(padded)
}

#[cfg(test)]
mod tests {
    use super::super::index::IndexBuilder;
    use super::*;
    use proptest::prelude::*;

    /// Keys that share prefixes of every length, are prefixes of each other, and end in zeros.
    fn keys() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            4 => prop::collection::vec(prop_oneof![Just(0u8), Just(1), Just(0xff)], 0..3),
            2 => Just(vec![7; 8]),
            1 => Just(vec![7; 16]),
            1 => Just(vec![9; SKIPPED_MAX + 1]),
        ];
        prop::collection::vec(part, 0..7).prop_map(|parts| parts.concat())
    }

    /// The guide and the heads agree about each key, at its own version and at others.
    fn check(separators: &[(Vec<u8>, Position)], probes: &[Vec<u8>]) {
        let mut builder = IndexBuilder::default();
        for (place, (key, version)) in separators.iter().enumerate() {
            builder.push(place as u64, key, *version);
        }
        let common = shared_prefix(&separators[0].0, &separators[separators.len() - 1].0);
        let bytes = builder.finish(common);
        let index =
            Index::parse(&bytes, separators.len(), &separators[0].0[..common], separators.len() as u64)
                .unwrap();
        let guide = Guide::new(&index).unwrap().unwrap();
        for key in probes.iter().chain(separators.iter().map(|(key, _)| key)) {
            for version in [0, 1, 2, 3, 4, u64::MAX].map(Position::new) {
                let expected = separators.partition_point(|(first, first_version)| {
                    first.cmp(key).then(version.cmp(first_version)).is_le()
                });
                let expected = expected.checked_sub(1);
                assert_eq!(index.find(key, version).unwrap(), expected, "heads, {key:?} at {version:?}");
                assert_eq!(guide.find(&index, key, version).unwrap(), expected, "{key:?} at {version:?}");
            }
        }
    }

    /// A block begins with a key of its own, or goes on with older versions of the one before.
    fn separators(keys: impl IntoIterator<Item = (Vec<u8>, u8)>) -> Vec<(Vec<u8>, Position)> {
        let blocks = keys.into_iter().flat_map(|(key, more)| {
            let older = (0..u64::from(more)).rev().map(Position::new);
            std::iter::once(Position::MAX).chain(older).map(move |version| (key.clone(), version))
        });
        blocks.collect()
    }

    proptest! {
        #[test]
        fn finds_what_the_heads_find(
            firsts in prop::collection::btree_map(keys(), prop_oneof![4 => Just(0u8), 1 => 1..5u8], 1..60),
            probes in prop::collection::vec(keys(), 40),
        ) {
            check(&separators(firsts), &probes);
        }
    }

    #[test]
    fn many_blocks_of_long_partitions() {
        let key = |partition: u32, item: u32| {
            let partition = partition.wrapping_mul(0x9E37_79B1).to_be_bytes();
            [&[0, 0, 0, 16][..], &partition, &partition, &partition, &u64::from(item).to_be_bytes()].concat()
        };
        let mut firsts: Vec<_> = (0..60)
            .flat_map(|partition| (0..partition * 2).map(move |item| (key(partition, item * 3), 0)))
            .collect();
        firsts.sort();
        let probes: Vec<_> =
            (0..62).flat_map(|partition| (0..40).map(move |item| key(partition, item * 7))).collect();
        check(&separators(firsts), &probes);
        let single: Vec<_> = (0..5000_u32).map(|item| (key(0, item * 2), 0)).collect();
        check(&separators(single), &(0..100).map(|item| key(0, item * 97)).collect::<Vec<_>>());
    }

    #[test]
    fn keys_out_of_order_do_no_harm() {
        let mut builder = IndexBuilder::default();
        for key in [&b"mmmmmmmmmm"[..], b"a", b"mmmmmmmmmmzz", b"mmmmmmmmmma", b"", b"mmmmmmmmmm"] {
            builder.push(0, key, Position::MAX);
        }
        let bytes = builder.finish(0);
        let index = Index::parse(&bytes, 6, b"", 6).unwrap();
        let guide = Guide::new(&index).unwrap().unwrap();
        for key in [&b"mmmmmmmmmm"[..], b"mmmmmmmmmmzz", b"z", b""] {
            assert!(guide.find(&index, key, Position::MAX).unwrap().is_none_or(|block| block < 6));
        }
    }
}
