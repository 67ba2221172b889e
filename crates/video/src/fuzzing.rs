//! What the fuzz targets (`fuzz/`) call of this crate's inside. No part of its interface.

/// Reads what ffprobe prints: a header in JSON, an empty line, lines of packets.
pub fn probe_tables(printed: &[u8]) {
    crate::probe::read_tables(printed);
}
