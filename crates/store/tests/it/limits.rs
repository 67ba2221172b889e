use crate::{claim, key, put, store};
use longsight_store::{Claim, Store, StoreError};
use proptest::prelude::*;

fn bytes_on_disk(store: &Store) -> u64 {
    let size = |folder: &str| {
        let files = std::fs::read_dir(store.settings().folder.join(folder)).into_iter().flatten();
        files.map(|file| file.unwrap().metadata().unwrap().len()).sum::<u64>()
    };
    size("entries") + size("unfinished")
}

/// Room for the JSON that a builder reserves.
const HEADER: u64 = 70_000;

#[test]
fn the_entry_used_least_recently_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 3 * 100_000 + HEADER);
    for number in 1..=3 {
        put(&store, number, &vec![1; 99_000]);
    }
    // 1 is used again, so 2 is the oldest.
    store.find(&key(1)).unwrap().unwrap();
    put(&store, 4, &vec![1; 99_000]);
    let there = |number| store.find(&key(number)).unwrap().is_some();
    assert_eq!([1, 2, 3, 4].map(there), [true, false, true, true]);
}

#[test]
fn an_entry_larger_than_the_limit_is_refused_and_evicts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 200_000);
    put(&store, 1, b"small");
    let refused = claim(&store, &key(2), 300_000).unwrap_err();
    assert!(matches!(refused, StoreError::TooLarge { .. }) && refused.to_string().contains("--index-size"));
    assert!(store.find(&key(1)).unwrap().is_some());
}

#[test]
fn what_others_are_writing_counts() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 2 * 100_000 + HEADER);
    put(&store, 1, &vec![1; 90_000]);
    let first = claim(&store, &key(2), 90_000).unwrap();
    assert!(matches!(first, Claim::Build(_)));
    let second = claim(&store, &key(3), 90_000);
    assert!(matches!(second, Err(StoreError::TooLarge { .. })), "{second:?}");
    drop(first);
    assert!(matches!(claim(&store, &key(3), 90_000), Ok(Claim::Build(_))));
}

#[test]
fn what_a_killed_process_left_does_not_count() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 100_000 + HEADER);
    put(&store, 1, b"makes the folders");
    std::fs::write(
        store.settings().folder.join("unfinished").join(format!("{}.1.0", key(9).name())),
        vec![0; 100_000],
    )
    .unwrap();
    put(&store, 2, &vec![1; 90_000]);
    assert_eq!(store.abandoned().unwrap().len(), 0);
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_made_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index"), b"a file in its place").unwrap();
    let error = claim(&store(folder.path(), 1 << 20), &key(1), 5).unwrap_err().to_string();
    assert!(error.lines().count() == 1 && error.contains("index"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn the_limit_holds_at_every_moment(sizes in prop::collection::vec(0usize..200_000, 1..12), limit in 100_000u64..500_000) {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path(), limit);
        for (number, size) in sizes.iter().enumerate() {
            match claim(&store, &key(number as u32), *size as u64) {
                Ok(Claim::Build(mut builder)) => {
                    prop_assert!(bytes_on_disk(&store) <= limit);
                    builder.append(&vec![7; *size]).unwrap();
                    builder.finish(serde_json::json!({}), serde_json::json!({})).unwrap();
                }
                Ok(Claim::Ready(_)) => prop_assert!(false, "nobody has built it"),
                Err(error) => prop_assert!(matches!(error, StoreError::TooLarge { .. }), "{error}"),
            }
            prop_assert!(bytes_on_disk(&store) <= limit);
        }
        prop_assert!(store.verify().unwrap().iter().all(|verdict| verdict.problem.is_none()));
    }
}
