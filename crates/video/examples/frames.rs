//! Writes all frames of a video, for comparison with other decoders (tools/pixels).
//!
//!     cargo run -p longsight-video --example frames -- VIDEO FOLDER [reference|accurate]
//!
//! FOLDER/frames.rgb gets the frames' bytes one after the other, FOLDER/frames.json their times in seconds, their size, and
//! what the probe and ffmpeg say of themselves.

use std::error::Error;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use longsight_video::{
    Colour, DecodeSettings, FrameBudget, ProbeSettings, SampleSettings, VideoSource, open_frames, probe,
    sample,
};
use serde_json::json;

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [video, folder, colour @ ..] = args.as_slice() else {
        return Err("give VIDEO FOLDER [reference|accurate]".into());
    };
    let colour = colour.first().map_or(Ok(Colour::default()), |name| name.parse())?;
    let settings = DecodeSettings { colour, ..Default::default() };
    let info = probe(&VideoSource::parse(video, false)?, &ProbeSettings::default())?;
    let every = FrameBudget::Indices((0..info.total_frames).collect());
    let plan = sample(&info, &SampleSettings { budget: every, ..Default::default() })?;
    let mut pixels = BufWriter::new(File::create(Path::new(folder).join("frames.rgb"))?);
    let mut times = Vec::new();
    for frame in open_frames(&info, &plan, &settings)? {
        let frame = frame?;
        pixels.write_all(&frame.rgb)?;
        times.push(frame.time.secs());
    }
    pixels.flush()?;
    let about = json!({
        "ffmpeg": settings.tools.version()?,
        "width": info.width,
        "height": info.height,
        "times_secs": times,
        "video": info,
    });
    std::fs::write(Path::new(folder).join("frames.json"), about.to_string())?;
    Ok(())
}
