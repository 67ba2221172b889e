//! H.264 whose frames are coded as two field pictures, as camcorders and broadcasts have it.

use std::path::{Path, PathBuf};

use longsight_video::{DecodeStrategy, Frame, FrameCountSource, SampleSettings, VideoInfo};

use crate::synth::{decode, ffmpeg, probe_file, uniform};

const FRAMES: usize = 40;
/// A group begins with an IDR picture.
const GROUP: usize = 10;
const WIDTH: usize = 32;
const HEIGHT: usize = 64;
const MACROBLOCKS_A_FIELD: usize = WIDTH / 16 * HEIGHT / 32;
const DELIMITER: [u8; 6] = [0, 0, 0, 1, 9, 0xf0];

/// Bits of an H.264 syntax structure.
#[derive(Default)]
struct Bits(Vec<bool>);

impl Bits {
    fn u(&mut self, bits: usize, value: usize) -> &mut Self {
        self.0.extend((0..bits).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    /// Exponential Golomb codes.
    fn ue(&mut self, values: &[usize]) -> &mut Self {
        for value in values {
            let bits = (value + 1).ilog2() as usize + 1;
            self.u(bits - 1, 0).u(bits, value + 1);
        }
        self
    }

    fn bytes(&self) -> Vec<u8> {
        let byte = |bits: &[bool]| (0..8).fold(0, |byte, i| byte << 1 | u8::from(bits.get(i) == Some(&true)));
        self.0.chunks(8).map(byte).collect()
    }
}

fn nal(header: u8, body: &[u8]) -> Vec<u8> {
    let mut out = vec![0, 0, 0, 1, header];
    let mut zeros = 0;
    for &byte in body {
        if zeros >= 2 && byte <= 3 {
            out.push(3);
            zeros = 0;
        }
        out.push(byte);
        zeros = if byte == 0 { zeros + 1 } else { 0 };
    }
    out
}

fn parameter_sets() -> Vec<u8> {
    let mut sps = Bits::default();
    sps.u(24, 77 << 16 | 30)
        .ue(&[0, 0, 0, 4, 1])
        .u(1, 0)
        .ue(&[WIDTH / 16 - 1, HEIGHT / 32 - 1])
        .u(6, 0b001001);
    let mut pps = Bits::default();
    pps.ue(&[0, 0]).u(2, 0).ue(&[0, 0, 0]).u(3, 0).ue(&[0, 0, 0]).u(3, 4).u(1, 1);
    [nal(0x67, &sps.bytes()), nal(0x68, &pps.bytes())].concat()
}

/// Level of a frame's luma, which tells its number.
fn level(frame: usize) -> u8 {
    20 + 5 * frame as u8
}

/// One field of one grey level, without prediction.
fn field(frame: usize, is_bottom: bool) -> Vec<u8> {
    let number = frame % GROUP;
    let is_idr = number == 0 && !is_bottom;
    let mut slice = Bits::default();
    slice.ue(&[0, 7, 0]).u(4, number).u(1, 1).u(1, usize::from(is_bottom));
    if is_idr {
        slice.ue(&[frame / GROUP % 2]);
    }
    slice.u(8, 2 * number + usize::from(is_bottom)).u(if is_idr { 2 } else { 1 }, 0).ue(&[0, 1]);
    let mut body = Vec::new();
    for block in 0..MACROBLOCKS_A_FIELD {
        let mut pcm = if block == 0 { std::mem::take(&mut slice) } else { Bits::default() };
        body.extend(pcm.ue(&[25]).bytes());
        body.extend([level(frame); 256]);
        body.extend([128; 128]);
    }
    body.push(0x80);
    nal(if is_idr { 0x25 } else { 0x21 }, &body)
}

/// Both fields of a frame, after the sets where a group begins.
fn frame(number: usize) -> [Vec<u8>; 2] {
    let sets = if number.is_multiple_of(GROUP) { parameter_sets() } else { Vec::new() };
    [[&DELIMITER[..], &sets, &field(number, false)].concat(), [&DELIMITER[..], &field(number, true)].concat()]
}

/// MPEG-TS with one time a frame: ffmpeg's muxer writes one a field.
#[derive(Default)]
struct TransportStream {
    bytes: Vec<u8>,
    counters: [u8; 3],
}

impl TransportStream {
    fn packets(&mut self, stream: usize, data: &[u8], clock: Option<u64>) {
        let pid = [0, 0x1000, 0x100][stream] as u16;
        let mut data = data;
        let mut is_first = true;
        while !data.is_empty() {
            let extra = match clock.filter(|_| is_first) {
                Some(clock) => [&[0x50], &(clock << 15 | 0x7e00).to_be_bytes()[2..]].concat(),
                None => Vec::new(),
            };
            let room = if extra.is_empty() { 184 } else { 184 - 1 - extra.len() };
            let (chunk, rest) = data.split_at(data.len().min(room));
            let fill = room - chunk.len();
            let adaptation = match (extra.len(), fill) {
                (0, 0) => Vec::new(),
                (0, 1) => vec![0],
                (0, _) => [&[fill as u8 - 1, 0][..], &vec![0xff; fill - 2]].concat(),
                (length, _) => [&[(length + fill) as u8][..], &extra, &vec![0xff; fill]].concat(),
            };
            let start = if is_first { 0x40 } else { 0 } | (pid >> 8) as u8;
            let kind = if adaptation.is_empty() { 0x10 } else { 0x30 };
            self.bytes.extend([0x47, start, pid as u8, kind | self.counters[stream]]);
            self.bytes.extend(adaptation);
            self.bytes.extend(chunk);
            self.counters[stream] = (self.counters[stream] + 1) % 16;
            (data, is_first) = (rest, false);
        }
    }

    /// A table with its checksum.
    fn section(&mut self, stream: usize, table: u8, rest: &[u8]) {
        let mut body = vec![table, 0xb0, rest.len() as u8 + 4];
        body.extend(rest);
        let mut crc = u32::MAX;
        for byte in &body {
            crc ^= u32::from(*byte) << 24;
            for _ in 0..8 {
                crc = if crc >> 31 == 1 { crc << 1 ^ 0x04c1_1db7 } else { crc << 1 };
            }
        }
        let mut data = [&[0][..], &body, &crc.to_be_bytes()].concat();
        data.resize(184, 0xff);
        self.packets(stream, &data, None);
    }
}

fn transport_stream() -> Vec<u8> {
    let mut stream = TransportStream::default();
    for number in 0..FRAMES {
        if number.is_multiple_of(GROUP) {
            stream.section(0, 0, &[0, 1, 0xc1, 0, 0, 0, 1, 0xf0, 0]);
            stream.section(1, 2, &[0, 1, 0xc1, 0, 0, 0xe1, 0, 0xf0, 0, 0x1b, 0xe1, 0, 0xf0, 0]);
        }
        let time = 90_000 + 3600 * number as u64;
        let part = |shift: u64, mask: u64| (time >> shift & mask) as u8;
        let stamp = [
            0x21 | part(29, 14),
            part(22, 255),
            part(14, 254) | 1,
            part(7, 255),
            (time << 1 & 254) as u8 | 1,
        ];
        let [first, second] = frame(number);
        let data = [&[0, 0, 1, 0xe0, 0, 0, 0x80, 0x80, 5], &stamp[..], &first, &second].concat();
        stream.packets(2, &data, Some(time - 9000));
    }
    stream.bytes
}

/// The same pictures as MPEG-TS with a time a frame, and as MP4 with a time a field.
fn recordings(folder: &Path) -> [PathBuf; 2] {
    let [raw, ts, mp4] = ["a.h264", "a.ts", "a.mp4"].map(|name| folder.join(name));
    std::fs::write(&raw, (0..FRAMES).flat_map(frame).collect::<Vec<_>>().concat()).unwrap();
    std::fs::write(&ts, transport_stream()).unwrap();
    let (raw, to) = (raw.to_str().unwrap(), mp4.to_str().unwrap());
    ffmpeg(&["-framerate", "25", "-i", raw, "-c", "copy", to]).unwrap();
    [ts, mp4]
}

fn assert_shown(info: &VideoInfo, frames: usize, strategy: DecodeStrategy) {
    let settings = SampleSettings { strategy: Some(strategy), ..uniform(frames) };
    for Frame { index, replaced_from, rgb, .. } in decode(info, &settings) {
        // From the video range to the full one.
        let expected = (f64::from(level(index)) - 16.0) * 255.0 / 219.0;
        assert!((f64::from(rgb[0]) - expected).abs() < 2.0, "frame {index}: {} for {expected}", rgb[0]);
        assert_eq!(replaced_from, None, "frame {index}");
    }
}

#[test]
fn two_fields_are_one_frame() {
    let folder = tempfile::tempdir().unwrap();
    for path in recordings(folder.path()) {
        let info = probe_file(&path);
        assert_eq!(info.total_frames, FRAMES, "{path:?}");
        assert_eq!(info.frame_count_source, FrameCountSource::FirstFieldTimes);
        assert!((info.duration_secs - 1.6).abs() < 0.05, "{path:?}: {} s", info.duration_secs);
        for strategy in [DecodeStrategy::Sequential, DecodeStrategy::Seek] {
            assert_shown(&info, FRAMES, strategy);
            assert_shown(&info, 6, strategy);
        }
    }
}
