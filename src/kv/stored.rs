//! Records field by field: each type says once how it lies in bytes, and both directions follow.

use crate::clock::Timestamp;
use crate::codec::{Malformed, Reader, Writer};

/// What a record is made of.
pub(crate) trait Stored: Sized {
    /// The fewest bytes it takes, so that a count can be checked against what is there.
    const LEN_MIN: usize = 1;

    fn store(&self, to: &mut Writer);

    fn load(from: &mut Reader<'_>, what: &'static str) -> Result<Self, Malformed>;
}

/// A struct, field after field.
macro_rules! stored {
    ($Struct:ident { $($field:ident),+ $(,)? }) => {
        impl crate::kv::stored::Stored for $Struct {
            fn store(&self, to: &mut crate::codec::Writer) {
                $(crate::kv::stored::Stored::store(&self.$field, to);)+
            }

            fn load(
                from: &mut crate::codec::Reader<'_>,
                _: &'static str,
            ) -> Result<Self, crate::codec::Malformed> {
                Ok(Self { $($field: crate::kv::stored::Stored::load(from, stringify!($field))?,)+ })
            }
        }
    };
}

/// An enum of [`named`](crate::kv::names::named), as the number written here.
macro_rules! stored_enum {
    ($Enum:ident { $($Value:ident = $code:literal),+ $(,)? }) => {
        impl crate::kv::stored::Stored for $Enum {
            fn store(&self, to: &mut crate::codec::Writer) {
                to.u8(match self { $(Self::$Value => $code,)+ });
            }

            fn load(
                from: &mut crate::codec::Reader<'_>,
                what: &'static str,
            ) -> Result<Self, crate::codec::Malformed> {
                let before = from.clone();
                match from.u8(what)? {
                    $($code => Ok(Self::$Value),)+
                    other => Err(before.malformed(what, concat!("a ", stringify!($Enum)), other)),
                }
            }
        }
    };
}

pub(crate) use {stored, stored_enum};

impl Stored for bool {
    fn store(&self, to: &mut Writer) {
        to.u8(u8::from(*self));
    }

    fn load(from: &mut Reader<'_>, what: &'static str) -> Result<Self, Malformed> {
        let before = from.clone();
        match from.u8(what)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(before.malformed(what, "0 or 1", other)),
        }
    }
}

impl Stored for u32 {
    const LEN_MIN: usize = 4;

    fn store(&self, to: &mut Writer) {
        to.u32(*self);
    }

    fn load(from: &mut Reader<'_>, what: &'static str) -> Result<Self, Malformed> {
        from.u32(what)
    }
}

impl Stored for u64 {
    const LEN_MIN: usize = 8;

    fn store(&self, to: &mut Writer) {
        to.u64(*self);
    }

    fn load(from: &mut Reader<'_>, what: &'static str) -> Result<Self, Malformed> {
        from.u64(what)
    }
}

impl Stored for i64 {
    const LEN_MIN: usize = 8;

    fn store(&self, to: &mut Writer) {
        to.u64(self.cast_unsigned());
    }

    fn load(from: &mut Reader<'_>, what: &'static str) -> Result<Self, Malformed> {
        from.u64(what).map(u64::cast_signed)
    }
}

impl Stored for u128 {
    const LEN_MIN: usize = 16;

    fn store(&self, to: &mut Writer) {
        to.u128(*self);
    }

    fn load(from: &mut Reader<'_>, what: &'static str) -> Result<Self, Malformed> {
        from.u128(what)
    }
}

impl Stored for Timestamp {
    const LEN_MIN: usize = 8;

    fn store(&self, to: &mut Writer) {
        to.u64(self.as_millis());
    }

    fn load(from: &mut Reader<'_>, what: &'static str) -> Result<Self, Malformed> {
        from.u64(what).map(Self::from_millis)
    }
}

impl Stored for String {
    const LEN_MIN: usize = 4;

    fn store(&self, to: &mut Writer) {
        to.bytes(self.as_bytes());
    }

    fn load(from: &mut Reader<'_>, what: &'static str) -> Result<Self, Malformed> {
        let before = from.clone();
        let bytes = from.bytes(what)?;
        String::from_utf8(bytes.to_vec()).map_err(|error| before.malformed(what, "UTF-8", error))
    }
}

impl<T: Stored> Stored for Option<T> {
    fn store(&self, to: &mut Writer) {
        self.is_some().store(to);
        if let Some(value) = self {
            value.store(to);
        }
    }

    fn load(from: &mut Reader<'_>, what: &'static str) -> Result<Self, Malformed> {
        bool::load(from, what)?.then(|| T::load(from, what)).transpose()
    }
}

impl<T: Stored> Stored for Vec<T> {
    const LEN_MIN: usize = 4;

    fn store(&self, to: &mut Writer) {
        to.count(self.len());
        for item in self {
            item.store(to);
        }
    }

    fn load(from: &mut Reader<'_>, what: &'static str) -> Result<Self, Malformed> {
        let count = from.count(T::LEN_MIN, what)?;
        (0..count).map(|_| T::load(from, what)).collect()
    }
}

impl<A: Stored, B: Stored> Stored for (A, B) {
    const LEN_MIN: usize = A::LEN_MIN + B::LEN_MIN;

    fn store(&self, to: &mut Writer) {
        self.0.store(to);
        self.1.store(to);
    }

    fn load(from: &mut Reader<'_>, what: &'static str) -> Result<Self, Malformed> {
        Ok((A::load(from, what)?, B::load(from, what)?))
    }
}
