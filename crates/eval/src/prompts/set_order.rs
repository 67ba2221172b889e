//! The order in which CPython iterates a set of integers: lmms-eval's subtitles come in it.

/// Slots that are tried after the first one before jumping elsewhere.
const LINEAR_PROBES: usize = 9;
/// Bits of the hash that each jump brings in.
const PERTURB_SHIFT: u32 = 5;
/// Slots of an empty set; a power of two, as every later number of them.
const MIN_SLOTS: usize = 8;
/// Stored keys above which a table grows by less.
const LARGE: usize = 50_000;

/// `list(set(values))` of CPython 3.7 to 3.13 (`Objects/setobject.c`). Values must be below 2^61 - 1, which hash to
/// themselves.
pub fn cpython_set_order(values: impl IntoIterator<Item = usize>) -> Vec<usize> {
    let mut set = IntegerSet { slots: vec![None; MIN_SLOTS], used: 0 };
    for value in values {
        set.insert(value);
    }
    set.slots.into_iter().flatten().collect()
}

/// An open-addressing table whose values are their own hashes.
struct IntegerSet {
    slots: Vec<Option<usize>>,
    used: usize,
}

impl IntegerSet {
    fn insert(&mut self, value: usize) {
        let slot = self.slot(value);
        if self.slots[slot].is_some() {
            return;
        }
        self.slots[slot] = Some(value);
        self.used += 1;
        let mask = self.slots.len() - 1;
        if self.used * 5 >= mask * 3 {
            self.grow();
        }
    }

    /// Where `value` is, or else the empty slot where it belongs. There is always one: two fifths are empty.
    fn slot(&self, value: usize) -> usize {
        let mask = self.slots.len() - 1;
        let mut perturb = value;
        let mut at = value & mask;
        loop {
            let probed = if at + LINEAR_PROBES <= mask { at..=at + LINEAR_PROBES } else { at..=at };
            for slot in probed {
                if self.slots[slot].is_none_or(|stored| stored == value) {
                    return slot;
                }
            }
            perturb >>= PERTURB_SHIFT;
            at = at.wrapping_mul(5).wrapping_add(1).wrapping_add(perturb) & mask;
        }
    }

    fn grow(&mut self) {
        let above = if self.used > LARGE { self.used * 2 } else { self.used * 4 };
        let slots = (above + 1).next_power_of_two().max(MIN_SLOTS);
        for value in std::mem::replace(&mut self.slots, vec![None; slots]).into_iter().flatten() {
            let slot = self.slot(value);
            self.slots[slot] = Some(value);
        }
    }
}
