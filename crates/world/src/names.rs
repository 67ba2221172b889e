//! Enums whose members have a name each: on the command line, in files and in questions alike.

/// Gives a field-less enum `ALL`, `name`, `Display`, `FromStr` (one line that lists the names) and serde by name.
macro_rules! named {
    ($type:ident, $what:literal, { $($member:ident => $name:literal),+ $(,)? }) => {
        impl $type {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$member),+];

            /// Its name, in lower case.
            pub fn name(self) -> &'static str {
                match self { $(Self::$member => $name),+ }
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.name())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::WorldError;

            fn from_str(text: &str) -> $crate::Result<Self> {
                Self::ALL.iter().copied().find(|member| member.name() == text).ok_or_else(|| {
                    let names: Vec<_> = Self::ALL.iter().map(|member| member.name()).collect();
                    $crate::WorldError::setting(format!(
                        concat!("{:?} is no ", $what, "; one of: {}"), text, names.join(", ")
                    ))
                })
            }
        }

        impl serde::Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.name())
            }
        }

        impl<'de> serde::Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let name = String::deserialize(deserializer)?;
                name.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

pub(crate) use named;
