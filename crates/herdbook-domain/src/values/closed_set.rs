//! Closed sets of words: enums with one table of spellings.

/// A text that is not a member of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{text}`: valid are {}", valid.join(", "))]
pub struct UnknownWord {
    /// The name of the set, such as `stage`.
    pub what: &'static str,
    /// The text as given.
    pub text: String,
    /// Every valid spelling.
    pub valid: &'static [&'static str],
}

/// Declares a closed set: the enum, `ALL`, `NAMES`, `as_str`, and `Display`, `FromStr` and serde by the spelling.
macro_rules! closed_set {
    (
        $(#[$meta:meta])*
        $name:ident, $what:literal { $( $(#[$variant_meta:meta])* $variant:ident = $text:literal, )+ }
    ) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $( $(#[$variant_meta])* #[serde(rename = $text)] $variant, )+
        }

        impl $name {
            /// Every member, in the order of the set.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Every spelling, in the order of the set.
            pub const NAMES: &'static [&'static str] = &[$($text),+];

            /// The spelling in tags, flags and JSON.
            pub const fn as_str(self) -> &'static str {
                Self::NAMES[self as usize]
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::values::closed_set::UnknownWord;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|member| member.as_str() == text)
                    .ok_or_else(|| $crate::values::closed_set::UnknownWord {
                        what: $what,
                        text: text.to_owned(),
                        valid: Self::NAMES,
                    })
            }
        }
    };
}

pub(crate) use closed_set;
