//! The outermost boxes of an MP4, MOV or HEIF file: enough to tell a truncated one from one that is none, and a turned picture.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

const FIRST_BOXES: [&[u8; 4]; 9] =
    [b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot", b"styp", b"uuid"];
const MAX_BOXES: usize = 10_000;
/// Properties of a HEIF picture lie in its first box of metadata, which is small.
const MAX_META_BYTES: u64 = 1 << 20;

/// Whether the file begins as MP4 and MOV files do.
pub(super) fn looks_like_mp4(path: &Path) -> bool {
    File::open(path).ok().and_then(|mut file| box_header(&mut file)).is_some_and(|(kind, _)| is_first(&kind))
}

/// Whether a box reaches beyond the end of the file, or the index is missing.
pub(super) fn is_cut_short(path: &Path) -> bool {
    looks_like_mp4(path) && File::open(path).ok().and_then(|file| ends_early(file).ok()).unwrap_or(false)
}

fn ends_early(mut file: File) -> std::io::Result<bool> {
    let length = file.metadata()?.len();
    let mut position = 0;
    let mut has_index = false;
    for _ in 0..MAX_BOXES {
        if position == length {
            break;
        }
        file.seek(SeekFrom::Start(position))?;
        let Some((kind, size)) = box_header(&mut file) else { return Ok(true) };
        has_index |= &kind == b"moov";
        match position.checked_add(if size == 0 { length - position } else { size }) {
            Some(end) if end <= length => position = end,
            _ => return Ok(true),
        }
    }
    Ok(!has_index)
}

/// Whether a HEIF file has a property that turns (`irot`, by more than 0 degrees) or mirrors (`imir`) a picture.
pub(super) fn turns_a_picture(path: &Path) -> bool {
    let Some(meta) = File::open(path).ok().and_then(|file| metadata(file).ok().flatten()) else {
        return false;
    };
    meta.windows(5).any(|property| match property {
        [b'i', b'r', b'o', b't', quarters] => quarters & 3 != 0,
        [b'i', b'm', b'i', b'r', _] => true,
        _ => false,
    })
}

/// The beginning of the outermost `meta` box.
fn metadata(mut file: File) -> std::io::Result<Option<Vec<u8>>> {
    let mut position = 0;
    for _ in 0..MAX_BOXES {
        file.seek(SeekFrom::Start(position))?;
        match box_header(&mut file) {
            Some((kind, size)) if &kind == b"meta" => {
                let mut bytes = Vec::new();
                file.take(size.min(MAX_META_BYTES)).read_to_end(&mut bytes)?;
                return Ok(Some(bytes));
            }
            Some((_, size @ 1..)) => position = position.saturating_add(size),
            _ => break,
        }
    }
    Ok(None)
}

fn is_first(kind: &[u8; 4]) -> bool {
    FIRST_BOXES.contains(&kind)
}

/// Kind and size of the box that begins here; size 0 reaches to the end of the file.
fn box_header(file: &mut impl Read) -> Option<([u8; 4], u64)> {
    let mut header = [0; 8];
    file.read_exact(&mut header).ok()?;
    let [a, b, c, d, kind @ ..] = header;
    let size = u64::from(u32::from_be_bytes([a, b, c, d]));
    match size {
        1 => {
            let mut large = [0; 8];
            file.read_exact(&mut large).ok()?;
            Some((kind, u64::from_be_bytes(large))).filter(|&(_, size)| size >= 16)
        }
        2..8 => None,
        _ => Some((kind, size)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(content: &[u8], check: fn(&Path) -> bool) -> bool {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        check(file.path())
    }

    #[test]
    fn a_turned_picture() {
        let file = |properties: &[u8]| {
            let size = [0, 0, 0, 8 + properties.len() as u8];
            [b"\0\0\0\x10ftypavif\0\0\0\0", &size[..], b"meta", properties, b"\0\0\0\x08mdat"].concat()
        };
        assert!(with(&file(b"\0\0\0\x09irot\x03"), turns_a_picture));
        assert!(with(&file(b"\0\0\0\x09imir\0"), turns_a_picture));
        for straight in [b"\0\0\0\x09irot\0".as_slice(), b"\0\0\0\x09ispe\x03", b"", b"irot"] {
            assert!(!with(&file(straight), turns_a_picture), "{straight:?}");
        }
        assert!(!with(b"\0\0\0\x10ftypavif\0\0\0\0\0\0\0\x10mdat\0\0\0irot\x01", turns_a_picture));
    }

    #[test]
    fn whole_and_cut_files() {
        let whole = [
            b"\0\0\0\x10ftypisom\0\0\0\0".as_slice(),
            b"\0\0\0\x08moov",
            b"\0\0\0\x01mdat\0\0\0\0\0\0\0\x12xx",
        ]
        .concat();
        assert!(!with(&whole, is_cut_short));
        assert!(with(&whole[..whole.len() - 1], is_cut_short));
        assert!(with(&whole[..20], is_cut_short));
        assert!(with(&whole[..16], is_cut_short), "no index");
        assert!(!with(&[&whole[..24], b"\0\0\0\0mdatxyz"].concat(), is_cut_short), "size 0: to the end");
        assert!(with(
            &[&whole[..24], b"\0\0\0\x01mdat\xff\xff\xff\xff\xff\xff\xff\xff"].concat(),
            is_cut_short
        ));
        for other in [b"".as_slice(), b"It was a dark and stormy night", b"\0\0\0\x02ftyp", b"\0\0\0"] {
            assert!(!with(other, looks_like_mp4) && !with(other, is_cut_short));
        }
    }
}
