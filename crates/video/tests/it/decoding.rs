use crate::synth::{Clip, H264, assert_exact, encode, probe_file};

#[test]
fn h264_with_b_frames() {
    let folder = tempfile::tempdir().unwrap();
    let info = probe_file(&encode(&folder.path().join("a.mp4"), &Clip { args: &H264, ..Clip::default() }));
    assert_eq!((info.total_frames, info.width, info.height), (60, 160, 64));
    assert!((info.frame_times[59].secs() - 5.9).abs() < 1e-9);
    assert!((info.duration_secs - 6.0).abs() < 1e-9);
    assert_exact(&info, 7, |index| index);
    assert_exact(&info, 60, |index| index);
}
