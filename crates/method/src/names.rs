//! One table of names a type: the same text on the command line, in settings files and in receipts.

/// Gives a fieldless enum `ALL`, `name`, `Display`, `FromStr` and the string conversions that serde uses.
macro_rules! named_enum {
    ($type:ident, $what:literal, { $($variant:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// Every value, in the order in which messages list them.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];

            /// The name used in settings, receipts and messages.
            pub const fn name(self) -> &'static str {
                match self { $($type::$variant => $name),+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::MethodError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|value| value.name() == text).ok_or_else(|| {
                    $crate::MethodError::UnknownName {
                        what: $what,
                        given: text.to_owned(),
                        accepted: [$($name),+].join(", "),
                    }
                })
            }
        }

        $crate::names::string_conversions!($type);
    };
}

/// What `#[serde(try_from = "String", into = "String")]` needs, from `FromStr` and `Display`.
macro_rules! string_conversions {
    ($type:ident) => {
        impl TryFrom<String> for $type {
            type Error = $crate::MethodError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                text.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> String {
                value.to_string()
            }
        }
    };
}

pub(crate) use named_enum;
pub(crate) use string_conversions;
