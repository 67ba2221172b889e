//! Subtitles: SRT and WebVTT, from a file or from a stream of the video.
