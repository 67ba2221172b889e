//! What the fuzz targets (`fuzz/`) call of this crate's inside. No part of its interface.

/// Reads a body as each kind of request.
pub fn requests(body: &[u8]) {
    crate::wire::read_all(body);
}
