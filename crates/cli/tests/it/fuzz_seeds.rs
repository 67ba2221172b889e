//! The seeds of `fuzz/` through the entry functions of the fuzz targets: what crashed once, or could, stays looked at.

#[path = "../../../../fuzz/src/lib.rs"]
mod entries;

use std::path::Path;

#[test]
fn every_seed_of_every_target_is_read_to_its_end() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/seeds");
    for (name, entry) in entries::TARGETS {
        let mut files: Vec<_> =
            std::fs::read_dir(seeds.join(name)).unwrap().map(|file| file.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 5, "{name}: too few seeds");
        for file in files {
            let data = std::fs::read(&file).unwrap();
            let read = std::panic::catch_unwind(|| entry(&data));
            assert!(read.is_ok(), "{}", file.display());
            // Cut anywhere it has to be read too.
            for cut in (0..data.len()).step_by(1 + data.len() / 16) {
                entry(&data[..cut]);
            }
        }
    }
    let folders = std::fs::read_dir(&seeds).unwrap().count();
    assert_eq!(folders, entries::TARGETS.len(), "each folder of seeds has its target");
}
