//! Large blocks that were freed and wait for the next of their size: the layers of a model ask for the same sizes again and
//! again, and a fresh mapping costs a page fault and the clearing of every page.

use super::mapping::unmap;
use std::sync::Mutex;

/// Most bytes of freed large blocks that wait. A frame of SigLIP in a LLaVA-OneVision tower frees about 40 MiB a layer.
pub const MOST_SPARE_BYTES: usize = 48 << 20;
/// Most blocks that wait.
const MOST_BLOCKS: usize = 24;

/// The blocks, oldest first; no `Vec`, since an allocator must not allocate.
struct Spare {
    blocks: [(usize, usize); MOST_BLOCKS], // address and bytes
    count: usize,
}

static SPARE: Mutex<Spare> = Mutex::new(Spare { blocks: [(0, 0); MOST_BLOCKS], count: 0 });

/// A block of exactly so many bytes, with whatever was in it. None too when another thread is at it.
pub(super) fn take(bytes: usize) -> Option<*mut u8> {
    SPARE.try_lock().ok()?.take(bytes).map(|address| address as *mut u8)
}

/// Keeps a block, which nobody uses any more, or returns it to the system.
pub(super) fn keep(block: *mut u8, bytes: usize) {
    match SPARE.try_lock() {
        Ok(mut spare) if bytes <= MOST_SPARE_BYTES => {
            while let Some((address, bytes)) = spare.too_many(bytes) {
                unmap(address as *mut u8, bytes);
            }
            spare.push(block as usize, bytes);
        }
        _ => unmap(block, bytes),
    }
}

impl Spare {
    /// The latest, since it is most likely in a cache.
    fn take(&mut self, bytes: usize) -> Option<usize> {
        let index = self.blocks[..self.count].iter().rposition(|block| block.1 == bytes)?;
        Some(self.remove(index).0)
    }

    /// Removes the oldest block where `bytes` more have no place.
    fn too_many(&mut self, bytes: usize) -> Option<(usize, usize)> {
        let held: usize = self.blocks[..self.count].iter().map(|block| block.1).sum();
        let full = self.count == MOST_BLOCKS || held + bytes > MOST_SPARE_BYTES;
        (full && self.count > 0).then(|| self.remove(0))
    }

    fn remove(&mut self, index: usize) -> (usize, usize) {
        let block = self.blocks[index];
        self.blocks.copy_within(index + 1..self.count, index);
        self.count -= 1;
        block
    }

    fn push(&mut self, address: usize, bytes: usize) {
        self.blocks[self.count] = (address, bytes);
        self.count += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_of_a_size_comes_back_and_the_oldest_make_room() {
        let mut spare = Spare { blocks: [(0, 0); MOST_BLOCKS], count: 0 };
        for address in 1..=3 {
            assert_eq!(spare.too_many(100), None);
            spare.push(address, 100);
        }
        spare.push(4, 200);
        assert_eq!([spare.take(100), spare.take(150), spare.take(200)], [Some(3), None, Some(4)]);
        assert_eq!(spare.too_many(MOST_SPARE_BYTES - 150), Some((1, 100)));
        assert_eq!(spare.too_many(MOST_SPARE_BYTES - 150), None);
        assert_eq!([spare.take(100), spare.take(100)], [Some(2), None]);
        for address in 0..MOST_BLOCKS {
            spare.push(address, 1);
        }
        assert_eq!(spare.too_many(1), Some((0, 1)));
        assert_eq!(spare.too_many(1), None);
        assert_eq!(spare.count, MOST_BLOCKS - 1);
    }
}
