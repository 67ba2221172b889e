use serde::Serialize;

use crate::MethodError;

/// Bound that keeps every token count far from overflow, and a hostile config from asking for gigabytes.
const MAX_AXIS: usize = 1024;

/// The visual tokens of one unit (a frame, or what else the vision tower takes at once), as they come out of the tower and
/// its merger: `time` slices of `rows` x `columns`, row-major.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Grid {
    /// Slices in time; 1 for a frame.
    pub time: usize,
    /// Rows of a slice.
    pub rows: usize,
    /// Columns of a slice.
    pub columns: usize,
}

impl Grid {
    /// A frame's grid.
    pub const fn frame(rows: usize, columns: usize) -> Self {
        Self { time: 1, rows, columns }
    }

    /// A frame's grid of as many rows as columns.
    pub const fn square(side: usize) -> Self {
        Self::frame(side, side)
    }

    /// Tokens in it.
    pub const fn tokens(self) -> usize {
        self.time * self.rows * self.columns
    }

    /// The shorter of rows and columns: the largest stride that leaves each of them something under every mode.
    pub const fn shorter_side(self) -> usize {
        if self.rows < self.columns { self.rows } else { self.columns }
    }

    /// # Errors
    /// An axis of 0, or one beyond any vision tower.
    pub(crate) fn validate(self) -> Result<(), MethodError> {
        match [self.time, self.rows, self.columns].iter().all(|n| (1..=MAX_AXIS).contains(n)) {
            true => Ok(()),
            false => Err(MethodError::Grid { rows: self.rows, columns: self.columns, max: MAX_AXIS }),
        }
    }
}
