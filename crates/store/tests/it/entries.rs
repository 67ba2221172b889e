use crate::{claim, key, put, store};
use longsight_store::{Claim, StoreError};
use serde_json::json;
use std::sync::mpsc;
use std::time::Duration;

#[test]
fn an_entry_is_found_by_what_it_was_computed_from() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1 << 20);
    assert!(store.find(&key(1)).unwrap().is_none() && store.list().unwrap().is_empty());
    put(&store, 1, b"payload");
    let entry = store.find(&key(1)).unwrap().unwrap();
    assert_eq!((entry.payload(), entry.layout()), (&b"payload"[..], &json!({ "bytes": 7 })));
    assert!(store.find(&key(2)).unwrap().is_none());
    let list = store.list().unwrap();
    assert_eq!((list.len(), &list[0].about, &list[0].kind[..]), (1, &json!({ "about": 1 }), "test"));
    assert!(list[0].key.is_object());
    store.remove(&list[0]).unwrap();
    assert!(store.find(&key(1)).unwrap().is_none());
}

#[test]
fn one_builds_and_the_others_wait_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1 << 20);
    let Claim::Build(mut builder) = claim(&store, &key(1), 4).unwrap() else { panic!("nobody has built it") };
    let (waiting, waits) = mpsc::channel();
    let other = store.clone();
    let second = std::thread::spawn(move || {
        let mut wait = || waiting.send(()).is_ok();
        other.claim(&key(1), 4, &mut wait, &mut |_| ()).map(|claim| matches!(claim, Claim::Ready(_)))
    });
    waits.recv_timeout(Duration::from_secs(60)).expect("the second one waits");
    builder.append(b"once").unwrap();
    builder.finish(json!({}), json!({})).unwrap();
    assert!(matches!(second.join().unwrap(), Ok(true)), "it finds what the first one built");
    assert_eq!(store.find(&key(1)).unwrap().unwrap().payload(), b"once");
}

#[test]
fn waiting_can_be_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1 << 20);
    let _builder = claim(&store, &key(1), 4).unwrap();
    let stopped = store.claim(&key(1), 4, &mut || false, &mut |_| ());
    assert!(matches!(stopped, Err(StoreError::Stopped)));
}

#[test]
fn a_builder_that_gives_up_leaves_the_entry_to_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1 << 20);
    let Claim::Build(mut builder) = claim(&store, &key(1), 4).unwrap() else { panic!("nobody has built it") };
    builder.append(b"half").unwrap();
    drop(builder);
    assert!(store.find(&key(1)).unwrap().is_none());
    assert_eq!(std::fs::read_dir(store.settings().folder.join("unfinished")).unwrap().count(), 0);
    put(&store, 1, b"whole");
    assert_eq!(store.find(&key(1)).unwrap().unwrap().payload(), b"whole");
}

#[test]
fn entries_of_different_keys_are_built_at_the_same_time() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(folder.path(), 1 << 20);
    let first = claim(&store, &key(1), 4).unwrap();
    let second = claim(&store, &key(2), 4).unwrap();
    assert!(matches!((first, second), (Claim::Build(_), Claim::Build(_))));
}
