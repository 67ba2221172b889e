//! Bytes and seconds for people.

const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// Parses `6GiB`, `1.5GB`, `800MiB` or plain bytes.
pub fn parse_bytes(text: &str) -> Result<u64, String> {
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(digits);
    let factor = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kib" => 1024.0,
        "m" | "mib" => 1024f64.powi(2),
        "g" | "gib" => 1024f64.powi(3),
        "t" | "tib" => 1024f64.powi(4),
        "kb" => 1e3,
        "mb" => 1e6,
        "gb" => 1e9,
        "tb" => 1e12,
        _ => return Err(format!("unknown unit `{unit}`: write 6GiB, 800MiB or 2GB")),
    };
    let value: f64 = number.parse().map_err(|_| "write 6GiB, 800MiB or 2GB".to_owned())?;
    let bytes = value * factor;
    if unit.trim().is_empty() && bytes < MEBIBYTE {
        return Err(format!("{text} bytes? write a unit: {text}GiB"));
    }
    if bytes < 1.0 || bytes > 2f64.powi(60) {
        Err("must be above 0 and below 1 EiB".into())
    } else {
        Ok(bytes as u64)
    }
}

/// `1234.5 MiB`.
pub fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / MEBIBYTE)
}

/// `45 s`, `12 min`, `3.4 h`; never more precise than an estimate is.
pub fn about(secs: f64) -> String {
    match secs {
        s if s < 1.0 => "under 1 s".into(),
        s if s < 90.0 => format!("{s:.0} s"),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_every_spelling() {
        assert_eq!(parse_bytes("6GiB"), Ok(6 << 30));
        assert_eq!(parse_bytes("1.5 GB"), Ok(1_500_000_000));
        assert_eq!(parse_bytes("800MiB"), Ok(800 << 20));
        assert_eq!(parse_bytes("8388608"), Ok(8 << 20));
        for bad in ["", "6", "GiB", "6XB", "-1GiB", "1e9", "0", "1.2.3GiB", "99999999999GiB"] {
            assert!(parse_bytes(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_for_people() {
        assert_eq!(about(0.2), "under 1 s");
        assert_eq!(about(89.0), "89 s");
        assert_eq!(about(600.0), "10 min");
        assert_eq!(about(7200.0), "2.0 h");
    }
}
