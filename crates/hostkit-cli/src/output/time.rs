//! Times and spans for people: `3 min ago`, `1.2 s`. JSON carries them exactly.

use jiff::Timestamp;

/// How long ago, in the largest unit that says enough.
pub(crate) fn ago(now: Timestamp, at: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    match seconds {
        ..2 => "just now".to_owned(),
        2..=59 => format!("{seconds} s ago"),
        60..=3599 => format!("{} min ago", seconds / 60),
        3600..=86_399 => format!("{} h ago", seconds / 3600),
        86_400..=5_183_999 => format!("{} d ago", seconds / 86_400),
        _ => at.strftime("%Y-%m-%d").to_string(),
    }
}

/// A span in seconds as people say it: `45 s`, `3 min`, `2 h`, `5 d`.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..=59 => format!("{seconds} s"),
        60..=3599 => format!("{} min", seconds / 60),
        3600..=86_399 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A measured time: `12 ms`, `1.2 s`, `3 min 5 s`.
pub(crate) fn milliseconds(ms: u64) -> String {
    match ms {
        0..=999 => format!("{ms} ms"),
        1000..=59_999 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min {} s", ms / 60_000, ms % 60_000 / 1000),
    }
}

/// The time of day of a log line, in the reader's own zone; the date too where it is another day.
pub(crate) fn clock(now: Timestamp, at: Timestamp) -> String {
    let zone = jiff::tz::TimeZone::system();
    let (now, at) = (now.to_zoned(zone.clone()), at.to_zoned(zone));
    let form = if now.date() == at.date() {
        "%H:%M:%S"
    } else {
        "%m-%d %H:%M:%S"
    };
    at.strftime(form).to_string()
}

/// `1 file`, `2 files`.
pub(crate) fn plural(count: u64, one: &str) -> String {
    if count == 1 {
        format!("1 {one}")
    } else {
        format!("{count} {one}s")
    }
}
