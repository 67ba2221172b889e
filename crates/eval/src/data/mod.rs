//! Annotation files, as the benchmarks publish them, to samples.
