//! Panics of other libraries, on what a checkpoint holds, as errors: one place.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Stack of a thread that walks syntax trees of templates, which nest as deep as their authors like.
const STACK_BYTES: usize = 64 << 20;

/// What `compute` gives.
///
/// # Errors
/// The words of its panic. What it changed before is not to be used any more.
pub(crate) fn caught<T>(compute: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(compute)).map_err(|panic| words(&*panic))
}

/// The same on a thread with a large stack.
///
/// # Errors
/// As [`caught`], and where there is no room for a thread.
pub(crate) fn on_large_stack<T: Send>(compute: impl FnOnce() -> T + Send) -> Result<T, String> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, compute);
        let thread = thread.map_err(|e| format!("no thread for it ({e}): is there memory?"))?;
        thread.join().map_err(|panic| words(&*panic))
    })
}

fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no words");
    format!("a fault in the library that reads it ({text}): is the file damaged?")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The library's panic is stood in for by one of ours.
    #[test]
    fn a_panic_is_an_error_with_its_words() {
        let index = std::hint::black_box(7);
        for result in [caught(|| [1, 2][index]), on_large_stack(|| [1, 2][index])] {
            let error = result.unwrap_err();
            assert!(error.contains("index out of bounds") && error.contains("damaged"), "{error}");
        }
        assert_eq!((caught(|| 3), on_large_stack(|| 4)), (Ok(3), Ok(4)));
    }
}
