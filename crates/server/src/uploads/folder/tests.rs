#![allow(clippy::unwrap_used)]

use super::super::{FILE, UPLOAD};
use super::*;
use crate::Limits;

const ID: &str = "0123456789abcdef01234567";

fn limits(storage_bytes: u64) -> Limits {
    Limits {
        body_bytes: 1000,
        text_bytes: 1000,
        text_tokens: 1000,
        idle_secs: 1,
        body_secs: 1,
        connections: 10,
        upload_bytes: 1000,
        storage_bytes,
        unfinished_secs: 3600,
        duration_secs: 10.0,
        frames: 10,
        answer_tokens: 10,
        queue: 1,
        shutdown_secs: 1,
    }
}

fn description(prefix: &str) -> String {
    format!(r#"{{"id":"{prefix}{ID}","bytes":3,"filename":"a.mp4","created_at":1,"purpose":"user_data"}}"#)
}

/// Every state in which a kill can leave a folder, in today's and in earlier versions' order of writing: the bytes that
/// came are there afterwards, as a file or as an upload that goes on.
#[test]
fn an_upload_is_whole_or_goes_on_wherever_a_kill_left_it() {
    let (file, upload) = (format!("{FILE}{ID}"), format!("{UPLOAD}{ID}"));
    for (endings, is_whole) in [
        (&[".json", ".part"][..], false),
        (&[".json", ""], true),
        (&[".part.json", ".part"], false),
        (&[".part.json", ""], true),
        (&[".json", ".part.json", ""], true),
    ] {
        let folder = tempfile::tempdir().unwrap();
        for ending in endings {
            let content = if ending.ends_with("json") { description(UPLOAD) } else { "abc".to_owned() };
            std::fs::write(folder.path().join(format!("{ID}{ending}")), content).unwrap();
        }
        std::fs::write(folder.path().join(".tmpAb3xY9"), "{").unwrap();
        let uploads = Uploads::open(folder.path(), &limits(1000)).unwrap();
        assert!(!folder.path().join(".tmpAb3xY9").exists());
        assert_eq!(uploads.info(&file).is_ok(), is_whole, "{endings:?}");
        assert_eq!(uploads.progress(&upload).is_ok(), !is_whole, "{endings:?}");
        let info = uploads.complete(&upload).unwrap();
        assert_eq!((info.id.as_str(), info.bytes), (file.as_str(), 3));
        assert_eq!(std::fs::read(uploads.path(&file).unwrap()).unwrap(), b"abc");
        assert_eq!(uploads.complete(&upload).unwrap().id, file, "asked again");
        uploads.remove(&file).unwrap();
        assert!(uploads.all_digits().unwrap().is_empty(), "{endings:?}");
    }
}

#[test]
fn what_is_no_upload_is_swept_and_what_cannot_be_read_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    put(&format!("{ID}.part"), "abc"); // begun, and never described to anyone
    let other = ID.replace('0', "f");
    put(&format!("{other}.json"), "{"); // damaged
    put(&other, "abc");
    put("notes.txt", "not the server's");
    let uploads = Uploads::open(folder.path(), &limits(1000)).unwrap();
    let mut names = uploads.names().unwrap();
    names.sort();
    assert_eq!(
        names,
        [other.clone(), format!("{other}.json"), "notes.txt".into(), "scratch".into(), "server.lock".into()]
    );
}

#[test]
fn bytes_count_when_they_come_and_one_server_has_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let uploads = Uploads::open(folder.path(), &limits(10)).unwrap();
    assert!(matches!(Uploads::open(folder.path(), &limits(10)), Err(crate::ServeError::FolderInUse(_))));
    let ids: Vec<String> = (0..3).map(|_| uploads.begin("a", 8, "x").unwrap().id).collect();
    let send = |id: &str| {
        let (mut file, _) = uploads.appender(id, 0).unwrap();
        uploads.append(&mut file, b"12345678").map_err(|e| e.status().as_u16())
    };
    assert_eq!(send(&ids[0]), Ok(()));
    assert_eq!(send(&ids[1]), Err(507));
    assert_eq!(uploads.begin("a", 8, "x").unwrap_err().status(), 507);
    assert_eq!(uploads.progress(&ids[1]).unwrap().1, 0);
    uploads.cancel(&ids[0]).unwrap();
    assert_eq!(send(&ids[1]), Ok(()));
    drop(uploads);
    let uploads = Uploads::open(folder.path(), &limits(10)).unwrap();
    assert_eq!(uploads.begin("a", 8, "x").unwrap_err().status(), 507, "counted at the start too");
}

#[test]
fn control_characters_of_names_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let uploads = Uploads::open(folder.path(), &limits(10)).unwrap();
    assert_eq!(
        uploads.begin("a\n\u{1b}[2Jb\u{202e}.mp4", 1, "x").unwrap().filename,
        "a\\n\\u{1b}[2Jb\\u{202e}.mp4"
    );
}
