//! Footage from ffmpeg's generative sources, frame after frame out of a child process.

use super::Footage;
use crate::Result;
use crate::draw::Picture;
use crate::ffmpeg::{Child, ffmpeg_command};
use crate::frame_rate::FrameRate;
use crate::random::Random;
use longsight_video::Tools;
use std::io::Read;
use std::process::Stdio;

/// One piece of generated footage, read up to some frame.
pub(crate) struct Generated {
    child: Child,
    next_frame: u64,
}

impl Generated {
    /// Starts ffmpeg.
    pub(crate) fn start(
        tools: &Tools,
        (footage, seed): (Footage, u64),
        [width, height]: [u32; 2],
        frame_rate: FrameRate,
    ) -> Result<Self> {
        let source = source(footage, seed, [width, height], frame_rate);
        let mut command = ffmpeg_command(tools);
        // One thread: some sources give other pixels with more.
        command.args(["-filter_threads", "1", "-f", "lavfi", "-i", &source]);
        command.args(["-f", "rawvideo", "-pix_fmt", "rgb24", "pipe:1"]);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Ok(Self { child: Child::start(command, format!("drawing {footage}"))?, next_frame: 0 })
    }

    /// Which frame the next read gives.
    pub(crate) fn next_frame(&self) -> u64 {
        self.next_frame
    }

    /// Reads the next frame.
    pub(crate) fn read(&mut self, picture: &mut Picture) -> Result<()> {
        let read = match &mut self.child.stdout {
            Some(stdout) => stdout.read_exact(picture.rgb_mut()),
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        };
        self.next_frame += 1;
        read.map_err(|error| self.child.failed(&error))
    }
}

/// A source in ffmpeg's filter language. Cells are drawn small and enlarged, or they would be grain.
fn source(footage: Footage, seed: u64, [width, height]: [u32; 2], frame_rate: FrameRate) -> String {
    let mut random = Random::new(seed, "generated", 0);
    let seed = seed as u32;
    let (cells_wide, cells_high) = ((width / 5).max(16), (height / 5).max(16));
    let enlarge = format!("scale={width}:{height}:flags=neighbor");
    let mut colour = || {
        let [r, g, b] = [0; 3].map(|_| random.within(30, 200));
        format!("0x{r:02x}{g:02x}{b:02x}")
    };
    let (first, second, third) = (colour(), colour(), colour());
    match footage {
        Footage::Life => format!(
            "life=s={cells_wide}x{cells_high}:r={frame_rate}:seed={seed}:ratio=0.35:mold=30:\
             life_color={first}:death_color={second}:mold_color={third},{enlarge}"
        ),
        Footage::Cellauto => {
            let rule = random.of([18, 30, 45, 73, 105, 110, 150]);
            let dark = random.within(10, 70);
            let [red, green, blue] = [0; 3].map(|_| random.between(0.15, 0.45));
            // It is black and white; two muted greys are enough.
            format!(
                "cellauto=s={cells_wide}x{cells_high}:r={frame_rate}:seed={seed}:rule={rule},format=rgb24,\
                 lutrgb=r={dark}+val*{red}:g={dark}+val*{green}:b={dark}+val*{blue},{enlarge}"
            )
        }
        Footage::Sierpinski => {
            let kind = random.of(["carpet", "triangle"]);
            format!("sierpinski=s={width}x{height}:r={frame_rate}:seed={seed}:type={kind}")
        }
        _ => mandelbrot(&mut random, [width, height], frame_rate),
    }
}

/// A zoom to the edge of the set, where there is something to see at every scale. It is by far the slowest source: half
/// size and few iterations.
fn mandelbrot(random: &mut Random, [width, height]: [u32; 2], frame_rate: FrameRate) -> String {
    let (x, y) = random.of([
        (-0.743_643_887, 0.131_825_904),
        (-0.101_1, 0.956_3),
        (0.275, 0.006),
        (-1.250_66, 0.020_12),
        (-0.748, 0.1),
    ]);
    let scale = random.between(0.05, 2.0);
    let end_scale = scale / 40.0;
    let (half_width, half_height) = (width / 2, height / 2);
    format!(
        "mandelbrot=s={half_width}x{half_height}:r={frame_rate}:start_x={x}:start_y={y}:\
         start_scale={scale}:end_scale={end_scale}:maxiter=120,scale={width}:{height}:flags=bilinear"
    )
}
