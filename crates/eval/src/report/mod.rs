//! Tables, pictures and files that show a run's results.
