//! Uploads, whole and in pieces, also over a kill.

use super::*;

#[test]
fn files_come_whole_or_in_pieces_and_are_sent_in_ranges() {
    let server = Server::start("--max-upload 2MiB --max-storage 3MiB");
    let bytes = clip_bytes();
    let id = server.upload(&bytes);
    let begun = server.post("/v1/uploads", &json!({ "filename": "talk.mp4", "bytes": bytes.len() })).json();
    let upload = format!("/v1/uploads/{}", begun["id"].as_str().unwrap());
    let put = |offset: usize, part: &[u8]| {
        server.call("PUT", &format!("{upload}?offset={offset}"), "application/octet-stream", part, None)
    };
    let half = bytes.len() / 2;
    assert_eq!(put(0, &bytes[..half]).json()["received"], half);
    assert_names(&put(0, &bytes[..half]).refused(409), &["go on from there"]);
    assert_names(&server.post(&format!("{upload}/complete"), &json!({})).refused(409), &["send the others"]);
    assert_eq!(server.get(&upload).json()["received"], half);
    let too_many = [&bytes[half..], b"more"].concat();
    put(half, &too_many).refused(413);
    let received = server.get(&upload).json()["received"].as_u64().unwrap() as usize;
    assert_eq!(put(received, &bytes[received..]).status, 200);
    let second = server.post(&format!("{upload}/complete"), &json!({})).json();
    let again = server.post(&format!("{upload}/complete"), &json!({})).json();
    assert_eq!(second, again, "whose answer was lost");
    assert_eq!((&second["filename"], &second["bytes"]), (&json!("talk.mp4"), &json!(bytes.len())));
    let second = second["id"].as_str().unwrap().to_owned();
    let content = server.get(&format!("/v1/files/{second}/content"));
    assert!(content.body == bytes && content.headers["content-type"] == "video/mp4");
    let ranged = server.raw(
        format!(
            "GET /v1/files/{id}/content HTTP/1.1\r\nHost: localhost\r\nRange: bytes=4-7\r\nConnection: close\r\n\r\n"
        )
        .as_bytes(),
    );
    assert!(ranged.starts_with("HTTP/1.1 206") && ranged.ends_with("ftyp"), "{ranged}");
    let form = |name: &str, bytes: usize| {
        let body = format!(
            "--edge\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{}\r\n--edge--\r\n",
            "x".repeat(bytes)
        );
        server.call("POST", "/v1/files", "multipart/form-data; boundary=edge", body.as_bytes(), None)
    };
    assert_names(&form("purpose", 300).refused(413), &["`purpose`", "255 bytes"]);
    assert_names(&form("colour", 3).refused(400), &["`colour`"]);
    assert_names(&form("purpose", 3).refused(400), &["no `file`"]);
    let list = server.get("/v1/files").json();
    assert_eq!(list["data"].as_array().unwrap().len(), 2);
    assert_eq!(server.call("DELETE", &format!("/v1/files/{id}"), "", &[], None).json()["deleted"], true);
    server.get(&format!("/v1/files/{id}")).refused(404);
    server.ask(&id, json!({})).refused(404);
    let large = |bytes: usize| server.post("/v1/uploads", &json!({ "filename": "x", "bytes": bytes }));
    assert_names(&large((2 << 20) + 1).refused(413), &["2097152"]);
    // What is announced takes no room; what comes does.
    let announced: Vec<Value> = (0..3).map(|_| large(2 << 20).json()).collect();
    let send = |upload: &Value| {
        let path = format!("/v1/uploads/{}?offset=0", upload["id"].as_str().unwrap());
        server.call("PUT", &path, "application/octet-stream", &vec![1; 2 << 20], None)
    };
    assert_eq!(send(&announced[0]).status, 200);
    assert_names(&send(&announced[1]).refused(507), &["storage is full"]);
    assert_names(&large(2 << 20).refused(507), &["storage is full"]);
    assert_names(
        &server.post("/v1/uploads", &json!({ "filename": "x", "bytes": 0 })).refused(400),
        &["empty"],
    );
}

#[test]
fn a_killed_server_finds_its_files_again_and_an_upload_goes_on() {
    let server = Server::start("");
    let bytes = clip_bytes();
    let id = server.upload(&bytes);
    let begun = server.post("/v1/uploads", &json!({ "filename": "b.mp4", "bytes": bytes.len() })).json();
    let upload = format!("/v1/uploads/{}", begun["id"].as_str().unwrap());
    server.call("PUT", &format!("{upload}?offset=0"), "application/octet-stream", &bytes[..1000], None);
    let server = server.killed_and_restarted("");
    assert_eq!(server.get(&upload).json()["received"], 1000);
    let rest = server.call(
        "PUT",
        &format!("{upload}?offset=1000"),
        "application/octet-stream",
        &bytes[1000..],
        None,
    );
    assert_eq!(rest.json()["received"], bytes.len());
    let second = server.post(&format!("{upload}/complete"), &json!({})).json();
    let ask = |id: &str| ids(&server.ask(id, json!({})).json()["longsight"]);
    assert_eq!(ask(&id), ask(second["id"].as_str().unwrap()));
}

#[test]
fn a_server_keeps_what_it_is_told_to() {
    for (flags, kept) in [("", ["written", "written"]), ("--index embeddings", ["written", "unused"])] {
        let server = Server::start(flags);
        let id = server.upload(&clip_bytes());
        let index = server.ask(&id, json!({})).json()["longsight"]["receipt"]["index"].clone();
        assert_eq!([&index["embeddings"], &index["kv_prefix"]], kept, "{flags}");
    }
    let server = Server::start("--no-index");
    let id = server.upload(&clip_bytes());
    assert!(server.ask(&id, json!({})).json()["longsight"]["receipt"]["index"].is_null());
}

#[test]
fn an_upload_that_nobody_goes_on_with_is_removed() {
    let server = Server::start("--max-storage 1MiB --unfinished-secs 3600");
    let begin = || server.post("/v1/uploads", &json!({ "filename": "a.mp4", "bytes": 700_000 }));
    let first = format!("/v1/uploads/{}", begin().json()["id"].as_str().unwrap());
    server.call("PUT", &format!("{first}?offset=0"), "application/octet-stream", &[1; 600_000], None);
    let folder = server.folder.path().join("uploads");
    std::fs::write(folder.join("notes.txt"), "not the server's").unwrap();
    assert_names(&begin().refused(507), &["storage is full"]);
    assert_eq!(server.get(&first).json()["received"], 600_000);

    let long_ago = std::time::SystemTime::now() - std::time::Duration::from_secs(3700);
    let files: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()).collect();
    assert_eq!(files.len(), 4, "the lock, the note, two of the upload: {files:?}");
    for file in files {
        std::fs::File::options().write(true).open(file).unwrap().set_modified(long_ago).unwrap();
    }
    assert_eq!(begin().status, 200);
    server.get(&first).refused(404);
    assert!(folder.join("notes.txt").exists());
    assert_eq!(
        std::fs::read_dir(&folder).unwrap().count(),
        5,
        "scratch, the lock, the note, two of the new upload"
    );
}

#[test]
fn an_upload_that_is_completed_by_eight_at_once_is_one_file() {
    let server = Server::start("");
    let bytes = clip_bytes();
    let begun = server.post("/v1/uploads", &json!({ "filename": "a.mp4", "bytes": bytes.len() })).json();
    let upload = format!("/v1/uploads/{}", begun["id"].as_str().unwrap());
    server.call("PUT", &format!("{upload}?offset=0"), "application/octet-stream", &bytes, None);
    let replies: Vec<Reply> = std::thread::scope(|scope| {
        let asking: Vec<_> =
            (0..8).map(|_| scope.spawn(|| server.post(&format!("{upload}/complete"), &json!({})))).collect();
        asking.into_iter().map(|asked| asked.join().unwrap()).collect()
    });
    for reply in &replies {
        assert_eq!((reply.status, reply.json()), (200, replies[0].json()));
    }
    assert_eq!(server.get("/v1/files").json()["data"].as_array().unwrap().len(), 1);
}

/// Where earlier versions were killed between the two writes of `complete`, the upload was lost.
#[test]
fn an_upload_of_an_earlier_version_that_was_killed_while_completing_is_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let uploads = folder.path().join("uploads");
    std::fs::create_dir(&uploads).unwrap();
    let (bytes, digits) = (clip_bytes(), "0123456789abcdef01234567");
    let info = json!({ "id": format!("upload-{digits}"), "bytes": bytes.len(), "filename": "a.mp4",
        "created_at": 1, "purpose": "user_data" });
    std::fs::write(uploads.join(digits), &bytes).unwrap();
    std::fs::write(uploads.join(format!("{digits}.part.json")), info.to_string()).unwrap();
    std::fs::write(uploads.join(".tmpAbCdEf"), "{").unwrap();
    let server = Server::in_folder(folder, "");
    let done = server.post(&format!("/v1/uploads/upload-{digits}/complete"), &json!({}));
    assert_eq!((done.status, &done.json()["id"]), (200, &json!(format!("file-{digits}"))));
    assert_eq!(server.ask(&format!("file-{digits}"), json!({})).status, 200);
    assert!(!server.folder.path().join("uploads/.tmpAbCdEf").exists(), "a leftover is swept");
}

#[test]
fn a_full_disk_is_507_and_loses_no_upload() {
    let folder = tempfile::tempdir().unwrap();
    let uploads = folder.path().join("uploads");
    std::fs::create_dir(&uploads).unwrap();
    let small = format!("mount -t tmpfs -o size=256k none {}", uploads.display());
    let Some(program) = crate::index::with_mount(&small, Server::program(folder.path(), "--no-index")) else {
        println!("not tested: mounting needs user namespaces here");
        return;
    };
    let server = Server::run(folder, program);
    let begin = |bytes: usize| {
        let begun = server.post("/v1/uploads", &json!({ "filename": "a.mp4", "bytes": bytes })).json();
        format!("/v1/uploads/{}", begun["id"].as_str().unwrap())
    };
    let put = |upload: &str, bytes: &[u8]| {
        server.call("PUT", &format!("{upload}?offset=0"), "application/octet-stream", bytes, None)
    };
    let (first, second) = (begin(100_000), begin(200_000));
    assert_eq!(put(&first, &[1; 100_000]).status, 200);
    assert_names(&put(&second, &[2; 200_000]).refused(507), &["storage is full"]);
    let received = server.get(&second).json()["received"].as_u64().unwrap();
    assert!(received < 200_000, "{received}");
    assert_names(&server.form(&[3; 200_000]).refused(507), &["storage is full"]);
    assert_eq!(server.post(&format!("{first}/complete"), &json!({})).status, 200, "completing takes no room");
    server.call("DELETE", &second, "", &[], None);
    assert_eq!(server.get("/healthz").status, 200);
}
