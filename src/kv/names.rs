//! Enums whose values the service names by words.

/// An enum with its words: `name` says the word, `from_name` finds the value.
macro_rules! named {
    (
        $(#[$meta:meta])*
        pub enum $Enum:ident { $($(#[$note:meta])* $Value:ident = $word:literal,)+ }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $Enum { $($(#[$note])* $Value,)+ }

        impl $Enum {
            /// Every value, in the order of the declaration.
            pub const ALL: &'static [Self] = &[$(Self::$Value),+];

            /// The service's word for it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$Value => $word,)+ }
            }

            /// The value that the service calls so.
            pub fn from_name(name: &str) -> Option<Self> {
                match name { $($word => Some(Self::$Value),)+ _ => None }
            }
        }

        impl std::fmt::Display for $Enum {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

pub(crate) use named;
