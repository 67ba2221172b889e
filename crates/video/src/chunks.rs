//! Walks through the parts of picture files, for what their decoders do not tell. Nothing is unpacked.

use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// More parts than any picture has.
const MAX_PARTS: usize = 1_000_000;

/// The animation bit of a WebP's extended header.
pub(crate) fn is_animated_webp(head: &[u8]) -> bool {
    head.get(12..16) == Some(b"VP8X") && head.get(20).is_some_and(|flags| flags & 2 != 0)
}

/// The contents of a PNG's first chunk of a kind.
pub(crate) fn png_chunk(path: &Path, kind: &[u8; 4]) -> Option<Vec<u8>> {
    let mut file = BufReader::new(File::open(path).ok()?);
    file.seek(SeekFrom::Start(8)).ok()?;
    for _ in 0..MAX_PARTS {
        let mut header = [0; 8];
        file.read_exact(&mut header).ok()?;
        let [a, b, c, d, name @ ..] = header;
        let length = u32::from_be_bytes([a, b, c, d]);
        if name == *kind {
            let mut contents = Vec::new();
            file.take(length.into()).read_to_end(&mut contents).ok()?;
            return Some(contents);
        }
        file.seek_relative(i64::from(length) + 4).ok()?;
    }
    None
}

/// Whether a GIF holds more than one picture.
pub(crate) fn has_two_gif_pictures(path: &Path) -> bool {
    File::open(path)
        .ok()
        .and_then(|file| gif_pictures(BufReader::new(file), 2))
        .is_some_and(|count| count > 1)
}

/// Counts up to `enough` pictures; None for what ends early, or is no GIF.
fn gif_pictures(mut file: BufReader<File>, enough: usize) -> Option<usize> {
    const SCREEN_BYTES: usize = 13;
    const PICTURE_BYTES: usize = 9;
    let mut screen = [0; SCREEN_BYTES];
    file.read_exact(&mut screen).ok()?;
    skip_colours(&mut file, screen[SCREEN_BYTES - 3])?;
    let mut pictures = 0;
    for _ in 0..MAX_PARTS {
        match byte(&mut file)? {
            b'!' => drop(byte(&mut file)?),
            b',' => {
                pictures += 1;
                let mut picture = [0; PICTURE_BYTES];
                file.read_exact(&mut picture).ok()?;
                skip_colours(&mut file, picture[PICTURE_BYTES - 1])?;
                byte(&mut file)?;
            }
            _ => return Some(pictures),
        }
        if pictures == enough {
            return Some(pictures);
        }
        skip_blocks(&mut file)?;
    }
    None
}

/// A table of 2, 4, ... 256 colours, where there is one.
fn skip_colours(file: &mut BufReader<File>, flags: u8) -> Option<()> {
    let bytes = if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    file.seek_relative(bytes).ok()
}

/// Blocks of up to 255 bytes, until an empty one.
fn skip_blocks(file: &mut BufReader<File>) -> Option<()> {
    loop {
        match byte(file)? {
            0 => return Some(()),
            length => file.seek_relative(length.into()).ok()?,
        }
    }
}

fn byte(file: &mut BufReader<File>) -> Option<u8> {
    let mut byte = [0];
    file.read_exact(&mut byte).ok()?;
    Some(byte[0])
}
