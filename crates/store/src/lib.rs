//! Results on disk, found again by what they were computed from. Knows no video and no model.
//!
//! An [`Entry`] is one file: the payload, a JSON object about it, and a footer with lengths and a BLAKE3 digest of both.
//! Its name is the digest of its [`Key`], a JSON description of everything the payload depends on. There is no catalogue
//! besides the files themselves, so none can disagree with them: listing a folder and reading footers is the catalogue.
//! redb and SQLite were considered: both would hold a catalogue of what the files say anyway, and entries of hundreds of MB are
//! written once and mapped.
//!
//! - Written to a temporary file, synced, then renamed: an entry is whole or absent, whatever kills the writer.
//! - Checked when it is opened: a damaged entry is removed and reported, and its caller computes it anew.
//! - A size limit holds at every moment: a writer reserves its bytes, and entries used least recently make room.
//! - Several processes: one builds an entry, the others wait for it ([`Store::claim`]). Locks are the system's, so they end
//!   with the process that holds them.
//!
//! Reading order: [`Store`], [`Key`], `entry.rs` (the format), `build.rs` (writing), `upkeep.rs`, `digest.rs`.

mod build;
mod digest;
mod entry;
mod error;
mod key;
mod lock;
mod store;
mod upkeep;

pub use build::{Builder, Claim};
pub use digest::FileDigests;
pub use entry::{Entry, EntryInfo};
pub use error::StoreError;
pub use key::Key;
pub use store::{Store, StoreSettings};
pub use upkeep::{Garbage, Verdict};

/// The digest of a text, as hexadecimal digits.
pub fn text_digest(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

/// Result with this crate's error.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;
