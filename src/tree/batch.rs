//! The payload of a data frame: the mutations of one atomic batch, in order.
//!
//! B1. A batch is encoded once, while it is built, and those bytes are what is logged, applied and recovered.
//! B2. Applying is blind: an operation says what is, never "if".
//! B3. Operations on one key within a batch act in order; the last one wins.
//!
//! The bytes are described in `docs/format.md` ("Batch"). Decoding is total over any bytes: [`decode`] checks the whole
//! payload before anything of it is used.

use crate::error::{Error, Result};
use crate::limits::KEY_LEN_MAX;
use crate::tree::entry::Kind;

/// `kind u8 | key length u16 | value length u32`, then the full key, then the value.
const KIND_LEN: usize = size_of::<u8>();
const KEY_LEN_LEN: usize = size_of::<u16>();
const VALUE_LEN_LEN: usize = size_of::<u32>();
const OP_HEADER_LEN: usize = KIND_LEN + KEY_LEN_LEN + VALUE_LEN_LEN;
/// Keyspace ids stand before every key.
pub(crate) const KEYSPACE_ID_LEN: usize = size_of::<u32>();
const OP_HEAD_LEN: usize = OP_HEADER_LEN + KEYSPACE_ID_LEN;
/// What a batch reserves for its first operation: few have only one, and growing step by step costs an allocation each.
const FIRST_LEN: usize = 512;

const _: () = assert!(KEYSPACE_ID_LEN + KEY_LEN_MAX <= u16::MAX as usize);

/// What one operation of a batch does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OpKind {
    /// Puts, deletes or refers: becomes an entry under its key.
    Entry(Kind),
    /// Every key of the keyspace below this one is gone.
    Floor,
    /// The keyspace exists from here on.
    Create,
    /// The keyspace and everything in it is gone.
    Drop,
}

impl OpKind {
    const fn to_byte(self) -> u8 {
        match self {
            Self::Entry(kind) => kind as u8,
            Self::Floor => 4,
            Self::Create => 5,
            Self::Drop => 6,
        }
    }

    const fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            4 => Some(Self::Floor),
            5 => Some(Self::Create),
            6 => Some(Self::Drop),
            _ => match Kind::from_byte(byte) {
                Some(kind) => Some(Self::Entry(kind)),
                None => None,
            },
        }
    }
}

/// One decoded operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Op<'a> {
    pub(crate) kind: OpKind,
    /// The full key: keyspace id, then the key.
    pub(crate) key: &'a [u8],
    pub(crate) value: &'a [u8],
    /// Where the value stands in the payload.
    pub(crate) value_offset: u32,
}

impl Op<'_> {
    /// The keyspace this operation is about.
    pub(crate) fn keyspace(&self) -> u32 {
        keyspace_of(self.key)
    }
}

/// The keyspace id at the head of a full key.
#[expect(clippy::big_endian_bytes, reason = "keyspace ids are ordered as keys")]
pub(crate) fn keyspace_of(key: &[u8]) -> u32 {
    key.first_chunk().map_or(0, |id| u32::from_be_bytes(*id))
}

/// The full key of `key` in keyspace `id`.
#[expect(clippy::big_endian_bytes, reason = "keyspace ids are ordered as keys")]
pub(crate) fn full_key(id: u32, key: &[u8]) -> Vec<u8> {
    let mut full = Vec::with_capacity(KEYSPACE_ID_LEN + key.len());
    full.extend_from_slice(&id.to_be_bytes());
    full.extend_from_slice(key);
    full
}

/// What stands before key and value of an operation, so that a batch of one needs no buffer. The caller has checked the
/// key's length.
#[inline]
#[expect(clippy::big_endian_bytes, reason = "keyspace ids are ordered as keys")]
pub(crate) fn op_head(
    kind: OpKind,
    keyspace: u32,
    key_len: usize,
    value_len: usize,
) -> Result<[u8; OP_HEAD_LEN]> {
    let key_len = u16::try_from(KEYSPACE_ID_LEN + key_len).map_err(|_| too_long_key(key_len))?;
    let value_len = u32::try_from(value_len).map_err(|_| too_long_value(value_len))?;
    let [k0, k1] = key_len.to_le_bytes();
    let [v0, v1, v2, v3] = value_len.to_le_bytes();
    let [i0, i1, i2, i3] = keyspace.to_be_bytes();
    Ok([kind.to_byte(), k0, k1, v0, v1, v2, v3, i0, i1, i2, i3])
}

/// The encoded operations of one batch.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ops {
    payload: Vec<u8>,
    count: usize,
}

impl Ops {
    /// Adds one operation. The caller has checked the key's length.
    pub(crate) fn push(&mut self, kind: OpKind, keyspace: u32, key: &[u8], value: &[u8]) -> Result<()> {
        self.push_parts(kind, keyspace, key, &[value])
    }

    /// [`push`](Self::push) of a value that these slices are together.
    pub(crate) fn push_parts(
        &mut self,
        kind: OpKind,
        keyspace: u32,
        key: &[u8],
        value: &[&[u8]],
    ) -> Result<()> {
        let value_len = value.iter().map(|part| part.len()).sum();
        let head = op_head(kind, keyspace, key.len(), value_len)?;
        let len = head.len() + key.len() + value_len;
        self.payload.reserve(if self.count == 0 { len.max(FIRST_LEN) } else { len });
        self.payload.extend_from_slice(&head);
        self.payload.extend_from_slice(key);
        for part in value {
            self.payload.extend_from_slice(part);
        }
        self.count += 1;
        Ok(())
    }

    /// Adds the operations of `other`, behind these.
    pub(crate) fn append(&mut self, other: &Self) {
        self.payload.extend_from_slice(&other.payload);
        self.count += other.count;
    }

    pub(crate) fn payload(&self) -> &[u8] {
        &self.payload
    }

    pub(crate) fn count(&self) -> usize {
        self.count
    }

    pub(crate) fn clear(&mut self) {
        self.payload.clear();
        self.count = 0;
    }
}

/// Puts whose values end with bytes that stay where they are until they are logged: they are copied once, and not into
/// [`Ops`] before.
#[derive(Debug, Default)]
pub(crate) struct Gathered<'a> {
    /// All but those bytes.
    bytes: Vec<u8>,
    /// Those bytes, each slice with where in `bytes` it belongs.
    slices: Vec<(usize, &'a [u8])>,
    slices_len: usize,
}

impl<'a> Gathered<'a> {
    /// Adds a put of the value that `head` and `slices` are together. The caller has checked the key's length.
    pub(crate) fn put(
        &mut self,
        keyspace: u32,
        key: &[u8],
        head: &[u8],
        slices: impl Iterator<Item = &'a [u8]> + Clone,
    ) -> Result<()> {
        let slices_len: usize = slices.clone().map(<[u8]>::len).sum();
        let op = op_head(OpKind::Entry(Kind::Put), keyspace, key.len(), head.len() + slices_len)?;
        for part in [&op, key, head] {
            self.bytes.extend_from_slice(part);
        }
        let at = self.bytes.len();
        self.slices.extend(slices.map(|slice| (at, slice)));
        self.slices_len += slices_len;
        Ok(())
    }

    /// Bytes that it takes in the log.
    pub(crate) fn byte_len(&self) -> usize {
        self.bytes.len() + self.slices_len
    }

    /// Adds the slices that it is together to a payload.
    pub(crate) fn append_to<'b>(&'b self, payload: &mut Vec<&'b [u8]>) {
        payload.reserve(2 * self.slices.len());
        let mut from = 0;
        for (at, slice) in &self.slices {
            if *at > from {
                payload.push(&self.bytes[from..*at]);
                from = *at;
            }
            payload.push(slice);
        }
        payload.push(&self.bytes[from..]);
    }

    pub(crate) fn clear(&mut self) {
        self.bytes.clear();
        self.slices.clear();
        self.slices_len = 0;
    }
}

/// The refusal of a key over [`KEY_LEN_MAX`].
#[cold]
pub(crate) fn too_long_key(len: usize) -> Error {
    Error::TooLarge { what: "key", len: len as u64, max: KEY_LEN_MAX as u64 }
}

#[cold]
fn too_long_value(len: usize) -> Error {
    Error::TooLarge { what: "value", len: len as u64, max: u64::from(u32::MAX) }
}

/// The operations of `payload`, in order. The first malformed one ends the iteration with its offset in the payload.
pub(crate) fn decode(payload: &[u8]) -> Decoder<'_> {
    Decoder { payload, at: 0 }
}

/// Iterator of [`decode`].
#[derive(Clone, Debug)]
pub(crate) struct Decoder<'a> {
    payload: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Decoder<'a> {
    type Item = Result<Op<'a>, usize>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.payload.len() {
            return None;
        }
        let op = self.op().ok_or(self.at);
        match &op {
            Ok(op) => self.at = op.value_offset as usize + op.value.len(),
            Err(_) => self.at = self.payload.len(),
        }
        Some(op)
    }
}

impl<'a> Decoder<'a> {
    #[inline]
    fn op(&self) -> Option<Op<'a>> {
        let rest = self.payload.get(self.at..)?;
        let (header, rest) = rest.split_first_chunk::<OP_HEADER_LEN>()?;
        let [kind, k0, k1, v0, v1, v2, v3] = *header;
        let kind = OpKind::from_byte(kind)?;
        let key_len = usize::from(u16::from_le_bytes([k0, k1]));
        let value_len = u32::from_le_bytes([v0, v1, v2, v3]) as usize;
        if !(KEYSPACE_ID_LEN..=KEYSPACE_ID_LEN + KEY_LEN_MAX).contains(&key_len) {
            return None;
        }
        let (key, rest) = rest.split_at_checked(key_len)?;
        let value = rest.get(..value_len)?;
        if !matches!(kind, OpKind::Entry(Kind::Put | Kind::Blob)) && !value.is_empty() {
            return None;
        }
        let value_offset = u32::try_from(self.at + OP_HEADER_LEN + key_len).ok()?;
        Some(Op { kind, key, value, value_offset })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kinds() -> impl Strategy<Value = OpKind> {
        prop_oneof![
            Just(OpKind::Entry(Kind::Put)),
            Just(OpKind::Entry(Kind::Delete)),
            Just(OpKind::Entry(Kind::Blob)),
            Just(OpKind::Floor),
            Just(OpKind::Create),
            Just(OpKind::Drop),
        ]
    }

    proptest! {
        #[test]
        fn round_trip(ops in prop::collection::vec((kinds(), any::<u32>(), prop::collection::vec(any::<u8>(), 0..40), prop::collection::vec(any::<u8>(), 0..40)), 0..20)) {
            let mut batch = Ops::default();
            let mut expected = Vec::new();
            for (kind, keyspace, key, value) in ops {
                let value = if matches!(kind, OpKind::Entry(Kind::Put | Kind::Blob)) { value } else { vec![] };
                batch.push(kind, keyspace, &key, &value).unwrap();
                expected.push((kind, full_key(keyspace, &key), value));
            }
            let found: Vec<_> = decode(batch.payload()).map(|op| op.map(|op| {
                let offset = op.value_offset as usize;
                assert_eq!(&batch.payload()[offset..offset + op.value.len()], op.value);
                (op.kind, op.key.to_vec(), op.value.to_vec())
            })).collect::<Result<_, _>>().unwrap();
            prop_assert_eq!(found, expected);
        }

        #[test]
        fn any_bytes_decode_or_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut again = Ops::default();
            for op in decode(&bytes) {
                let Ok(op) = op else { return Ok(()) };
                again.push(op.kind, op.keyspace(), &op.key[KEYSPACE_ID_LEN..], op.value).unwrap();
            }
            prop_assert_eq!(again.payload(), &bytes[..]);
        }
    }

    /// A key, and a head and pieces of a value.
    type Put<'a> = (&'a [u8], &'a [u8], &'a [&'a [u8]]);

    #[test]
    fn what_is_gathered_is_what_is_pushed() {
        let (mut gathered, mut pushed) = (Gathered::default(), Ops::default());
        let puts: [Put<'_>; 4] = [
            (b"a", b"head", &[b"one", b"", b"two"]),
            (b"b", b"", &[]),
            (b"c", b"only", &[]),
            (b"d", b"", &[b"last"]),
        ];
        for (key, head, slices) in puts {
            gathered.put(7, key, head, slices.iter().copied()).unwrap();
            pushed.push_parts(OpKind::Entry(Kind::Put), 7, key, &[&[head], slices].concat()).unwrap();
        }
        let mut payload = Vec::new();
        gathered.append_to(&mut payload);
        assert_eq!(
            (payload.concat(), gathered.byte_len()),
            (pushed.payload().to_vec(), pushed.payload().len())
        );
        gathered.clear();
        assert_eq!(gathered.byte_len(), 0);
    }

    #[test]
    fn rejects_every_truncation() {
        let mut batch = Ops::default();
        batch.push(OpKind::Entry(Kind::Put), 7, b"key", b"value").unwrap();
        for len in 1..batch.payload().len() {
            assert_eq!(decode(&batch.payload()[..len]).next(), Some(Err(0)), "cut to {len}");
        }
    }
}
