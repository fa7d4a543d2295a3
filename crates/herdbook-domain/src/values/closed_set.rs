//! Closed sets of words: enums with one table of spellings.

/// A text that is not a member of a closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown {what} `{text}`: {}valid are {}", did_you_mean(*.meant), valid.join(", "))]
pub struct UnknownWord {
    /// The name of the set, such as `stage`.
    pub what: &'static str,
    /// The text as given.
    pub text: String,
    /// The valid spelling that was probably meant.
    pub meant: Option<&'static str>,
    /// Every valid spelling.
    pub valid: &'static [&'static str],
}

fn did_you_mean(meant: Option<&str>) -> String {
    meant.map(|meant| format!("did you mean `{meant}`? ")).unwrap_or_default()
}

/// The spelling that differs from a text only in upper and lower case, or in white space around it.
pub(crate) fn in_other_case(text: &str, valid: &[&'static str]) -> Option<&'static str> {
    valid.iter().copied().find(|word| word.eq_ignore_ascii_case(text.trim()))
}

/// Declares a closed set: the enum, `ALL`, `NAMES`, `as_str`, and `Display`, `FromStr` and serde by the spelling.
macro_rules! closed_set {
    (
        $(#[$meta:meta])*
        $name:ident, $what:literal $(, $meant:path)? { $( $(#[$variant_meta:meta])* $variant:ident = $text:literal, )+ }
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
                    .ok_or_else(|| {
                        let meant = $crate::values::closed_set::in_other_case(text, Self::NAMES);
                        $( let meant = meant.or_else(|| $meant(text)); )?
                        $crate::values::closed_set::UnknownWord {
                            what: $what,
                            text: text.to_owned(),
                            meant,
                            valid: Self::NAMES,
                        }
                    })
            }
        }
    };
}

pub(crate) use closed_set;
