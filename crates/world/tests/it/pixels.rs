//! What the truth says is what a decoder sees, in every codec.

use crate::{run, tiny};
use longsight_world::{
    Codec, Footage, FrameRate, Range, ShownCard, Stage, Tools, VideoScript, WorldSettings, encode,
};
use std::path::Path;

const SIZE: [usize; 2] = [160, 90];

/// Decoded frames as RGB.
fn decode(path: &Path) -> Vec<Vec<u8>> {
    let path = path.to_str().unwrap();
    let bytes = run("ffmpeg", &["-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]);
    bytes.chunks_exact(SIZE[0] * SIZE[1] * 3).map(<[u8]>::to_vec).collect()
}

/// Mean distance from the plate's colour at two places between shape and number, above and below.
fn distance_from_plate(frame: &[u8], card: &ShownCard) -> f64 {
    let (sin, cos) = card.tilt_degrees.to_radians().sin_cos();
    let [width, height] = card.size;
    let places = [-0.4, 0.4].map(|down| {
        let (x, y) = (0.98 * height - width / 2.0, down * height);
        [card.centre[0] + x * cos - y * sin, card.centre[1] + x * sin + y * cos]
    });
    let off = places.map(|[x, y]| {
        let at = (y as usize * SIZE[0] + x as usize) * 3;
        let seen = &frame[at..at + 3];
        let off: f64 =
            seen.iter().zip(card.card.plate.rgb()).map(|(&a, b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
        off.sqrt()
    });
    (off[0] + off[1]) / 2.0
}

#[test]
fn plates_are_seen_while_they_show_and_only_then_in_every_codec() {
    let folder = tempfile::tempdir().unwrap();
    let encoders = String::from_utf8(run("ffmpeg", &["-encoders"])).unwrap();
    let mut tried = 0;
    for &codec in Codec::ALL {
        if !encoders.contains(codec.encoder()) {
            continue;
        }
        for (seed, rate) in [(1, "10"), (2, "24"), (3, "30000/1001")] {
            let settings = WorldSettings {
                frame_rates: vec![rate.parse().unwrap()],
                // Grey-ish and calm, so that no plate's colour comes up by chance.
                footage: vec![Footage::Gradient, Footage::Clouds],
                distractors: Range::new(0, 0),
                stage: Stage::Two,
                ..tiny()
            };
            let script = VideoScript::new(seed, &settings).unwrap();
            let path = folder.path().join(format!("{codec}-{seed}.mp4"));
            encode(&script, codec, &Tools::default(), &path, &mut |_| ()).unwrap();
            check_frames(&script, &decode(&path), codec);
            check_stream(&script, &path, codec);
            tried += 1;
        }
    }
    assert!(tried >= 3, "ffmpeg has none of the codecs");
}

fn check_frames(script: &VideoScript, frames: &[Vec<u8>], codec: Codec) {
    assert_eq!(frames.len() as u64, script.frames, "{codec}");
    for card in &script.cards {
        let name = card.card.plate.name();
        for (index, frame) in frames.iter().enumerate() {
            let off = distance_from_plate(frame, card);
            if card.shows_in(index as u64) {
                assert!(off < 60.0, "{codec}, frame {index}: {off:.0} from {name} of {card:?}");
            } else if !["black", "white"].contains(&name)
                && !script.cards.iter().any(|c| c.shows_in(index as u64))
            {
                assert!(off > 60.0, "{codec}, frame {index}: {off:.0} from {name}, but no card shows");
            }
        }
    }
}

/// Codec, size and frame rate, as ffprobe sees them.
fn check_stream(script: &VideoScript, path: &Path, codec: Codec) {
    let entries = "stream=codec_name,width,height,avg_frame_rate,nb_frames";
    let args = ["-select_streams", "v:0", "-show_entries", entries, "-of", "csv=p=0", path.to_str().unwrap()];
    let line = String::from_utf8(run("ffprobe", &args)).unwrap();
    let rate = script.frame_rate.to_string();
    let rate = if rate.contains('/') { rate } else { format!("{rate}/1") };
    assert_eq!(line.trim(), format!("{codec},160,90,{rate},{}", script.frames));
}

#[test]
fn the_answer_to_a_glance_is_on_the_card() {
    // Shape and number are where the truth says: their colours are met left and right of the plate's middle.
    for seed in 0..30 {
        let settings = WorldSettings { card_size: Range::new(0.8, 0.8), ..tiny() };
        let script = VideoScript::new(seed, &settings).unwrap();
        let tools = Tools::default();
        let mut renderer = longsight_world::Renderer::new(&script, &tools);
        for card in &script.cards {
            let picture = renderer.frame(card.first_frame).unwrap();
            let count = |colour: [u8; 3], from: f64, to: f64| {
                let [width, height] = card.size;
                let (sin, cos) = card.tilt_degrees.to_radians().sin_cos();
                let mut hits = 0;
                for step in 0..40 * 40 {
                    let x = from * height - width / 2.0 + (to - from) * height * f64::from(step % 40) / 40.0;
                    let y = (f64::from(step / 40) / 40.0 - 0.5) * 0.8 * height;
                    let at = [card.centre[0] + x * cos - y * sin, card.centre[1] + x * sin + y * cos];
                    let pixel = (at[1] as usize * SIZE[0] + at[0] as usize) * 3;
                    hits += u32::from(picture.rgb()[pixel..pixel + 3] == colour);
                }
                f64::from(hits) / 1600.0
            };
            let shape = count(card.card.shape_colour.rgb(), 0.1, 0.9);
            let plate = count(card.card.plate.rgb(), 0.1, 0.9);
            assert!(shape > 0.2 && plate > 0.1, "{card:?}: {shape:.2} {plate:.2}");
            let ink = [[246; 3], [16; 3]].map(|ink| count(ink, 1.0, 1.5));
            assert!(ink.iter().any(|share| (0.05..0.7).contains(share)), "{card:?}: {ink:?}");
        }
    }
    assert_eq!(FrameRate::new(10, 1).fps(), 10.0);
}
