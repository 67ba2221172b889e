//! The schema and what is made with it.

use crate::support::Case;
use longsight_engine::{
    FrameSource, Frames, Index, IndexContents, Probed, Request, Setting, Silent, StoreSettings,
    SubtitleSource,
};
use longsight_testkit::golden::checkpoint_dir;

#[test]
fn a_receipt_holds_every_setting_that_the_schema_says() {
    let mut case = Case::new("d32-gqa-tied");
    case.settings.prompt.system = Some("Be brief.".into());
    let folder = tempfile::tempdir().unwrap();
    let talk = folder.path().join("talk.srt");
    std::fs::write(&talk, "1\n00:00:00,000 --> 00:00:01,000\nHello.\n").unwrap();
    case.settings.subtitles = Some(SubtitleSource::File(talk, None));
    let request = Request {
        video: Probed::read(&case.source, &case.settings).unwrap(),
        settings: case.settings.clone(),
        frames: Frames::Chosen,
        earlier: &[],
        questions: &["What?"],
    };
    let store = StoreSettings { folder: folder.path().into(), limit_bytes: 1 << 30 };
    let index = Index::new(store, IndexContents::Kv);
    let checkpoint = checkpoint_dir("d32-gqa-tied");
    let planned = request.plan(case.model.info()).unwrap();
    let source = FrameSource::Index(&index, &checkpoint);
    let mut session = planned.start(&case.model, source, &mut Silent).unwrap();
    let receipt = serde_json::to_value(session.ask("What?", &mut Silent).unwrap().receipt).unwrap();
    for pointer in Setting::ALL.iter().filter_map(|setting| setting.names().receipt.name()) {
        assert!(receipt.pointer(pointer).is_some(), "{pointer}: {receipt}");
    }
}
