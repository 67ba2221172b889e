//! Numbers and times as SmolVLM2's prompt writes them.

const SMALL: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];

/// A number in English words, as the num2words package writes it; from a million up in digits.
pub(super) fn number(n: usize) -> String {
    let (name, unit, rest) = match n {
        0..20 => return SMALL[n].to_owned(),
        20..100 if n.is_multiple_of(10) => return TENS[n / 10].to_owned(),
        20..100 => return format!("{}-{}", TENS[n / 10], SMALL[n % 10]),
        100..1000 => ("hundred", n / 100, n % 100),
        1000..1_000_000 => ("thousand", n / 1000, n % 1000),
        _ => return n.to_string(),
    };
    let head = format!("{} {name}", number(unit));
    match rest {
        0 => head,
        1..100 => format!("{head} and {}", number(rest)),
        _ => format!("{head}, {}", number(rest)),
    }
}

/// Whole seconds as `H:MM:SS`, with days before it from the first on.
pub(super) fn duration(secs: f64) -> String {
    let secs = secs.max(0.0) as u64;
    let (days, hours, minutes) = (secs / 86_400, secs / 3600 % 24, secs / 60 % 60);
    let of_day = format!("{hours}:{minutes:02}:{:02}", secs % 60);
    match days {
        0 => of_day,
        1 => format!("1 day, {of_day}"),
        _ => format!("{days} days, {of_day}"),
    }
}

/// Whole seconds as `MM:SS`; minutes run on past 59.
pub(super) fn clock(secs: f64) -> String {
    let secs = secs.max(0.0) as u64;
    format!("{:02}:{:02}", secs / 60, secs % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of num2words 0.5.14 and of `str(datetime.timedelta)`.
    #[test]
    fn words_and_times_are_those_of_the_processor() {
        for (n, words) in [
            (0, "zero"),
            (1, "one"),
            (19, "nineteen"),
            (40, "forty"),
            (64, "sixty-four"),
            (100, "one hundred"),
            (101, "one hundred and one"),
            (768, "seven hundred and sixty-eight"),
            (1000, "one thousand"),
            (1024, "one thousand and twenty-four"),
            (1100, "one thousand, one hundred"),
            (1768, "one thousand, seven hundred and sixty-eight"),
            (99_999, "ninety-nine thousand, nine hundred and ninety-nine"),
        ] {
            assert_eq!(number(n), words);
        }
        for (secs, text) in [
            (0.4, "0:00:00"),
            (59.6, "0:00:59"),
            (3599.9, "0:59:59"),
            (10_800.0, "3:00:00"),
            (90_061.0, "1 day, 1:01:01"),
            (172_805.5, "2 days, 0:00:05"),
        ] {
            assert_eq!(duration(secs), text);
        }
        assert_eq!(
            (clock(2.03), clock(59.99), clock(3600.0)),
            ("00:02".into(), "00:59".into(), "60:00".into())
        );
        assert_eq!(clock(10_800.0), "180:00");
    }
}
