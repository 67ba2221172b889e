use crate::{claim, key, put, store};
use longsight_store::{Claim, StoreError};
use proptest::prelude::*;

/// A damaged entry is reported once, removed, and can be built anew.
fn is_detected(damage: impl FnOnce(&mut Vec<u8>)) {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1 << 20);
    let path = put(&store, 1, b"some bytes that matter");
    let mut bytes = std::fs::read(&path).unwrap();
    let whole = bytes.clone();
    damage(&mut bytes);
    if bytes == whole {
        return;
    }
    std::fs::write(&path, &bytes).unwrap();
    assert!(store.verify().unwrap()[0].problem.is_some(), "verify");
    assert!(path.exists(), "verify removes nothing");
    let error = store.find(&key(1)).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(error.to_string().lines().count() == 1 && !path.exists());
    assert!(store.find(&key(1)).unwrap().is_none());
    put(&store, 1, b"again");
    assert!(store.verify().unwrap()[0].problem.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn a_flipped_bit_anywhere(place in 0f64..1.0, bit in 0u8..8) {
        is_detected(|bytes| {
            let at = (place * bytes.len() as f64) as usize;
            bytes[at] ^= 1 << bit;
        });
    }

    #[test]
    fn a_file_cut_anywhere(place in 0f64..1.0) {
        is_detected(|bytes| bytes.truncate((place * bytes.len() as f64) as usize));
    }

    #[test]
    fn bytes_of_something_else(other in prop::collection::vec(any::<u8>(), 0..300)) {
        is_detected(|bytes| *bytes = other);
    }
}

#[test]
fn a_byte_too_many() {
    is_detected(|bytes| bytes.push(0));
}

#[test]
fn claiming_a_damaged_entry_tells_and_builds_it_anew() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1 << 20);
    let path = put(&store, 1, b"some bytes");
    std::fs::write(&path, b"rubbish").unwrap();
    let mut told = Vec::new();
    let claim = store.claim(&key(1), 5, &mut || true, &mut |error| told.push(error.to_string())).unwrap();
    assert!(matches!(claim, Claim::Build(_)));
    assert!(told.len() == 1 && told[0].contains("damaged"), "{told:?}");
}

#[test]
fn another_entry_under_its_name_is_not_taken_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1 << 20);
    let (first, second) =
        (put(&store, 1, b"one"), store.settings().folder.join("entries").join(key(2).name()));
    std::fs::rename(first, second).unwrap();
    assert!(store.find(&key(2)).unwrap().is_none());
    assert!(matches!(claim(&store, &key(2), 3).unwrap(), Claim::Build(_)));
}

/// A folder that was named by mistake: its files are its owner's.
#[test]
fn files_that_the_store_did_not_write_are_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1000);
    for place in ["entries", "unfinished", "digests"] {
        let place = folder.path().join("index").join(place);
        std::fs::create_dir_all(place.join("a-folder")).unwrap();
        for name in ["a.txt", "kv-holiday", "thesis.1.0", "0123"] {
            std::fs::write(place.join(name), b"precious").unwrap();
        }
    }
    assert!(store.list().unwrap().is_empty() && store.verify().unwrap().is_empty());
    let garbage = store.collect_garbage().unwrap();
    assert_eq!((garbage.bytes, garbage.damaged.len(), garbage.unfinished.len()), (0, 0, 0));
    for place in ["entries", "unfinished", "digests"] {
        let left = std::fs::read_dir(folder.path().join("index").join(place)).unwrap().count();
        assert_eq!(left, 5, "{place}");
    }
}

#[test]
fn garbage_is_collected_and_whole_entries_stay() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1 << 20);
    put(&store, 1, b"whole");
    let damaged = put(&store, 2, b"to be damaged");
    std::fs::write(&damaged, b"x").unwrap();
    let left = store.settings().folder.join("unfinished").join(format!("{}.1.0", key(9).name()));
    std::fs::write(&left, vec![0; 1000]).unwrap();
    assert!(store.abandoned().unwrap().iter().eq([&left]));
    let Claim::Build(alive) = claim(&store, &key(3), 100).unwrap() else { panic!("nobody has built it") };
    let garbage = store.collect_garbage().unwrap();
    assert_eq!(garbage.damaged, [key(2).name()]);
    assert!(garbage.evicted.is_empty() && !left.exists() && !damaged.exists());
    drop(alive);
    assert_eq!(store.list().unwrap().len(), 1);
}
