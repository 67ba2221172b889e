//! `--subtitles`: a file or the video's own stream, before the question.

use crate::program::{Program, ask, assert_names, ids, longsight};
use crate::video::{clip, ffmpeg, file};
use serde_json::Value;

const SRT: &str =
    "1\n00:00:00,000 --> 00:00:01,000\n<i>A dog</i> runs.\n\n2\n00:00:02,000 --> 00:00:02,900\nIt jumps.\n";

fn run(program: Program) -> Value {
    program.args("--frames 4 --ignore-eos").json()
}

fn text_tokens(answer: &Value) -> u64 {
    answer["receipt"]["tokens"]["text"].as_u64().unwrap()
}

#[test]
fn a_file_and_the_embedded_stream_say_the_same() {
    let (folder, path) = file("talk.srt", SRT);
    let plain = run(ask(clip(), "d32-gqa-tied"));
    let from_file = run(ask(clip(), "d32-gqa-tied").arg("--subtitles").arg(&path));
    assert_eq!(plain["receipt"]["video"]["subtitle_cues"], 0);
    assert_eq!(from_file["receipt"]["video"]["subtitle_cues"], 2);
    assert!(text_tokens(&from_file) > text_tokens(&plain) + 10);
    assert_ne!(ids(&from_file), ids(&plain));
    let video = folder.path().join("with-text.mkv");
    ffmpeg("-i {} -i {} -c:v copy -c:s srt {}", &[clip(), &path, &video]);
    let embedded = run(ask(&video, "d32-gqa-tied").args("--subtitles embedded"));
    assert_eq!(embedded["receipt"]["video"]["subtitle_cues"], 2);
    assert_eq!(text_tokens(&embedded), text_tokens(&from_file));
    assert_eq!(ids(&embedded), ids(&from_file));
}

#[test]
fn tags_are_stripped_and_webvtt_is_read_too() {
    let (_srt, srt) = file("a.srt", SRT);
    let vtt = "WEBVTT\n\n00:00.000 --> 00:01.000\nA dog runs.\n\n00:02.000 --> 00:02.900\n<b>It jumps.</b>\n";
    let (_vtt, vtt) = file("a.vtt", vtt);
    let [first, second] = [srt, vtt].map(|p| run(ask(clip(), "d32-gqa-tied").arg("--subtitles").arg(p)));
    assert_eq!(ids(&first), ids(&second));
    assert_eq!(text_tokens(&first), text_tokens(&second));
}

#[test]
fn cues_far_from_every_frame_are_left_out() {
    let far = format!("{SRT}\n3\n00:10:00,000 --> 00:10:05,000\nMuch later.\n");
    let (_folder, path) = file("talk.srt", far);
    let answer = run(ask(clip(), "d32-gqa-tied").arg("--subtitles").arg(&path));
    assert_eq!(answer["receipt"]["video"]["subtitle_cues"], 2);
    let (_folder, path) = file("late.srt", "1\n00:10:00,000 --> 00:10:05,000\nMuch later.\n");
    let answer = run(ask(clip(), "d32-gqa-tied").arg("--subtitles").arg(&path));
    assert_eq!(answer["receipt"]["video"]["subtitle_cues"], 0);
    assert!(answer["receipt"]["warnings"].to_string().contains("subtitles lie near a sampled frame"));
}

/// A talk of one cue, in bytes of another encoding.
fn talk(bytes: &[u8]) -> Vec<u8> {
    [b"1\n00:00:00,000 --> 00:00:02,900\n", bytes, b"\n"].concat()
}

#[test]
fn other_encodings_give_the_prompt_of_utf8_and_say_that_they_were_guessed() {
    let cases: [(&str, &str, &[u8]); 3] = [
        ("windows-1252", "It’s 5 € – café", b"It\x92s 5 \x80 \x96 caf\xe9"),
        ("windows-1251", "Привет, мир", b"\xcf\xf0\xe8\xe2\xe5\xf2, \xec\xe8\xf0"),
        ("Shift_JIS", "こんにちは", b"\x82\xb1\x82\xf1\x82\xc9\x82\xbf\x82\xcd"),
    ];
    for (encoding, text, bytes) in cases {
        let (_folder, right) = file("talk.srt", talk(text.as_bytes()));
        let (_folder, other) = file("talk.srt", talk(bytes));
        let asked = |path| ask(clip(), "d32-gqa-tied").arg("--subtitles").arg(path);
        let [right, guessed, told] = [
            run(asked(&right)),
            run(asked(&other)),
            run(asked(&other).arg("--subtitle-encoding").arg(encoding)),
        ];
        let reading = &right["receipt"]["video"]["subtitles"];
        assert_eq!((&reading["encoding"], &reading["encoding_source"]), (&"UTF-8".into(), &"content".into()));
        for (answer, source) in [(&guessed, "guessed"), (&told, "told")] {
            let reading = &answer["receipt"]["video"]["subtitles"];
            assert_eq!(
                (&reading["encoding"], &reading["encoding_source"]),
                (&encoding.into(), &source.into())
            );
            assert_eq!((ids(answer), text_tokens(answer)), (ids(&right), text_tokens(&right)), "{encoding}");
        }
        let said = |answer: &Value| answer["receipt"]["warnings"].to_string().contains("--subtitle-encoding");
        assert_eq!([said(&right), said(&guessed), said(&told)], [false, true, false], "{encoding}");
    }
}

#[test]
fn a_plan_says_how_subtitles_are_read() {
    let (_folder, path) = file("talk.srt", talk(b"caf\xe9"));
    let plan = longsight("plan").arg(clip()).args("What? --model tiny --subtitles").arg(&path).text();
    assert!(plan.contains("subtitles SubRip in windows-1252 (guessed), 1 cues near the frames"), "{plan}");
    assert!(plan.contains("a guess; where it is wrong, set --subtitle-encoding"), "{plan}");
}

#[test]
fn captions_that_roll_up_take_the_prompt_of_each_line_once() {
    let line = |i: usize| format!("this is line number {i}");
    let clock = |tenths: usize| format!("00:00:{:02}.{}00", tenths / 10, tenths % 10);
    let (mut once, mut rolling) = ("WEBVTT\n\n".to_owned(), "WEBVTT\n\n".to_owned());
    for i in 0..6 {
        let (start, held, end) = (clock(5 * i), clock(5 * i + 4), clock(5 * i + 5));
        once += &format!("{start} --> {end}\n{}\n\n", line(i));
        let above = i.checked_sub(1).map_or(" ".to_owned(), line);
        rolling += &format!(
            "{start} --> {held} align:start\n{above}\n{}\n\n",
            line(i).replace(" is", "<00:00:00.100><c> is</c>")
        );
        rolling += &format!("{held} --> {end} align:start\n{}\n \n\n", line(i));
    }
    let (_once, once) = file("a.vtt", once);
    let (_rolling, rolling) = file("a.vtt", rolling);
    let [once, rolling] =
        [once, rolling].map(|path| run(ask(clip(), "d32-gqa-tied").arg("--subtitles").arg(path)));
    assert_eq!((ids(&rolling), text_tokens(&rolling)), (ids(&once), text_tokens(&once)));
    assert_eq!(rolling["receipt"]["video"]["subtitles"]["joined_cues"], 6);
}

#[test]
fn ass_is_read_as_words_from_a_file_and_from_the_video() {
    let ass = "[Script Info]\nScriptType: v4.00+\n\n[V4+ Styles]\nFormat: Name, Fontname, Fontsize\nStyle: Default,Arial,20\n\n[Events]\n\
        Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n\
        Dialogue: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,{\\i1}A dog{\\i0} runs.\n\
        Dialogue: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,{\\p1}m 0 0 l 100 0 100 100{\\p0}\n\
        Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,not said\n\
        Dialogue: 0,0:00:02.00,0:00:02.90,Default,,0,0,0,,It\\Njumps.\n\
        Dialogue: 1,0:00:02.00,0:00:02.90,Default,,0,0,0,,{\\pos(3,4)}EXIT\n";
    let (_srt, srt) = file("talk.srt", SRT);
    let (folder, path) = file("talk.ass", ass);
    let video = folder.path().join("with-ass.mkv");
    ffmpeg("-i {} -i {} -c:v copy -c:s copy {}", &[clip(), &path, &video]);
    let right = run(ask(clip(), "d32-gqa-tied").arg("--subtitles").arg(&srt));
    let from_file = run(ask(clip(), "d32-gqa-tied").arg("--subtitles").arg(&path));
    let embedded = run(ask(&video, "d32-gqa-tied").args("--subtitles embedded"));
    for answer in [from_file, embedded] {
        assert_eq!((ids(&answer), text_tokens(&answer)), (ids(&right), text_tokens(&right)));
        let reading = &answer["receipt"]["video"]["subtitles"];
        assert_eq!((&reading["format"], &reading["left_out_signs"]), (&"ASS".into(), &1.into()));
        assert!(answer["receipt"]["warnings"].to_string().contains("signs"));
    }
}

#[test]
fn a_track_is_chosen_by_language_or_number_and_a_forced_one_only_where_asked() {
    let (folder, whole) = file("whole.srt", SRT);
    let forced = folder.path().join("forced.srt");
    std::fs::write(&forced, "1\n00:00:00,000 --> 00:00:01,000\nForeign words.\n").unwrap();
    let video = folder.path().join("two.mkv");
    let command = "-i {} -i {} -i {} -map 0 -map 1 -map 2 -c:v copy -c:s srt -metadata:s:s:0 language=fre -metadata:s:s:1 language=eng \
        -disposition:s:0 default+forced -disposition:s:1 0 {}";
    ffmpeg(command, &[clip(), &forced, &whole, &video]);
    let asked = |which: &str| run(ask(&video, "d32-gqa-tied").arg("--subtitles").arg(which));
    let stream = |answer: &Value| answer["receipt"]["video"]["subtitles"]["stream_index"].as_u64();
    let usual = asked("embedded");
    assert_eq!((stream(&usual), &usual["receipt"]["video"]["subtitle_cues"]), (Some(2), &2.into()));
    assert!(usual["receipt"]["warnings"].to_string().contains("choose with --subtitles embedded:LANGUAGE"));
    for (which, index) in [("embedded:fr", 1), ("embedded:1", 1), ("embedded:eng", 2), ("embedded:2", 2)] {
        let answer = asked(which);
        assert_eq!(stream(&answer), Some(index), "{which}");
        assert!(!answer["receipt"]["warnings"].to_string().contains("choose with"));
    }
    let message = ask(&video, "d32-gqa-tied").args("--subtitles embedded:ger").failure();
    assert_names(&message, &["two.mkv", "marked ger", "1 (subrip fre default forced), 2 (subrip eng)"]);
}
